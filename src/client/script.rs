//! Calls of scripts and functions that the server may have to be given first.

use super::call::Call;
use super::exchange::{Exchange, Session, Step};
use super::{Error, ErrorKind};
use crate::connection::{Capacity, Connection, Event, SendError, SendOptions, Ticket};
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
    call: Call<'c, E>,
    source: Source<'c>,
    again: Again<'c>,
}

impl<E: ?Sized> core::fmt::Debug for ScriptCall<'_, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ScriptCall")
            .field("call", &self.call)
            .field("again", &self.again)
            .finish_non_exhaustive()
    }
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

impl<'c, E: Encode + ?Sized> ScriptCall<'c, E> {
    /// A call of a script; `call` is EVALSHA or EVALSHA_RO with its digest.
    pub fn new(script: Script<'c>, call: &'c E) -> Self {
        let source = Source {
            words: &["SCRIPT", "LOAD"],
            text: script.source(),
            lacking: |_, code| code == ErrorCode::NoScript,
        };
        ScriptCall { call: Call::new(call), source, again: Again::No }
    }

    /// A call of a function (Redis 7.0); `call` is FCALL or FCALL_RO, and `library` the source of its library, which takes
    /// the place of one of the same name.
    pub fn function(library: &'c str, call: &'c E) -> Self {
        let source = Source {
            words: &["FUNCTION", "LOAD", "REPLACE"],
            text: library,
            lacking: |text, _| text == b"ERR Function not found",
        };
        ScriptCall { call: Call::new(call), source, again: Again::No }
    }

    /// Reads what it returned.
    ///
    /// # Errors
    /// As [`Session::reply`]; one that the script raised is the server's.
    pub fn read<'s, P: Parser, R: FromReply<'s>>(&self, session: &'s Session<'_, P>) -> Result<R, Error> {
        self.call.read(session)
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
                    Err(error) if is_passing(error, connection) => {
                        let patience = crate::time::Patience::Usual;
                        *deadline = deadline.or_else(|| connection.deadline_of(now, patience));
                        return match deadline {
                            Some(deadline) if *deadline <= now => Err(Error::new(ErrorKind::TimedOut)),
                            _ => Ok(None),
                        };
                    }
                    Err(error) => return Err(error.into()),
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
}

/// Whether a command that found no room will find some.
fn is_passing<P: Parser>(error: SendError, connection: &Connection<'_, P>) -> bool {
    matches!(error, SendError::Capacity(Capacity::Transmit { .. } | Capacity::InFlight))
        && super::exchange::may_have_room(error, connection)
}

/// The source in one piece.
struct Whole<'c>(Source<'c>);

impl Encode for Whole<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.0.words.iter().for_each(|word| out.bytes(word.as_bytes()));
        out.bytes(self.0.text.as_bytes());
    }
}

impl<P: Parser, E: Encode + ?Sized> Exchange<P> for ScriptCall<'_, E> {
    fn send(&mut self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error> {
        if matches!(self.again, Again::Loading { .. })
            && let Some(load) = self.load(now, connection)?
        {
            self.again = Again::Loaded { load, answered: false };
            self.call = self.call.again();
        }
        match self.again {
            Again::Loading { .. } => Ok(Step::Wait),
            _ => self.call.send(now, connection),
        }
    }

    fn is_sent(&self) -> bool {
        !matches!(self.again, Again::Loading { .. }) && Exchange::<P>::is_sent(&self.call)
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
                Again::No if self.call.ticket() == Some(ticket) && self.source.is_lacking(frame) => {
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
            _ => Exchange::<P>::on_event(&mut self.call, event),
        }
    }

    fn give_up(&mut self, connection: &mut Connection<'_, P>) {
        match self.again {
            Again::Loading { load: Some(_), .. } => {
                // The server waits for the rest of the source.
                connection.close();
            }
            Again::Loaded { load, answered: false } => drop(connection.discard(load)),
            _ => {}
        }
        if !matches!(self.again, Again::Loading { .. }) {
            self.call.give_up(connection);
        }
    }

    fn blame(&self, error: Error) -> Error {
        match self.again {
            // The server has just said that it has not executed anything.
            Again::Loading { .. } => error.executed(false).about(&self.source.words),
            _ => Exchange::<P>::blame(&self.call, error),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.again {
            Again::Loading { deadline, .. } => deadline,
            _ => Exchange::<P>::deadline(&self.call),
        }
    }
}
