//! Whatever a peer sends: no panic, nothing beyond the limits, and every accessor and type works on every accepted frame.

use std::collections::{BTreeMap, HashMap};

use redwire::reply::{FromReply, Value};
use redwire::resp::{Data, Frame, Kind, Level, Parser, Progress, Scanner, Token};

use super::settings::Settings;

pub fn run(data: &[u8]) {
    let Some((settings, bytes)) = Settings::split(data) else { return };
    // Lent memory of the size that the limit allows: nothing may need more.
    let mut levels = vec![Level::default(); settings.limits.max_depth];
    let mut scanner = Scanner::new(&mut levels[..], settings.limits);
    scanner.set_protocol(settings.protocol);
    let mut start = 0;
    for end in settings.ends(bytes) {
        loop {
            let input = &bytes[start..end];
            match scanner.parse(input) {
                Ok(Progress::Frame { length, .. }) => {
                    assert!(length > 0 && length <= input.len());
                    check(&settings, Frame::new_unchecked(&input[..length]), 0);
                    start += length;
                }
                Ok(Progress::Push { start, end }) => {
                    assert!(start < end && end <= input.len());
                    let push = Frame::new_unchecked(&input[start..end]);
                    assert_eq!(push.kind(), Kind::Push);
                    check(&settings, push, 1);
                }
                Ok(Progress::Incomplete { need }) => {
                    assert!(need > 0);
                    assert_eq!(scanner.parsed(), input.len());
                    assert!(scanner.discardable() <= input.len());
                    break;
                }
                Ok(other) => panic!("nobody asked for {other:?}"),
                Err(error) => {
                    assert!(error.offset < end as u64);
                    assert_eq!(scanner.parse(b"+OK\r\n"), Err(error));
                    return;
                }
            }
        }
    }
}

/// Calls every accessor on the frame and everything in it; `around` aggregates are around it.
fn check(settings: &Settings, frame: Frame<'_>, around: usize) {
    assert!(format!("{frame:?}").len() <= 16 * frame.as_bytes().len() + 1024);
    let copy = Frame::new_unchecked(frame.as_bytes());
    assert_eq!(frame, copy);
    check_tokens(settings, &frame, around);
    check_value(settings, &frame);
    check_types(&frame);
}

/// Reads the frame as types of every form. What can be read agrees with what the accessors say.
fn check_types(frame: &Frame<'_>) {
    fn read<'a, T: FromReply<'a>>(frame: &Frame<'a>) -> Option<T> {
        frame.decode::<T>().map_err(|error| drop(format!("{error} {error:?}"))).ok()
    }
    let aggregate = matches!(frame.kind(), Kind::Array | Kind::Set | Kind::Push | Kind::Map);
    let value = read::<Value>(frame).expect("anything is a value");
    assert_eq!(value.as_frame(), *frame);
    assert_eq!(value.clone(), value);
    let values = read::<Vec<Value>>(frame);
    assert_eq!(values.is_some(), aggregate);
    if let Some(values) = values {
        assert_eq!(values.len(), frame.elements().len());
        assert!(values.iter().map(Value::as_frame).eq(frame.elements()));
    }
    if frame.kind() == Kind::Integer {
        assert_eq!(read::<i64>(frame), frame.integer());
    }
    if let (Some(bytes), Some(text)) = (read::<Vec<u8>>(frame), frame.text()) {
        assert_eq!(bytes, text);
    }
    if let (Some(owned), Some(lent)) = (read::<String>(frame), read::<&str>(frame)) {
        assert_eq!(owned, lent);
    }
    let pairs = read::<Vec<(Value, Value)>>(frame).map(|pairs| pairs.len());
    if frame.kind() == Kind::Map {
        assert_eq!(pairs, Some(frame.elements().len() / 2));
    }
    let lent = read::<Vec<(&[u8], &[u8])>>(frame).map(|pairs| pairs.len());
    assert!(lent.is_none() || lent == pairs);
    let nested = read::<Vec<Option<Vec<Option<&[u8]>>>>>(frame).map(|all| all.len());
    assert!(nested.is_none_or(|length| length == frame.elements().len()));
    let _ =
        (read::<bool>(frame), read::<u8>(frame), read::<f64>(frame), read::<u128>(frame), read::<()>(frame));
    let _ = (read::<(i64, String)>(frame), read::<(i64, (f64, Value), bool)>(frame), read::<[u16; 2]>(frame));
    let _ = (read::<BTreeMap<String, Value>>(frame), read::<HashMap<Vec<u8>, Option<f64>>>(frame));
    let _ = (read::<heapless::String<4>>(frame), read::<heapless::Vec<i32, 2>>(frame));
    let _ = (read::<redwire::reply::text::Info>(frame), read::<redwire::reply::text::ClientList>(frame));
}

fn check_value(settings: &Settings, frame: &Frame<'_>) {
    let limits = &settings.limits;
    for (key, value) in frame.attributes() {
        check_value(settings, &key);
        check_value(settings, &value);
    }
    let expected = frame.elements().len();
    assert!(expected as u64 <= u64::from(limits.max_elements));
    assert_eq!(frame.elements().count(), expected);
    for element in frame.elements() {
        assert!(element.as_bytes().len() < frame.as_bytes().len());
        check_value(settings, &element);
    }
    let kind = match frame.data() {
        Data::Null => Kind::Null,
        Data::SimpleString(text) => {
            assert!(text.len() <= limits.max_line);
            assert_eq!(frame.text(), Some(text));
            Kind::SimpleString
        }
        Data::Error(error) => {
            assert!(error.text().len() <= limits.max_line.max(limits.max_bulk));
            assert_eq!(frame.error(), Some(error));
            let _ = (error.code(), error.code_text(), error.is_retryable());
            let _ = format!("{error} {error:?}");
            if frame.is_blob_error() { Kind::BlobError } else { Kind::SimpleError }
        }
        Data::Integer(integer) => {
            assert_eq!(frame.integer(), Some(integer));
            Kind::Integer
        }
        Data::BulkString(chunks) => {
            let total = chunks.total();
            assert!(total <= limits.max_bulk);
            assert_eq!(chunks.clone().map(<[u8]>::len).sum::<usize>(), total);
            assert!(chunks.contiguous().is_none_or(|text| text.len() == total));
            assert!(frame.is_streamed() || chunks.contiguous().is_some());
            Kind::BulkString
        }
        Data::VerbatimString { text, .. } => {
            assert!(text.len() + 4 <= limits.max_bulk);
            Kind::VerbatimString
        }
        Data::Double(_) => Kind::Double,
        Data::Boolean(_) => Kind::Boolean,
        Data::BigNumber(digits) => {
            assert!(!digits.is_empty() && digits.len() <= limits.max_line);
            Kind::BigNumber
        }
        Data::Array(elements) => {
            assert_eq!(elements.len(), expected);
            Kind::Array
        }
        Data::Set(elements) => {
            assert_eq!(elements.len(), expected);
            Kind::Set
        }
        Data::Push(elements) => {
            assert!(elements.len() > 0);
            Kind::Push
        }
        Data::Map(pairs) => {
            assert_eq!(pairs.len() * 2, expected);
            assert_eq!(pairs.count() * 2, expected);
            Kind::Map
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(frame.kind(), kind);
    assert_eq!(frame.is_null(), kind == Kind::Null);
}

/// The tokens are properly nested and not deeper than allowed.
fn check_tokens(settings: &Settings, frame: &Frame<'_>, around: usize) {
    // Values still to come on each open level; none in a streamed one, which has its END.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut values = 0;
    for token in frame.tokens() {
        match token {
            Token::Begin { values: None, .. } => open.push(None),
            Token::Begin { values: Some(1..), .. } | Token::Attribute { values: 1.. } => {
                let (Token::Begin { values: Some(count), .. } | Token::Attribute { values: count }) = token
                else {
                    unreachable!()
                };
                // An attribute is no value of the level around it.
                let attribute = matches!(token, Token::Attribute { .. });
                if attribute {
                    if let Some(Some(remaining)) = open.last_mut() {
                        *remaining += 1;
                    } else if open.is_empty() {
                        values -= 1;
                    }
                }
                open.push(Some(count));
            }
            Token::Attribute { .. } => {}
            Token::End => {
                assert_eq!(open.pop(), Some(None));
                complete(&mut open, &mut values);
            }
            Token::Begin { .. } | Token::Scalar(_) => complete(&mut open, &mut values),
            other => panic!("{other:?}"),
        }
        assert!(open.len() + around <= settings.limits.max_depth);
    }
    assert!(open.is_empty());
    assert_eq!(values, 1);
}

fn complete(open: &mut Vec<Option<usize>>, values: &mut i64) {
    while let Some(level) = open.last_mut() {
        let Some(remaining) = level else { return };
        *remaining -= 1;
        if *remaining > 0 {
            return;
        }
        open.pop();
    }
    *values += 1;
}
