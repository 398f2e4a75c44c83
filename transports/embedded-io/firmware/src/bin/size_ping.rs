//! The engine without a transport: the handshake and a PING, in a loop of its own.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use embedded_io::{Read as _, Write as _};
use panic_halt as _;
use redwire::command::ping;
use redwire::connection::{Config, Connection, Event};
use redwire::time::Instant;
use redwire_embedded_io::StaticBuffers;
use redwire_firmware::uart::{Uart, UartNumber};

#[entry]
fn main() -> ! {
    static mut MEMORY: StaticBuffers<256, 160, 4> = StaticBuffers::new();
    static mut ENGINE: MaybeUninit<Connection<'static>> = MaybeUninit::uninit();
    redwire_firmware::begin();
    let engine = ENGINE.write(Connection::new(Config::default().no_library(), MEMORY.memory().engine));
    redwire_firmware::exit(talk(engine).is_some());
}

fn talk(redis: &mut Connection<'static>) -> Option<()> {
    let now = Instant::from_micros(0);
    let mut uart = Uart::new(UartNumber::Zero);
    redis.connected(now).ok()?;
    let pinged = redis.send(now, &ping()).ok()?;
    loop {
        while let Some(bytes) = redis.poll_transmit() {
            let count = uart.write(bytes).ok()?;
            redis.transmitted(count);
        }
        let count = uart.read(redis.receive_buffer()).ok()?;
        redis.received(now, count);
        while let Some(event) = redis.poll_event() {
            match event {
                Event::Reply { ticket, frame } if ticket == pinged => return frame.decode().ok(),
                Event::Failed { .. } | Event::Closed { .. } => return None,
                _ => {}
            }
        }
    }
}
