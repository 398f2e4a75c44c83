//! What stands on the wire, by the [specification](https://redis.io/docs/latest/develop/reference/protocol-spec/): a tree,
//! recursive and generous, as a second opinion should be.

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `+`
    Status(Vec<u8>),
    /// `-` and `!`
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$` and `=`
    Text(Vec<u8>),
    /// `_`, `$-1` and `*-1`
    Null,
    /// `*` and `~`
    Array(Vec<Value>),
    /// `%`, its keys and values in a row
    Map(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `,`, `#` and `(`
    Other(u8, Vec<u8>),
}

impl Value {
    /// Whether it is an error with this code.
    pub fn is_error_with(&self, code: &str) -> bool {
        matches!(self, Value::Error(text) if text.split(|&byte| byte == b' ').next() == Some(code.as_bytes()))
    }

    /// The value at the head of `bytes` and its length; none if more has to come.
    ///
    /// # Panics
    /// If the bytes are no value: whoever asks has made them.
    pub fn parse(bytes: &[u8]) -> Option<(Value, usize)> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &bytes[1..end];
        let rest = end + 2;
        let number = || std::str::from_utf8(line).unwrap().parse::<i64>().unwrap();
        let many = |count: i64| {
            let mut at = rest;
            let mut values = Vec::new();
            let mut left = count;
            while left > 0 {
                let (value, length) = Value::parse(&bytes[at..])?;
                // A push in between is none of the elements.
                left -= i64::from(!matches!(value, Value::Push(_)));
                values.push(value);
                at += length;
            }
            Some((values, at))
        };
        Some(match bytes[0] {
            b'+' => (Value::Status(line.to_vec()), rest),
            b'-' => (Value::Error(line.to_vec()), rest),
            b':' => (Value::Integer(number()), rest),
            b'_' => (Value::Null, rest),
            b',' | b'#' | b'(' => (Value::Other(bytes[0], line.to_vec()), rest),
            b'$' | b'=' | b'!' => {
                let Ok(length) = usize::try_from(number()) else { return Some((Value::Null, rest)) };
                let text = bytes.get(rest..rest + length)?.to_vec();
                bytes.get(rest + length..rest + length + 2)?;
                let value = if bytes[0] == b'!' { Value::Error(text) } else { Value::Text(text) };
                (value, rest + length + 2)
            }
            b'*' if number() < 0 => (Value::Null, rest),
            b'*' | b'~' => many(number()).map(|(values, at)| (Value::Array(values), at))?,
            b'>' => many(number()).map(|(values, at)| (Value::Push(values), at))?,
            b'%' => many(number() * 2).map(|(values, at)| (Value::Map(values), at))?,
            // Attributes belong to the value after them, and say nothing about the connection.
            b'|' => {
                let (_, at) = many(number() * 2)?;
                let (value, length) = Value::parse(&bytes[at..])?;
                (value, at + length)
            }
            other => panic!("no value begins with {:?}", other as char),
        })
    }

    /// The bytes of a string of any kind.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Status(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }

    pub fn is_status(&self, text: &str) -> bool {
        matches!(self, Value::Status(status) if status == text.as_bytes())
    }

    /// A push in it, and where it stood is taken out: a published message may stand inside EXEC's array.
    pub fn take_pushes(&mut self, pushes: &mut Vec<Value>) {
        if let Value::Array(values) | Value::Map(values) | Value::Push(values) = self {
            for mut value in std::mem::take(values) {
                value.take_pushes(pushes);
                if matches!(value, Value::Push(_)) {
                    pushes.push(value);
                } else {
                    values.push(value);
                }
            }
        }
    }
}

/// A command on the wire.
pub fn command(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}
