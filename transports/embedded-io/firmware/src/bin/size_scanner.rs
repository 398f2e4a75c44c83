//! The scanner alone: the command is a constant, and its reply is framed.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embedded_io::{Read as _, Write as _};
use panic_halt as _;
use redwire::resp::{Level, Limits, Parser as _, Progress, Scanner};
use redwire_firmware::uart::{Uart, UartNumber};

const COMMAND: &[u8] = b"*3\r\n$3\r\nSET\r\n$9\r\nsize:name\r\n$6\r\nsensor\r\n";
const REPLY: &[u8] = b"+OK\r\n";

#[entry]
fn main() -> ! {
    static mut LEVELS: [Level; 8] = [Level::EMPTY; 8];
    static mut MEMORY: [u8; 64] = [0; 64];
    redwire_firmware::begin();
    let mut scanner = Scanner::new(&mut LEVELS[..], Limits::default());
    redwire_firmware::exit(talk(&mut scanner, MEMORY).is_some_and(|reply| reply == REPLY));
}

fn talk<'m>(scanner: &mut Scanner<'_>, memory: &'m mut [u8]) -> Option<&'m [u8]> {
    let mut uart = Uart::new(UartNumber::Zero);
    let mut filled = 0;
    uart.write(COMMAND).ok()?;
    loop {
        filled += uart.read(memory.get_mut(filled..)?).ok()?;
        match scanner.parse(memory.get(..filled)?).ok()? {
            Progress::Frame { length, .. } => return memory.get(..length),
            Progress::Incomplete { .. } => {}
            _ => return None,
        }
    }
}
