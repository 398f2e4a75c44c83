//! Lines: which bytes may stand in a line of each type, and the number that its digits make.

use super::{Refused, Scanner, State};
use crate::parts::RESP3;
use crate::resp::{Protocol, ProtocolErrorKind};

/// How far a line of digits, or a word, has come. Lengths and integers use the first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Step {
    Start,
    Signed,
    Digits,
    /// Nothing may follow: a zero, `-1` or `?` of a length, a boolean, a word.
    Closed,
    /// `.` without a digit before it.
    BarePoint,
    Fraction,
    Exponent,
    ExponentSigned,
    ExponentDigits,
    /// Letters of `inf` and `nan` seen.
    I,
    In,
    N,
    Na,
}

/// The number of a length that is `?`; no other length reaches it.
pub(super) const STREAMED: u64 = u64::MAX;

impl Scanner<'_> {
    /// A byte of a line, or its CR.
    #[inline]
    pub(super) fn line(&mut self, byte: u8) -> Result<(), Refused> {
        if byte == b'\r' && self.line_may_end() {
            self.state = State::LineFeed;
            return Ok(());
        }
        let Some(step) = self.step(byte) else {
            // For a bare LF it is the line end that is wrong.
            let kind = if byte == b'\n' { ProtocolErrorKind::BadTerminator } else { self.bad_line() };
            return Err(self.refuse(kind));
        };
        self.step = step;
        if self.line >= self.limits.max_line && !self.is_header() {
            return Err(self.refuse(ProtocolErrorKind::SizeLimit));
        }
        self.line += 1;
        Ok(())
    }

    /// Whether the line is a length or count.
    pub(super) fn is_header(&self) -> bool {
        if !RESP3 {
            return matches!(self.kind, b'$' | b'*');
        }
        !matches!(self.kind, b'+' | b'-' | b':' | b',' | b'(' | b'#' | b'_' | b'.')
    }

    fn line_may_end(&self) -> bool {
        matches!(self.kind, b'+' | b'-')
            || matches!(self.step, Step::Digits | Step::Closed)
            || RESP3
                && (matches!(self.kind, b'_' | b'.')
                    || matches!(self.step, Step::Fraction | Step::ExponentDigits))
    }

    /// Where `byte` leads in a line, or `None` if it cannot stand there.
    fn step(&mut self, byte: u8) -> Option<Step> {
        match self.kind {
            b'+' | b'-' => (byte != b'\n').then_some(Step::Start),
            b':' => self.number_step(byte),
            _ if !RESP3 => self.length_step(byte),
            b',' | b'(' => self.number_step(byte),
            b'#' => (self.step == Step::Start && matches!(byte, b't' | b'f')).then_some(Step::Closed),
            b'_' | b'.' => None,
            _ => self.length_step(byte),
        }
    }

    fn length_step(&mut self, byte: u8) -> Option<Step> {
        let resp3 = RESP3 && self.protocol == Protocol::Resp3;
        match (self.step, byte) {
            (Step::Start, b'1'..=b'9') | (Step::Digits, b'0'..=b'9') => self.digit(byte),
            (Step::Start, b'0') => Some(Step::Closed),
            (Step::Start, b'-') if matches!(self.kind, b'$' | b'*') => Some(Step::Signed),
            (Step::Signed, b'1') => {
                self.negative = true;
                Some(Step::Closed)
            }
            (Step::Start, b'?') if resp3 && matches!(self.kind, b'$' | b'*' | b'%' | b'~') => {
                self.number = STREAMED;
                Some(Step::Closed)
            }
            _ => None,
        }
    }

    /// Where `byte` leads in an integer, big number or double.
    fn number_step(&mut self, byte: u8) -> Option<Step> {
        // A sign before a word can only be a minus.
        let word_may_start = self.step == Step::Start || self.negative;
        Some(match (self.step, byte) {
            (Step::Start, b'+' | b'-') => {
                self.negative = byte == b'-';
                Step::Signed
            }
            (Step::Start | Step::Signed | Step::Digits, b'0'..=b'9') => {
                return if self.kind == b':' { self.digit(byte) } else { Some(Step::Digits) };
            }
            _ if !RESP3 || self.kind != b',' => return None,
            (Step::Start | Step::Signed, b'.') => Step::BarePoint,
            (Step::Digits, b'.') | (Step::BarePoint | Step::Fraction, b'0'..=b'9') => Step::Fraction,
            (Step::Digits | Step::Fraction, b'e' | b'E') => Step::Exponent,
            (Step::Exponent, b'+' | b'-') => Step::ExponentSigned,
            (Step::Exponent | Step::ExponentSigned | Step::ExponentDigits, b'0'..=b'9') => {
                Step::ExponentDigits
            }
            (Step::Start | Step::Signed, b'i') if word_may_start => Step::I,
            (Step::I, b'n') => Step::In,
            (Step::Start | Step::Signed, b'n') if word_may_start => Step::N,
            (Step::N, b'a') => Step::Na,
            (Step::In, b'f') | (Step::Na, b'n') => Step::Closed,
            _ => return None,
        })
    }

    /// Appends a digit to the number, unless it takes it beyond 64 bits with a sign.
    #[inline]
    fn digit(&mut self, byte: u8) -> Option<Step> {
        let most = i64::MAX as u64 + u64::from(self.negative);
        if self.number > i64::MAX as u64 / 10 {
            return None;
        }
        self.number = self.number * 10 + u64::from(byte.wrapping_sub(b'0'));
        (self.number <= most).then_some(Step::Digits)
    }

    fn bad_line(&self) -> ProtocolErrorKind {
        match self.kind {
            b':' => ProtocolErrorKind::BadInteger,
            _ if !RESP3 => ProtocolErrorKind::BadLength,
            b',' => ProtocolErrorKind::BadDouble,
            b'(' => ProtocolErrorKind::BadBigNumber,
            b'#' => ProtocolErrorKind::BadBoolean,
            b'_' => ProtocolErrorKind::BadNull,
            b'.' => ProtocolErrorKind::BadEnd,
            b';' => ProtocolErrorKind::BadChunk,
            _ => ProtocolErrorKind::BadLength,
        }
    }
}
