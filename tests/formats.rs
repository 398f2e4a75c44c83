//! Public types implement `defmt::Format`, all of them, and hide what `Debug` hides.
#![cfg(all(feature = "defmt", feature = "std"))]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::Path;

use redwire::command::{self, cmd, set};
use redwire::connection::{Buffers, Config, Connection};
use redwire::reply::{self, Value};
use redwire::resp::{Data, ErrorReply, Frame, Limits};
use redwire::storage::{self, Text};
use redwire::url::{self, Secret, Url};
use redwire::{client, connection, resp, script, time};
use redwire_kit::defmt_frames::{holds, take};
use redwire_kit::source::{files_in, types_in};

/// Makes sure at compile time that types are `Format`, and gives their names, each after its module.
macro_rules! formats {
    ($($module:ident: $($(::$inner:ident::)? $name:ident $(<$($parameter:ty),+>)?),+;)+) => {{
        fn is_format<T: defmt::Format>(_: PhantomData<T>, name: &'static str) -> String {
            name.to_string()
        }
        BTreeSet::from([$($(is_format(
            PhantomData::<$module::$($inner::)? $name $(<$($parameter),+>)?>,
            concat!(stringify!($module), "::", stringify!($name)),
        ),)+)+])
    }};
}

/// The builders of commands are not in the list: the macro that makes them implements it for each, and
/// [`neither_shows_a_secret`] looks at one.
#[test]
fn every_public_type_is_format() {
    let listed = formats! {
        client: Attempts, Backoff, Batch<()>, Call, Commands, Download, Entry, Error, ErrorKind, Inbox, KeptScriptCall, Link,
            LinkState, Message, MessageKind, Next, Overflow, Queued, ScriptCall, Sent, ServerError, Session, Step, Upload, Watch,
            Whole;
        command: Cmd<(), ()>, Fixed<u8>, Lent<u8>, Open, Side;
        connection: Buffers, Capacity, Changes, CloseReason, Config, Connection, Event, Failure, FailureReason, Message,
            Misuse, Mode, SendError, SendOptions, Slot, Subscription, SubscriptionEnd, SubscriptionKind, Ticket, TimeoutReason,
            Transaction, TransactionTickets;
        reply: DecodeError, Mismatch, MismatchReason, Reply, ReplyElements, Value;
        reply: ::text:: ClientInfo, ::text:: ClientList, ::text:: Info, ::text:: InfoField, ::text:: Properties;
        resp: ArgumentWriter, Attributes, Chunks, Data, Elements, EncodeError, Encoder, ErrorCode, ErrorReply,
            Frame, Kind, Level, Limits, NomLevel, NomParser, Pairs, Progress, Protocol, ProtocolError,
            ProtocolErrorKind, Scanner, Token, Tokens, Words;
        script: Digest, Hex, Script;
        storage: Buffer, Full, Storage<u8>, Text;
        time: Instant, Patience;
        url: Endpoint, Secret, Url, UrlError;
    };
    let declared = declared();
    let missing: Vec<_> = declared.difference(&listed).collect();
    assert!(missing.is_empty(), "to be added to the list above: {missing:?}");
    let gone: Vec<_> = listed.difference(&declared).collect();
    assert!(gone.is_empty(), "declared no more, or the search does not find it: {gone:?}");
}

/// The public types that the source declares, each after the first part of its module.
fn declared() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let types = files_in(&source).into_iter().flat_map(|file| {
        let module = file.strip_prefix(&source).unwrap().iter().next().unwrap();
        let module = Path::new(module).file_stem().unwrap().to_str().unwrap().to_string();
        types_in(&file).into_iter().map(move |name| format!("{module}::{name}"))
    });
    types.collect()
}

/// What `defmt` and `Debug` make of a value.
fn shown<T: defmt::Format + Debug>(value: &T) -> (Vec<u8>, String) {
    take();
    defmt::println!("{}", value);
    let frames = take();
    assert_eq!(frames.len(), 1);
    (frames.concat(), format!("{value:?}"))
}

#[test]
fn neither_shows_a_secret() {
    let hidden = |(frame, debug): (Vec<u8>, String)| {
        for secret in ["s3cretive", "us3rname", "k3yed", "argum3nt"] {
            assert!(!debug.contains(secret), "{secret} in {debug}");
            assert!(!holds(&frame, secret), "{secret} in {}", frame.escape_ascii());
        }
    };
    let config = || Config::default().credentials("us3rname", "s3cretive").client_name("sensor-7");
    let url: Url = "redis://us3rname:s3cretive@example.net/2".parse().unwrap();
    hidden(shown(&config()));
    hidden(shown(&url));
    hidden(shown(&url.password));
    hidden(shown(&Secret::from("s3cretive")));
    hidden(shown(&cmd("k3yed").arg("argum3nt")));
    hidden(shown(&set("k3yed", "argum3nt").ex(60)));
    let mut redis = Connection::new(config(), Buffers::growing());
    redis.connected(time::Instant::from_micros(0)).unwrap();
    redis.send(time::Instant::from_micros(0), &set("k3yed", "argum3nt")).unwrap();
    hidden(shown(&redis));
    let mut buffers = Buffers::growing();
    buffers.transmit.append(b"s3cretive").unwrap();
    hidden(shown(&buffers));
    hidden(shown(&buffers.transmit));
}

#[test]
fn both_show_the_rest() {
    let both = |(frame, debug): (Vec<u8>, String), text: &str| {
        assert!(debug.contains(text), "{text} not in {debug}");
        assert!(holds(&frame, text), "{text} not in {}", frame.escape_ascii());
    };
    let url: Url = "redis://us3rname:s3cretive@example.net/2".parse().unwrap();
    both(shown(&url), "example.net");
    both(shown(&url.endpoint), "example.net");
    both(shown(&Config::default().client_name("sensor-7")), "sensor-7");
    both(shown(&Text::from("sensor-7")), "sensor-7");
    both(shown(&set("k", "v").ex(60)), "Set");
    both(shown(&ErrorReply::new(b"WRONGTYPE no")), "WRONGTYPE no");
    both(shown(&script::Script::new("return 1")), "return 1");
    let frame = Frame::read(b"*2\r\n$5\r\nhello\r\n=8\r\ntxt:text\r\n", Limits::default()).unwrap();
    both(shown(&frame), "hello");
    both(shown(&Value::from(frame)), "hello");
    both(shown(&reply::text::Info::new("redis_version:7")), "redis_version:7");
    let datas: Vec<Data<'_>> = frame.elements().map(|element| element.data()).collect();
    assert!(holds(&shown(&datas[0]).0, "hello"));
    assert!(holds(&shown(&datas[1]).0, "text"));
    assert!(holds(&shown(&url::UrlError::UnknownParameter("tiem".into())).0, "tiem"));
    assert_ne!(shown(&connection::Misuse::Empty).0, shown(&connection::Misuse::Closed).0);
    assert_ne!(shown(&resp::Kind::Map).0, shown(&resp::Kind::Set).0);
    assert_ne!(shown(&storage::Full).0, shown(&command::Side::Left).0);
}

#[test]
fn events_show_text_as_text() {
    let now = time::Instant::from_micros(0);
    let config = Config::default().protocol(resp::Protocol::Resp2).no_library();
    let mut redis = Connection::new(config, Buffers::growing());
    redis.connected(now).unwrap();
    assert!(matches!(redis.poll_event(), Some(connection::Event::Connected { .. })));
    redis.send(now, &["SUBSCRIBE", "news"]).unwrap();
    redis.transmitted(usize::MAX);
    let received =
        b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n";
    redis.receive_buffer()[..received.len()].copy_from_slice(received);
    redis.received(now, received.len());
    let (confirmation, _) = shown(&redis.poll_event().unwrap());
    assert!(holds(&confirmation, "news") && !holds(&confirmation, "subscribe"));
    let (message, _) = shown(&redis.poll_event().unwrap());
    assert!(holds(&message, "news") && holds(&message, "hello") && !holds(&message, "message"));
    assert!(redis.poll_event().is_none());
    let streamed = Frame::read(b"$?\r\n;3\r\nhel\r\n;2\r\nlo\r\n;0\r\n", Limits::default()).unwrap();
    let (chunks, _) = shown(&streamed.data());
    assert!(holds(&chunks, "hel") && holds(&chunks, "lo") && !holds(&chunks, "\r\n"));
}
