//! The programs whose size is measured: what they do, what they must not be larger than, and what must not be in them.

use std::error::Error;
use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use redwire_std::prelude::*;

use crate::board;
use crate::sizes::Size;

/// One of them.
pub struct Program {
    file: &'static str,
    title: &'static str,
    /// Commands that it runs, and how many times.
    commands: &'static [(&'static str, u32)],
    /// The keys and values that it leaves.
    keys: &'static [(&'static str, &'static str)],
    bars: Bars,
    /// The dependency that brings panics with it, if there is one. There are none of our own.
    panics: Option<&'static str>,
}

/// How large it may be, in bytes.
struct Bars {
    flash: Option<u64>,
    /// Static memory besides buffers.
    ram: Option<u64>,
}

const NO_BARS: Bars = Bars { flash: None, ram: None };
const NAME: (&str, &str) = ("size:name", "sensor");

/// In the order of the table.
pub const PROGRAMS: &[Program] = &[
    Program {
        file: "size_scanner",
        title: "`Scanner` alone, on a UART",
        commands: &[("set", 1)],
        keys: &[NAME],
        bars: NO_BARS,
        panics: None,
    },
    Program {
        file: "size_ping",
        title: "the engine with PING, in a loop of its own",
        commands: &[("ping", 1)],
        keys: &[],
        bars: NO_BARS,
        panics: None,
    },
    Program {
        file: "size_commands",
        title: "the client with GET, SET, INCR and PUBLISH, over RESP2",
        commands: &[("set", 1), ("get", 1), ("incr", 1), ("publish", 1)],
        keys: &[NAME, ("size:boots", "1")],
        bars: Bars { flash: Some(12_288), ram: Some(1024) },
        panics: None,
    },
    Program {
        file: "size_scripts",
        title: "these, and a script",
        commands: &[("set", 1), ("get", 1), ("incr", 1), ("publish", 1), ("script|load", 1)],
        keys: &[NAME, ("size:boots", "42")],
        bars: NO_BARS,
        panics: Some("sha1_smol"),
    },
    Program {
        file: "size_nom",
        title: "these, with `NomParser` in place of `Scanner`",
        commands: &[("set", 1), ("get", 1), ("incr", 1), ("publish", 1)],
        keys: &[NAME, ("size:boots", "1")],
        bars: NO_BARS,
        panics: Some("nom"),
    },
    Program {
        file: "size_resp3",
        title: "these, with the feature `resp3`",
        commands: &[("hello", 1), ("set", 1), ("get", 1), ("incr", 1), ("publish", 1)],
        keys: &[NAME, ("size:boots", "1")],
        bars: NO_BARS,
        panics: None,
    },
    Program {
        file: "size_subscriptions",
        title: "these, with the features `resp3` and `subscriptions`, and a subscription",
        commands: &[("hello", 1), ("set", 1), ("get", 1), ("incr", 1), ("subscribe", 1), ("unsubscribe", 1)],
        keys: &[NAME, ("size:boots", "1")],
        bars: NO_BARS,
        panics: None,
    },
    Program {
        file: "size_transactions",
        title: "these, with the default features, and a transaction",
        commands: &[("hello", 1), ("get", 1), ("publish", 1), ("multi", 1), ("exec", 1)],
        keys: &[("size:name", "gauge"), ("size:boots", "2")],
        bars: NO_BARS,
        panics: None,
    },
];

/// What is in a program that can panic.
const PANIC: &str = "core::panicking";

/// What must not be in any of them: the machinery to format text, and decimal floating point numbers.
const FORBIDDEN: &[&str] = &["core::fmt", "flt2dec", "dec2flt"];

/// The variables that are memory of the caller's.
const BUFFERS: &[&str] = &["::MEMORY", "::LEVELS"];

impl Program {
    /// Runs it, and measures it. Gives its size, and what is not as it should be.
    ///
    /// # Errors
    /// Something is missing, or the server is not there.
    pub fn check(
        &self,
        folder: &Path,
        socket: &str,
        client: &Client,
    ) -> Result<(Size, Vec<String>), Box<dyn Error>> {
        let mut problems = Vec::new();
        let plain = folder.join("plain").join(self.file);
        problems.extend(self.run(&plain, socket, client)?.err());
        let mut size = self.measure(&std::fs::read(plain)?, &mut problems)?;
        match self.run(&folder.join("stack").join(self.file), socket, client)? {
            Ok(printed) => size.stack = String::from_utf8(printed)?.trim().parse()?,
            Err(problem) => problems.push(problem),
        }
        Ok((size, problems))
    }

    /// Runs it, and gives what it printed, or what went wrong.
    fn run(
        &self,
        file: &Path,
        socket: &str,
        client: &Client,
    ) -> Result<Result<Vec<u8>, String>, Box<dyn Error>> {
        client.flushall()?;
        client.script_flush()?;
        client.execute::<_, ()>(cmd("CONFIG").arg("RESETSTAT"))?;
        let printed = match board::run(file, socket, 60) {
            Ok(printed) => printed,
            Err((problem, _)) => return Ok(Err(problem)),
        };
        let statistics: String = client.execute(cmd("INFO").arg("commandstats"))?;
        for (command, times) in self.commands {
            if !statistics.contains(&format!("cmdstat_{command}:calls={times},")) {
                return Ok(Err(format!("{} did not run {command} {times} times\n{statistics}", self.file)));
            }
        }
        let mut keys: Vec<String> = client.keys("*")?;
        keys.sort_by_key(|key| self.keys.iter().position(|(expected, _)| key == expected));
        let mut found = Vec::new();
        for key in keys {
            let value: String = client.get(key.as_str())?;
            found.push((key, value));
        }
        if !found.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(self.keys.iter().copied()) {
            return Ok(Err(format!("{} left {found:?}, and should leave {:?}", self.file, self.keys)));
        }
        Ok(Ok(printed))
    }

    fn measure(&self, program: &[u8], problems: &mut Vec<String>) -> Result<Size, Box<dyn Error>> {
        let elf = object::File::parse(program)?;
        let section = |name: &str| elf.section_by_name(name).map_or(0, |section| section.size());
        let data = section(".data");
        let flash = section(".vector_table") + section(".text") + section(".rodata") + data;
        let mut ram = data + section(".bss") + section(".uninit");
        let mut buffers = 0;
        let mut forbidden = Vec::new();
        for symbol in elf.symbols() {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
            if BUFFERS.iter().any(|buffer| name.ends_with(buffer)) {
                buffers += symbol.size();
            }
            let panics = self.panics.is_none() && name.contains(PANIC);
            if panics || FORBIDDEN.iter().any(|part| name.contains(part)) {
                forbidden.push(name);
            }
        }
        ram -= buffers;
        if buffers == 0 {
            problems.push(format!("{}: the buffers are not to be found", self.file));
        }
        if let Some(first) = forbidden.first() {
            problems.push(format!(
                "{} holds {} symbols that it must not hold, the first is {first}",
                self.file,
                forbidden.len()
            ));
        }
        for (what, bytes, bar) in [("flash", flash, self.bars.flash), ("static RAM", ram, self.bars.ram)] {
            if let Some(bar) = bar
                && bytes > bar
            {
                problems.push(format!(
                    "{} takes {bytes} bytes of {what}, which should be {bar} at most",
                    self.file
                ));
            }
        }
        Ok(Size { title: self.title, flash, ram, buffers, stack: 0 })
    }
}
