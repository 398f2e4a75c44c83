// For the examples in the documentation: streams that have a server's replies ready.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use redwire_embedded_io::prelude::*;

/// A stream to a server that greets, and then has an answer for each time that it is written to.
pub struct Canned {
    answers: std::vec::IntoIter<&'static str>,
    ready: &'static [u8],
    asked: bool,
}

impl Canned {
    /// What was written since the last answer is answered when it is asked for.
    fn ready(&mut self) -> &'static [u8] {
        if self.ready.is_empty() && std::mem::take(&mut self.asked) {
            self.ready = self.answers.next().unwrap_or_default().as_bytes();
        }
        self.ready
    }
}

/// A connector that has one such stream.
pub fn connector(answers: &[&'static str]) -> impl Connector<Stream = Canned, Error = ErrorKind> {
    let greeting = ["%1\r\n$5\r\nproto\r\n:3\r\n", "+OK\r\n+OK\r\n"];
    let mut answers = Some([&greeting, answers].concat());
    move || match answers.take() {
        Some(answers) => Ok(Canned { answers: answers.into_iter(), ready: b"", asked: false }),
        None => Err(ErrorKind::ConnectionRefused),
    }
}

impl ErrorType for Canned {
    type Error = ErrorKind;
}

impl Read for Canned {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let count = buffer.len().min(self.ready().len());
        let (now, later) = self.ready.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.ready = later;
        Ok(count)
    }
}

impl ReadReady for Canned {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(!self.ready().is_empty())
    }
}

impl Write for Canned {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.asked = true;
        Ok(())
    }
}
