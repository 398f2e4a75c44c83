//! What a fuzz input says besides the bytes of the peer: its first six characters.

use redwire::resp::{Limits, Protocol};

/// The settings of one run. `300000` is RESP3 with the default limits, read in one piece.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub protocol: Protocol,
    pub limits: Limits,
    /// The length of the pieces in which the input comes; 0 stands for lengths that vary.
    pieces: usize,
}

impl Settings {
    /// Splits the input into its settings and the bytes of the peer.
    ///
    /// The characters choose protocol, depth, bulk, elements, line and pieces. A table for each has what is usual and what
    /// is next to the edges.
    pub fn split(data: &[u8]) -> Option<(Settings, &[u8])> {
        let ([protocol, depth, bulk, elements, line, pieces], bytes) = data.split_first_chunk()?;
        let choose = |character: &u8, table: [usize; 8]| table[usize::from(*character % 8)];
        let limits = Limits::default()
            .depth(choose(depth, [128, 0, 1, 2, 3, 4, 8, 1000]))
            .bulk(choose(bulk, [512 << 20, 0, 1, 4, 8, 64, 1000, usize::MAX]))
            .elements(choose(elements, [16 << 20, 0, 1, 2, 3, 8, 100, u32::MAX as usize]) as u32)
            .line(choose(line, [64 << 10, 0, 1, 2, 5, 20, 1000, usize::MAX]));
        let protocol = if *protocol == b'2' { Protocol::Resp2 } else { Protocol::Resp3 };
        let pieces = choose(pieces, [usize::MAX, 1, 2, 3, 7, 16, 100, 0]);
        Some((Settings { protocol, limits, pieces }, bytes))
    }

    /// Where the pieces of `bytes` end: rising, the last one at the end of all.
    pub fn ends(&self, bytes: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut end = 0;
        while end < bytes.len() {
            let length = match self.pieces {
                0 => usize::from(bytes[end] % 13) + 1,
                length => length,
            };
            end = end.saturating_add(length).min(bytes.len());
            ends.push(end);
        }
        ends
    }
}
