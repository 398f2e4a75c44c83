//! Counts allocations of the thread that runs.
//!
//! ```
//! use redwire_kit::allocations::{Counting, during};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! assert_eq!(during(|| drop(Box::new(1))), 1);
//! ```

#![allow(unsafe_code, reason = "the trait of allocators is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u32> = const { Cell::new(0) };
    /// How deep in code that is not looked at.
    static ASIDE: Cell<u32> = const { Cell::new(0) };
}

/// The allocator of the system, which counts for each thread.
#[derive(Debug)]
pub struct Counting;

fn count() {
    if ASIDE.get() == 0 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    }
}

// SAFETY: it is the allocator of the system; a count that allocates nothing does not change that.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How many allocations this thread makes while `act` runs. None is counted unless [`Counting`] is the allocator.
pub fn during(act: impl FnOnce()) -> u32 {
    let before = ALLOCATIONS.get();
    act();
    ALLOCATIONS.get() - before
}

/// What this thread allocates while one lives is not counted: it is the work of the stream in memory, or of the server
/// after it.
#[derive(Debug)]
pub struct Aside(());

impl Aside {
    /// Looks away.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a guard is made on purpose")]
    pub fn new() -> Self {
        ASIDE.set(ASIDE.get() + 1);
        Aside(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        ASIDE.set(ASIDE.get() - 1);
    }
}
