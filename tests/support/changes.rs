//! What the engine says of the things that stay with a connection.

use redwire::connection::Connection;

/// The flags that it knows, by the names they have in the model, and whether each is set.
pub fn changes(redis: &Connection<'_>) -> Vec<(&'static str, bool)> {
    vec![("USER", redis.has_changed_user())]
}
