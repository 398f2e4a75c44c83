//! How a line of a command table becomes a function and a method.
//!
//! A table is a macro that hands its lines to one of the two below:
//!
//! ```text
//! /// What it does, what it gives, since when, and a link.
//! fn expire(key: Argument, seconds: u64) -> Fixed<bool> = "EXPIRE", key, seconds;
//!     example expire("key", 60) = ["EXPIRE", "key", "60"];
//! ```
//!
//! `Argument` and `Arguments` stand for any type with that trait; other types stand for themselves.

/// Makes the functions that give command values.
macro_rules! functions {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($parameter:ident: $type:ident $(<$inner:ty>)?),*) -> $shape:ident $(<$reply:ty>)? = $($word:expr),+;
            example $example:expr => $wire:expr;
    )*) => {$(
        $(#[$meta])*
        ///
        /// ```
        /// use redwire::{command::*, resp::encode};
        #[doc = concat!("assert_eq!(encode(&", stringify!($example), "), encode(&", stringify!($wire), "));")]
        /// ```
        pub fn $name($($parameter: parameter_type!($type $(<$inner>)?)),*) -> Cmd<impl Arguments, $shape $(<$reply>)?> {
            Cmd::new(($($word,)+))
        }
    )*};
}

macro_rules! parameter_type {
    (Argument) => { impl $crate::command::Argument };
    (Arguments) => { impl $crate::command::Arguments };
    ($type:ident) => { $type };
    ($type:ident <$inner:ty>) => { $type<$inner> };
}

/// Makes the methods of [`Commands`](super::Commands).
macro_rules! methods {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($parameter:ident: $type:ident $(<$inner:ty>)?),*) -> $shape:ident $(<$reply:ty>)? = $($word:expr),+;
            example $example:expr => $wire:expr;
    )*) => {$(
        method! { $shape $(<$reply>)?, $(#[$meta])* fn $name($($parameter: $type $(<$inner>)?),*) }
    )*};
}

macro_rules! method {
    (Open, $(#[$meta:meta])* fn $name:ident($($parameter:ident: $type:ident $(<$inner:ty>)?),*)) => {
        $(#[$meta])*
        fn $name<R>(self, $($parameter: parameter_type!($type $(<$inner>)?)),*) -> Self::Output<R>
        where
            Self: ExecutorAs<R>,
        {
            self.run_as(super::$name($($parameter),*))
        }
    };
    (Fixed<$reply:ty>, $(#[$meta:meta])* fn $name:ident($($parameter:ident: $type:ident $(<$inner:ty>)?),*)) => {
        $(#[$meta])*
        fn $name(self, $($parameter: parameter_type!($type $(<$inner>)?)),*) -> Self::Output<$reply> {
            self.run(super::$name($($parameter),*))
        }
    };
}

pub(super) use {functions, method, methods, parameter_type};
