//! A frame as a line of JSON, written in one pass over its tokens. Nesting is a stack of open aggregates, so that no peer
//! can nest deeply enough to overflow the stack of the thread.

use std::io::{self, Write};

use redwire::resp::{Chunks, Data, Frame, Kind, Token};

/// An aggregate or attribute whose values are being written.
struct Open {
    attribute: bool,
    /// Its values are keys and values in turn, written as pairs.
    pairs: bool,
    written: usize,
    /// How many there are in all, unless it is streamed.
    values: Option<usize>,
}

/// Writes a frame and a line end.
pub(crate) fn write_frame(out: &mut impl Write, frame: &Frame<'_>) -> io::Result<()> {
    let mut open: Vec<Open> = Vec::new();
    // The object of the next value has begun with its attributes: `{"attr":[..` stands there.
    let mut attributed = false;
    for token in frame.tokens() {
        match token {
            Token::Attribute { values: 0 } => {}
            Token::Attribute { values } => {
                if attributed {
                    out.write_all(b",")?;
                } else {
                    separate(out, open.last())?;
                    out.write_all(b"{\"attr\":[")?;
                }
                attributed = false;
                open.push(Open { attribute: true, pairs: true, written: 0, values: Some(values) });
            }
            Token::Begin { kind, values } => {
                begin(out, &mut attributed, open.last())?;
                let name = match kind {
                    Kind::Map => "map",
                    Kind::Set => "set",
                    Kind::Push => "push",
                    _ => "array",
                };
                let streamed = if values.is_none() { r#","streamed":true"# } else { "" };
                write!(out, r#""t":"{name}"{streamed},"v":["#)?;
                open.push(Open { attribute: false, pairs: kind == Kind::Map, written: 0, values });
                if values == Some(0) {
                    close(out, &mut open, &mut attributed)?;
                }
            }
            Token::End => close(out, &mut open, &mut attributed)?,
            Token::Scalar(scalar) => {
                begin(out, &mut attributed, open.last())?;
                write_scalar(out, &scalar)?;
                out.write_all(b"}")?;
                value_done(out, &mut open, &mut attributed)?;
            }
            _ => {}
        }
    }
    out.write_all(b"\n")
}

/// What stands between a value and the one before it.
fn separate(out: &mut impl Write, open: Option<&Open>) -> io::Result<()> {
    match open {
        Some(Open { pairs: true, written: 0, .. }) => out.write_all(b"["),
        Some(Open { pairs: true, written, .. }) if written % 2 == 0 => out.write_all(b",["),
        Some(Open { written: 1.., .. }) => out.write_all(b","),
        _ => Ok(()),
    }
}

/// Begins the object of a value, or goes on after its attributes.
fn begin(out: &mut impl Write, attributed: &mut bool, open: Option<&Open>) -> io::Result<()> {
    if core::mem::take(attributed) {
        return out.write_all(b"],");
    }
    separate(out, open)?;
    out.write_all(b"{")
}

/// Ends the innermost aggregate, and with it those whose last value it is.
fn close(out: &mut impl Write, open: &mut Vec<Open>, attributed: &mut bool) -> io::Result<()> {
    open.pop();
    out.write_all(b"]}")?;
    value_done(out, open, attributed)
}

/// A value was written: ends the aggregates that are complete with it.
fn value_done(out: &mut impl Write, open: &mut Vec<Open>, attributed: &mut bool) -> io::Result<()> {
    while let Some(innermost) = open.last_mut() {
        innermost.written += 1;
        if innermost.pairs && innermost.written % 2 == 0 {
            out.write_all(b"]")?;
        }
        if innermost.values != Some(innermost.written) {
            break;
        }
        *attributed = innermost.attribute;
        open.pop();
        if *attributed {
            // Another attribute follows, or the value itself.
            break;
        }
        out.write_all(b"]}")?;
    }
    Ok(())
}

/// The members of a scalar's object.
fn write_scalar(out: &mut impl Write, scalar: &Frame<'_>) -> io::Result<()> {
    match scalar.data() {
        Data::SimpleString(text) => {
            out.write_all(br#""t":"simple","v":"#)?;
            write_text(out, text)
        }
        Data::Error(error) => {
            let name = if scalar.is_blob_error() { "blob_error" } else { "error" };
            write!(out, r#""t":"{name}","v":"#)?;
            write_text(out, error.text())?;
            error.code_text().map_or(Ok(()), |code| write!(out, r#","code":"{code}""#))
        }
        Data::Integer(integer) => write!(out, r#""t":"int","v":{integer}"#),
        Data::BulkString(chunks) => {
            let streamed = if scalar.is_streamed() { r#","streamed":true"# } else { "" };
            write!(out, r#""t":"bulk"{streamed},"v":"#)?;
            write_chunks(out, chunks)
        }
        Data::VerbatimString { format, text } => {
            out.write_all(br#""t":"verbatim","fmt":"#)?;
            write_text(out, &format)?;
            out.write_all(br#","v":"#)?;
            write_text(out, text)
        }
        Data::Double(double) if double.is_nan() => out.write_all(br#""t":"double","v":"nan""#),
        Data::Double(double) if double.is_infinite() => write!(out, r#""t":"double","v":"{double}""#),
        Data::Double(double) => {
            let (bits, repr) = (double.to_bits(), shortest(double));
            write!(out, r#""t":"double","v":{{"bits":"{bits:016x}","repr":"{repr}"}}"#)
        }
        Data::Boolean(boolean) => write!(out, r#""t":"bool","v":{boolean}"#),
        Data::BigNumber(digits) => {
            write!(out, r#""t":"bignum","v":"{}""#, digits.strip_prefix('+').unwrap_or(digits))
        }
        _ => out.write_all(br#""t":"null""#),
    }
}

fn write_chunks(out: &mut impl Write, chunks: Chunks<'_>) -> io::Result<()> {
    match chunks.contiguous() {
        Some(text) => write_text(out, text),
        None => write_text(out, &chunks.flatten().copied().collect::<Vec<u8>>()),
    }
}

/// A JSON string, or `{"hex":".."}` for bytes that are not UTF-8.
fn write_text(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let Ok(text) = core::str::from_utf8(bytes) else {
        out.write_all(b"{\"hex\":\"")?;
        bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        return out.write_all(b"\"}");
    };
    out.write_all(b"\"")?;
    // What needs no escape goes out in one piece.
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || matches!(c, '"' | '\\')) {
        let (plain, special) = rest.split_at(at);
        out.write_all(plain.as_bytes())?;
        match special.as_bytes()[0] {
            b'"' => out.write_all(b"\\\"")?,
            b'\\' => out.write_all(b"\\\\")?,
            b'\r' => out.write_all(b"\\r")?,
            b'\n' => out.write_all(b"\\n")?,
            control => write!(out, "\\u{control:04x}")?,
        }
        rest = &special[1..];
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\"")
}

/// The shortest digits that read back as the same finite double, in the form that Python and JavaScript users know:
/// `1.0`, `0.0001`, `1e-05`, `1e+16`.
fn shortest(double: f64) -> String {
    let scientific = format!("{double:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{double:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}
