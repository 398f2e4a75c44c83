// For the examples in the documentation: the streams of `tests/support/canned.rs` for the async client.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use redwire_embedded_io::prelude::*;

mod blocking {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
}

pub struct Canned(blocking::Canned);

/// A connector that has one stream, to a server that greets, and then has an answer for each time that it is written to.
pub fn connector(answers: &[&'static str]) -> impl AsyncConnector {
    let mut connector = blocking::connector(answers);
    CancelSafe(async move || Connector::connect(&mut connector).map(Canned))
}

/// Runs an example to its end.
pub fn run<F: Future<Output = Result<(), Error>>>(example: F) {
    let mut example = pin!(example);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(result) = example.as_mut().poll(&mut context) {
            return result.unwrap();
        }
    }
    panic!("it hangs");
}

impl ErrorType for Canned {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Canned {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| match self.0.read_ready() {
            Ok(false) => Poll::Pending,
            _ => Poll::Ready(self.0.read(buffer)),
        })
        .await
    }
}

impl embedded_io_async::Write for Canned {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush()
    }
}
