//! Sockets and the clock of tokio.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};

use embedded_io_adapters::tokio_1::FromTokio;
use redwire_embedded_io::prelude::*;
use tokio::net::TcpStream;

pub struct Tcp(pub SocketAddr);

impl AsyncConnector for Tcp {
    type Stream = FromTokio<TcpStream>;
    type Error = io::Error;

    const CANCEL_SAFE: bool = true;

    async fn connect(&mut self) -> io::Result<FromTokio<TcpStream>> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        Ok(FromTokio::new(stream))
    }
}

/// Made inside of a runtime.
pub struct TokioClock {
    start: tokio::time::Instant,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl TokioClock {
    pub fn new() -> Self {
        let start = tokio::time::Instant::now();
        TokioClock { start, sleep: Box::pin(tokio::time::sleep_until(start)) }
    }
}

impl Clock for TokioClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        self.sleep.as_mut().reset(self.start + Duration::from_micros(moment.as_micros()));
        if self.sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
}
