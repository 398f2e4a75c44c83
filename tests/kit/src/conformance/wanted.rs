//! Results as text, so that the list can name them.

use std::fmt::{self, Debug};

use redwire::client::{Error, ErrorKind};

/// What came of something that a user did: a value as `Debug` shows it, or a failure.
pub type Outcome = Result<String, Failure>;

/// An error, as far as all transports agree on it: `Server(ERR text) at 2; maybe executed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// The user's own error.
    #[must_use]
    pub fn given_up() -> Self {
        Failure("given up".into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<O> From<Error<O>> for Failure {
    fn from(error: Error<O>) -> Self {
        let kind = match error.kind() {
            ErrorKind::Server(said) => format!("Server({said})"),
            ErrorKind::Aborted(said) => format!("Aborted({said})"),
            misuse @ ErrorKind::Misuse(_) => format!("{misuse:?}"),
            other => {
                let text = format!("{other:?}");
                text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_string()
            }
        };
        let position = error.position().map_or(String::new(), |position| format!(" at {position}"));
        let maybe = if error.maybe_executed() { "; maybe executed" } else { "" };
        Failure(format!("{kind}{position}{maybe}"))
    }
}

/// A result as an outcome.
///
/// # Errors
/// It was one.
pub fn shown<T: Debug, E: Into<Failure>>(result: Result<T, E>) -> Outcome {
    result.map(|value| format!("{value:?}")).map_err(Into::into)
}

/// Runs an expression with a type for what is wanted, and shows the result:
/// `wanted!(want, R => client.execute::<_, R>(command))`, or `wanted!(all want, R => ..)` for the replies of a batch. The
/// types need the engine's feature `alloc`, which is the adapter's to turn on.
#[macro_export]
macro_rules! wanted {
    (@ $R:ident = $type:ty, $act:expr) => {{
        type $R = $type;
        $crate::conformance::shown($act)
    }};
    (all $want:expr, $R:ident => $act:expr) => {{
        use redwire::client::ServerError;
        use redwire::reply::Value;
        match $want {
            $crate::conformance::Want::Nothing => $crate::wanted!(@ $R = (), $act),
            $crate::conformance::Want::Text => $crate::wanted!(@ $R = Vec<Option<String>>, $act),
            $crate::conformance::Want::Number => $crate::wanted!(@ $R = Vec<i64>, $act),
            $crate::conformance::Want::Raw => $crate::wanted!(@ $R = Vec<Value>, $act),
            $crate::conformance::Want::Either => $crate::wanted!(@ $R = Vec<Result<Value, ServerError>>, $act),
            $crate::conformance::Want::Two => $crate::wanted!(@ $R = (Value, Value), $act),
        }
    }};
    ($want:expr, $R:ident => $act:expr) => {{
        use redwire::client::ServerError;
        use redwire::reply::Value;
        match $want {
            $crate::conformance::Want::Nothing => $crate::wanted!(@ $R = (), $act),
            $crate::conformance::Want::Text => $crate::wanted!(@ $R = Option<String>, $act),
            $crate::conformance::Want::Number => $crate::wanted!(@ $R = i64, $act),
            $crate::conformance::Want::Raw => $crate::wanted!(@ $R = Value, $act),
            $crate::conformance::Want::Either => $crate::wanted!(@ $R = Result<Value, ServerError>, $act),
            $crate::conformance::Want::Two => $crate::wanted!(@ $R = (Value, Value), $act),
        }
    }};
}
