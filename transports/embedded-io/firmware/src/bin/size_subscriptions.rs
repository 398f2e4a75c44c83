//! The client with GET, SET, INCR and PUBLISH, and with subscriptions.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use panic_halt as _;
use redwire::resp::Scanner;
use redwire_embedded_io::prelude::*;
use redwire_firmware::conversation::{self, Redis};
use redwire_firmware::uart::{Uart, UartNumber};

#[entry]
fn main() -> ! {
    static mut MEMORY: StaticBuffers<256, 160, 4, 32, 64> = StaticBuffers::sized();
    static mut CLIENT: MaybeUninit<Redis<Scanner<'static>>> = MaybeUninit::uninit();
    redwire_firmware::begin();
    let line = Line::new(Uart::new(UartNumber::Zero), 1);
    let redis = CLIENT.write(Client::new(line, Config::default().no_library(), MEMORY.memory(), NoClock));
    redwire_firmware::exit(
        matches!(conversation::commands(redis), Ok(true)) && matches!(subscriptions(redis), Ok(true)),
    );
}

fn subscriptions(redis: &mut Redis<Scanner<'static>>) -> Result<bool, Error> {
    redis.subscribe("size:echo")?;
    let receivers = redis.publish("size:echo", "hello")?;
    let message = redis.get_message(Duration::from_secs(1))?;
    let heard = message.is_some_and(|message| message.channel == b"size:echo" && message.payload == b"hello");
    redis.unsubscribe("size:echo")?;
    Ok(receivers == 1 && heard)
}
