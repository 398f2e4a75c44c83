//! How a line of a command table becomes a function and a method, and a list of options a builder.
//!
//! A table is a macro that hands its lines to [`functions!`] and to [`methods!`]:
//!
//! ```text
//! /// What it does, what comes back, in which units, since when, and a link.
//! fn expire(key: Argument, seconds: u64) -> Fixed<bool> with Expire = "EXPIRE", key, seconds;
//!     example expire("key", 60) => ["EXPIRE", "key", "60"];
//! ```
//!
//! - `Argument` and `Arguments` stand for any type with that trait; other types stand for themselves.
//! - `with Expire`: it has options, which the builder `Expire` adds. They go after the words, or where `=>` stands
//!   between them, as in `= "HGETEX", key => "FIELDS", Counted(fields)`.
//! - `waits timeout`: the server may take that long for the reply, and for ever if the timeout is zero.
//! - The example runs as a test of the words on the wire.
//!
//! Lines handed to `functions!` alone make commands that are no methods.

/// Makes the functions that give command values.
macro_rules! functions {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($parameter:ident: $type:ident),*) -> $shape:ident $(<$reply:ty>)?
            $(with $builder:ident)? $(waits $timeout:ident)? = $($word:expr),+ $(=> $($last:expr),+)?;
            example $example:expr => $wire:expr;
    )*) => {$(
        $(#[$meta])*
        ///
        /// ```
        /// # use redwire::{command::*, resp::encode, time::Duration};
        #[doc = concat!("assert_eq!(encode(&", stringify!($example), "), encode(&", stringify!($wire), "));")]
        /// ```
        pub fn $name(
            $($parameter: parameter_type!($type)),*
        ) -> command_type!([$($builder)?] [$shape $(<$reply>)?] [$($($last),+)?]) {
            let command = Cmd::new(($($word,)+))$(.patient(Patience::blocking($timeout)))?;
            command_value!([$($builder)?] command, [$($($last),+)?])
        }
    )*};
}

macro_rules! parameter_type {
    (Argument) => { impl $crate::command::Argument };
    (Arguments) => { impl $crate::command::Arguments };
    ($type:ident) => { $type };
}

macro_rules! command_type {
    ([] [$reply:ty] []) => { Cmd<impl $crate::command::Arguments, $reply> };
    ([$builder:ident] [$reply:ty] []) => { $builder<impl $crate::command::Arguments> };
    ([$builder:ident] [$reply:ty] [$($last:expr),+]) => {
        $builder<impl $crate::command::Arguments, impl $crate::command::Arguments>
    };
}

macro_rules! command_value {
    ([] $command:ident, []) => { $command };
    ([$builder:ident] $command:ident, [$($last:expr),*]) => { $builder { command: $command, last: ($($last,)*) } };
}

/// Makes the methods of [`Commands`](super::Commands).
macro_rules! methods {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($parameter:ident: $type:ident),*) -> $shape:ident $(<$reply:ty>)?
            $(with $builder:ident)? $(waits $timeout:ident)? = $($word:expr),+ $(=> $($last:expr),+)?;
            example $example:expr => $wire:expr;
    )*) => {$(
        method! { $shape $(<$reply>)?, $(#[$meta])* fn $name($($parameter: $type),*) }
    )*};
}

macro_rules! method {
    (Open, $(#[$meta:meta])* fn $name:ident($($parameter:ident: $type:ident),*)) => {
        $(#[$meta])*
        fn $name<R>(self, $($parameter: parameter_type!($type)),*) -> Self::Output<R>
        where
            Self: ExecutorAs<R>,
        {
            self.run_as(super::$name($($parameter),*))
        }
    };
    (Fixed<$reply:ty>, $(#[$meta:meta])* fn $name:ident($($parameter:ident: $type:ident),*)) => {
        $(#[$meta])*
        fn $name(self, $($parameter: parameter_type!($type)),*) -> Self::Output<$reply> {
            self.run(super::$name($($parameter),*))
        }
    };
}

/// Makes a builder: a command, and a method for each of its options.
///
/// ```text
/// /// SET and its options. The example shows all of them.
/// Set -> Fixed<bool> {
///     /// Expires in this many seconds.
///     fn ex(seconds: u64) = "EX", seconds;
///     /// Gives the value that was there.
///     fn get() -> Open = "GET";
/// }
/// example set("key", 1).ex(60).get() => ["SET", "key", "1", "EX", "60", "GET"];
/// ```
///
/// An option with a `->` of its own changes what the reply is read as.
macro_rules! builder {
    (
        $(#[$meta:meta])*
        $name:ident -> $shape:ident $(<$reply:ty>)? {$(
            $(#[$option_meta:meta])*
            fn $option:ident($($parameter:ident: $type:ident),*) $(-> $other:ident $(<$other_reply:ty>)?)? = $($word:expr),+;
        )+}
        $(example $example:expr => $wire:expr;)+
    ) => {
        $(#[$meta])*
        ///
        /// ```
        /// # use redwire::{command::*, resp::encode, time::Duration};
        $(#[doc = concat!("assert_eq!(encode(&", stringify!($example), "), encode(&", stringify!($wire), "));")])+
        /// ```
        #[derive(Clone, Copy)]
        #[must_use = "a command does nothing until it is executed"]
        pub struct $name<A, L = (), R = $shape $(<$reply>)?> {
            pub(super) command: Cmd<A, R>,
            /// What stands after the options.
            pub(super) last: L,
        }

        impl<A: $crate::command::Arguments, L: $crate::command::Arguments, R> $name<A, L, R> {$(
            $(#[$option_meta])*
            pub fn $option(
                self,
                $($parameter: parameter_type!($type)),*
            ) -> $name<impl $crate::command::Arguments, L, option_reply!(R $(, $other $(<$other_reply>)?)?)> {
                $name { command: self.command.option(($($word,)+)), last: self.last }
            }
        )+}

        impl<A: $crate::command::Arguments, L: $crate::command::Arguments, R> $crate::command::Command for $name<A, L, R> {
            type Reply = R;
        }

        impl<A: $crate::command::Arguments, L: $crate::command::Arguments, R> $crate::resp::Encode for $name<A, L, R> {
            #[inline]
            fn write_arguments(&self, out: &mut $crate::resp::ArgumentWriter<'_, '_>) {
                self.command.write_arguments(out);
                self.last.write_arguments(out);
            }

            fn patience(&self) -> $crate::command::Patience {
                self.command.patience()
            }
        }

        /// Shows the type alone: arguments may be secrets.
        impl<A, L, R> core::fmt::Debug for $name<A, L, R> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        #[cfg(feature = "defmt")]
        impl<A, L, R> defmt::Format for $name<A, L, R> {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::write!(f, "{=str}", stringify!($name));
            }
        }
    };
}

macro_rules! option_reply {
    ($same:ident) => {
        $same
    };
    ($same:ident, $other:ty) => {
        $other
    };
}
