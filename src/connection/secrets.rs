//! Errors of the server without the credentials that they repeat.
//!
//! Servers quote arguments: of commands that they do not know, and of those that they cannot read, such as
//! `ACL SETUSER u <password`. What stands in quotes in an error that answers a command with a credential is overwritten
//! with asterisks, where it stands in the receive buffer.

/// What may stand in quotes in an error and is no credential: names of commands.
const NAMES: &[u8] =
    b"hello auth acl setuser acl|setuser config config|set migrate sentinel sentinel|set ping";

/// Overwrites in an error what may be a credential: what stands in quotes, but for names of commands, and for rules of an
/// access control list where `rules` says that it is about one.
pub(super) fn withhold_quoted(error: &mut [u8], rules: bool) {
    let (mut at, mut before) = (0, 0);
    while let Some(&quote) = error.get(at) {
        // An apostrophe inside a word does not open a quotation.
        let opens = matches!(quote, b'\'' | b'`' | b'"') && !u8::is_ascii_alphanumeric(&before);
        before = quote;
        at += 1;
        if let (true, Some(rest)) = (opens, error.get_mut(at..)) {
            let length = quoted_length(rest, quote);
            let quoted = rest.get_mut(..length).unwrap_or_default();
            if !(is_name(quoted) || rules && is_rule(quoted)) {
                quoted.fill(b'*');
            }
            at += length + 1;
        }
    }
}

/// Overwrites the rest of an error from the first quote on, or from the credential itself if that is long enough not to be
/// a part of other words by chance: for the handshake, whose errors repeat nothing else that is of use.
pub(super) fn withhold_rest(error: &mut [u8], credential: &[u8]) {
    const LONG: usize = 8;
    let mut rest = error;
    while let [first, ..] = rest {
        if matches!(first, b'\'' | b'`' | b'"') || credential.len() >= LONG && rest.starts_with(credential) {
            rest.iter_mut().take_while(|byte| **byte != b'\r').for_each(|byte| *byte = b'*');
            return;
        }
        rest = rest.get_mut(1..).unwrap_or_default();
    }
}

/// Whether it is a rule that cannot be a credential: those begin with `<`, `>`, `#` or `!`.
fn is_rule(quoted: &[u8]) -> bool {
    matches!(quoted.first(), Some(b'+' | b'-' | b'~' | b'%' | b'&' | b'@'))
}

/// How long what stands in quotes is, from after the opening quote on. Servers do not escape a quote that is a part of it, so
/// that only one that is followed by the next argument or by the end is taken for the closing one; failing that the last one
/// that no letter follows. Servers cut long ones short: then it goes to the end.
fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let end = text_length(rest);
    let text = rest.get(..end).unwrap_or(rest);
    let mut last = None;
    for at in (0..end).filter(|&at| text.get(at) == Some(&quote)) {
        let after = text.get(at + 1..).unwrap_or_default();
        let next = after.strip_prefix(b",").unwrap_or(after);
        let next = next.strip_prefix(b" ").unwrap_or(next);
        let is_last = next.is_empty();
        let another = next.len() < after.len() && next.first() == Some(&quote);
        let name = last.is_none() && text.get(..at).is_some_and(is_name);
        if is_last || another || name {
            return at;
        }
        if !after.first().is_some_and(u8::is_ascii_alphanumeric) {
            last = Some(at);
        }
    }
    last.unwrap_or(end)
}

fn is_name(quoted: &[u8]) -> bool {
    NAMES.split(|&byte| byte == b' ').any(|name| name.eq_ignore_ascii_case(quoted))
}

/// How long the rest of a line is without its end.
fn text_length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| byte == b'\r').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(error: &str, rules: bool) -> std::string::String {
        let mut bytes = error.as_bytes().to_vec();
        withhold_quoted(&mut bytes, rules);
        assert_eq!(bytes.len(), error.len());
        std::string::String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn arguments_go_and_names_stay() {
        assert_eq!(
            withheld("-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `u`, `pw", false),
            "-ERR unknown command `HELLO`, with args beginning with: `*`, `AUTH`, `*`, `**"
        );
        assert_eq!(
            withheld("-ERR Error in ACL SETUSER modifier '<pw': The password isn't known\r\n", true),
            "-ERR Error in ACL SETUSER modifier '***': The password isn't known\r\n"
        );
        let harmless =
            "-ERR Error in ACL SETUSER modifier '+gett': Unknown command or category name in ACL\r\n";
        assert_eq!(withheld(harmless, true), harmless);
        let harmless = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        assert_eq!(withheld(harmless, false), harmless);
    }

    #[test]
    fn a_quote_inside_of_a_credential_does_not_end_it() {
        for (error, shown) in [
            (
                "-ERR Error in ACL SETUSER modifier '<sec'ret'x': The password isn't known\r\n",
                "-ERR Error in ACL SETUSER modifier '**********': The password isn't known\r\n",
            ),
            (
                "-ERR unknown command 'AUTH', with args beginning with: 'a'b' 'c' d' \r\n",
                "-ERR unknown command 'AUTH', with args beginning with: '***' '****' \r\n",
            ),
            (
                "-ERR unknown command 'AUTH', with args: 'it's cut",
                "-ERR unknown command 'AUTH', with args: '********",
            ),
        ] {
            assert_eq!(withheld(error, true), shown);
        }
    }

    #[test]
    fn a_short_credential_hides_no_other_words() {
        let text = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        for credential in [&b"is"[..], b"user", b"a", b""] {
            let mut error = *text;
            withhold_rest(&mut error, credential);
            assert_eq!(&error, text);
        }
        let mut error = *b"-ERR bad password hunter2hunter2!\r\n";
        withhold_rest(&mut error, b"hunter2hunter2");
        assert_eq!(&error, b"-ERR bad password ***************\r\n");
        let mut error = *b"-ERR unknown command `AUTH`, with args beginning with: `pw`, \r\n";
        withhold_rest(&mut error, b"pw");
        let hidden = "*".repeat(error.len() - "-ERR unknown command \r\n".len());
        assert_eq!(error[..], *std::format!("-ERR unknown command {hidden}\r\n").as_bytes());
    }
}
