//! Sockets of the operating system as streams of `embedded-io`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use redwire_embedded_io::prelude::*;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub struct Socket {
    stream: Stream,
    /// What was read to find out whether there is something to be read.
    ahead: [u8; 64],
    begin: usize,
    end: usize,
}

/// Where the server is: on a port of this machine, or a Unix domain socket.
#[derive(Clone)]
pub enum Place {
    Tcp(Address),
    Unix(PathBuf),
}

impl Connector for Place {
    type Stream = Socket;
    type Error = io::Error;

    fn connect(&mut self) -> io::Result<Socket> {
        let stream = match self {
            Place::Tcp(address) => Stream::Tcp(TcpStream::connect((address.host(), address.port()))?),
            Place::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        Ok(Socket { stream, ahead: [0; 64], begin: 0, end: 0 })
    }
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_nonblocking(on),
            Stream::Unix(stream) => stream.set_nonblocking(on),
        }
    }
}

impl ErrorType for Socket {
    type Error = io::Error;
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.begin == self.end {
            return self.stream.read(buffer);
        }
        let count = buffer.len().min(self.end - self.begin);
        buffer[..count].copy_from_slice(&self.ahead[self.begin..self.begin + count]);
        self.begin += count;
        Ok(count)
    }
}

impl ReadReady for Socket {
    fn read_ready(&mut self) -> io::Result<bool> {
        if self.begin < self.end {
            return Ok(true);
        }
        self.stream.set_nonblocking(true)?;
        let result = self.stream.read(&mut self.ahead);
        self.stream.set_nonblocking(false)?;
        match result {
            // The end is something to be read, too.
            Ok(count) => {
                (self.begin, self.end) = (0, count);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
