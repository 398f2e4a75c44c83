//! Commands that are kept to be sent together.

use core::fmt;

use super::batch::Batch;
use super::{Error, ErrorKind, FromReplies};
use crate::command::{Arguments, Queue, eval, evalsha};
use crate::connection::{Capacity, SendError};
use crate::resp::{ArgumentWriter, Encode, Encoder, Words};
use crate::script::{Digest, Script};
use crate::storage::{Buffer, Storage};
use crate::time::Patience;

/// Commands that are kept, encoded one after the other, to be sent together: a pipeline, or a transaction.
///
/// It is a [`Queue`]: all commands are methods of it, and calls chain. [`batch`](Self::batch) and
/// [`atomic`](Self::atomic) make it an exchange.
///
/// ```
/// use redwire::client::Commands;
/// use redwire::command::Commands as _;
///
/// let mut commands = Commands::growing();
/// commands.incr("hits").expire("hits", 60).get("name");
/// let batch = commands.batch::<(u64, bool, Option<String>)>()?;
/// assert_eq!(commands.len(), 3);
/// assert!(commands.batch::<(u64,)>().is_err());
/// # drop(batch);
/// # Ok::<(), redwire::client::Error>(())
/// ```
pub struct Commands<'b> {
    encoded: Buffer<'b>,
    entries: Storage<'b, Entry>,
    length: usize,
    scripts: Scripts,
    /// The first command that could not be kept, and its number.
    error: Option<(usize, SendError)>,
}

/// The names of the commands alone: the arguments may be secret.
impl fmt::Debug for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (0..self.length).map(|number| Name(self.get(number)));
        f.debug_list().entries(names).finish()
    }
}

struct Name<'c>(Option<Encoded<'c>>);

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_ref().and_then(|command| Words::of(command.bytes).next()).unwrap_or_default();
        write!(f, "\"{}\"", name.escape_ascii())
    }
}

/// How many scripts are called by their digest after their first call. Of more the whole is sent each time.
const MOST_SCRIPTS: usize = 8;

/// The scripts that the server has by the time what comes next is executed.
#[derive(Debug, Default)]
pub(super) struct Scripts(heapless::Vec<Digest, MOST_SCRIPTS>);

impl Scripts {
    pub(super) const fn new() -> Self {
        Scripts(heapless::Vec::new())
    }

    /// Adds a call of a script, which brings it along if it is the first.
    pub(super) fn call<K: Arguments, A: Arguments>(
        &mut self,
        script: &Script<'_>,
        keys: K,
        arguments: A,
        add: impl FnOnce(&dyn Encode),
    ) {
        if self.0.contains(&script.digest()) {
            add(&evalsha(script.digest(), keys, arguments));
        } else {
            add(&eval(script.source(), keys, arguments));
            // Where there is no room the next call brings it along once more.
            let _ = self.0.push(script.digest());
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The memory that one command of [`Commands`] takes besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Entry {
    /// Where it ends in the encoded bytes.
    end: usize,
    patience: Patience,
}

impl Default for Commands<'_> {
    #[cfg(feature = "alloc")]
    fn default() -> Self {
        Self::growing()
    }

    #[cfg(not(feature = "alloc"))]
    fn default() -> Self {
        Self::new(Buffer::borrowed(&mut []), Storage::borrowed(&mut []))
    }
}

impl<'b> Commands<'b> {
    /// Memory for the bytes of the commands, and an entry for each.
    pub const fn new(encoded: Buffer<'b>, entries: Storage<'b, Entry>) -> Self {
        Commands { encoded, entries, length: 0, scripts: Scripts::new(), error: None }
    }

    /// Memory that grows.
    #[cfg(feature = "alloc")]
    pub const fn growing() -> Self {
        Self::new(Buffer::growing(usize::MAX / 2), Storage::growing())
    }

    /// How many commands there are.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// How many bytes they take, as they are written.
    pub fn bytes(&self) -> usize {
        self.encoded.len()
    }

    /// Whether there is no command.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether nothing was added, not even something that could not be kept.
    pub const fn is_untouched(&self) -> bool {
        self.length == 0 && self.error.is_none()
    }

    /// Adds a command. One that cannot be kept is said by [`batch`](Self::batch), and keeps all from being sent.
    pub fn add(&mut self, command: &dyn Encode) {
        if self.error.is_some() {
            return;
        }
        let added = match self.entries.reserve(self.length + 1) {
            Ok(()) => Encoder::new(&mut self.encoded).command(command).map_err(SendError::from),
            Err(_) => Err(SendError::Capacity(Capacity::InFlight)),
        };
        match added {
            Ok(()) => {
                let entry = Entry { end: self.encoded.len(), patience: command.patience() };
                if let Some(place) = self.entries.as_mut_slice().get_mut(self.length) {
                    *place = entry;
                }
                self.length += 1;
            }
            Err(error) => self.error = Some((self.length, error)),
        }
    }

    /// Adds a call of a script, which the server need not have: the first call of each brings it along, and so does each
    /// call where there are more than eight.
    pub fn script<K: Arguments, A: Arguments>(&mut self, script: &Script<'_>, keys: K, arguments: A) {
        let mut scripts = core::mem::take(&mut self.scripts);
        scripts.call(script, keys, arguments, |command| self.add(command));
        self.scripts = scripts;
    }

    /// Drops all commands. The memory is kept.
    pub fn clear(&mut self) {
        self.encoded.clear();
        self.scripts.clear();
        (self.length, self.error) = (0, None);
    }

    /// The commands as an exchange, to be sent one after the other, and their replies as a `T`.
    ///
    /// # Errors
    /// A command could not be kept, or `T` takes another number of replies ([`ErrorKind::Length`]). The commands stay.
    pub fn batch<T: FromReplies>(&self) -> Result<Batch<'_, 'b, T>, Error> {
        self.check::<T>()?;
        Ok(Batch::new(self, false))
    }

    /// The commands as an exchange, to be sent between MULTI and EXEC, and the elements of EXEC's reply as a `T`.
    ///
    /// # Errors
    /// As [`batch`](Self::batch).
    pub fn atomic<T: FromReplies>(&self) -> Result<Batch<'_, 'b, T>, Error> {
        self.check::<T>()?;
        Ok(Batch::new(self, true))
    }

    fn check<T: FromReplies>(&self) -> Result<(), Error> {
        if let Some((position, error)) = self.error {
            return Err(Error::<()>::from(error).at(position, super::Whole::Pipeline));
        }
        check_length::<T>(self.length)
    }

    /// One of the commands; the first is number 0.
    pub(super) fn get(&self, number: usize) -> Option<Encoded<'_>> {
        let entries = self.entries.as_slice().get(..self.length)?;
        let start = number.checked_sub(1).and_then(|before| entries.get(before)).map_or(0, |entry| entry.end);
        let Entry { end, patience } = *entries.get(number)?;
        Some(Encoded { bytes: self.encoded.filled().get(start..end)?, patience })
    }
}

/// Makes sure that the replies to so many commands can be read as a `T`.
pub(super) fn check_length<T: FromReplies>(commands: usize) -> Result<(), Error> {
    if (T::LEAST..=T::MOST).contains(&commands) {
        return Ok(());
    }
    let replies = if commands < T::LEAST { T::LEAST } else { T::MOST };
    Err(Error::new(ErrorKind::Length { commands, replies }))
}

impl Queue for Commands<'_> {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(&command);
    }
}

/// An encoded command.
pub(super) struct Encoded<'c> {
    bytes: &'c [u8],
    patience: Patience,
}

impl Encode for Encoded<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        Words::of(self.bytes).for_each(|word| out.bytes(word));
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}
