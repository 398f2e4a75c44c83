//! Log macros that go to `defmt`, to `log`, or nowhere, and what only they need to know.
//!
//! Only short, fixed texts and numbers are logged: never an argument, a key, a credential or a text of the server. With
//! both features on, both get each line. Without either, a line costs nothing: its arguments are not evaluated.

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
        if false {
            // Never run; without it the compiler would call what only a log line uses unused.
            $(let _ = &$argument;)*
        }
    }};
}

/// Whether anything is logged.
pub(crate) const LOGS: bool = cfg!(any(feature = "defmt", feature = "log"));

/// Tells a reconnect from the first connect, and from a second greeting on the same stream. Only log lines ask, so
/// without them it takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// There is a stream that has not been greeted.
    #[cfg(any(feature = "defmt", feature = "log"))]
    fresh: bool,
    /// Some stream has been greeted.
    #[cfg(any(feature = "defmt", feature = "log"))]
    greeted: bool,
}

impl Streams {
    /// A stream is there.
    pub(crate) fn begin(&mut self) {
        #[cfg(any(feature = "defmt", feature = "log"))]
        {
            self.fresh = true;
        }
    }

    /// The greeting on it is done. Gives the word for that.
    pub(crate) fn greeted(&mut self) -> &'static str {
        #[cfg(any(feature = "defmt", feature = "log"))]
        {
            let again = core::mem::replace(&mut self.greeted, true);
            if core::mem::take(&mut self.fresh) && again {
                return "reconnected";
            }
        }
        "connected"
    }
}

pub(crate) use {debug, emit, info, warning as warn};
