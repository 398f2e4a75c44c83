//! The JSON that the example `decode` writes, over the cases of the decoder corpus.

#[path = "../examples/decode/json.rs"]
mod json;

use redwire::resp::{Frame, Limits, Parser, Progress, Protocol, Scanner};
use serde::Deserialize;
use serde_json::Value;

const CASES: [&str; 2] =
    [include_str!("../../../tests/cases/decode.jsonl"), include_str!("../../../tests/cases/more.jsonl")];

#[test]
fn every_frame_of_the_corpus_is_written_as_its_value_tree() {
    let mut compared = 0;
    for line in CASES.iter().flat_map(|cases| cases.lines()) {
        let case = from_json(line);
        let written: Vec<Value> = written(&case).lines().map(from_json).collect();
        let outcomes =
            core::iter::once(&case["expect"]).chain(case["also_ok"].as_array().into_iter().flatten());
        let accepted = outcomes.filter_map(|outcome| outcome.get("frames")).any(|frames| {
            let expected: Vec<Value> = frames.as_array().unwrap().iter().map(plain).collect();
            expected == written.iter().map(plain).collect::<Vec<_>>()
        });
        assert!(accepted, "{}: {written:#?}", case["id"]);
        compared += written.len();
    }
    assert!(compared > 300);
}

#[test]
fn text_is_escaped_as_json_has_it() {
    let mut out = Vec::new();
    json::write_frame(&mut out, &Frame::new_unchecked(b"$9\r\n\"\\\r\n\t\0\x1f/\x7f\r\n")).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"t\":\"bulk\",\"v\":\"\\\"\\\\\\r\\n\\u0009\\u0000\\u001f/\x7f\"}\n"
    );
}

#[test]
fn an_error_has_its_code_if_it_begins_with_one() {
    for (bytes, expected) in [
        (&b"-WRONGTYPE x\r\n"[..], r#"{"t":"error","v":"WRONGTYPE x","code":"WRONGTYPE"}"#),
        (b"-Error message\r\n", r#"{"t":"error","v":"Error message"}"#),
        (b"-\r\n", r#"{"t":"error","v":""}"#),
    ] {
        let mut out = Vec::new();
        json::write_frame(&mut out, &Frame::new_unchecked(bytes)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), expected);
    }
}

#[test]
fn a_hundred_thousand_levels_take_no_stack() {
    let depth = 100_000;
    for (opening, closing) in
        [("*1\r\n", ""), ("%1\r\n+k\r\n", ""), ("*?\r\n", ".\r\n"), ("|1\r\n+k\r\n", ":1\r\n")]
    {
        let input = [&opening.repeat(depth), "_\r\n", &closing.repeat(depth)].concat();
        let mut scanner = Scanner::growing(Limits::default().depth(depth));
        assert_eq!(scanner.parse(input.as_bytes()), Ok(Progress::Frame { length: input.len(), push: false }));
        let mut out = Vec::new();
        json::write_frame(&mut out, &Frame::new_unchecked(input.as_bytes())).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert_eq!(text.matches('[').count(), text.matches(']').count());
        assert!(text.matches('[').count() >= depth);
    }
}

#[test]
fn help_that_is_asked_for_is_no_error() {
    let run = |argument: &str| {
        std::process::Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--package", "redwire-std", "--example", "decode", "--", argument])
            .output()
            .unwrap()
    };
    for argument in ["--help", "-h"] {
        let help = run(argument);
        assert!(help.status.success());
        assert!(help.stdout.starts_with(b"usage: decode"));
    }
    let nonsense = run("--nonsense");
    assert_eq!(nonsense.status.code(), Some(64));
    assert!(nonsense.stdout.is_empty() && nonsense.stderr.starts_with(b"usage: decode"));
}

/// What the example writes for the input of a case, up to its end or error.
fn written(case: &Value) -> String {
    let limit =
        |name: &str, default: u64| case["limits"].get(name).and_then(Value::as_u64).unwrap_or(default);
    let limits = Limits::default()
        .depth(limit("max_depth", 128) as usize)
        .bulk(limit("max_bulk", 512 << 20) as usize)
        .elements(limit("max_elems", 16 << 20) as u32)
        .line(limit("max_line", 64 << 10) as usize);
    let mut scanner = Scanner::growing(limits);
    scanner.set_protocol(if case["proto"] == 2 { Protocol::Resp2 } else { Protocol::Resp3 });
    let input = input(case);
    let mut rest = &input[..];
    let mut out = Vec::new();
    loop {
        let frame = match scanner.parse(rest) {
            Ok(Progress::Frame { length, .. }) => {
                let frame = &rest[..length];
                rest = &rest[length..];
                frame
            }
            Ok(Progress::Push { start, end }) => &rest[start..end],
            _ => return String::from_utf8(out).unwrap(),
        };
        json::write_frame(&mut out, &Frame::new_unchecked(frame)).unwrap();
    }
}

fn input(case: &Value) -> Vec<u8> {
    let bytes = |digits: &Value| -> Vec<u8> {
        let digits = digits.as_str().unwrap();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    match case["parts"].as_array() {
        None => bytes(&case["input_hex"]),
        Some(parts) => parts
            .iter()
            .flat_map(|part| bytes(&part["hex"]).repeat(part["times"].as_u64().unwrap() as usize))
            .collect(),
    }
}

fn from_json(text: &str) -> Value {
    let mut json = serde_json::Deserializer::from_str(text);
    json.disable_recursion_limit();
    Value::deserialize(&mut json).unwrap()
}

/// A value without what a case may leave out (the code of an error, attributes that are none), repetition written out.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(members) => {
            let mut members = members.clone();
            if let (Some(length), Some(fill)) = (members.remove("len"), members.remove("fill")) {
                members.insert("v".into(), vec![fill; length.as_u64().unwrap() as usize].into());
            }
            members
                .retain(|name, value| name != "code" && !(name == "attr" && value == &Value::Array(vec![])));
            members
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        scalar => scalar.clone(),
    }
}
