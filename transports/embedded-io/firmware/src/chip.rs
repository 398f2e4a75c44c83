//! The chip: its registers, its table of interrupts, its stack. All unsafe code of the programs is here.
#![allow(unsafe_code)]

/// The table of the chip's interrupts, which the linker puts behind that of the core's exceptions. None is used.
///
/// SAFETY: the section is where `cortex-m-rt` expects the table, and an entry of 0 is never taken, since no interrupt is
/// ever enabled.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [usize; INTERRUPTS] = [0; INTERRUPTS];

/// A thumbv6m core, which is not that of this chip, has 32 at most.
const INTERRUPTS: usize = if cfg!(target_has_atomic = "32") { 44 } else { 32 };

/// The registers of a PL011 UART.
#[derive(Clone, Copy)]
pub(crate) struct UartRegisters {
    base: usize,
}

const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const LINE_CONTROL: usize = 0x2C;
/// The receive FIFO is empty.
const RECEIVE_EMPTY: u32 = 1 << 4;
/// The transmit FIFO is full.
const TRANSMIT_FULL: u32 = 1 << 5;
/// 8 bits, no parity, one stop bit, both FIFOs on.
const EIGHT_BITS_FIFO: u32 = 0x70;

impl UartRegisters {
    /// The registers of UART 0, 1 or 2.
    pub(crate) const fn of(number: UartNumber) -> Self {
        UartRegisters { base: 0x4000_C000 + 0x1000 * number as usize }
    }

    /// Turns its FIFOs on, of 16 bytes each. Clocks, pins and the rate the emulator does not ask for.
    #[inline(always)]
    pub(crate) fn configure(self) {
        // SAFETY: this register can be written to while nothing is sent or received.
        unsafe { self.register(LINE_CONTROL).write_volatile(EIGHT_BITS_FIFO) }
    }

    /// The byte that was received first, if there is one.
    #[inline(always)]
    pub(crate) fn receive(self) -> Option<u8> {
        if !self.has_received() {
            return None;
        }
        // SAFETY: this register can be read at any time; to read it takes the byte out of the FIFO.
        Some(unsafe { self.register(DATA).read_volatile() } as u8)
    }

    #[inline(always)]
    pub(crate) fn has_received(self) -> bool {
        self.flags() & RECEIVE_EMPTY == 0
    }

    /// Sends a byte, as soon as there is room for it.
    #[inline(always)]
    pub(crate) fn send(self, byte: u8) {
        while self.flags() & TRANSMIT_FULL != 0 {}
        // SAFETY: this register can be written to at any time; the FIFO has room.
        unsafe { self.register(DATA).write_volatile(byte.into()) }
    }

    #[inline(always)]
    fn flags(self) -> u32 {
        // SAFETY: to read this register changes nothing.
        unsafe { self.register(FLAGS).read_volatile() }
    }

    #[inline(always)]
    const fn register(self, offset: usize) -> *mut u32 {
        core::ptr::with_exposed_provenance_mut(self.base + offset)
    }
}

/// Which of the chip's UARTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UartNumber {
    /// UART 0.
    Zero = 0,
    /// UART 1.
    One = 1,
    /// UART 2.
    Two = 2,
}

/// What unused memory of the stack holds.
#[cfg(feature = "stack")]
const PAINT: u32 = 0x5354_4b21;

#[cfg(feature = "stack")]
unsafe extern "C" {
    /// The end of static memory, from the linker script: the stack may grow down to it.
    static mut _stack_end: u32;
    /// Where the stack begins.
    static mut _stack_start: u32;
}

/// Paints the stack below the caller.
#[cfg(feature = "stack")]
#[inline(always)]
pub(crate) fn paint_stack() {
    let end = &raw mut _stack_end;
    let mut place = cortex_m::register::msp::read() as *mut u32;
    while place > end {
        place = place.wrapping_sub(1);
        // SAFETY: between the end of static memory and the stack pointer there is memory that nothing uses. This function
        // is inlined and calls nothing, and no interrupt is enabled yet.
        unsafe { place.write_volatile(PAINT) }
    }
}

/// Prints how many bytes of the stack were in use when it was deepest.
#[cfg(feature = "stack")]
pub(crate) fn print_stack_use() {
    use semihosting::io::Write as _;
    let (mut place, start) = (&raw mut _stack_end, &raw mut _stack_start);
    // SAFETY: all of it is memory, and to read it changes nothing.
    while place < start && unsafe { place.read_volatile() } == PAINT {
        place = place.wrapping_add(1);
    }
    if let Ok(mut out) = semihosting::io::stdout() {
        let _ = writeln!(out, "{}", start as usize - place as usize);
    }
}
