//! The grammar of the wire as [nom] combinators: the pieces that [`NomParser`](super::NomParser) puts together.
//!
//! Each stops at the first byte that cannot stand there, with `cut` where no other reading is left. A run of bytes takes
//! the bytes that are there, at least one. Everything else is incomplete until its last byte has come.

use nom::branch::alt;
use nom::bytes::complete as run;
use nom::bytes::streaming::take;
use nom::character::streaming::{char, one_of, satisfy};
use nom::combinator::{cut, fail, map, opt, peek, value, verify};
use nom::number::streaming::u8 as byte;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

use crate::resp::Protocol;

/// The pieces that a frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Expect {
    TypeByte,
    /// The length and the line end of a string, chunk or aggregate.
    LengthLine,
    /// The bytes of a simple string or error.
    Text,
    IntegerSign,
    IntegerDigits {
        negative: bool,
        magnitude: u64,
    },
    BigNumberSign,
    BigNumberDigits,
    DoubleStart,
    /// What may follow the digits before a decimal point, after it, and in an exponent.
    DoubleWhole,
    DoubleFraction,
    DoubleExponent,
    Boolean,
    LineEnd,
    /// `txt:`, the head of a verbatim string.
    Format,
    Payload,
    PayloadEnd,
    /// The `;` of a chunk.
    ChunkByte,
}

/// What a length line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Counted(u64),
    Null,
    Streamed,
}

pub(super) type Parsed<'i, T> = IResult<&'i [u8], T>;

/// A combinator over bytes that gives a `T`.
pub(super) trait Combinator<'i, T>:
    nom::Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>>
{
}

impl<'i, T, P> Combinator<'i, T> for P where
    P: nom::Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>>
{
}

/// CR and LF.
pub(super) fn line_end(input: &[u8]) -> Parsed<'_, ()> {
    value((), (char('\r'), char('\n'))).parse(input)
}

/// Nothing, where the line ends; the line end itself is a piece of its own.
fn at_line_end(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::LineEnd, peek(char('\r'))).parse(input)
}

pub(super) fn type_byte(input: &[u8]) -> Parsed<'_, u8> {
    byte(input)
}

/// Any bytes up to the line end.
pub(super) fn text(input: &[u8]) -> Parsed<'_, Expect> {
    let text = run::take_till1(|byte| matches!(byte, b'\r' | b'\n'));
    alt((value(Expect::Text, text), at_line_end)).parse(input)
}

/// The digits that are there, one at least.
fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    run::take_while1(|byte: u8| byte.is_ascii_digit())(input)
}

/// A digit, which is left to the run of digits.
fn before_digit(input: &[u8]) -> Parsed<'_, ()> {
    value((), peek(satisfy(|c| c.is_ascii_digit()))).parse(input)
}

/// The digits that are there, one at least, appended to `magnitude`. Fails at the first that takes it beyond `most`.
fn append_digits<'i>(magnitude: u64, most: u64) -> impl Combinator<'i, u64> {
    move |input: &'i [u8]| {
        let (after, digits) = digits(input)?;
        let mut magnitude = magnitude;
        for (index, digit) in digits.iter().enumerate() {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            let next = magnitude.checked_mul(10).and_then(|tens| tens.checked_add(digit));
            magnitude = match next.filter(|next| *next <= most) {
                Some(next) => next,
                None => return cut(fail()).parse(input.get(index..).unwrap_or_default()),
            };
        }
        Ok((after, magnitude))
    }
}

/// `0`, digits without a leading zero, `-1` where null is possible, `?` where a stream is; and the line end.
pub(super) fn length_line<'i>(kind: u8, protocol: Protocol) -> impl Combinator<'i, Length> {
    let may_be_null = matches!(kind, b'$' | b'*');
    let may_be_streamed = protocol == Protocol::Resp3 && matches!(kind, b'$' | b'*' | b'%' | b'~');
    let length = alt((
        value(Length::Counted(0), char('0')),
        map(append_digits(0, i64::MAX as u64), Length::Counted),
        value(Length::Null, preceded(verify(char('-'), move |_| may_be_null), cut(char('1')))),
        value(Length::Streamed, verify(char('?'), move |_| may_be_streamed)),
    ));
    terminated(length, line_end)
}

/// An optional sign. A digit has to follow.
pub(super) fn integer_sign(input: &[u8]) -> Parsed<'_, Expect> {
    let (after, sign) = terminated(opt(one_of("+-")), before_digit).parse(input)?;
    Ok((after, Expect::IntegerDigits { negative: sign == Some('-'), magnitude: 0 }))
}

/// More digits of an integer, whose magnitude so far is given.
pub(super) fn integer_digits<'i>(negative: bool, magnitude: u64) -> impl Combinator<'i, Expect> {
    let most = i64::MAX as u64 + u64::from(negative);
    let more =
        map(append_digits(magnitude, most), move |magnitude| Expect::IntegerDigits { negative, magnitude });
    alt((more, at_line_end))
}

pub(super) fn big_number_sign(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::BigNumberDigits, (opt(one_of("+-")), before_digit)).parse(input)
}

pub(super) fn big_number_digits(input: &[u8]) -> Parsed<'_, Expect> {
    alt((value(Expect::BigNumberDigits, digits), at_line_end)).parse(input)
}

/// The sign of a double and what decides its form: a digit, a point with a digit after it, or a word.
pub(super) fn double_start(input: &[u8]) -> Parsed<'_, Expect> {
    let (after, sign) = opt(one_of("+-")).parse(input)?;
    let word = |input| {
        let infinity = (char('i'), cut((char('n'), char('f'))));
        let not_a_number = (char('n'), cut((char('a'), char('n'))));
        alt((value(Expect::LineEnd, infinity), value(Expect::LineEnd, not_a_number))).parse(input)
    };
    let number = alt((
        value(Expect::DoubleWhole, before_digit),
        value(Expect::DoubleFraction, (char('.'), cut(before_digit))),
    ));
    if sign == Some('+') { cut(number).parse(after) } else { cut(alt((number, word))).parse(after) }
}

/// What may follow the first digit of a double.
pub(super) fn double_whole(input: &[u8]) -> Parsed<'_, Expect> {
    alt((value(Expect::DoubleWhole, digits), decimal_point, exponent, at_line_end)).parse(input)
}

/// What may follow its decimal point, with or without digits before it.
pub(super) fn double_fraction(input: &[u8]) -> Parsed<'_, Expect> {
    alt((value(Expect::DoubleFraction, digits), exponent, at_line_end)).parse(input)
}

/// What may follow its exponent's sign.
pub(super) fn double_exponent(input: &[u8]) -> Parsed<'_, Expect> {
    alt((value(Expect::DoubleExponent, digits), at_line_end)).parse(input)
}

fn decimal_point(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::DoubleFraction, char('.')).parse(input)
}

fn exponent(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::DoubleExponent, (one_of("eE"), cut((opt(one_of("+-")), before_digit)))).parse(input)
}

pub(super) fn boolean(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::LineEnd, one_of("tf")).parse(input)
}

/// Three bytes and a colon.
pub(super) fn format(input: &[u8]) -> Parsed<'_, ()> {
    value((), (take(3usize), char(':'))).parse(input)
}

pub(super) fn chunk_byte(input: &[u8]) -> Parsed<'_, u8> {
    value(b';', char(';')).parse(input)
}
