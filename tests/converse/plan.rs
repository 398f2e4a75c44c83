//! What a conversation will be: everything that is chosen at random is chosen here, from one seed, so that a plan can be
//! run again, and with parts left out.

use std::fmt;

use redwire::script::Digest;

use crate::words::{
    CHANNELS, CONTROL, ECHOING, FORBIDDEN, MONITOR, NAMES, PLAIN, QUIT, REPLIES, SCRIPTS, SELECT, SESSION,
    STICKY, TRANSACTIONS, WATCH,
};

/// The generator splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far from each other.
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Nothing, as the default user.
    None,
    /// A password of the default user.
    Password,
    /// The user `talker`.
    User,
    /// The user `talker` with a password that is wrong.
    Wrong,
}

/// The configuration of the engine, and what the server lets its user do.
#[derive(Clone, PartialEq, Eq)]
pub struct Setup {
    pub resp3: bool,
    pub login: Login,
    pub name: Option<&'static str>,
    pub database: u32,
    pub library: bool,
    /// Milliseconds, of a clock that only [`Step::Pass`] moves.
    pub timeout: Option<u64>,
    pub health_check: Option<u64>,
    /// Commands the user may not run, as in rules of the access control list.
    pub forbidden: Vec<&'static str>,
    /// Only some channels are open to the user.
    pub some_channels: bool,
    /// The most bytes that are written or read at once.
    pub piece: usize,
    /// The most that the engine keeps of what it has received, and of what it has to write.
    pub receive: usize,
    pub transmit: usize,
    /// The other memory is lent, and little: a few commands, names and scripts.
    pub lent: bool,
}

/// Room for every reply of a conversation.
pub const ENOUGH: usize = 1 << 20;

impl fmt::Debug for Setup {
    /// What is not as usual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.resp3 { "RESP3" } else { "RESP2" })?;
        if self.login != Login::None {
            write!(f, ", login {:?}", self.login)?;
        }
        if let Some(name) = self.name {
            write!(f, ", name {name}")?;
        }
        if self.database != 0 {
            write!(f, ", database {}", self.database)?;
        }
        if self.library {
            f.write_str(", library")?;
        }
        if let Some(timeout) = self.timeout {
            write!(f, ", command timeout {timeout} ms")?;
        }
        if let Some(interval) = self.health_check {
            write!(f, ", health check {interval} ms")?;
        }
        if !self.forbidden.is_empty() {
            write!(f, ", forbidden {}", self.forbidden.join(" "))?;
        }
        if self.some_channels {
            f.write_str(", channels a b a* only")?;
        }
        if self.piece != usize::MAX {
            write!(f, ", pieces of {}", self.piece)?;
        }
        if self.receive != ENOUGH {
            write!(f, ", {} bytes to receive", self.receive)?;
        }
        if self.transmit != ENOUGH {
            write!(f, ", {} bytes to transmit", self.transmit)?;
        }
        if self.lent {
            f.write_str(", lent memory")?;
        }
        Ok(())
    }
}

impl Setup {
    pub fn forbids(&self, command: &str) -> bool {
        self.forbidden.iter().any(|rule| {
            let family = command.split('|').next();
            *rule == command || Some(*rule) == family
        })
    }

    /// Whether the memory may not do.
    pub fn is_small(&self) -> bool {
        self.receive != ENOUGH || self.transmit != ENOUGH || self.lent
    }

    pub fn user(&self) -> &'static str {
        if matches!(self.login, Login::User | Login::Wrong) { "talker" } else { "default" }
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Send {
        words: Vec<String>,
        streamed: bool,
        timeout: Option<u64>,
    },
    /// Like `Send`, but the last argument follows in pieces, so many bytes `x`.
    Begin {
        words: Vec<String>,
        length: usize,
    },
    Append(usize),
    /// Gives up one of the commands that are not answered, counted from the oldest.
    Discard(usize),
    DiscardFrom(usize),
    /// Lets so many bytes go out.
    Write(usize),
    /// Lets so many bytes come in, once the server has said all it has to say.
    Read(usize),
    /// Everything is written and answered; then both sides are compared.
    Quiet,
    /// The stream breaks; what waits to be read is lost.
    Cut,
    /// The server ends the connection.
    Kill,
    Close,
    Connect,
    /// The clock goes on by so many milliseconds.
    Pass(u64),
    /// The control connection does something; `{user}` is the user of the conversation.
    Admin(Vec<String>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Send { words, streamed, timeout } => {
                write!(f, "{}", line(words))?;
                if *streamed {
                    f.write_str("   (streamed)")?;
                }
                timeout.map_or(Ok(()), |timeout| write!(f, "   (within {timeout} ms)"))
            }
            Step::Begin { words, length } => write!(f, "{} <{length} bytes in pieces>", line(words)),
            Step::Write(usize::MAX) => f.write_str("-- Write(everything)"),
            Step::Admin(words) => write!(f, "control: {}", line(words)),
            other => write!(f, "-- {other:?}"),
        }
    }
}

/// A command to be read by people.
pub fn line(words: &[String]) -> String {
    let short = |word: &String| match word.len() {
        0 => "''".to_string(),
        1..=60 => word.clone(),
        length => format!("{}..{length} bytes", &word[..6]),
    };
    words.iter().map(short).collect::<Vec<_>>().join(" ")
}

const COUNT: usize = 14;

/// What a conversation is about. Each has a few of them, so that the rare ones are not drowned by the others.
#[derive(Clone, Copy)]
enum Topic {
    Transactions,
    Watch,
    Select,
    Channels,
    Session,
    Replies,
    Sticky,
    Scripts,
    Monitor,
    Quit,
    Pieces,
    GivingUp,
    Cuts,
    Control,
}

/// A conversation: how it begins and what happens.
pub fn plan(seed: u64) -> (Setup, Vec<Step>) {
    let mut plan = Plan { random: Random::new(seed), steps: Vec::new(), number: 0, topics: [false; COUNT] };
    let setup = plan.setup();
    plan.fill();
    (setup, plan.steps)
}

struct Plan {
    random: Random,
    steps: Vec<Step>,
    number: u32,
    topics: [bool; COUNT],
}

impl Plan {
    fn setup(&mut self) -> Setup {
        let random = &mut self.random;
        let mut forbidden = Vec::new();
        if random.chance(50) {
            for _ in 0..1 + random.below(3) {
                forbidden.push(random.pick(FORBIDDEN));
            }
        }
        let login = match random.below(40) {
            0 => Login::Wrong,
            1..10 => Login::Password,
            10..24 => Login::None,
            _ => Login::User,
        };
        Setup {
            resp3: random.chance(55),
            login,
            name: random.chance(30).then_some("me"),
            database: if random.chance(30) { 1 + random.below(3) as u32 } else { 0 },
            library: random.chance(40),
            timeout: random.chance(20).then_some(100),
            health_check: random.chance(10).then_some(1000),
            forbidden,
            some_channels: random.chance(40),
            piece: random.pick(&[1, 2, 7, 40, 1000, usize::MAX, usize::MAX, usize::MAX]),
            receive: if random.chance(10) { random.pick(&[400, 1000, 4000]) } else { ENOUGH },
            lent: random.chance(10),
            transmit: if random.chance(10) { random.pick(&[400, 1000, 4000]) } else { ENOUGH },
        }
    }

    fn has(&self, topic: Topic) -> bool {
        self.topics[topic as usize]
    }

    fn fill(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            let topic = self.random.below(COUNT);
            self.topics[topic] = true;
        }
        // Most of what goes wrong goes wrong in transactions, and after broken streams.
        for topic in [Topic::Transactions, Topic::Cuts] {
            self.topics[topic as usize] |= self.random.chance(30);
        }
        if self.random.chance(80) {
            self.steps.extend([Step::Connect, Step::Quiet]);
        }
        for _ in 0..3 + self.random.below(28) {
            self.happen();
        }
        if self.random.chance(90) {
            self.steps.extend([Step::Connect, Step::Quiet]);
            self.send("ECHO e#");
            self.steps.push(Step::Quiet);
        }
    }

    fn happen(&mut self) {
        let small =
            |random: &mut Random| if random.chance(50) { random.below(12) } else { random.below(200) };
        match self.random.below(100) {
            0..5 => {
                let count = small(&mut self.random);
                self.steps.push(Step::Write(count));
            }
            5..12 => {
                let count = small(&mut self.random);
                self.steps.push(Step::Read(count));
            }
            12..20 => self.steps.push(Step::Quiet),
            20..24 => self.steps.push(Step::Connect),
            24..30 if self.has(Topic::Cuts) => {
                if self.random.chance(60) {
                    // What was written is run even if nobody waits for it.
                    self.steps.extend([Step::Write(usize::MAX), Step::Read(0)]);
                }
                let cut = self.random.pick(&[Step::Cut, Step::Cut, Step::Cut, Step::Kill, Step::Close]);
                self.steps.push(cut);
                if self.random.chance(80) {
                    self.steps.push(Step::Connect);
                }
            }
            30..36 if self.has(Topic::GivingUp) => {
                let which = self.random.below(6);
                let step = match self.random.below(4) {
                    0 => Step::DiscardFrom(which),
                    1 => Step::Pass(self.random.pick(&[1, 99, 100, 101, 1000, 5000, 6000])),
                    _ => Step::Discard(which),
                };
                self.steps.push(step);
            }
            36..42 if self.has(Topic::Control) => {
                let command = self.random.pick(CONTROL);
                let words = self.words(command);
                self.steps.push(Step::Admin(words));
            }
            42..48 if self.has(Topic::Pieces) => {
                let (words, length) = match self.random.below(4) {
                    0 => (self.words("ECHO"), 1 + self.random.below(9000)),
                    1 => (self.words("SET"), 3),
                    2 => (self.words("SUBSCRIBE"), 2),
                    _ => (self.words("SET w#"), self.random.below(50)),
                };
                self.steps.push(Step::Begin { words, length });
                for _ in 0..self.random.below(4) {
                    let count = self.random.below(40);
                    self.steps.push(Step::Append(count));
                }
            }
            _ => self.say(),
        }
    }

    fn say(&mut self) {
        let topics = [
            (Topic::Transactions, TRANSACTIONS),
            (Topic::Watch, WATCH),
            (Topic::Select, SELECT),
            (Topic::Channels, CHANNELS),
            (Topic::Session, SESSION),
            (Topic::Replies, REPLIES),
            (Topic::Sticky, STICKY),
            (Topic::Scripts, SCRIPTS),
            (Topic::Monitor, MONITOR),
            (Topic::Quit, QUIT),
        ];
        let open: Vec<&[&str]> =
            topics.into_iter().filter(|(topic, _)| self.has(*topic)).map(|(_, commands)| commands).collect();
        let commands =
            if open.is_empty() || self.random.chance(35) { PLAIN } else { self.random.pick(&open) };
        let command = self.random.pick(commands);
        // These need a settled connection, which does not come by itself.
        let alone =
            command.starts_with("AUTH") || command.starts_with("RESET") || command.starts_with("HELLO");
        if alone && self.random.chance(60) {
            self.steps.push(Step::Quiet);
        }
        self.send(command);
    }

    fn send(&mut self, command: &str) {
        let mut words = self.words(command);
        if command.ends_with("SUBSCRIBE") {
            for _ in 0..self.random.pick(&[0, 1, 1, 1, 2, 2, 3]) {
                words.push(self.random.pick(NAMES).to_string());
            }
        }
        let streamed = self.has(Topic::Pieces) && self.random.chance(30);
        let timeout = (self.has(Topic::GivingUp) && self.random.chance(10)).then_some(50);
        self.steps.push(Step::Send { words, streamed, timeout });
    }

    fn words(&mut self, command: &str) -> Vec<String> {
        if command.contains('#') {
            self.number += 1;
        }
        let number = self.number.to_string();
        let earlier = (1 + self.random.below(self.number as usize)).to_string();
        let word = |word: &str| {
            word.replace('#', &number)
                .replace('@', &earlier)
                .replace('~', " ")
                .replace("{sha}", &Digest::of(ECHOING.as_bytes()).to_string())
                .replace("''", "")
                .replace('%', &"x".repeat(6000))
        };
        command.split(' ').map(word).collect()
    }
}
