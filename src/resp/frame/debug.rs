//! How frames are printed.

use core::fmt;

use super::{Chunks, Frame, ascii};
use crate::resp::walk::{Body, Head};
use crate::resp::{Kind, Token};

/// Like Rust's own: `[1, "a"]`, `{"key": null}`; `~[` and `>[` for sets and pushes, `+"` and `-"` for simple strings and
/// errors.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The open levels in a table: no recursion, whatever came.
        let mut open = [DebugLevel::default(); DEBUG_DEPTH];
        let mut depth = 0usize;
        let mut tokens = self.tokens();
        let mut separate = false;
        while let Some(token) = tokens.next_of_value() {
            match token {
                Token::End => {
                    let Some(last) = depth.checked_sub(1) else { continue };
                    depth = last;
                    f.write_str(open[last].closing)?;
                }
                _ if separate => {
                    let after_key = depth.checked_sub(1).is_some_and(|last| open[last].map && open[last].odd);
                    f.write_str(if after_key { ": " } else { ", " })?;
                }
                _ => {}
            }
            separate = true;
            match token {
                Token::Begin { kind, values } => {
                    let (opening, closing) = match kind {
                        Kind::Map => ("{", "}"),
                        Kind::Set => ("~[", "]"),
                        Kind::Push => (">[", "]"),
                        _ => ("[", "]"),
                    };
                    f.write_str(opening)?;
                    let empty = match values {
                        Some(values) => values == 0,
                        None => matches!(tokens.clone().next_of_value(), Some(Token::End) | None),
                    };
                    if !empty && depth < DEBUG_DEPTH {
                        open[depth] =
                            DebugLevel { remaining: values, closing, map: kind == Kind::Map, odd: false };
                        depth += 1;
                        separate = false;
                        continue;
                    }
                    if !empty {
                        f.write_str("…")?;
                    }
                    tokens.skip_values(values);
                    f.write_str(closing)?;
                }
                Token::Scalar(frame) => debug_scalar(frame.walker().head(), f)?,
                _ => {}
            }
            // A value is complete. So is every level that it is the last value of.
            while let Some(last) = depth.checked_sub(1) {
                let level = &mut open[last];
                level.odd = !level.odd;
                let Some(remaining) = &mut level.remaining else { break };
                *remaining -= 1;
                if *remaining > 0 {
                    break;
                }
                f.write_str(level.closing)?;
                depth = last;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Frame<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:a}", self.bytes);
    }
}

/// Levels that `Debug` writes out; deeper values are written as `…`.
const DEBUG_DEPTH: usize = 16;

/// An aggregate that `Debug` is writing.
#[derive(Clone, Copy, Default)]
struct DebugLevel {
    /// Values still to come; `None` in a stream.
    remaining: Option<usize>,
    closing: &'static str,
    map: bool,
    /// An odd number of values has come.
    odd: bool,
}

fn debug_scalar(head: Head<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (head.kind, head.body) {
        (Kind::Null, _) => f.write_str("null"),
        (Kind::Integer | Kind::Double | Kind::BigNumber, Body::Text(text)) => f.write_str(ascii(text)),
        (Kind::Boolean, Body::Text(text)) => f.write_str(if text == b"t" { "true" } else { "false" }),
        (Kind::SimpleString, Body::Text(text)) => write!(f, "+\"{}\"", text.escape_ascii()),
        (Kind::SimpleError | Kind::BlobError, Body::Text(text)) => write!(f, "-\"{}\"", text.escape_ascii()),
        (_, body) => {
            f.write_str("\"")?;
            for chunk in Chunks::of(body) {
                write!(f, "{}", chunk.escape_ascii())?;
            }
            f.write_str("\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;
    use crate::resp::Limits;

    #[test]
    fn debug_shows_the_structure() {
        for (bytes, text) in [
            (&b"%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*2\r\n_\r\n#t\r\n"[..], r#"{+"a": 1, "b": [null, true]}"#),
            (b"%?\r\n+a\r\n%0\r\n+b\r\n~1\r\n,1.5\r\n.\r\n", r#"{+"a": {}, +"b": ~[1.5]}"#),
            (b"*?\r\n-ERR x\r\n>1\r\n+p\r\n:2\r\n.\r\n", r#"[-"ERR x", 2]"#),
            (b"*0\r\n", "[]"),
        ] {
            assert_eq!(format!("{:?}", Frame::read(bytes, Limits::default()).unwrap()), text);
        }
    }
}
