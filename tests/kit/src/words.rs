//! Commands as a server reads them, by code that is not the engine's.

/// Takes the first command off what was received: an array of strings. None: it is not complete yet.
///
/// # Panics
/// It is not the beginning of a command.
pub fn take(received: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    let mut at = 0;
    let count = header(received, &mut at, b'*')?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let length = header(received, &mut at, b'$')?;
        let end = at + length;
        if received.len() < end + 2 {
            return None;
        }
        assert_eq!(received[end..end + 2], *b"\r\n", "no end of a word");
        words.push(received[at..end].to_vec());
        at = end + 2;
    }
    received.drain(..at);
    Some(words)
}

/// Its words as text, with blanks between them.
pub fn line(words: &[Vec<u8>]) -> String {
    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    words.join(" ")
}

/// The number after this mark, up to the end of the line.
fn header(received: &[u8], at: &mut usize, mark: u8) -> Option<usize> {
    let rest = received.get(*at..)?;
    let (first, digits) = rest.split_first()?;
    assert_eq!(*first, mark, "not a command: {}", received.escape_ascii());
    let end = digits.windows(2).position(|pair| pair == b"\r\n")?;
    let number = std::str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse().ok());
    *at += 1 + end + 2;
    Some(number.unwrap_or_else(|| panic!("not a length: {}", digits[..end].escape_ascii())))
}

#[cfg(test)]
mod tests {
    use super::{line, take};

    #[test]
    fn commands_are_taken_one_by_one() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nPING\r\n";
        let mut received = Vec::new();
        let mut lines = Vec::new();
        for byte in bytes {
            received.push(*byte);
            lines.extend(take(&mut received).map(|words| line(&words)));
        }
        assert_eq!(lines, ["GET \r\n", "PING"]);
        assert!(received.is_empty());
    }
}
