//! What the programs share: the board, the decoder's cases, and a conversation to be measured.
//!
//! The board is the LM3S6965 evaluation board that QEMU emulates: a Cortex-M3 with 256 KB of flash, 64 KB of RAM, and
//! three serial lines, each of which is wired to a server.
#![no_std]

mod chip;
pub mod clock;
pub mod conversation;
#[cfg(feature = "tour")]
pub mod corpus;
pub mod uart;

/// Ends the program, and gives the emulator its exit status.
pub fn exit(worked: bool) -> ! {
    #[cfg(feature = "stack")]
    chip::print_stack_use();
    semihosting::process::exit(if worked { 0 } else { 1 })
}

/// Begins a program. With the feature `stack` it paints the memory of the stack, to see at the end how much was used.
#[inline(always)]
pub fn begin() {
    #[cfg(feature = "stack")]
    chip::paint_stack();
}
