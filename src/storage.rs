//! Memory that the caller lends, or that grows. All buffers of the engine come from here.
//!
//! [`Storage`] is a slice of slots, borrowed or (with `alloc`) owned and growing. [`Buffer`] is a byte queue on
//! top of it: bytes are appended at the tail, taken from the head, and stay contiguous in between.

use core::ops::Range;

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, string::String, vec::Vec};

/// Slots for the engine's tables: lent by the caller, or owned and growing.
///
/// A borrowed storage never grows; the operation that needs more fails with [`Full`] and changes nothing.
///
/// ```
/// use redwire::storage::Storage;
///
/// let mut slots = [0u32; 4];
/// let lent = Storage::from(&mut slots[..]);
/// assert_eq!(lent.as_slice().len(), 4);
/// ```
#[non_exhaustive]
pub enum Storage<'a, T> {
    /// Memory of the caller; its length is the capacity.
    Borrowed(&'a mut [T]),
    /// Memory that grows on demand.
    #[cfg(feature = "alloc")]
    Owned(Vec<T>),
}

/// Shows how many slots there are, and not what is in them: commands and replies do not belong in a log.
impl<T> core::fmt::Debug for Storage<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (name, slots) = match self {
            Storage::Borrowed(slots) => ("Borrowed", slots.len()),
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => ("Owned", slots.len()),
        };
        f.debug_tuple(name).field(&slots).finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for Storage<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Storage::Borrowed(slots) => defmt::write!(f, "Borrowed({=usize})", slots.len()),
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => defmt::write!(f, "Owned({=usize})", slots.len()),
        }
    }
}

/// A storage or buffer has no room for what should go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no room left in the storage")
    }
}

impl core::error::Error for Full {}

impl<'a, T> From<&'a mut [T]> for Storage<'a, T> {
    fn from(slots: &'a mut [T]) -> Self {
        Storage::Borrowed(slots)
    }
}

impl<'a, T, const N: usize> From<&'a mut [T; N]> for Storage<'a, T> {
    fn from(slots: &'a mut [T; N]) -> Self {
        Storage::Borrowed(slots)
    }
}

#[cfg(feature = "alloc")]
impl<T> From<Vec<T>> for Storage<'_, T> {
    fn from(slots: Vec<T>) -> Self {
        Storage::Owned(slots)
    }
}

impl<'a, T> Storage<'a, T> {
    /// The caller's memory; its length is the capacity.
    pub const fn borrowed(slots: &'a mut [T]) -> Self {
        Storage::Borrowed(slots)
    }
}

impl<T: Copy + Default> Storage<'_, T> {
    /// A storage that starts empty and grows on demand.
    #[cfg(feature = "alloc")]
    pub const fn growing() -> Self {
        Storage::Owned(Vec::new())
    }

    /// The slots there are now.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Storage::Borrowed(slots) => slots,
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => slots,
        }
    }

    /// The slots there are now, to be written.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Storage::Borrowed(slots) => slots,
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => slots,
        }
    }

    /// Makes sure that there are at least `count` slots; new ones hold `T::default()`.
    ///
    /// # Errors
    /// [`Full`] when the memory is borrowed and smaller than that, or the allocator has none left.
    pub fn reserve(&mut self, count: usize) -> Result<(), Full> {
        match self {
            Storage::Borrowed(slots) if slots.len() >= count => Ok(()),
            Storage::Borrowed(_) => Err(Full),
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => {
                if slots.len() < count {
                    let doubled = slots.len().saturating_mul(2).max(8);
                    grow(slots, count.max(doubled))?;
                }
                Ok(())
            }
        }
    }

    /// Like [`reserve`](Self::reserve), without growing beyond `count` slots.
    fn reserve_exact(&mut self, count: usize) -> Result<(), Full> {
        match self {
            Storage::Borrowed(slots) if slots.len() >= count => Ok(()),
            Storage::Borrowed(_) => Err(Full),
            #[cfg(feature = "alloc")]
            Storage::Owned(slots) => grow(slots, count),
        }
    }

    /// Gives memory beyond `count` slots back to the allocator; borrowed memory stays as it is.
    pub(crate) fn shrink(&mut self, count: usize) {
        #[cfg(feature = "alloc")]
        if let Storage::Owned(slots) = self
            && slots.len() > count
        {
            slots.truncate(count);
            slots.shrink_to_fit();
        }
        let _ = count;
    }

    /// Whether [`reserve`](Self::reserve) may add slots.
    pub(crate) fn grows(&self) -> bool {
        !matches!(self, Storage::Borrowed(_))
    }
}

#[cfg(feature = "alloc")]
fn grow<T: Copy + Default>(slots: &mut Vec<T>, count: usize) -> Result<(), Full> {
    if slots.len() < count {
        slots.try_reserve_exact(count - slots.len()).map_err(|_| Full)?;
        slots.resize(count, T::default());
    }
    Ok(())
}

/// Copies what fits. `copy_from_slice` would panic if the lengths differ.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    for (place, byte) in to.iter_mut().zip(from) {
        *place = *byte;
    }
}

/// Moves the slots `from` to where `to` is, as `copy_within` does.
#[cfg(feature = "__fast")]
pub(crate) fn move_within<T: Copy>(slots: &mut [T], from: Range<usize>, to: usize) {
    if from.end <= slots.len() && to <= slots.len() - from.len() {
        slots.copy_within(from, to);
    }
}

/// The same without `copy_within`, which is fast and takes much flash.
#[cfg(not(feature = "__fast"))]
pub(crate) fn move_within<T: Copy>(slots: &mut [T], from: Range<usize>, to: usize) {
    for step in 0..from.len() {
        let index = if to > from.start { from.len() - 1 - step } else { step };
        if let Some(&slot) = slots.get(from.start + index)
            && let Some(place) = slots.get_mut(to + index)
        {
            *place = slot;
        }
    }
}

/// A byte queue: appended at the tail, consumed from the head, contiguous in between.
///
/// Lent memory has a fixed capacity. Owned memory grows up to its limit and shrinks again when it has run empty.
///
/// ```
/// use redwire::storage::Buffer;
///
/// let mut memory = [0u8; 8];
/// let mut buffer = Buffer::borrowed(&mut memory);
/// buffer.append(b"hello").unwrap();
/// buffer.consume(2);
/// assert_eq!(buffer.filled(), b"llo");
/// assert!(buffer.append(b"too much").is_err());
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Buffer<'a> {
    storage: Storage<'a, u8>,
    head: usize,
    tail: usize,
    limit: usize,
}

/// What an owned buffer keeps allocated while it is idle, in bytes.
#[cfg(feature = "alloc")]
pub const IDLE_CAPACITY: usize = 16 * 1024;

impl<'a> Buffer<'a> {
    /// A buffer in the caller's memory; its length is the capacity, in bytes.
    pub const fn borrowed(memory: &'a mut [u8]) -> Self {
        Buffer { limit: memory.len(), storage: Storage::Borrowed(memory), head: 0, tail: 0 }
    }

    /// A buffer that grows to at most `limit` bytes and gives memory above 16 KiB back when it runs empty.
    #[cfg(feature = "alloc")]
    pub const fn growing(limit: usize) -> Self {
        Buffer { storage: Storage::Owned(Vec::new()), head: 0, tail: 0, limit }
    }

    /// The bytes between head and tail.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        self.storage.as_slice().get(self.head..self.tail).unwrap_or_default()
    }

    /// The bytes between head and tail, to be changed in place.
    #[inline]
    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        self.storage.as_mut_slice().get_mut(self.head..self.tail).unwrap_or_default()
    }

    /// The bytes `start..end` of those between head and tail; empty if there are not so many.
    pub(crate) fn part(&self, start: usize, end: usize) -> &[u8] {
        self.filled().get(start..end).unwrap_or_default()
    }

    /// How many bytes are between head and tail.
    #[inline]
    pub fn len(&self) -> usize {
        self.tail - self.head
    }

    /// Whether nothing is between head and tail.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tail == self.head
    }

    /// The memory in use now, in bytes.
    pub fn capacity(&self) -> usize {
        self.storage.as_slice().len()
    }

    /// How many bytes still fit after the tail, when the buffer grows as far as its limit allows.
    pub fn available(&self) -> usize {
        let most = if self.storage.grows() { self.limit } else { self.capacity() };
        most.saturating_sub(self.len())
    }

    /// The free memory after the tail. Write into it, then call [`commit`](Self::commit).
    #[inline]
    pub fn free(&mut self) -> &mut [u8] {
        self.storage.as_mut_slice().get_mut(self.tail..).unwrap_or_default()
    }

    /// Moves the tail past `count` bytes that were written into [`free`](Self::free). More than is free counts as all.
    #[inline]
    pub fn commit(&mut self, count: usize) {
        self.tail = self.tail.saturating_add(count).min(self.capacity());
    }

    /// Drops `count` bytes from the head. More than is filled counts as all.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.head = self.head.saturating_add(count).min(self.tail);
        if self.head == self.tail {
            self.head = 0;
            self.tail = 0;
        }
    }

    /// Cuts the queue to its first `length` bytes.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        if length < self.len() {
            self.tail = self.head + length;
        }
    }

    /// Drops all bytes and gives memory above the idle capacity back.
    pub fn clear(&mut self) {
        self.head = 0;
        self.tail = 0;
        self.shrink();
    }

    /// Gives memory above the idle capacity back when nothing is in the queue.
    pub(crate) fn shrink(&mut self) {
        #[cfg(feature = "alloc")]
        if self.is_empty() && self.capacity() > IDLE_CAPACITY {
            self.storage.shrink(IDLE_CAPACITY);
        }
    }

    /// Makes room for `count` more bytes after the tail: by moving the filled part down, or by growing.
    ///
    /// # Errors
    /// [`Full`] when neither helps; the queue is unchanged.
    #[inline]
    pub fn reserve(&mut self, count: usize) -> Result<(), Full> {
        if self.capacity() - self.tail >= count {
            return Ok(());
        }
        self.make_room(count)
    }

    #[cold]
    fn make_room(&mut self, count: usize) -> Result<(), Full> {
        if count > self.available() {
            return Err(Full);
        }
        let length = self.len();
        let wanted = length + count;
        // Moving costs `length` bytes. The `head` bytes that were consumed pay for it if they are as many. Otherwise the
        // memory grows too, so that the next move is far away.
        let paid = self.head >= length || !self.storage.grows();
        self.compact();
        if wanted <= self.capacity() && paid {
            return Ok(());
        }
        // At least doubled, so that appending stays linear, and never beyond the limit.
        let doubled = self.capacity().saturating_mul(2).max(512).min(self.limit);
        match self.storage.reserve_exact(wanted.max(doubled)) {
            Err(Full) if wanted <= self.capacity() => Ok(()),
            reserved => reserved,
        }
    }

    /// Moves the filled part to the front of the memory.
    pub(crate) fn compact(&mut self) {
        if self.head > 0 {
            let (head, tail) = (self.head, self.tail);
            move_within(self.storage.as_mut_slice(), head..tail, 0);
            self.tail -= self.head;
            self.head = 0;
        }
    }

    /// Whether the memory is its own, and grows.
    pub(crate) fn grows(&self) -> bool {
        self.storage.grows()
    }

    /// Whether it is time to move the filled part down: little is free after the tail, and at least as much was consumed as
    /// has to be moved.
    pub(crate) fn compaction_pays(&self) -> bool {
        self.head > 0 && self.head >= self.len() && self.capacity() - self.tail < self.capacity() / 2
    }

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// [`Full`] when they do not fit; the queue is unchanged.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.reserve(bytes.len())?;
        let end = self.tail + bytes.len();
        copy(self.storage.as_mut_slice().get_mut(self.tail..end).ok_or(Full)?, bytes);
        self.tail = end;
        Ok(())
    }
}

/// Text of a configuration: lent, or owned under `alloc`.
///
/// ```
/// use redwire::storage::Text;
///
/// let name = Text::from("sensor-7");
/// assert_eq!(name.as_str(), "sensor-7");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text<'a> {
    /// Text of the caller.
    Borrowed(&'a str),
    /// Text that belongs to the configuration.
    #[cfg(feature = "alloc")]
    Owned(Box<str>),
}

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            #[cfg(feature = "alloc")]
            Text::Owned(text) => text,
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text::Borrowed(text)
    }
}

#[cfg(feature = "alloc")]
impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text::Owned(text.into_boxed_str())
    }
}

impl core::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Text<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str:?}", self.as_str());
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn borrowed_buffer_moves_down_and_refuses_whole() {
        let mut memory = [0u8; 8];
        let mut buffer = Buffer::borrowed(&mut memory);
        buffer.append(b"abcdef").unwrap();
        buffer.consume(4);
        buffer.append(b"ghij").unwrap();
        assert_eq!(buffer.filled(), b"efghij");
        assert_eq!(buffer.append(b"klm"), Err(Full));
        assert_eq!(buffer.filled(), b"efghij");
        assert_eq!(buffer.available(), 2);
    }

    #[test]
    fn owned_buffer_grows_to_its_limit_and_shrinks_again() {
        let mut buffer = Buffer::growing(100_000);
        buffer.append(&[7; 90_000]).unwrap();
        assert_eq!(buffer.append(&[7; 10_001]), Err(Full));
        buffer.append(&[7; 10_000]).unwrap();
        assert!(buffer.capacity() <= 100_000);
        buffer.consume(100_000);
        buffer.shrink();
        assert_eq!(buffer.capacity(), IDLE_CAPACITY);
    }

    #[test]
    fn more_than_there_is_counts_as_all() {
        let mut memory = [0u8; 4];
        let mut buffer = Buffer::borrowed(&mut memory);
        buffer.commit(usize::MAX);
        assert_eq!(buffer.len(), 4);
        buffer.consume(usize::MAX);
        assert!(buffer.is_empty());
    }
}
