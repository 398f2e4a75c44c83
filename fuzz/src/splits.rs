//! The pieces in which bytes come do not matter, nor how much of a frame the caller keeps: the same frames, pushes, texts
//! and errors come out.

use redwire::resp::{Data, Frame, NomParser, Parser, Progress, ProtocolError, Scanner};

use super::settings::Settings;

/// What a caller gets to see.
#[derive(Debug, Clone, PartialEq)]
enum Event {
    Frame(Vec<u8>),
    Push(Vec<u8>),
    /// The text of a frame that was asked for in pieces.
    Text(Vec<u8>),
    /// A frame that nobody wanted: its length.
    Skipped(usize),
    Error(ProtocolError),
}

pub fn run(data: &[u8]) {
    let Some((settings, bytes)) = Settings::split(data) else { return };
    let ends = settings.ends(bytes);
    let parser = |nom: bool| -> Box<dyn Parser> {
        let mut parser: Box<dyn Parser> = match nom {
            false => Box::new(Scanner::growing(settings.limits)),
            true => Box::new(NomParser::growing(settings.limits)),
        };
        parser.set_protocol(settings.protocol);
        parser
    };
    let whole = keep(&mut *parser(false), bytes, &[bytes.len()]);
    for nom in [false, true] {
        assert_eq!(keep(&mut *parser(nom), bytes, &ends), whole, "kept");
        assert_eq!(skip(&mut *parser(nom), bytes, &ends), skipped(&whole), "skipped");
        assert_eq!(stream(&mut *parser(nom), bytes, &ends), streamed(&whole), "streamed");
        let room = ends.first().copied().unwrap_or(1);
        // A parser may want to see a line of length in one piece.
        squeeze(&mut *parser(nom), bytes, if nom { room.max(32) } else { room }, &whole);
    }
}

/// Keeps every frame until it is complete.
fn keep(parser: &mut dyn Parser, bytes: &[u8], ends: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = 0;
    for &end in ends {
        loop {
            let input = &bytes[start..end];
            match parser.parse(input) {
                Ok(Progress::Frame { length, .. }) => {
                    events.push(Event::Frame(input[..length].to_vec()));
                    start += length;
                }
                Ok(Progress::Push { start, end }) => events.push(Event::Push(input[start..end].to_vec())),
                Ok(Progress::Incomplete { .. }) => break,
                Ok(other) => panic!("nobody asked for {other:?}"),
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            }
        }
    }
    events
}

/// Discards of every frame what may go without losing a push.
fn skip(parser: &mut dyn Parser, bytes: &[u8], ends: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut start, mut discarded) = (0usize, 0usize);
    for &end in ends {
        loop {
            let input = &bytes[start..end];
            match parser.parse(input) {
                Ok(Progress::Frame { length, .. }) => {
                    events.push(Event::Skipped(discarded + length));
                    start += length;
                    discarded = 0;
                }
                Ok(Progress::Push { start, end }) => events.push(Event::Push(input[start..end].to_vec())),
                Ok(Progress::Incomplete { .. }) => {
                    let count = parser.discardable();
                    parser.discard(count);
                    start += count;
                    discarded += count;
                    break;
                }
                Ok(other) => panic!("nobody asked for {other:?}"),
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            }
        }
    }
    events
}

/// Asks for the text of every other frame in pieces, the first one included.
fn stream(parser: &mut dyn Parser, bytes: &[u8], ends: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = 0;
    let mut text: Option<Vec<u8>> = None;
    let mut asked = true;
    parser.stream(true);
    for &end in ends {
        loop {
            let input = &bytes[start..end];
            match parser.parse(input) {
                Ok(Progress::Frame { length, .. }) => {
                    events.push(match text.take() {
                        Some(text) => Event::Text(text),
                        None => Event::Frame(input[..length].to_vec()),
                    });
                    start += length;
                    // It is over with the frame.
                    asked = !asked;
                    if asked {
                        parser.stream(true);
                    }
                }
                Ok(Progress::Push { start, end }) => events.push(Event::Push(input[start..end].to_vec())),
                Ok(Progress::Text { start: from, end: to }) => {
                    assert!(from < to);
                    text.get_or_insert_default().extend_from_slice(&input[from..to]);
                    parser.discard(to);
                    start += to;
                }
                Ok(_) => break,
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            }
        }
    }
    events
}

/// Reads with room for so many bytes: discards what it must to go on. Frames are passed over one by one; a push may get
/// lost if there is no room for it.
fn squeeze(parser: &mut dyn Parser, bytes: &[u8], room: usize, whole: &[Event]) {
    let mut expected = whole.iter();
    let (mut start, mut discarded) = (0usize, 0usize);
    let mut end = 0;
    while end < bytes.len() {
        end = start.saturating_add(room).min(bytes.len());
        loop {
            let input = &bytes[start..end];
            let event = match parser.parse(input) {
                Ok(Progress::Frame { length, .. }) => {
                    start += length;
                    Event::Skipped(core::mem::take(&mut discarded) + length)
                }
                Ok(Progress::Push { start, end }) => Event::Push(input[start..end].to_vec()),
                Ok(Progress::Incomplete { .. }) => {
                    let mut count = parser.discardable();
                    if count == 0 && input.len() >= room {
                        count = parser.parsed();
                        // Text without a line end has to go too; a line of length fits.
                        assert!(count > 0, "no way on with {}", input.escape_ascii());
                    }
                    parser.discard(count);
                    start += count;
                    discarded += count;
                    break;
                }
                Ok(other) => panic!("nobody asked for {other:?}"),
                Err(error) => {
                    assert_eq!(whole.last(), Some(&Event::Error(error)));
                    return;
                }
            };
            let lost = |expected: &Event| matches!(expected, Event::Push(push) if push.len() > room);
            loop {
                let next = expected.next().expect("an event that the whole input does not give");
                match (&event, next) {
                    (Event::Skipped(length), Event::Frame(frame)) => assert_eq!(frame.len(), *length),
                    (event, next) if event == next => {}
                    (_, next) if lost(next) => continue,
                    (event, next) => panic!("{event:?} instead of {next:?}"),
                }
                break;
            }
        }
    }
}

fn skipped(whole: &[Event]) -> Vec<Event> {
    whole
        .iter()
        .map(|event| match event {
            Event::Frame(frame) => Event::Skipped(frame.len()),
            event => event.clone(),
        })
        .collect()
}

fn streamed(whole: &[Event]) -> Vec<Event> {
    let mut asked = false;
    let mut events = whole.to_vec();
    for event in &mut events {
        let Event::Frame(bytes) = event else { continue };
        asked = !asked;
        let text = match Frame::new_unchecked(bytes).data() {
            Data::BulkString(chunks) => chunks.flatten().copied().collect(),
            Data::VerbatimString { text, .. } => text.to_vec(),
            _ => continue,
        };
        // Nothing comes in no pieces.
        if asked && !text.is_empty() {
            *event = Event::Text(text);
        }
    }
    events
}
