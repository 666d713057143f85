//! Finds where a msgpack value ends, without decoding it.

use crate::rpc::intake::Exhausted;

/// The largest message, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// How deep arrays and maps may be nested.
pub const MAX_DEPTH: usize = 64;

/// The most values a message may hold: the library behind takes time with each.
pub const MAX_VALUES: u64 = 500_000;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The message is, or says that it is, too large.
    #[error("a message of at least {0} bytes; the limit is {MAX_BYTES}")]
    TooLarge(u64),
    /// It holds too many values.
    #[error("a message of at least {0} values; the limit is {MAX_VALUES}")]
    TooMany(u64),
    /// It is nested too deep.
    #[error("a message nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A byte that msgpack does not use.
    #[error("the byte 0xc1, which is never msgpack")]
    NotMsgpack,
    /// The client asks on and on, and does not read the answers.
    #[error("{0} answers wait, and the client does not read them")]
    Unread(usize),
    /// There is no memory for more of it.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The stream ended within a message.
    #[error("the stream ended {0} bytes into a message")]
    Truncated(usize),
}

/// Finds where msgpack values end, as their bytes come in, in memory that does not grow with them.
#[derive(Debug)]
pub struct Skipper {
    max_bytes: u64,
    max_depth: usize,
    max_values: u64,
    /// Values seen or announced.
    values: u64,
    /// Values still to come at each level.
    open: Vec<u64>,
    /// Bytes of a string, binary or number still to come.
    skip: u64,
    /// The bytes of a header that has begun.
    header: Vec<u8>,
    consumed: u64,
}

impl Default for Skipper {
    fn default() -> Self {
        Self {
            max_bytes: MAX_BYTES as u64,
            max_depth: MAX_DEPTH,
            max_values: MAX_VALUES,
            values: 0,
            open: Vec::new(),
            skip: 0,
            header: Vec::new(),
            consumed: 0,
        }
    }
}

impl Skipper {
    /// For messages of the host's own: they may be as large as they are.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { max_bytes: u64::MAX, max_depth: usize::MAX, max_values: u64::MAX, ..Self::default() }
    }

    /// Takes the next bytes; returns how many of them belong to the value, and whether it ends with them.
    ///
    /// # Errors
    /// When the value breaks a limit or is not msgpack.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < bytes.len() {
            if self.skip > 0 {
                let step = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += step;
                self.skip -= step as u64;
                self.consumed += step as u64;
            } else {
                self.header.push(bytes[at]);
                at += 1;
                self.consumed += 1;
                let Some(shape) = Shape::read(&self.header)? else { continue };
                self.header.clear();
                self.begin(shape)?;
            }
            if self.skip == 0 && self.header.is_empty() && self.close() {
                (self.consumed, self.values) = (0, 0);
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn begin(&mut self, shape: Shape) -> Result<(), Refusal> {
        let (bytes, values) = match shape {
            Shape::Bytes(count) => (count, 0),
            Shape::Values(count) => (0, count),
        };
        // Each value takes at least a byte, so what cannot fit is known before it comes.
        let least = self.consumed + bytes + values;
        if least > self.max_bytes {
            return Err(Refusal::TooLarge(least));
        }
        self.values += values;
        if self.values > self.max_values {
            return Err(Refusal::TooMany(self.values));
        }
        self.skip = bytes;
        if values > 0 {
            if self.open.len() == self.max_depth {
                return Err(Refusal::TooDeep);
            }
            // The container itself counts off its parent when it closes.
            self.open.push(values + 1);
        }
        Ok(())
    }

    /// Counts off a value that has just ended; true when it was the outermost.
    fn close(&mut self) -> bool {
        loop {
            match self.open.last_mut() {
                None => return true,
                Some(left) => {
                    *left -= 1;
                    if *left > 0 {
                        return false;
                    }
                    self.open.pop();
                }
            }
        }
    }

    /// Bytes of an unfinished value so far.
    #[must_use]
    pub fn pending(&self) -> usize {
        usize::try_from(self.consumed).unwrap_or(usize::MAX)
    }
}

/// What follows a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bytes(u64),
    Values(u64),
}

impl Shape {
    /// Reads a header; none while it is not complete.
    fn read(header: &[u8]) -> Result<Option<Self>, Refusal> {
        let first = header[0];
        // Lengths are big-endian, in 1, 2 or 4 bytes.
        let sized = |bytes: usize| {
            header.get(1..=bytes).map(|digits| digits.iter().fold(0, |sum, &digit| sum << 8 | u64::from(digit)))
        };
        Ok(match first {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(Self::Bytes(0)),
            0x80..=0x8f => Some(Self::Values(u64::from(first & 0x0f) * 2)),
            0x90..=0x9f => Some(Self::Values(u64::from(first & 0x0f))),
            0xa0..=0xbf => Some(Self::Bytes(u64::from(first & 0x1f))),
            0xc1 => return Err(Refusal::NotMsgpack),
            0xc4 | 0xd9 => sized(1).map(Self::Bytes),
            0xc5 | 0xda => sized(2).map(Self::Bytes),
            0xc6 | 0xdb => sized(4).map(Self::Bytes),
            0xc7 => sized(1).map(|count| Self::Bytes(count + 1)),
            0xc8 => sized(2).map(|count| Self::Bytes(count + 1)),
            0xc9 => sized(4).map(|count| Self::Bytes(count + 1)),
            0xca | 0xce | 0xd2 => Some(Self::Bytes(4)),
            0xcb | 0xcf | 0xd3 => Some(Self::Bytes(8)),
            0xcc | 0xd0 => Some(Self::Bytes(1)),
            0xcd | 0xd1 => Some(Self::Bytes(2)),
            0xd4..=0xd8 => Some(Self::Bytes((1 << (first - 0xd4)) + 1)),
            0xdc => sized(2).map(Self::Values),
            0xdd => sized(4).map(Self::Values),
            0xde => sized(2).map(|count| Self::Values(count * 2)),
            0xdf => sized(4).map(|count| Self::Values(count * 2)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn pack(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_value_ends_where_the_library_says_it_does() {
        let long = "x".repeat(70_000);
        let values = [
            Value::Nil,
            true.into(),
            5.into(),
            (-5).into(),
            300.into(),
            70_000.into(),
            u64::MAX.into(),
            i64::MIN.into(),
            1.5f32.into(),
            2.5f64.into(),
            "short".into(),
            "y".repeat(40).into(),
            "z".repeat(300).into(),
            long.into(),
            Value::Binary(vec![1; 10]),
            Value::Binary(vec![1; 300]),
            Value::Binary(vec![1; 70_000]),
            Value::Ext(1, vec![0; 1]),
            Value::Ext(1, vec![0; 16]),
            Value::Ext(1, vec![0; 17]),
            Value::Ext(1, vec![0; 300]),
            Value::Array(vec![]),
            Value::Array(vec![1.into(); 20]),
            Value::Array(vec![Value::Array(vec![]); 70_000]),
            Value::Map(vec![]),
            Value::Map(vec![("a".into(), Value::Map(vec![(1.into(), Value::Array(vec![2.into()]))]))]),
        ];
        for value in &values {
            let mut bytes = pack(value);
            let length = bytes.len();
            bytes.push(0xc0);
            assert_eq!(Skipper::default().take(&bytes), Ok((length, true)), "{value:.60}");
            let mut skipper = Skipper::default();
            for (at, byte) in bytes[..length].iter().enumerate() {
                assert_eq!(skipper.take(&[*byte]), Ok((1, at + 1 == length)), "{value:.60} split at {at}");
            }
        }
    }
}
