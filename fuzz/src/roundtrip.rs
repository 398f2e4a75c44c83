//! What the encoder writes, the parser reads as the same value; and what the parser has accepted, the encoder writes as
//! the same value.

use redwire::resp::{
    Chunks, Data, Encoder, Frame, Kind, Limits, Parser, Progress, Protocol, Scanner, Token, encode,
};
use redwire::storage::Buffer;

pub fn run(data: &[u8]) {
    let Some((&mode, data)) = data.split_first() else { return };
    match mode % 3 {
        0 => accepted(data),
        1 => generated(data),
        _ => command(data),
    }
}

/// The frames in arbitrary bytes, written again: the same value; written once more: the same bytes.
fn accepted(bytes: &[u8]) {
    let mut scanner = Scanner::growing(Limits::default());
    let mut rest = bytes;
    while let Ok(progress) = scanner.parse(rest) {
        let frame = match progress {
            Progress::Frame { length, .. } => {
                let (frame, behind) = rest.split_at(length);
                rest = behind;
                Frame::new_unchecked(frame)
            }
            Progress::Push { start, end } => Frame::new_unchecked(&rest[start..end]),
            _ => return,
        };
        let first = write(&frame);
        let again = read(&first);
        assert_same(&frame, &again);
        assert_eq!(write(&again).escape_ascii().to_string(), first.escape_ascii().to_string());
    }
}

/// A value that is made up from the bytes: written, read, and written again it gives the same bytes.
fn generated(data: &[u8]) {
    let mut buffer = Buffer::growing(usize::MAX);
    generate(&mut Encoder::new(&mut buffer), &mut data.iter().copied());
    let frame = read(buffer.filled());
    assert_eq!(write(&frame).escape_ascii().to_string(), buffer.filled().escape_ascii().to_string());
}

/// The words of a command arrive as they were given.
fn command(data: &[u8]) {
    let words: Vec<&[u8]> = data.split(|&byte| byte == b' ').collect();
    let bytes = encode(words.as_slice());
    let frame = read(&bytes);
    let received: Vec<&[u8]> = frame.elements().map(|word| word.text().unwrap()).collect();
    assert_eq!(received, words);
}

/// The one frame in the bytes.
fn read(bytes: &[u8]) -> Frame<'_> {
    let mut scanner = Scanner::growing(Limits::default());
    match scanner.parse(bytes) {
        Ok(Progress::Frame { length, .. }) if length == bytes.len() => Frame::new_unchecked(bytes),
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

/// Writes the frame with the encoder.
fn write(frame: &Frame<'_>) -> Vec<u8> {
    let mut buffer = Buffer::growing(usize::MAX);
    let mut out = Encoder::new(&mut buffer);
    for token in frame.tokens() {
        let written = match token {
            Token::Scalar(scalar) => write_scalar(&mut out, &scalar),
            Token::Begin { kind: Kind::Map, values: Some(values) } => out.map(values / 2),
            Token::Begin { kind: Kind::Map, values: None } => out.streamed_map(),
            Token::Begin { kind: Kind::Set, values: Some(values) } => out.set(values),
            Token::Begin { kind: Kind::Set, values: None } => out.streamed_set(),
            Token::Begin { kind: Kind::Push, values } => out.push(values.unwrap()),
            Token::Begin { values: Some(values), .. } => out.array(values),
            Token::Begin { values: None, .. } => out.streamed_array(),
            Token::Attribute { values } => out.attribute(values / 2),
            Token::End => out.end(),
            other => panic!("{other:?}"),
        };
        written.unwrap();
    }
    buffer.filled().to_vec()
}

fn write_scalar(out: &mut Encoder<'_, '_>, scalar: &Frame<'_>) -> Result<(), redwire::storage::Full> {
    match scalar.data() {
        Data::Null => out.null(Protocol::Resp3),
        Data::SimpleString(text) => out.simple_string(text),
        Data::Error(error) if scalar.is_blob_error() => out.blob_error(error.text()),
        Data::Error(error) => out.error(error.text()),
        Data::Integer(integer) => out.integer(integer),
        Data::BulkString(chunks) if scalar.is_streamed() => write_chunks(out, chunks),
        Data::BulkString(chunks) => out.bulk_string(chunks.contiguous().unwrap()),
        Data::VerbatimString { format, text } => out.verbatim_string(format, text),
        Data::Double(double) => out.double(double),
        Data::Boolean(boolean) => out.boolean(boolean),
        Data::BigNumber(digits) => out.big_number(digits),
        other => panic!("no scalar: {other:?}"),
    }
}

fn write_chunks(out: &mut Encoder<'_, '_>, chunks: Chunks<'_>) -> Result<(), redwire::storage::Full> {
    out.streamed_string()?;
    for chunk in chunks {
        out.chunk(chunk)?;
    }
    out.end_string()
}

/// The same tokens with the same values, down to the bits of the doubles.
fn assert_same(left: &Frame<'_>, right: &Frame<'_>) {
    assert_eq!(left.tokens().count(), right.tokens().count());
    for (left, right) in left.tokens().zip(right.tokens()) {
        match (left, right) {
            (Token::Scalar(left), Token::Scalar(right)) => match (left.data(), right.data()) {
                (Data::Double(left), Data::Double(right)) => {
                    assert!(left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()));
                }
                (Data::Integer(left), Data::Integer(right)) => assert_eq!(left, right),
                (Data::BigNumber(left), Data::BigNumber(right)) => {
                    assert_eq!(left.trim_start_matches('+'), right);
                }
                _ => assert_eq!(left, right),
            },
            (left, right) => assert_eq!(format!("{left:?}"), format!("{right:?}")),
        }
    }
}

/// An aggregate that is being made up.
enum Open {
    Counted(usize),
    /// A streamed one, and whether it is a map that lacks a value.
    Streamed {
        map: bool,
        odd: bool,
    },
}

/// Writes one value, each byte of the plan a choice; when the plan is at its end, what is open is filled with nulls.
fn generate(out: &mut Encoder<'_, '_>, plan: &mut dyn Iterator<Item = u8>) {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let choice = plan.next().unwrap_or(0);
        let size = usize::from(plan.next().unwrap_or(0) % 4);
        let deep = open.len() >= 100;
        let number = |plan: &mut dyn Iterator<Item = u8>| {
            plan.take(8).fold(0u64, |number, byte| number << 8 | u64::from(byte))
        };
        let mut text =
            |length: usize| -> Vec<u8> { (0..length).map(|_| plan.next().unwrap_or(b'x')).collect() };
        let begun = match choice % 20 {
            _ if deep => None,
            1 => Some((out.array(size), Open::Counted(size))),
            2 => Some((out.set(size), Open::Counted(size))),
            3 => Some((out.map(size), Open::Counted(size * 2))),
            4 => Some((out.streamed_array(), Open::Streamed { map: false, odd: false })),
            5 => Some((out.streamed_set(), Open::Streamed { map: false, odd: false })),
            6 => Some((out.streamed_map(), Open::Streamed { map: true, odd: false })),
            _ => None,
        };
        match begun {
            Some((written, Open::Counted(0))) => written.unwrap(),
            Some((written, level)) => {
                written.unwrap();
                open.push(level);
                continue;
            }
            None => match choice % 20 {
                7 if matches!(open.last(), Some(Open::Streamed { odd: false, .. })) => {
                    out.end().unwrap();
                    open.pop();
                }
                8 => out.simple_string(&text(size)).unwrap(),
                9 => out.error(&text(size)).unwrap(),
                10 => out.integer(number(plan) as i64).unwrap(),
                11 => out.double(f64::from_bits(number(plan))).unwrap(),
                12 => out.boolean(size % 2 == 0).unwrap(),
                13 => out.big_number(&number(plan).to_string()).unwrap(),
                14 => out.verbatim_string(*b"txt", &text(size)).unwrap(),
                15 => out.blob_error(&text(size)).unwrap(),
                16 => {
                    out.streamed_string().unwrap();
                    (0..size).for_each(|length| out.chunk(&text(length)).unwrap());
                    out.end_string().unwrap();
                }
                17 | 18 => out.bulk_string(&text(size * 5)).unwrap(),
                _ => out.null(Protocol::Resp3).unwrap(),
            },
        }
        // The value is complete: with it those aggregates whose last one it is, and all that is open at the plan's end.
        let at_end = choice == 0;
        loop {
            match open.last_mut() {
                None => return,
                Some(Open::Counted(remaining)) => {
                    *remaining -= 1;
                    if *remaining > 0 {
                        break;
                    }
                }
                Some(Open::Streamed { map, odd }) => {
                    *odd = *map && !*odd;
                    if *odd || !at_end {
                        break;
                    }
                    out.end().unwrap();
                }
            }
            open.pop();
        }
    }
}
