//! Sockets of tokio.

use std::io;
use std::net::SocketAddr;

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
