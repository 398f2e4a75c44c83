use redwire::resp::*;
#[test]
fn smoke() {
    let mut s = Scanner::growing(Limits::default());
    let input = b"*2\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n:1\r\n$1\r\n1\r\n";
    for cut in 0..=input.len() {
        s.reset();
        let mut out = vec![];
        for end in [cut, input.len()] {
            loop {
                match s.parse(&input[..end]).unwrap() {
                    Progress::Push { start, end } => {
                        out.push(format!("{:?}", Frame::read(&input[start..end], Limits::default()).unwrap()))
                    }
                    Progress::Frame { length, .. } => {
                        out.push(format!("{:?}", Frame::read(&input[..length], Limits::default()).unwrap()));
                        break;
                    }
                    _ => break,
                }
            }
            if out.len() == 2 {
                break;
            }
        }
        assert_eq!(out, [r#">["message", "ch", "m"]"#, r#"[1, "1"]"#]);
    }
    println!(
        "{:?}",
        Frame::read(b"|1\r\n+a\r\n:1\r\n*?\r\n:1\r\n%?\r\n+a\r\n_\r\n.\r\n.\r\n", Limits::default()).unwrap()
    );
}
