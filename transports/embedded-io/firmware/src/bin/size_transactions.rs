//! The client with GET, SET, INCR and PUBLISH, and with a transaction; all features of the client are on.
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
    static mut MEMORY: StaticBuffers<256, 160, 4> = StaticBuffers::new();
    static mut CLIENT: MaybeUninit<Redis<Scanner<'static>>> = MaybeUninit::uninit();
    redwire_firmware::begin();
    let line = Line::new(Uart::new(UartNumber::Zero), 1);
    let redis = CLIENT.write(Client::new(line, Config::default().no_library(), MEMORY.memory(), NoClock));
    redwire_firmware::exit(
        matches!(conversation::commands(redis), Ok(true)) && matches!(transaction(redis), Ok(true)),
    );
}

fn transaction(redis: &mut Redis<Scanner<'static>>) -> Result<bool, Error> {
    let (boots, named): (i64, bool) =
        redis.atomic().incr("size:boots").set("size:name", "gauge").execute()?;
    Ok(boots == 2 && named)
}
