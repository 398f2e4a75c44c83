//! A client that is not mio's: it types, and reads until it has seen what it waits for. What it does is printed.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a line may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) stream: BufReader<TcpStream>,
}

impl Guest {
    /// Connects, and says its name.
    pub(crate) fn enter(room: SocketAddr, name: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(room)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut guest = Guest { name: name.to_string(), stream: BufReader::new(stream) };
        guest.say(name)?;
        guest.sees(&format!("* welcome, {name}"))?;
        Ok(guest)
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        println!("{:>8} types  {line}", self.name);
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes())
    }

    /// The next line.
    pub(crate) fn read(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        println!("{:>8} sees   {line}", self.name);
        Ok(line)
    }

    /// Reads as far as a line that begins like this, and gives it.
    pub(crate) fn sees(&mut self, beginning: &str) -> io::Result<String> {
        loop {
            match self.read() {
                Ok(line) if line.starts_with(beginning) => return Ok(line),
                Ok(_) => {}
                Err(error) => {
                    let text = format!("{} has not seen `{beginning}`: {error}", self.name);
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
    }
}
