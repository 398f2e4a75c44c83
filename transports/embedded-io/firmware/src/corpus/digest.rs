//! Values as one number: what the cases expect is digested when the program is built, and what the frames hold when it
//! runs.

/// FNV-1a over what is added to it, each part with what tells it from the next.
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// What a value is: the name of its type in the cases.
    pub fn tag(&mut self, name: &str) {
        self.text(name.as_bytes());
    }

    /// A text of any length.
    pub fn text(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.byte(byte));
        self.end_of_text(bytes.len());
    }

    /// A byte of a text whose [end](Self::end_of_text) follows.
    pub fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Behind the last byte of a text of this length.
    pub fn end_of_text(&mut self, length: usize) {
        self.number(length as u64);
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    /// A double; all that are not a number are the same.
    pub fn double(&mut self, double: f64) {
        self.number(if double.is_nan() { u64::MAX } else { double.to_bits() });
    }

    /// Yes or no.
    pub fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    /// The number.
    pub fn finish(&self) -> u64 {
        self.0
    }
}
