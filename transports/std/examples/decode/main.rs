//! Reads raw RESP from standard input and writes each frame as a line of JSON: the parser alone, without a connection.
//!
//! ```text
//! $ printf '*2\r\n$3\r\nfoo\r\n:7\r\n' | cargo run -q --release -p redwire-std --example decode
//! {"t":"array","v":[{"t":"bulk","v":"foo"},{"t":"int","v":7}]}
//! {"end":"clean"}
//! ```
//!
//! The last line says how it ended: `clean`, `incomplete` (in the middle of a frame) or `error` with its kind; so does the
//! exit status: 0, 1, 2. It is 64 for arguments that make no sense and 74 when reading or writing fails.
//!
//! What to look at: [`decode`] is the whole loop around a parser. It reads, parses, hands out frames and consumes them.
//! `json.rs` walks over the values of a frame.

mod json;

use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use redwire::resp::{Frame, Limits, NomParser, Parser, Progress, Protocol, ProtocolError, Scanner};
use redwire::storage::Buffer;

const USAGE: &str = "\
usage: decode [OPTION VALUE]... < bytes
  --proto 2|3            the version of the protocol (3)
  --parser scanner|nom   the parser (scanner)
  --chunk N              read at most N bytes at a time (65536)
  --max-depth N          aggregates around a value (128)
  --max-bulk N           bytes in a string (536870912)
  --max-elements N       values in an aggregate (16777216)
  --max-line N           bytes in a line (65536)
  --help                 show this";

struct Options {
    protocol: Protocol,
    nom: bool,
    chunk: usize,
    limits: Limits,
}

/// How the input ended.
enum End {
    Clean,
    Incomplete,
    Error(ProtocolError),
}

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    let mut parser: Box<dyn Parser> = match options.nom {
        false => Box::new(Scanner::growing(options.limits)),
        true => Box::new(NomParser::growing(options.limits)),
    };
    parser.set_protocol(options.protocol);

    let mut out = BufWriter::new(io::stdout().lock());
    let result = decode(&mut *parser, io::stdin().lock(), &mut out, options.chunk).and_then(|end| {
        match &end {
            End::Clean => writeln!(out, r#"{{"end":"clean"}}"#)?,
            End::Incomplete => writeln!(out, r#"{{"end":"incomplete"}}"#)?,
            End::Error(error) => {
                eprintln!("decode: {error}");
                writeln!(out, r#"{{"end":"error","error":"{}"}}"#, error.kind.name())?;
            }
        }
        out.flush()?;
        Ok(end)
    });
    match result {
        Ok(End::Clean) => ExitCode::SUCCESS,
        Ok(End::Incomplete) => ExitCode::from(1),
        Ok(End::Error(_)) => ExitCode::from(2),
        Err(error) => {
            eprintln!("decode: {error}");
            ExitCode::from(74)
        }
    }
}

/// Parses `input` up to its end and writes the frames to `out`.
fn decode(
    parser: &mut dyn Parser,
    mut input: impl Read,
    out: &mut impl Write,
    chunk: usize,
) -> io::Result<End> {
    // The bytes of the frame that is not complete yet. They grow with what has come, not with what was announced.
    let mut received = Buffer::growing(usize::MAX);
    loop {
        loop {
            match parser.parse(received.filled()) {
                Ok(Progress::Frame { length, .. }) => {
                    json::write_frame(out, &Frame::new_unchecked(&received.filled()[..length]))?;
                    received.consume(length);
                }
                // A push that came in the middle of a frame: parsing goes on with the same bytes.
                Ok(Progress::Push { start, end }) => {
                    json::write_frame(out, &Frame::new_unchecked(&received.filled()[start..end]))?;
                }
                Ok(_) => break,
                Err(error) => return Ok(End::Error(error)),
            }
        }
        received.reserve(chunk).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let count = match input.read(&mut received.free()[..chunk]) {
            Ok(0) if received.is_empty() => return Ok(End::Clean),
            Ok(0) => return Ok(End::Incomplete),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        received.commit(count);
    }
}

/// Reads the arguments, each an option followed by its value.
fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options =
        Options { protocol: Protocol::Resp3, nom: false, chunk: 64 * 1024, limits: Limits::default() };
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match (name.as_str(), value.as_str()) {
            ("--proto", "2") => options.protocol = Protocol::Resp2,
            ("--proto", "3") => options.protocol = Protocol::Resp3,
            ("--parser", "scanner") => options.nom = false,
            ("--parser", "nom") => options.nom = true,
            ("--chunk", _) => {
                options.chunk = value.parse().ok().filter(|chunk| (1..=1 << 30).contains(chunk))?
            }
            ("--max-depth", _) => options.limits = options.limits.depth(value.parse().ok()?),
            ("--max-bulk", _) => options.limits = options.limits.bulk(value.parse().ok()?),
            ("--max-elements", _) => options.limits = options.limits.elements(value.parse().ok()?),
            ("--max-line", _) => options.limits = options.limits.line(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(options)
}
