//! How much a peer may declare before the parser refuses.

/// Limits on what a peer may send. Each is checked at the header that declares the size, before anything is stored.
///
/// ```
/// use redwire::resp::Limits;
///
/// let limits = Limits::default().bulk(1024 * 1024).depth(8);
/// assert_eq!(limits.max_depth, 8);
/// assert_eq!(limits.max_elements, 16 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Limits {
    /// Aggregates and attributes around a value: 128 by default.
    pub max_depth: usize,
    /// Bytes in one string, the chunks of a streamed one together: 512 MiB by default.
    pub max_bulk: usize,
    /// Elements in one aggregate, where a pair of a map counts two: 16 Mi by default.
    pub max_elements: u32,
    /// Bytes in one line, without type byte and CRLF: 64 KiB by default.
    pub max_line: usize,
}

impl Limits {
    /// Sets the limit on nesting.
    #[must_use]
    pub const fn depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    /// Sets the limit on the length of a string, in bytes.
    #[must_use]
    pub const fn bulk(mut self, bytes: usize) -> Self {
        self.max_bulk = bytes;
        self
    }

    /// Sets the limit on the elements of an aggregate; a pair of a map counts two.
    #[must_use]
    pub const fn elements(mut self, count: u32) -> Self {
        self.max_elements = count;
        self
    }

    /// Sets the limit on the length of a line, in bytes.
    #[must_use]
    pub const fn line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_depth: 128,
            max_bulk: 512 * 1024 * 1024,
            max_elements: 16 * 1024 * 1024,
            max_line: 64 * 1024,
        }
    }
}
