//! Log macros that go to `defmt`, to `log`, or nowhere.
//!
//! Only short, fixed texts and numbers are logged: never an argument, a key or a credential. With both features on,
//! both get each line. Without either, a line costs nothing.

macro_rules! debug {
    ($text:literal $(, $argument:expr)* $(,)?) => { $crate::log::emit!(debug, $text $(, $argument)*) };
}

macro_rules! info {
    ($text:literal $(, $argument:expr)* $(,)?) => { $crate::log::emit!(info, $text $(, $argument)*) };
}

macro_rules! warning {
    ($text:literal $(, $argument:expr)* $(,)?) => { $crate::log::emit!(warn, $text $(, $argument)*) };
}

macro_rules! emit {
    ($level:ident, $text:literal $(, $argument:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::$level!($text $(, $argument)*);
        #[cfg(feature = "log")]
        ::log::$level!($text $(, $argument)*);
        #[cfg(not(any(feature = "defmt", feature = "log")))]
        { $(let _ = &$argument;)* }
    }};
}

pub(crate) use {debug, emit, info, warning as warn};
