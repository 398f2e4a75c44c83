//! Calls of scripts and functions that the server may have to be given first.

use super::call::Progress;
use super::exchange::{Exchange, Session, Step, wait_for_room};
use super::{Error, ErrorKind};
use crate::connection::{Connection, Event, SendOptions, Ticket};
use crate::parts::PIECES;
use crate::reply::FromReply;
use crate::resp::{ArgumentWriter, Encode, ErrorCode, Frame, Parser};
use crate::script::Script;
use crate::time::Instant;

/// A call of a script by its digest, or of a function by its name. If the server answers that it does not have it, it is
/// given the source, and called once more; both go out together. What the server says to that is the result.
///
/// A source larger than the transmit buffer goes out in pieces, where these are [built](crate::parts::PIECES).
pub struct ScriptCall<'c, E: ?Sized = dyn Encode + 'c> {
    call: &'c E,
    attempts: Attempts<'c>,
}

impl<E: ?Sized> core::fmt::Debug for ScriptCall<'_, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The arguments of the call may be secret.
        f.debug_struct("ScriptCall").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// A [`ScriptCall`] that keeps the call itself, so that it may outlive it: for transports with many exchanges at a time.
#[cfg(feature = "alloc")]
pub struct KeptScriptCall {
    call: alloc::boxed::Box<[u8]>,
    attempts: Attempts<'static>,
}

#[cfg(feature = "alloc")]
impl core::fmt::Debug for KeptScriptCall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The arguments of the call may be secret.
        f.debug_struct("KeptScriptCall").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// How far a call has come, without the call.
#[derive(Debug)]
struct Attempts<'c> {
    progress: Progress,
    source: Source<'c>,
    again: Again<'c>,
}

/// What a server is given that lacks it.
#[derive(Debug, Clone, Copy)]
struct Source<'c> {
    words: &'static [&'static str],
    text: &'c str,
    /// Whether an error says that the server lacks it.
    lacking: fn(&[u8], ErrorCode) -> bool,
}

/// How far the second attempt has come.
#[derive(Debug)]
enum Again<'c> {
    No,
    /// The source is to be sent; of these bytes some are still to be handed over.
    Loading {
        load: Option<Ticket>,
        rest: &'c [u8],
        deadline: Option<Instant>,
    },
    /// All of it was sent.
    Loaded {
        load: Ticket,
        answered: bool,
    },
}

impl Source<'_> {
    fn is_lacking(&self, frame: Frame<'_>) -> bool {
        frame.error().is_some_and(|error| (self.lacking)(error.text(), error.code()))
    }
}

impl<'c> Source<'c> {
    fn script(script: Script<'c>) -> Self {
        Source {
            words: &["SCRIPT", "LOAD"],
            text: script.source(),
            lacking: |_, code| code == ErrorCode::NoScript,
        }
    }
}

impl<'c, E: Encode + ?Sized> ScriptCall<'c, E> {
    /// A call of a script; `call` is EVALSHA or EVALSHA_RO with its digest.
    pub fn new(script: Script<'c>, call: &'c E) -> Self {
        ScriptCall { call, attempts: Attempts::new(Source::script(script)) }
    }

    /// A call of a function (Redis 7.0); `call` is FCALL or FCALL_RO, and `library` the source of its library, which takes
    /// the place of one of the same name.
    pub fn function(library: &'c str, call: &'c E) -> Self {
        let source = Source {
            words: &["FUNCTION", "LOAD", "REPLACE"],
            text: library,
            lacking: |text, _| text == b"ERR Function not found",
        };
        ScriptCall { call, attempts: Attempts::new(source) }
    }

    /// Reads what it returned.
    ///
    /// # Errors
    /// As [`Session::reply`]; one that the script raised is the server's.
    pub fn read<'s, P: Parser, R: FromReply<'s>>(&self, session: &'s Session<'_, P>) -> Result<R, Error> {
        session.reply().map_err(|error| error.about(&self.call))
    }
}

#[cfg(feature = "alloc")]
impl KeptScriptCall {
    /// A call of a script; `call` is EVALSHA or EVALSHA_RO with its digest.
    pub fn new(script: Script<'static>, call: &dyn Encode) -> Self {
        let call = crate::resp::encode(call).into();
        KeptScriptCall { call, attempts: Attempts::new(Source::script(script)) }
    }

    /// How many bytes of memory the call takes; those of the source do not count.
    pub fn size(&self) -> usize {
        self.call.len() + size_of::<Self>()
    }

    /// The oldest ticket that something is still to come for. None: what comes next is still to be sent.
    pub fn ticket(&self) -> Option<Ticket> {
        match self.attempts.again {
            Again::Loading { load, .. } => load,
            Again::Loaded { load, answered: false } => Some(load),
            _ => self.attempts.progress.ticket(),
        }
    }
}

impl<'c> Attempts<'c> {
    fn new(source: Source<'c>) -> Self {
        let progress = Progress::new(SendOptions::new().shared(), None);
        Attempts { progress, source, again: Again::No }
    }

    /// Queues the source, or as much of it as there is room for. None: there is no room yet.
    fn load<P: Parser>(
        &mut self,
        now: Instant,
        connection: &mut Connection<'_, P>,
    ) -> Result<Option<Ticket>, Error> {
        let Again::Loading { load, rest, deadline } = &mut self.again else { return Ok(None) };
        let options = SendOptions::new().shared();
        let ticket = match *load {
            Some(ticket) => ticket,
            None => {
                let source = self.source;
                let begun = if PIECES {
                    connection.begin(now, source.words, source.text.len(), options)
                } else {
                    connection.send_with(now, &Whole(source), options)
                };
                match begun {
                    Ok(ticket) => *load.insert(ticket),
                    Err(error) => {
                        wait_for_room(error, connection, now, source.words, deadline)?;
                        return Ok(None);
                    }
                }
            }
        };
        if PIECES {
            let taken = connection.append(rest);
            *rest = rest.get(taken..).unwrap_or_default();
            if connection.unfinished().is_some() {
                return Ok(None);
            }
        }
        Ok(Some(ticket))
    }

    fn send<P: Parser>(
        &mut self,
        now: Instant,
        connection: &mut Connection<'_, P>,
        call: &dyn Encode,
    ) -> Result<Step, Error> {
        if matches!(self.again, Again::Loading { .. })
            && let Some(load) = self.load(now, connection)?
        {
            self.again = Again::Loaded { load, answered: false };
            self.progress = self.progress.again();
        }
        match self.again {
            Again::Loading { .. } => Ok(Step::Wait),
            _ => self.progress.send(now, connection, call),
        }
    }

    fn is_sent(&self) -> bool {
        !matches!(self.again, Again::Loading { .. }) && self.progress.ticket().is_some()
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        if let Event::Reply { ticket, frame } = *event {
            match &mut self.again {
                Again::Loading { load: Some(load), .. } if ticket == *load => {
                    // An error comes before the source was complete.
                    frame.decode::<()>()?;
                    return Err(Error::new(ErrorKind::OutOfStep));
                }
                Again::Loaded { load, answered } if ticket == *load => {
                    *answered = true;
                    frame.decode::<()>()?;
                    return Ok(Step::Wait);
                }
                Again::No if self.progress.ticket() == Some(ticket) && self.source.is_lacking(frame) => {
                    let rest = self.source.text.as_bytes();
                    self.again = Again::Loading { load: None, rest, deadline: None };
                    return Ok(Step::Send);
                }
                _ => {}
            }
        }
        match (&self.again, event) {
            // The end of the connection follows, or the call itself is late as well.
            (
                Again::Loaded { load, .. } | Again::Loading { load: Some(load), .. },
                Event::Failed { ticket, .. },
            ) if ticket == load => Ok(Step::Wait),
            _ => self.progress.on_event(event),
        }
    }

    fn give_up<P: Parser>(&mut self, connection: &mut Connection<'_, P>) {
        match self.again {
            Again::Loading { load: Some(_), .. } => {
                // The server waits for the rest of the source.
                connection.close();
            }
            Again::Loaded { load, answered: false } => drop(connection.discard(load)),
            _ => {}
        }
        if !matches!(self.again, Again::Loading { .. }) {
            self.progress.give_up(connection);
        }
    }

    fn blame(&self, error: Error, call: &dyn Encode) -> Error {
        match self.again {
            // The server has just said that it has not executed anything.
            Again::Loading { .. } => error.executed(false).about(&self.source.words),
            _ => self.progress.blame(error).about(call),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.again {
            Again::Loading { deadline, .. } => deadline,
            _ => self.progress.deadline(),
        }
    }
}

/// The source in one piece.
struct Whole<'c>(Source<'c>);

impl Encode for Whole<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.0.words.iter().for_each(|word| out.bytes(word.as_bytes()));
        out.bytes(self.0.text.as_bytes());
    }
}

macro_rules! exchange {
    ($self:ident => $call:expr) => {
        fn send(&mut $self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error> {
            $self.attempts.send(now, connection, $call)
        }

        fn is_sent(&$self) -> bool {
            $self.attempts.is_sent()
        }

        fn on_event(&mut $self, event: &Event<'_>) -> Result<Step, Error> {
            $self.attempts.on_event(event)
        }

        fn give_up(&mut $self, connection: &mut Connection<'_, P>) {
            $self.attempts.give_up(connection);
        }

        fn blame(&$self, error: Error) -> Error {
            $self.attempts.blame(error, $call)
        }

        fn deadline(&$self) -> Option<Instant> {
            $self.attempts.deadline()
        }
    };
}

impl<P: Parser, E: Encode + ?Sized> Exchange<P> for ScriptCall<'_, E> {
    exchange!(self => &self.call);
}

#[cfg(feature = "alloc")]
impl<P: Parser> Exchange<P> for KeptScriptCall {
    exchange!(self => &crate::resp::Words::of(&self.call));
}
