//! A serial line as a stream of `embedded-io`.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

pub use crate::chip::UartNumber;
use crate::chip::UartRegisters;

/// A UART that is waited for. What it is wired to must not send faster than it is read, or hold back when it is told to.
pub struct Uart {
    registers: UartRegisters,
}

impl Uart {
    /// One of the three of the chip. Hold one value of each at most.
    pub fn new(number: UartNumber) -> Self {
        let registers = UartRegisters::of(number);
        registers.configure();
        Uart { registers }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let mut count = 0;
        for place in bytes {
            // The first byte is waited for, the others are taken if they are there.
            while count == 0 && !self.registers.has_received() {}
            let Some(byte) = self.registers.receive() else { break };
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.registers.has_received())
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.registers.send(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
