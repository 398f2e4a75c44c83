//! The bytes that are measured: the same ones on every run and every machine.

/// Replies to be decoded.
#[derive(Debug)]
pub struct Workload {
    /// What it is called in the tables.
    pub name: &'static str,
    /// The replies, one after the other.
    pub bytes: Vec<u8>,
    /// How many replies stand at top level.
    pub replies: usize,
    /// How many values there are in all, aggregates included.
    pub nodes: usize,
    /// Whether it takes a decoder that speaks RESP3.
    pub resp3: bool,
}

/// What a TCP segment usually carries, in bytes.
pub const SEGMENT: usize = 1448;

impl Workload {
    /// A1: `count` small replies: `+OK`, an integer of up to four digits, a bulk string of one to five bytes, null.
    pub fn mixed(count: usize) -> Self {
        let mut random = Random(1);
        let mut bytes = Vec::new();
        for _ in 0..count {
            match random.below(4) {
                0 => bytes.extend_from_slice(b"+OK\r\n"),
                1 => bytes.extend_from_slice(format!(":{}\r\n", random.below(10_000)).as_bytes()),
                2 => bulk(&mut bytes, &b"value"[..1 + random.below(5)]),
                _ => bytes.extend_from_slice(b"$-1\r\n"),
            }
        }
        Workload { name: "A1 small mixed replies", bytes, replies: count, nodes: count, resp3: false }
    }

    /// A2: one array of `count` bulk strings of 16 bytes.
    pub fn array(count: usize) -> Self {
        let mut bytes = format!("*{count}\r\n").into_bytes();
        for index in 0..count {
            bulk(&mut bytes, format!("element:{index:08}").as_bytes());
        }
        Workload { name: "A2 one array of 16 B strings", bytes, replies: 1, nodes: count + 1, resp3: false }
    }

    /// A3: `count` bulk strings of 64 KiB.
    pub fn bulks(count: usize) -> Self {
        let text: Vec<u8> = (0..64 * 1024).map(|index| b'a' + (index % 26) as u8).collect();
        let mut bytes = Vec::new();
        for _ in 0..count {
            bulk(&mut bytes, &text);
        }
        Workload { name: "A3 bulk strings of 64 KiB", bytes, replies: count, nodes: count, resp3: false }
    }

    /// A4: `count` RESP3 maps of 14 pairs: keys, and values of most types, a nested array among them.
    pub fn maps(count: usize) -> Self {
        let mut random = Random(4);
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.extend_from_slice(b"%14\r\n");
            for pair in 0..14 {
                bulk(&mut bytes, format!("field:{pair:02}").as_bytes());
                match pair % 7 {
                    0 => bytes.extend_from_slice(format!(":{}\r\n", random.below(1_000_000)).as_bytes()),
                    1 => bytes.extend_from_slice(format!(",{}.25\r\n", random.below(1000)).as_bytes()),
                    2 => bytes.extend_from_slice(b"#t\r\n"),
                    3 => bytes.extend_from_slice(b"_\r\n"),
                    4 => bytes.extend_from_slice(b"+ready\r\n"),
                    5 => {
                        bytes.extend_from_slice(b"*4\r\n");
                        for _ in 0..4 {
                            bytes.extend_from_slice(format!(":{}\r\n", random.below(100)).as_bytes());
                        }
                    }
                    _ => bulk(&mut bytes, &b"a value of a hash"[..1 + random.below(17)]),
                }
            }
        }
        Workload {
            name: "A4 RESP3 maps",
            bytes,
            replies: count,
            nodes: count * (1 + 28 + 2 * 4),
            resp3: true,
        }
    }

    /// A5: `count` messages of a subscription, as RESP3 pushes, each of three strings.
    pub fn messages(count: usize) -> Self {
        let mut bytes = Vec::new();
        for index in 0..count {
            bytes.extend_from_slice(b">3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n");
            bulk(&mut bytes, format!("message:{index:08}").as_bytes());
        }
        Workload { name: "A5 pushed messages", bytes, replies: count, nodes: count * 4, resp3: true }
    }
}

/// Appends a bulk string.
fn bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
}

/// Xorshift: enough to mix replies.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        if self.0 < 16 {
            self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize) % bound
    }
}
