//! The scanner and the nom parser, two readings of one grammar, agree on everything: frames, pushes, pieces of text, how
//! many bytes are missing, errors and where they are.

use redwire::resp::{NomParser, Parser, Progress, Scanner};

use super::settings::Settings;

pub fn run(data: &[u8]) {
    let Some((settings, bytes)) = Settings::split(data) else { return };
    for streaming in [false, true] {
        compare(&settings, bytes, streaming);
    }
}

fn compare(settings: &Settings, bytes: &[u8], streaming: bool) {
    let mut scanner = Scanner::growing(settings.limits);
    let mut nom = NomParser::growing(settings.limits);
    scanner.set_protocol(settings.protocol);
    nom.set_protocol(settings.protocol);
    scanner.stream(streaming);
    nom.stream(streaming);
    let mut start = 0;
    for end in settings.ends(bytes) {
        loop {
            let input = &bytes[start..end];
            let progress = scanner.parse(input);
            assert_eq!(progress, nom.parse(input), "{settings:?} {}", input.escape_ascii());
            match progress {
                Ok(Progress::Frame { length, .. }) => {
                    start += length;
                    scanner.stream(streaming);
                    nom.stream(streaming);
                }
                Ok(Progress::Push { .. } | Progress::Text { .. }) => {}
                Ok(_) => break,
                Err(_) => return,
            }
        }
    }
}
