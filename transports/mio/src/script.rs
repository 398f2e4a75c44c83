//! Lua scripts: called by their digest, and sent whole where the server does not have them.

use std::collections::VecDeque;
use std::sync::Arc;

use redwire::connection::Ticket;
use redwire::resp::{ArgumentWriter, Encode, Words};
use redwire::script::Digest;

/// A Lua script, and its digest. To clone it copies nothing.
#[derive(Debug, Clone)]
pub struct Script {
    source: Arc<str>,
    digest: Digest,
}

impl Script {
    /// A script with this source.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        Script { digest: Digest::of(source.as_bytes()), source }
    }

    /// The source as it was given, which goes to a server that does not have the script yet.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The SHA-1 digest of the source, by which the server knows the script.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The calls that wait for their replies, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Calls(VecDeque<Call>);

#[derive(Debug)]
pub(crate) struct Call {
    /// What the engine knows it by.
    pub(crate) ticket: Ticket,
    /// What the user knows it by.
    pub(crate) original: Ticket,
    /// What to send if the server does not have the script. None the second time.
    pub(crate) whole: Option<Whole>,
}

/// EVAL with the source of a script and what stands behind the digest in its EVALSHA.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) script: Script,
    pub(crate) evalsha: Vec<u8>,
}

impl Encode for Whole {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.bytes(b"EVAL");
        out.bytes(self.script.source.as_bytes());
        // Behind EVALSHA and the digest.
        Words::of(&self.evalsha).skip(2).for_each(|word| out.bytes(word));
    }
}

impl Calls {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, call: Call) {
        self.0.push_back(call);
    }

    /// Takes out the call that the engine knows by a ticket.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Call> {
        self.remove(|call| call.ticket == ticket)
    }

    /// Takes out the call that the user knows by a ticket.
    pub(crate) fn take_original(&mut self, ticket: Ticket) -> Option<Call> {
        self.remove(|call| call.original == ticket)
    }

    /// Replies come in the order of sending: mostly it is the first.
    fn remove(&mut self, is: impl FnMut(&Call) -> bool) -> Option<Call> {
        let position = self.0.iter().position(is)?;
        let call = self.0.remove(position);
        if self.0.is_empty() {
            // No more memory than when there were none.
            self.0.shrink_to(16);
        }
        call
    }
}
