//! Tells the linker where the board's memory is, and turns the decoder's cases into a table for the flash.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;

#[path = "src/corpus/digest.rs"]
mod digest;

use digest::Digest;

/// The decoder's cases, see the README there.
const CASES: &str = "../../../tests/cases";

fn main() {
    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-changed=device.x");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/corpus/digest.rs");
    if env::var_os("CARGO_FEATURE_TOUR").is_none() {
        return;
    }
    println!("cargo::rustc-link-arg-bin=tour=-Tdefmt.x");
    println!("cargo::rerun-if-changed={CASES}");
    let mut table = String::from("&[\n");
    for file in ["decode.jsonl", "more.jsonl"] {
        let lines = fs::read_to_string(Path::new(CASES).join(file)).expect("the cases are there");
        lines.lines().for_each(|line| write_case(&mut table, line));
    }
    table.push(']');
    let out = env::var("OUT_DIR").expect("set by cargo");
    fs::write(Path::new(&out).join("cases.rs"), table).expect("cargo's directory can be written to");
}

fn write_case(table: &mut String, line: &str) {
    let mut json = serde_json::Deserializer::from_str(line);
    json.disable_recursion_limit();
    let case = Value::deserialize(&mut json).expect("a case is JSON");
    let parts: Vec<String> = match &case["parts"] {
        Value::Array(parts) => parts.iter().map(|part| write_part(&part["hex"], &part["times"])).collect(),
        _ => vec![write_part(&case["input_hex"], &1.into())],
    };
    let limits: String =
        case["limits"].as_object().into_iter().flatten().fold(String::new(), |all, (name, limit)| {
            let method = match name.as_str() {
                "max_depth" => "depth",
                "max_bulk" => "bulk",
                "max_elems" => "elements",
                "max_line" => "line",
                other => panic!("no limit: {other}"),
            };
            format!("{all}.{method}({limit})")
        });
    let outcomes: String = std::iter::once(&case["expect"])
        .chain(case["also_ok"].as_array().into_iter().flatten())
        .map(write_outcome)
        .collect();
    writeln!(
        table,
        "Case {{ id: {:?}, protocol: Protocol::Resp{}, limits: |limits| limits{limits}, prefixes: {}, parts: &[{}], \
         outcomes: &[{outcomes}] }},",
        case["id"].as_str().expect("an id"),
        case["proto"],
        case["mode"] == "prefixes",
        parts.concat(),
    )
    .expect("a string can be written to");
}

fn write_part(hex: &Value, times: &Value) -> String {
    let digits = hex.as_str().expect("bytes");
    let bytes: String = digits.as_bytes().chunks(2).fold(String::new(), |all, pair| {
        format!("{all}\\x{}", std::str::from_utf8(pair).expect("hexadecimal"))
    });
    format!("(b\"{bytes}\", {times}),")
}

fn write_outcome(outcome: &Value) -> String {
    let end = match outcome["end"].as_str() {
        Some("clean") => "Clean",
        Some("incomplete") => "Incomplete",
        Some("error") => "Error",
        other => panic!("no end: {other:?}"),
    };
    let frames = outcome["frames"].as_array().map(|frames| {
        let mut digest = Digest::default();
        frames.iter().for_each(|frame| add(&mut digest, frame));
        (frames.len(), digest.finish())
    });
    format!(
        "Outcome {{ end: End::{end}, error: {:?}, offset: {:?}, frames: {frames:?} }},",
        outcome["error"].as_str(),
        outcome["offset"].as_u64(),
    )
}

/// Adds a value to a digest as `Digest::frame` does. Attributes come first, as on the wire.
fn add(digest: &mut Digest, node: &Value) {
    let kind = node["t"].as_str().expect("a type");
    for pair in node["attr"].as_array().into_iter().flatten() {
        digest.tag("attribute");
        add(digest, &pair[0]);
        add(digest, &pair[1]);
    }
    digest.tag(kind);
    digest.flag(node["streamed"] == true);
    let value = &node["v"];
    match kind {
        "null" => {}
        "int" => digest.number(value.as_i64().expect("an integer") as u64),
        "bool" => digest.flag(value.as_bool().expect("a boolean")),
        "double" => digest.double(match value.as_str() {
            Some("nan") => f64::NAN,
            Some("inf") => f64::INFINITY,
            Some("-inf") => f64::NEG_INFINITY,
            _ => {
                let bits = value["bits"].as_str().expect("the bits of a double");
                f64::from_bits(u64::from_str_radix(bits, 16).expect("hexadecimal"))
            }
        }),
        "verbatim" => {
            digest.text(node["fmt"].as_str().expect("a format").as_bytes());
            digest.text(&text(value));
        }
        "simple" | "error" | "blob_error" | "bulk" | "bignum" => digest.text(&text(value)),
        "map" => {
            for pair in value.as_array().expect("pairs") {
                add(digest, &pair[0]);
                add(digest, &pair[1]);
            }
            digest.tag("end");
        }
        _ => {
            if let Some(count) = node["len"].as_u64() {
                (0..count).for_each(|_| add(digest, &node["fill"]));
            } else {
                value.as_array().expect("elements").iter().for_each(|element| add(digest, element));
            }
            digest.tag("end");
        }
    }
}

fn text(value: &Value) -> Vec<u8> {
    match value["hex"].as_str() {
        Some(hex) => (0..hex.len() / 2)
            .map(|place| u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).expect("hexadecimal"))
            .collect(),
        None => value.as_str().expect("a text").into(),
    }
}
