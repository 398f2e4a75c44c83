//! The client with GET, SET, INCR and PUBLISH, and with `NomParser` in place of `Scanner`.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use panic_halt as _;
use redwire::resp::{Limits, NomLevel, NomParser};
use redwire_embedded_io::prelude::*;
use redwire_firmware::conversation::{self, Redis};
use redwire_firmware::uart::{Uart, UartNumber};

#[entry]
fn main() -> ! {
    static mut MEMORY: StaticBuffers<256, 160, 4> = StaticBuffers::new();
    static mut LEVELS: MaybeUninit<[NomLevel; 8]> = MaybeUninit::uninit();
    static mut CLIENT: MaybeUninit<Redis<NomParser<'static>>> = MaybeUninit::uninit();
    redwire_firmware::begin();
    let parser = NomParser::new(&mut LEVELS.write(Default::default())[..], Limits::default());
    let line = Line::new(Uart::new(UartNumber::Zero), 1);
    let config = Config::default().no_library();
    let redis = CLIENT.write(Client::with_parser(line, config, MEMORY.memory(), NoClock, parser));
    redwire_firmware::exit(matches!(conversation::commands(redis), Ok(true)));
}
