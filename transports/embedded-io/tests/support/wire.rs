//! The stream in memory of the blocking client's tests, for the async client.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use redwire_embedded_io::prelude::*;

use super::memory::{Time, Wire, World};

/// Its streams may be given up at any time.
#[derive(Clone)]
pub struct AsyncWorld(pub World);

pub struct AsyncWire(Wire);

pub type Redis<'b> = AsyncClient<'b, AsyncWorld, Time>;

impl AsyncWorld {
    pub fn client<'b>(&self, config: Config<'b>, memory: impl Into<Memory<'b>>) -> Redis<'b> {
        AsyncClient::new(self.clone(), config, memory, Time::of(&self.0))
    }
}

impl AsyncConnector for AsyncWorld {
    type Stream = AsyncWire;
    type Error = ErrorKind;

    const CANCEL_SAFE: bool = true;

    async fn connect(&mut self) -> Result<AsyncWire, ErrorKind> {
        Connector::connect(&mut self.0).map(AsyncWire)
    }

    fn disconnect(&mut self, stream: AsyncWire) {
        Connector::disconnect(&mut self.0, stream.0);
    }
}

impl ErrorType for AsyncWire {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for AsyncWire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| match self.0.read_ready() {
            Ok(false) => Poll::Pending,
            _ => Poll::Ready(self.0.read(buffer)),
        })
        .await
    }
}

impl embedded_io_async::Write for AsyncWire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush()
    }
}

/// Polls a future to its end; the clock goes on whenever it waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it hangs");
}
