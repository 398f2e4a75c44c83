//! What the engine says of the things that stay with a connection.

use redwire::connection::{Changes, Connection};

/// The flags that it knows, by the names they have in the model, and whether each is set.
pub fn changes(redis: &Connection<'_>) -> Vec<(&'static str, bool)> {
    let flags = [
        ("USER", Changes::USER),
        ("NAME", Changes::NAME),
        ("LIBRARY", Changes::LIBRARY),
        ("TRACKING", Changes::TRACKING),
        ("CACHING", Changes::CACHING),
        ("NO_EVICT", Changes::NO_EVICT),
        ("NO_TOUCH", Changes::NO_TOUCH),
        ("CAPABILITIES", Changes::CAPABILITIES),
        ("IMPORT_SOURCE", Changes::IMPORT_SOURCE),
        ("READONLY", Changes::READONLY),
        ("ASKING", Changes::ASKING),
        ("SCRIPT_DEBUG", Changes::SCRIPT_DEBUG),
        ("FIELD_SETS", Changes::FIELD_SETS),
        ("PROTOCOL", Changes::PROTOCOL),
    ];
    let changes = redis.changes();
    flags.map(|(name, flag)| (name, changes.contains(flag))).to_vec()
}
