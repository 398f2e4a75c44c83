//! Replies as Rust types, in the encodings of both protocols.

#![cfg(feature = "std")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;

use redwire::reply::{DecodeError, FromReply, MismatchReason, Reply};
use redwire::resp::{ErrorReply, Frame, Kind, Limits};

fn frame(bytes: &[u8]) -> Frame<'_> {
    Frame::read(bytes, Limits::default()).unwrap_or_else(|| panic!("no frame: {}", bytes.escape_ascii()))
}

#[track_caller]
fn reads<'a, T: FromReply<'a> + PartialEq + Debug>(encodings: &[&'a str], expected: T) {
    for encoding in encodings {
        match frame(encoding.as_bytes()).decode::<T>() {
            Ok(value) => assert_eq!(value, expected, "{encoding:?}"),
            Err(error) => panic!("{encoding:?}: {error}"),
        }
    }
}

#[track_caller]
fn refuses<'a, T: FromReply<'a> + Debug>(encodings: &[&'a str], reason: MismatchReason) {
    for encoding in encodings {
        match frame(encoding.as_bytes()).decode::<T>() {
            Err(DecodeError::Mismatch(mismatch)) => {
                assert_eq!(mismatch.reason, reason, "{encoding:?}: {mismatch}")
            }
            other => panic!("{encoding:?}: {other:?}"),
        }
    }
}

#[test]
fn integers() {
    reads::<i64>(
        &[":5\r\n", ":+5\r\n", "$1\r\n5\r\n", "+5\r\n", ",5\r\n", "(5\r\n", "$?\r\n;1\r\n5\r\n;0\r\n"],
        5,
    );
    reads::<u8>(&[":255\r\n", "$3\r\n255\r\n"], 255);
    reads::<i8>(&[":-128\r\n", "$4\r\n-128\r\n"], -128);
    reads::<u16>(&[":65535\r\n"], 65535);
    reads::<i16>(&[":-32768\r\n"], -32768);
    reads::<u32>(&[":4294967295\r\n"], u32::MAX);
    reads::<i32>(&[":-2147483648\r\n"], i32::MIN);
    reads::<i64>(&[":-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"], i64::MIN);
    reads::<u64>(&["$20\r\n18446744073709551615\r\n", "(18446744073709551615\r\n"], u64::MAX);
    reads::<usize>(&[":7\r\n", "$1\r\n7\r\n"], 7);
    reads::<isize>(&[":-7\r\n"], -7);
    reads::<i128>(&["(-170141183460469231731687303715884105728\r\n"], i128::MIN);
    reads::<u128>(&["(340282366920938463463374607431768211455\r\n"], u128::MAX);
    reads::<i128>(&[":-1\r\n", "$2\r\n-1\r\n"], -1);
    reads::<u8>(&["#t\r\n", ":1\r\n"], 1);
    refuses::<u8>(&[":256\r\n", ":-1\r\n", "$3\r\n256\r\n", "$2\r\n-1\r\n"], MismatchReason::Range);
    refuses::<u64>(&[":-1\r\n", "$2\r\n-1\r\n", "(18446744073709551616\r\n"], MismatchReason::Range);
    refuses::<i64>(&["$19\r\n9223372036854775808\r\n", "(-9223372036854775809\r\n"], MismatchReason::Range);
    refuses::<u128>(&["(-1\r\n", "(340282366920938463463374607431768211456\r\n"], MismatchReason::Range);
    refuses::<i64>(
        &["$0\r\n\r\n", "+OK\r\n", ",1.5\r\n", "$2\r\n 1\r\n", "$1\r\n-\r\n"],
        MismatchReason::Text,
    );
    refuses::<u64>(&["$2\r\n--\r\n", "$3\r\n0x1\r\n", "$2\r\n-a\r\n"], MismatchReason::Text);
    refuses::<i64>(&["*0\r\n", "_\r\n", "$-1\r\n", "%0\r\n"], MismatchReason::Kind);
}

#[test]
fn floats() {
    reads::<f64>(&[",1.5\r\n", "$3\r\n1.5\r\n", "+1.5\r\n"], 1.5);
    reads::<f64>(&[":3\r\n", ",3\r\n", "$1\r\n3\r\n", "(3\r\n"], 3.0);
    reads::<f64>(&[",inf\r\n", "$3\r\ninf\r\n"], f64::INFINITY);
    reads::<f64>(&[",-inf\r\n", "$4\r\n-inf\r\n"], f64::NEG_INFINITY);
    reads::<f32>(&[",0.1\r\n", "$3\r\n0.1\r\n"], 0.1);
    for nan in [",nan\r\n", ",-nan\r\n", "$3\r\nnan\r\n", "$4\r\n-nan\r\n"] {
        assert!(frame(nan.as_bytes()).decode::<f64>().unwrap().is_nan(), "{nan:?}");
    }
    refuses::<f64>(&["$0\r\n\r\n", "+OK\r\n", "$3\r\n1 2\r\n"], MismatchReason::Text);
    refuses::<f64>(&["_\r\n", "#t\r\n", "*0\r\n"], MismatchReason::Kind);
}

#[test]
fn booleans() {
    reads(&[":1\r\n", "#t\r\n", "+OK\r\n", "$1\r\n1\r\n"], true);
    reads(&[":0\r\n", "#f\r\n", "_\r\n", "$-1\r\n", "$1\r\n0\r\n"], false);
    reads(&["$-1\r\n", "_\r\n", "*-1\r\n"], None::<bool>);
    refuses::<bool>(&[":2\r\n"], MismatchReason::Range);
    refuses::<bool>(&["+QUEUED\r\n", "$4\r\ntrue\r\n"], MismatchReason::Text);
    refuses::<bool>(&[",1\r\n", "*0\r\n"], MismatchReason::Kind);
}

#[test]
fn text() {
    let encodings = ["$3\r\nfoo\r\n", "+foo\r\n", "=7\r\ntxt:foo\r\n", "$?\r\n;3\r\nfoo\r\n;0\r\n"];
    reads::<&str>(&encodings, "foo");
    reads::<&[u8]>(&encodings, b"foo");
    reads::<String>(&encodings, "foo".into());
    reads::<Box<str>>(&encodings, "foo".into());
    reads::<Vec<u8>>(&encodings, b"foo".to_vec());
    reads::<Box<[u8]>>(&encodings, b"foo".as_slice().into());
    reads::<VecDeque<u8>>(&encodings, VecDeque::from(*b"foo"));
    reads::<[u8; 3]>(&encodings, *b"foo");
    reads::<Cow<str>>(&encodings, "foo".into());
    reads::<Cow<[u8]>>(&encodings, b"foo".as_slice().into());
    reads::<heapless::Vec<u8, 3>>(&encodings, heapless::Vec::from_slice(b"foo").unwrap());
    reads::<heapless::String<3>>(&encodings, heapless::String::try_from("foo").unwrap());
    // Numbers are their digits, as RESP2 sends them.
    reads::<&str>(&[":-5\r\n", "$2\r\n-5\r\n", ",-5\r\n", "(-5\r\n"], "-5");

    // The border between the chunks cuts a character.
    let streamed = frame(b"$?\r\n;2\r\na\xc3\r\n;1\r\n\xa4\r\n;0\r\n");
    assert_eq!(streamed.decode(), Ok(String::from("a\u{e4}")));
    assert_eq!(streamed.decode(), Ok(heapless::String::<4>::try_from("a\u{e4}").unwrap()));
    assert_eq!(streamed.decode(), Ok(Cow::<str>::Owned("a\u{e4}".into())));
    assert_eq!(streamed.decode(), Ok("a\u{e4}".as_bytes().to_vec()));
    for error in [streamed.decode::<&str>().unwrap_err(), streamed.decode::<&[u8]>().unwrap_err()] {
        assert!(matches!(error, DecodeError::Mismatch(m) if m.reason == MismatchReason::Streamed), "{error}");
    }

    let binary = frame(b"$2\r\n\xff\r\r\n");
    assert_eq!(binary.decode(), Ok(&b"\xff\r"[..]));
    assert!(
        matches!(binary.decode::<&str>(), Err(DecodeError::Mismatch(m)) if m.reason == MismatchReason::Text)
    );
    assert!(
        matches!(binary.decode::<String>(), Err(DecodeError::Mismatch(m)) if m.reason == MismatchReason::Text)
    );

    refuses::<heapless::String<2>>(&encodings, MismatchReason::Capacity);
    refuses::<heapless::Vec<u8, 2>>(&encodings, MismatchReason::Capacity);
    refuses::<[u8; 2]>(&encodings, MismatchReason::Length);
    refuses::<[u8; 4]>(&encodings, MismatchReason::Length);
    refuses::<&str>(&["_\r\n", "*0\r\n", "#t\r\n"], MismatchReason::Kind);
    refuses::<Vec<u8>>(&["*1\r\n:1\r\n", "$-1\r\n"], MismatchReason::Kind);
}

/// Lengths of one to four digits, nulls and streams between them.
#[test]
fn strings_of_every_length_as_elements() {
    let texts: Vec<Option<String>> =
        [0, 1, 9, 10, 15, 99, 100, 999, 1000, 12345].map(|length| Some("x".repeat(length))).to_vec();
    for filler in
        ["$-1\r\n", "_\r\n", "*-1\r\n", "$?\r\n;0\r\n", "$?\r\n;1\r\ny\r\n;15\r\nyyyyyyyyyyyyyyy\r\n;0\r\n"]
    {
        let mut encoded = format!("*{}\r\n", texts.len() * 2);
        let mut expected = Vec::new();
        for text in &texts {
            let plain = text.as_deref().unwrap();
            encoded.push_str(&format!("${}\r\n{plain}\r\n{filler}", plain.len()));
            let streamed = filler.starts_with("$?").then(|| filler.chars().filter(|&c| c == 'y').collect());
            expected.extend([text.clone(), streamed]);
        }
        reads(&[&encoded], expected);
    }
}

#[test]
fn nothing_in_particular() {
    reads(&["+OK\r\n", ":0\r\n", "_\r\n", "*1\r\n*1\r\n:1\r\n", "%0\r\n"], ());
}

#[test]
fn options() {
    reads::<Option<&str>>(&["$-1\r\n", "*-1\r\n", "_\r\n"], None);
    reads::<Option<&str>>(&["$0\r\n\r\n", "+\r\n"], Some(""));
    let mget = ["*3\r\n$1\r\na\r\n$-1\r\n$1\r\nc\r\n", "*3\r\n$1\r\na\r\n_\r\n$1\r\nc\r\n"];
    reads(&mget, vec![Some("a"), None, Some("c")]);
    reads(&mget, (Some("a"), None::<u8>, 'c'.to_string()));
    // GEOPOS with a member that is missing.
    let geopos = ["*2\r\n*2\r\n$3\r\n1.5\r\n$1\r\n2\r\n*-1\r\n", "*2\r\n*2\r\n,1.5\r\n,2\r\n_\r\n"];
    reads(&geopos, vec![Some((1.5, 2.0)), None]);
}

#[test]
fn pairs_read_alike_in_every_encoding() {
    let encodings = [
        "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
        "*?\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n.\r\n",
        "%2\r\n$1\r\na\r\n,1\r\n$1\r\nb\r\n,2\r\n",
        "%?\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n.\r\n",
        "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
        "*?\r\n*?\r\n$1\r\na\r\n,1\r\n.\r\n*2\r\n$1\r\nb\r\n,2\r\n.\r\n",
        "~2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:2\r\n",
        "*2\r\n%1\r\n$1\r\na\r\n:1\r\n%1\r\n$1\r\nb\r\n:2\r\n",
        "|1\r\n+x\r\n:1\r\n%2\r\n|1\r\n+y\r\n*0\r\n$1\r\na\r\n>1\r\n+p\r\n,1\r\n$1\r\nb\r\n,2\r\n",
    ];
    reads(&encodings, vec![("a", 1.0), ("b", 2.0)]);
    reads(&encodings, [("a", 1u8), ("b", 2)]);
    reads(&encodings, heapless::Vec::<_, 4>::from_slice(&[("a", 1u8), ("b", 2)]).unwrap());
    reads(&encodings, HashMap::from([(String::from("a"), 1), (String::from("b"), 2)]));
    reads(&encodings, BTreeMap::from([("a", 1), ("b", 2)]));
    reads(&encodings, HashSet::from([("a", 1), ("b", 2)]));
    reads(&encodings, VecDeque::from([("a", "1"), ("b", "2")]));
    reads(&encodings, [("a", 1), ("b", 2)].into_iter().collect::<heapless::LinearMap<_, _, 2>>());
    refuses::<heapless::LinearMap<&str, u8, 1>>(&encodings, MismatchReason::Capacity);
    refuses::<[(&str, u8); 3]>(&encodings, MismatchReason::Length);
    refuses::<heapless::Vec<(&str, u8), 1>>(&encodings, MismatchReason::Capacity);

    let empty = ["*0\r\n", "%0\r\n", "*?\r\n.\r\n", "%?\r\n.\r\n"];
    reads(&empty, Vec::<(&str, u8)>::new());
    reads(&empty, HashMap::<String, String>::new());

    let flat = &encodings[..4];
    reads(flat, vec!["a", "1", "b", "2"]);
    reads(flat, ("a", 1, "b", 2));

    refuses::<Vec<(&str, u8)>>(
        &["*3\r\n+a\r\n:1\r\n+b\r\n", "*2\r\n*1\r\n+a\r\n*1\r\n:1\r\n"],
        MismatchReason::Length,
    );
    refuses::<HashMap<&str, u8>>(&["*1\r\n+a\r\n"], MismatchReason::Length);
    refuses::<HashMap<&str, u8>>(&["_\r\n", "+a\r\n"], MismatchReason::Kind);
}

/// What ZRANGE WITHSCORES gives, as a type of the user's own.
#[derive(Debug, PartialEq)]
struct Scored<'a> {
    member: &'a str,
    score: f64,
}

impl<'a> FromReply<'a> for Scored<'a> {
    const PAIR: bool = true;

    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let (member, score) = FromReply::from_reply(reply)?;
        Ok(Scored { member, score })
    }
}

#[test]
fn types_of_ones_own_are_pairs_too() {
    let encodings = ["*4\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "*2\r\n*2\r\n+a\r\n,1\r\n*2\r\n+b\r\n,2\r\n"];
    reads(&encodings, [Scored { member: "a", score: 1.0 }, Scored { member: "b", score: 2.0 }]);
}

/// Reads the first of the elements alone.
#[derive(Debug, PartialEq)]
struct First<T>(T);

impl<'a, T: FromReply<'a>> FromReply<'a> for First<T> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut elements = reply.elements()?;
        let first = elements.next::<T>().expect("the test gives no empty arrays");
        first.map(First)
    }
}

#[test]
fn what_is_left_unread_is_passed_over() {
    let nested = "*3\r\n*3\r\n:1\r\n*2\r\n:8\r\n%1\r\n:8\r\n:8\r\n$?\r\n;1\r\n8\r\n;0\r\n*?\r\n*?\r\n:2\r\n:8\r\n.\r\n*1\r\n:8\r\n.\r\n:3\r\n";
    reads(&[nested], (First(1), First(First(2)), 3));
    reads(&[nested], ((), First(()), 3));
    let pairs = "%2\r\n:1\r\n*2\r\n:2\r\n:9\r\n*2\r\n:3\r\n:9\r\n:4\r\n";
    assert_eq!(
        frame(pairs.as_bytes()).decode::<Pairs>().unwrap().0,
        ["Ok(First(1))", "Ok(First(First(3)))"].map(String::from)
    );
}

/// The elements of a map, each read as another type.
struct Pairs([String; 2]);

impl<'a> FromReply<'a> for Pairs {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut pairs = reply.pairs()?;
        assert_eq!(pairs.len(), 2);
        let first = format!("{:?}", pairs.next::<First<u8>>().unwrap());
        let second = format!("{:?}", pairs.next::<First<First<u8>>>().unwrap());
        assert!(pairs.next::<()>().is_none() && pairs.is_empty());
        Ok(Pairs([first, second]))
    }
}

#[test]
fn an_element_that_fails_does_not_spoil_the_next() {
    struct Lenient(Vec<Option<u8>>);
    impl<'a> FromReply<'a> for Lenient {
        fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
            let mut elements = reply.elements()?;
            let mut items = Vec::new();
            while let Some(element) = elements.next::<(u8, u8)>() {
                items.push(element.ok().map(|(a, b)| a + b));
            }
            Ok(Lenient(items))
        }
    }
    let bytes = b"*4\r\n*2\r\n:1\r\n:2\r\n*3\r\n:1\r\n:1\r\n:1\r\n*2\r\n*1\r\n:7\r\n:1\r\n*2\r\n:3\r\n:4\r\n";
    assert_eq!(frame(bytes).decode::<Lenient>().unwrap().0, [Some(3), None, None, Some(7)]);
}

#[test]
fn tuples_have_their_length() {
    reads(&["*1\r\n:1\r\n"], (1u8,));
    reads(&["*8\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n"], (1, 2, 3, 4, 5, 6, 7, 8));
    refuses::<(u8, u8)>(&["*1\r\n:1\r\n", "*3\r\n:1\r\n:1\r\n:1\r\n"], MismatchReason::Length);
    refuses::<(u8, u8, u8)>(&["*0\r\n"], MismatchReason::Length);
    // XRANGE: nested, with pairs inside.
    let entries =
        "*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n+f\r\n+v\r\n*2\r\n$3\r\n2-0\r\n*4\r\n+f\r\n+v\r\n+g\r\n+w\r\n";
    reads(&[entries], vec![("1-0", vec![("f", "v")]), ("2-0", vec![("f", "v"), ("g", "w")])]);
    // XREAD: a map in RESP3.
    reads(
        &[
            "*1\r\n*2\r\n+s\r\n*1\r\n*2\r\n+1-0\r\n*2\r\n+f\r\n+v\r\n",
            "%1\r\n+s\r\n*1\r\n*2\r\n+1-0\r\n*2\r\n+f\r\n+v\r\n",
        ],
        vec![("s", vec![("1-0", HashMap::from([("f", "v")]))])],
    );
    reads(&["*2\r\n$1\r\n5\r\n*1\r\n+k\r\n"], (5u64, vec!["k"]));
}

#[test]
fn sets_and_arrays() {
    let encodings = ["*3\r\n+b\r\n+a\r\n+b\r\n", "~3\r\n+b\r\n+a\r\n+b\r\n", ">3\r\n+b\r\n+a\r\n+b\r\n"];
    reads(&encodings, BTreeSet::from(["a", "b"]));
    reads(&encodings, HashSet::from(["a".to_string(), "b".to_string()]));
    reads(&encodings, ["b", "a", "b"]);
    reads::<Box<[&str]>>(&encodings, Box::from(["b", "a", "b"]));
    reads(&["*2\r\n:1\r\n:2\r\n"], BTreeSet::from([1u8, 2]));
    refuses::<[&str; 2]>(&encodings, MismatchReason::Length);
    refuses::<[&str; 4]>(&encodings, MismatchReason::Length);
    refuses::<[heapless::Vec<u8, 1>; 1]>(&["*1\r\n$2\r\nab\r\n"], MismatchReason::Capacity);
    refuses::<Vec<&str>>(&["_\r\n", "+a\r\n"], MismatchReason::Kind);
}

#[test]
fn errors_of_the_server() {
    for encoding in [&b"-ERR no\r\n"[..], b"!6\r\nERR no\r\n"] {
        let error = ErrorReply::new(b"ERR no");
        let server = DecodeError::Server(error);
        let frame = frame(encoding);
        assert_eq!(frame.decode::<()>(), Err(server));
        assert_eq!(frame.decode::<i64>(), Err(server));
        assert_eq!(frame.decode::<u64>(), Err(server));
        assert_eq!(frame.decode::<f64>(), Err(server));
        assert_eq!(frame.decode::<bool>(), Err(server));
        assert_eq!(frame.decode::<&str>(), Err(server));
        assert_eq!(frame.decode::<String>(), Err(server));
        assert_eq!(frame.decode::<Vec<u8>>(), Err(server));
        assert_eq!(frame.decode::<Vec<(u8, u8)>>(), Err(server));
        assert_eq!(frame.decode::<(u8, u8)>(), Err(server));
        assert_eq!(frame.decode::<[u8; 3]>(), Err(server));
        assert_eq!(frame.decode::<Option<u8>>(), Err(server));
        assert_eq!(frame.decode::<HashMap<u8, u8>>(), Err(server));
        assert_eq!(frame.decode::<heapless::String<8>>(), Err(server));
        assert_eq!(frame.decode::<Result<u8, ErrorReply>>(), Ok(Err(error)));
        assert_eq!(frame.decode::<Frame>(), Ok(frame));
    }
    let exec = "*3\r\n+OK\r\n-WRONGTYPE x\r\n:1\r\n";
    let wrong = ErrorReply::new(b"WRONGTYPE x");
    reads(&[exec], (true, Err::<u8, _>(wrong), Ok::<u8, ErrorReply>(1)));
    reads(&[exec], vec![Ok(()), Err(wrong), Ok(())]);
    assert_eq!(frame(exec.as_bytes()).decode::<(bool, u8, u8)>(), Err(DecodeError::Server(wrong)));
}

#[test]
fn frames_as_elements() {
    let bytes = b"*4\r\n:1\r\n|1\r\n+a\r\n:1\r\n*?\r\n+x\r\n.\r\n>1\r\n+p\r\n-ERR\r\n$?\r\n;1\r\na\r\n;0\r\n";
    let (one, list, error, text) = frame(bytes).decode::<(Frame, Frame, Frame, Frame)>().unwrap();
    assert_eq!(one.integer(), Some(1));
    assert_eq!(list.elements().count(), 1);
    assert_eq!(list.attributes().count(), 1);
    assert_eq!(error.error(), Some(ErrorReply::new(b"ERR")));
    assert_eq!(text.text(), Some(&b"a"[..]));

    let push = frame(b">2\r\n+a\r\n:1\r\n").decode::<Frame>().unwrap();
    assert_eq!(push.kind(), Kind::Push);
    let streamed = frame(b"*?\r\n*?\r\n:1\r\n.\r\n:2\r\n.\r\n").decode::<Vec<Frame>>().unwrap();
    assert_eq!(format!("{streamed:?}"), "[[1], 2]");
    assert_eq!(streamed[1].as_bytes(), b":2\r\n");
}

#[test]
fn a_mismatch_says_what_came_and_what_was_asked() {
    let said = |bytes: &'static [u8]| frame(bytes).decode::<u8>().unwrap_err().to_string();
    assert_eq!(said(b":300\r\n"), "asked for u8, the reply is the integer 300, which is out of range");
    assert_eq!(said(b"*0\r\n"), "asked for u8, the reply is an array");
    assert_eq!(
        said(b"_\r\n"),
        "asked for u8, the reply is null; ask for an Option where there may be nothing"
    );
    assert_eq!(said(b"+OK\r\n"), "asked for u8, the reply is a simple string that cannot be read as one");
    assert_eq!(said(b"-ERR no\r\n"), "ERR no");
    let said = frame(b"*1\r\n:1\r\n").decode::<(u8, u8)>().unwrap_err().to_string();
    assert_eq!(said, "asked for a tuple of 2, the reply is an array of length 1");
}

/// A recursive type of the user's own: as deep as the parser lets values be.
struct Depth(usize);

impl<'a> FromReply<'a> for Depth {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        if reply.kind() != Kind::Array {
            return reply.skip().map(|()| Depth(0));
        }
        let mut deepest = 0;
        let mut elements = reply.elements()?;
        while let Some(element) = elements.next::<Depth>() {
            deepest = deepest.max(element?.0);
        }
        Ok(Depth(deepest + 1))
    }
}

#[test]
fn deep_values() {
    let mut bytes = b"*2\r\n".repeat(128);
    bytes.extend(b":1\r\n".repeat(129));
    assert_eq!(frame(&bytes).decode::<Depth>().unwrap().0, 128);
    assert_eq!(frame(&bytes).decode::<((), u8)>(), Ok(((), 1)));
}
