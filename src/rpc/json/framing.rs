//! Frames messages in a stream, each behind headers that tell its length, as the
//! [Language Server Protocol](https://microsoft.github.io/language-server-protocol/specification#baseProtocol)
//! has it.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::{
    protocol::{JsonExcess, json_excess},
    rpc::{
        intake::{Exhausted, Intake},
        msgpack::{MAX_BYTES, MAX_DEPTH, MAX_VALUES},
    },
};

/// All headers of a message together. There are two in use, and neither is long.
const MAX_HEADER_BYTES: u64 = 4096;

/// Why a stream cannot be read on: where its next message begins is not known.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A header without its colon. It is not quoted: after a wrong length it may be anything, also what was typed.
    #[error(
        "a line of {0} bytes is not a header: a message must begin with `Content-Length: BYTES`, then an empty line"
    )]
    NotAHeader(usize),
    /// There is no telling where the message ends.
    #[error("a message's headers have no Content-Length")]
    NoLength,
    /// The length is no number, or there are two.
    #[error("Content-Length is {0:?}: it must be one decimal number of bytes")]
    BadLength(String),
    /// More than a message may be.
    #[error("a message claims {0} bytes: the limit is {MAX_BYTES}")]
    TooLong(u64),
    /// More headers than any client sends.
    #[error("a message's headers are longer than {MAX_HEADER_BYTES} bytes")]
    LongHeaders,
    /// The stream ended where a message had not.
    #[error("the stream ended {0} bytes into a message")]
    Truncated(usize),
    /// There is no memory for more of a message.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The stream itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A client's stream, message by message.
pub struct Messages<R> {
    inner: BufReader<R>,
    intake: Intake,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    /// Reads from the start of a message.
    pub fn new(inner: R) -> Self {
        Self { inner: BufReader::new(inner), intake: Intake::default() }
    }

    /// The same, with what its messages may take while they come in.
    pub(in crate::rpc) fn within(self, intake: Intake) -> Self {
        Self { intake, ..self }
    }

    /// The next message's content; none when the stream ended after the last. Memory is taken as bytes come,
    /// not as headers claim.
    ///
    /// # Errors
    /// When the stream cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let Some((length, headers)) = self.headers().await? else { return Ok(None) };
        let mut body = Vec::new();
        let mut rest = (&mut self.inner).take(length);
        while rest.read_buf(&mut body).await? > 0 {
            self.intake.hold(body.len())?;
        }
        self.intake.hold(0)?;
        if (body.len() as u64) < length {
            return Err(Refusal::Truncated(headers + body.len()));
        }
        Ok(Some(body))
    }

    /// The length that a message's headers tell, and how long they are themselves.
    async fn headers(&mut self) -> Result<Option<(u64, usize)>, Refusal> {
        let (mut length, mut bytes) = (None, 0);
        loop {
            let mut line = Vec::new();
            let left = MAX_HEADER_BYTES.saturating_sub(bytes as u64);
            bytes += (&mut self.inner).take(left).read_until(b'\n', &mut line).await?;
            if !line.ends_with(b"\n") {
                return match bytes {
                    0 => Ok(None),
                    _ if line.len() as u64 == left => Err(Refusal::LongHeaders),
                    _ => Err(Refusal::Truncated(bytes)),
                };
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                // Clients may part messages by lines of their own.
                match length {
                    Some(length) => return Ok(Some((length, bytes))),
                    None if bytes <= 2 => bytes = 0,
                    None => return Err(Refusal::NoLength),
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { return Err(Refusal::NotAHeader(line.len())) };
            // What else there may be (Content-Type) changes nothing: content is JSON in UTF-8.
            if name.eq_ignore_ascii_case("content-length") {
                let value = value.trim();
                let fine = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                if !fine || length.is_some() {
                    return Err(Refusal::BadLength(shown(value)));
                }
                let claimed = value.parse().unwrap_or(u64::MAX);
                if claimed > MAX_BYTES as u64 {
                    return Err(Refusal::TooLong(claimed));
                }
                length = Some(claimed);
            }
        }
    }
}

/// The start of a line that an error quotes.
fn shown(line: &str) -> String {
    line.chars().take(40).collect()
}

/// Puts a message's headers before its content.
#[must_use]
pub fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = format!("Content-Length: {}\r\n\r\n", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

/// What of JSON a message may not have, told before any of it is parsed.
#[must_use]
pub fn excess(json: &[u8]) -> Option<String> {
    Some(match json_excess(json, MAX_DEPTH, MAX_VALUES)? {
        JsonExcess::Depth => format!("the message is nested deeper than {MAX_DEPTH} levels"),
        JsonExcess::Values => format!("the message holds more than {MAX_VALUES} values"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut messages = Messages::new(bytes);
        let mut read = Vec::new();
        while let Some(body) = messages.next().await.map_err(|refusal| refusal.to_string())? {
            read.push(String::from_utf8(body).unwrap());
        }
        Ok(read)
    }

    #[tokio::test]
    async fn messages_come_one_by_one_whatever_headers_they_have() {
        let stream = b"Content-Length: 2\r\n\r\n{}content-length:3\nContent-Type: x; charset=utf-8\n\n[1]\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read(stream).await.unwrap(), ["{}", "[1]", ""]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_on_is_refused_with_the_reason() {
        for (stream, word) in [
            (&b"hello\r\n\r\n"[..], "a line of 5 bytes is not a header"),
            (b"Content-Type: x\r\n\r\n{}", "no Content-Length"),
            (b"Content-Length: x\r\n\r\n{}", "\"x\""),
            (b"Content-Length: -1\r\n\r\n{}", "\"-1\""),
            (b"Content-Length: +1\r\n\r\n{}", "\"+1\""),
            (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "one decimal number"),
            (b"Content-Length: 4294967296\r\n\r\n{}", "the limit is 16777216"),
            (b"Content-Length: 99999999999999999999999\r\n\r\n{}", "the limit is 16777216"),
            (b"Content-Length: 5\r\n\r\n{}", "23 bytes into a message"),
            (b"Content-Len", "11 bytes into a message"),
            (&b"x".repeat(5000), "longer than 4096"),
            (&b"X: y\r\n".repeat(2000), "longer than 4096"),
        ] {
            let refusal = read(stream).await.unwrap_err();
            assert!(refusal.contains(word), "{refusal}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
        let is_too_deep = |json: &str| excess(json.as_bytes()).is_some_and(|why| why.contains("deeper than 64"));
        assert!(!is_too_deep(&nested(MAX_DEPTH)));
        assert!(is_too_deep(&nested(MAX_DEPTH + 1)));
        assert!(!is_too_deep(&format!("[{:?}, \"\\\"{}\"]", "[".repeat(100), "{".repeat(100))));
        assert!(!is_too_deep(&"[],".repeat(100)));
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        let limit = usize::try_from(MAX_VALUES).unwrap();
        let many = |unit: &str, count: usize| excess(format!("[{}]", unit.repeat(count)).as_bytes());
        assert_eq!(many("0,", limit - 10), None);
        for (unit, values) in [("0,", 1), ("[],", 2), ("{\"\":0},", 3)] {
            let why = many(unit, limit / values + 1).unwrap();
            assert!(why.contains("more than 500000 values"), "{why}");
        }
        let text = format!("[\"{}\"]", ",:[{".repeat(limit));
        assert_eq!(excess(text.as_bytes()), None, "a long text is one value");
    }
}
