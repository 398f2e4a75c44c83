//! Runs the cases of `tests/cases` (see the README there) with both parsers, in one piece and in every two.

use redwire::resp::{
    Data, Frame, Level, Limits, NomLevel, NomParser, Parser, Progress, Protocol, ProtocolError, Scanner,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Longer inputs are cut in two at some places only.
const CUT_EVERYWHERE: usize = 4096;

#[test]
fn the_scanner_passes_every_case() {
    for case in cases() {
        case.check(|limits, run| run(&mut Scanner::new(&mut levels::<Level>(limits)[..], limits)));
    }
}

#[test]
fn the_nom_parser_passes_every_case() {
    for case in cases() {
        case.check(|limits, run| run(&mut NomParser::new(&mut levels::<NomLevel>(limits)[..], limits)));
    }
}

/// Not only the same frames: the same events, the same need of bytes, the same offset of an error, after each byte.
#[test]
fn the_parsers_agree_at_every_byte() {
    for case in cases() {
        let (mut levels, mut nom_levels) = (levels(case.limits), levels(case.limits));
        let mut scanner = Scanner::new(&mut levels[..], case.limits);
        let mut nom = NomParser::new(&mut nom_levels[..], case.limits);
        let mut start = 0;
        scanner.set_protocol(case.protocol);
        nom.set_protocol(case.protocol);
        'bytes: for end in 1..=case.input.len() {
            loop {
                let input = &case.input[start..end];
                let progress = scanner.parse(input);
                assert_eq!(progress, nom.parse(input), "{} at {end}", case.id);
                match progress {
                    Ok(Progress::Frame { length, .. }) => start += length,
                    Ok(Progress::Push { .. }) => {}
                    Ok(_) => break,
                    Err(_) => break 'bytes,
                }
            }
        }
    }
}

/// Memory for as many levels as the limits allow.
fn levels<L: Clone + Default>(limits: Limits) -> Vec<L> {
    vec![L::default(); limits.max_depth]
}

struct Case {
    id: String,
    protocol: Protocol,
    limits: Limits,
    input: Vec<u8>,
    prefixes: bool,
    expect: Value,
    also_ok: Vec<Value>,
}

/// What a parser made of an input: the bytes of the frames, and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    frames: Vec<Vec<u8>>,
    end: &'static str,
    error: Option<ProtocolError>,
}

fn cases() -> Vec<Case> {
    let files = [include_str!("cases/decode.jsonl"), include_str!("cases/more.jsonl")];
    let cases: Vec<Case> = files.iter().flat_map(|file| file.lines()).map(Case::read).collect();
    assert!(cases.len() > 293);
    cases
}

impl Case {
    fn read(line: &str) -> Case {
        let mut json = serde_json::Deserializer::from_str(line);
        json.disable_recursion_limit();
        let case = Value::deserialize(&mut json).unwrap();
        let limit = |name: &str, default: usize| {
            case["limits"].get(name).map_or(default, |limit| limit.as_u64().unwrap() as usize)
        };
        let limits = Limits::default()
            .depth(limit("max_depth", 128))
            .bulk(limit("max_bulk", 512 << 20))
            .elements(limit("max_elems", 16 << 20) as u32)
            .line(limit("max_line", 64 << 10));
        let input = match case.get("parts") {
            None => from_hex(&case["input_hex"]),
            Some(parts) => parts
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|part| from_hex(&part["hex"]).repeat(part["times"].as_u64().unwrap() as usize))
                .collect(),
        };
        Case {
            id: case["id"].as_str().unwrap().to_owned(),
            protocol: if case["proto"] == 2 { Protocol::Resp2 } else { Protocol::Resp3 },
            limits,
            input,
            prefixes: case["mode"] == "prefixes",
            expect: case["expect"].clone(),
            also_ok: case["also_ok"].as_array().cloned().unwrap_or_default(),
        }
    }

    /// Runs the case on new parsers, which `with` hands on.
    fn check(&self, with: impl Fn(Limits, &mut dyn FnMut(&mut dyn Parser))) {
        let run = |pieces: &mut dyn Iterator<Item = usize>, length: usize| {
            let mut outcome = None;
            with(self.limits, &mut |parser| {
                parser.set_protocol(self.protocol);
                outcome = Some(run(parser, &self.input[..length], pieces));
            });
            outcome.unwrap()
        };
        let length = self.input.len();
        let whole = run(&mut [length].into_iter(), length);
        self.check_outcome(&whole);
        let bytewise = run(&mut (1..=length), length);
        assert_eq!(bytewise, whole, "{} byte by byte", self.id);
        let step = if length > CUT_EVERYWHERE { length / 7 } else { 1 };
        for cut in (1..length).step_by(step) {
            assert_eq!(run(&mut [cut, length].into_iter(), length), whole, "{} cut at {cut}", self.id);
        }
        if self.prefixes {
            for end in 1..length {
                let expected = Outcome { frames: vec![], end: "incomplete", error: None };
                assert_eq!(run(&mut [end].into_iter(), end), expected, "{} up to {end}", self.id);
            }
        }
    }

    fn check_outcome(&self, outcome: &Outcome) {
        let frames: Vec<Value> = outcome
            .frames
            .iter()
            .map(|bytes| tree(&Frame::read(bytes, Limits::default().bulk(usize::MAX)).unwrap()))
            .collect();
        let accepted = core::iter::once(&self.expect).chain(&self.also_ok).any(|expected| {
            let kind = expected.get("error").and_then(Value::as_str);
            let offset = expected.get("offset").and_then(Value::as_u64);
            expected["end"] == outcome.end
                && expected.get("frames").is_none_or(|expected| same_list(expected, &frames))
                && kind.is_none_or(|kind| outcome.error.is_some_and(|error| error.kind.name() == kind))
                && offset.is_none_or(|offset| outcome.error.is_some_and(|error| error.offset == offset))
        });
        assert!(accepted, "{}: {} {:?}\n{frames:#?}", self.id, outcome.end, outcome.error);
    }
}

/// Feeds the input up to each of `ends` in turn.
fn run(parser: &mut dyn Parser, input: &[u8], ends: &mut dyn Iterator<Item = usize>) -> Outcome {
    let mut frames = Vec::new();
    let mut start = 0;
    for end in ends {
        loop {
            let bytes = &input[start..end];
            match parser.parse(bytes) {
                Ok(Progress::Frame { length, .. }) => {
                    frames.push(bytes[..length].to_vec());
                    start += length;
                }
                Ok(Progress::Push { start, end }) => frames.push(bytes[start..end].to_vec()),
                Ok(Progress::Incomplete { need }) => {
                    assert!(need > 0);
                    break;
                }
                Ok(other) => panic!("not asked for: {other:?}"),
                Err(error) => {
                    for more in [&b""[..], b"+OK\r\n", bytes] {
                        assert_eq!(parser.parse(more), Err(error), "a failed parser stays failed");
                    }
                    return Outcome { frames, end: "error", error: Some(error) };
                }
            }
        }
    }
    Outcome { frames, end: if start == input.len() { "clean" } else { "incomplete" }, error: None }
}

/// The value tree of a frame, by way of its accessors.
fn tree(frame: &Frame<'_>) -> Value {
    let list = |elements: redwire::resp::Elements<'_>| -> Value { elements.map(|e| tree(&e)).collect() };
    let (name, value) = match frame.data() {
        Data::Null => ("null", Value::Null),
        Data::SimpleString(bytes) => ("simple", text(bytes)),
        Data::Error(error) if frame.is_blob_error() => ("blob_error", text(error.text())),
        Data::Error(error) => ("error", text(error.text())),
        Data::Integer(integer) => ("int", json!(integer)),
        Data::BulkString(chunks) => {
            assert_eq!(chunks.total(), chunks.clone().flatten().count());
            ("bulk", text(&chunks.flatten().copied().collect::<Vec<u8>>()))
        }
        Data::VerbatimString { text: bytes, .. } => ("verbatim", text(bytes)),
        Data::Double(double) if double.is_nan() => ("double", json!("nan")),
        Data::Double(double) if double.is_infinite() => {
            ("double", json!(if double > 0.0 { "inf" } else { "-inf" }))
        }
        Data::Double(double) => ("double", json!({ "bits": format!("{:016x}", double.to_bits()) })),
        Data::Boolean(boolean) => ("bool", json!(boolean)),
        Data::BigNumber(digits) => ("bignum", json!(digits.trim_start_matches('+'))),
        Data::Array(elements) => ("array", list(elements)),
        Data::Set(elements) => ("set", list(elements)),
        Data::Push(elements) => ("push", list(elements)),
        Data::Map(pairs) => ("map", pairs.map(|(key, value)| json!([tree(&key), tree(&value)])).collect()),
        other => panic!("{other:?}"),
    };
    let mut node = Map::new();
    node.insert("t".into(), json!(name));
    if !value.is_null() {
        node.insert("v".into(), value);
    }
    if let Data::VerbatimString { format, .. } = frame.data() {
        node.insert("fmt".into(), json!(core::str::from_utf8(&format).unwrap()));
    }
    if let Some(code) = frame.error().and_then(|error| error.code_text()) {
        node.insert("code".into(), json!(code));
    }
    if frame.is_streamed() {
        node.insert("streamed".into(), json!(true));
    }
    let attributes: Vec<Value> =
        frame.attributes().map(|(key, value)| json!([tree(&key), tree(&value)])).collect();
    if !attributes.is_empty() {
        node.insert("attr".into(), Value::Array(attributes));
    }
    Value::Object(node)
}

fn same_list(expected: &Value, actual: &[Value]) -> bool {
    expected.as_array().is_some_and(|expected| {
        expected.len() == actual.len()
            && expected.iter().zip(actual).all(|(expected, actual)| same(expected, actual))
    })
}

/// Whether a value is what the case expects. A case need not say the code of an error.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Array(_), Value::Array(actual)) => same_list(expected, actual),
        (Value::Object(expected), Value::Object(actual)) => {
            if let (Some(length), Some(fill)) = (expected.get("len"), expected.get("fill")) {
                let elements = actual["v"].as_array().unwrap();
                return expected["t"] == actual["t"]
                    && length.as_u64() == Some(elements.len() as u64)
                    && elements.iter().all(|element| same(fill, element));
            }
            expected.iter().all(|(key, expected)| match (key.as_str(), actual.get(key)) {
                ("repr", _) => true,
                ("attr", None) => expected == &json!([]),
                (_, Some(actual)) => same(expected, actual),
                (_, None) => false,
            }) && actual.keys().all(|key| key == "code" || expected.contains_key(key))
        }
        (expected, actual) => expected == actual,
    }
}

fn text(bytes: &[u8]) -> Value {
    match core::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn from_hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
