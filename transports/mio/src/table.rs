//! The exchanges that go on: conversations with the server of which the user sees one ticket and one event.

use std::collections::VecDeque;

use redwire::client::{Batch, Error, Exchange, KeptScriptCall};
use redwire::connection::{Failure, Ticket};
use redwire::resp::Scanner;
use redwire::time::Instant;

/// The exchanges by their tickets, and the failures that are still to be told.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// In the order of the oldest ticket of each.
    entries: VecDeque<Entry>,
    /// Those that wait for room in the queue, in the order in which they began to.
    waiting: VecDeque<Entry>,
    failures: VecDeque<(Ticket, Failure)>,
    /// How many bytes all of them take.
    kept: usize,
}

#[derive(Debug)]
pub(crate) struct Entry {
    /// What the user knows it by.
    pub(crate) ticket: Ticket,
    pub(crate) task: Task,
    /// Somebody waits for the event.
    pub(crate) wanted: bool,
    /// The oldest ticket that something is still to come for.
    first: Option<Ticket>,
}

#[derive(Debug)]
pub(crate) enum Task {
    Script(Box<KeptScriptCall>),
    Atomic(Box<Batch<'static, 'static, ()>>),
}

impl Task {
    pub(crate) fn exchange(&mut self) -> &mut dyn Exchange<Scanner<'static>> {
        match self {
            Task::Script(call) => &mut **call,
            Task::Atomic(batch) => &mut **batch,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Task::Script(call) => Exchange::<Scanner<'static>>::deadline(&**call),
            Task::Atomic(_) => None,
        }
    }

    /// What was wrong with it, where the reply alone does not say it.
    pub(crate) fn finish(self) -> Option<Error> {
        match self {
            Task::Script(_) => None,
            Task::Atomic(batch) => batch.finish().err(),
        }
    }

    /// Whether what it has to say next waits for room.
    pub(crate) fn is_waiting(&self) -> bool {
        self.first().is_none()
    }

    fn first(&self) -> Option<Ticket> {
        match self {
            Task::Script(call) => call.ticket(),
            Task::Atomic(batch) => batch.tickets().map(|(first, _)| first),
        }
    }

    fn size(&self) -> usize {
        size_of::<Entry>()
            + match self {
                Task::Script(call) => call.size(),
                Task::Atomic(_) => size_of::<Batch<'static, 'static, ()>>(),
            }
    }
}

impl Table {
    /// Whether there is nothing to be asked about an event.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.waiting.is_empty()
    }

    /// How many bytes the exchanges take.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// An exchange begins, or goes on.
    pub(crate) fn put(&mut self, ticket: Ticket, task: Task, wanted: bool) {
        self.kept += task.size();
        let entry = Entry { ticket, first: task.first(), task, wanted };
        match entry.first {
            None => self.waiting.push_back(entry),
            Some(first) => {
                let place = self.place(first);
                self.entries.insert(place, entry);
            }
        }
    }

    /// The place after all entries that began before a ticket.
    fn place(&self, ticket: Ticket) -> usize {
        let before = |entry: &Entry| entry.first.is_some_and(|first| ticket.since(first).is_some());
        match self.entries.back() {
            // Mostly it is the newest.
            Some(last) if before(last) => self.entries.len(),
            _ => self.entries.partition_point(before),
        }
    }

    /// The exchange that the ticket of the connection may belong to: the last that has begun before it.
    pub(crate) fn find(&mut self, ticket: Ticket) -> Option<(usize, &mut Task)> {
        let place = match self.entries.front() {
            // Replies come in the order of sending: mostly it is the first.
            Some(first) if first.first == Some(ticket) => 0,
            _ => self.place(ticket).checked_sub(1)?,
        };
        self.entries.get_mut(place).map(|entry| (place, &mut entry.task))
    }

    /// An exchange has taken an event, and waits for more.
    pub(crate) fn went_on(&mut self, place: usize) {
        if let Some(entry) = self.entries.get(place)
            && entry.first != entry.task.first()
            && let Some(entry) = self.take(place)
        {
            self.put(entry.ticket, entry.task, entry.wanted);
        }
    }

    /// Takes out the exchange at a place.
    pub(crate) fn take(&mut self, place: usize) -> Option<Entry> {
        let entry = self.entries.remove(place);
        self.forget(entry.as_ref());
        entry
    }

    /// Takes out the exchange that the user knows by a ticket.
    pub(crate) fn take_named(&mut self, ticket: Ticket) -> Option<Entry> {
        let is = |entry: &Entry| entry.ticket == ticket && entry.wanted;
        if let Some(place) = self.entries.iter().position(is) {
            return self.take(place);
        }
        let place = self.waiting.iter().position(is)?;
        let entry = self.waiting.remove(place);
        self.forget(entry.as_ref());
        entry
    }

    /// Takes out one that has more to send: the one of which a part is sent, if there is one, or the first that waits.
    pub(crate) fn take_unsent(&mut self, partly: bool) -> Option<Entry> {
        if partly
            && let Some(place) = self.entries.iter_mut().position(|entry| !entry.task.exchange().is_sent())
        {
            return self.take(place);
        }
        let entry = self.waiting.pop_front();
        self.forget(entry.as_ref());
        entry
    }

    /// Puts the first of those that wait back to where it was.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        self.kept += entry.task.size();
        self.waiting.push_front(entry);
    }

    /// Takes out any: the connection is over.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front().or_else(|| self.waiting.pop_front());
        self.forget(entry.as_ref());
        entry
    }

    fn forget(&mut self, entry: Option<&Entry>) {
        self.kept -= entry.map_or(0, |entry| entry.task.size());
        if self.entries.is_empty() {
            // No more memory than when there were none.
            self.entries.shrink_to(16);
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(0);
        }
    }

    /// Whether any waits for room.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When one of those that wait for room has waited too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|entry| entry.task.deadline()).min()
    }

    /// An exchange has failed; the user is to be told.
    pub(crate) fn fail(&mut self, ticket: Ticket, failure: Failure) {
        self.failures.push_back((ticket, failure));
    }

    pub(crate) fn next_failure(&mut self) -> Option<(Ticket, Failure)> {
        let failure = self.failures.pop_front();
        if self.failures.is_empty() {
            self.failures.shrink_to(0);
        }
        failure
    }
}
