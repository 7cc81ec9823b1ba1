//! Where one message of the protocol ends and the next begins.

use std::io;

/// Cuts a stream of RESP2 or RESP3 into messages, however its bytes arrive.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// The elements up to here have been read.
    read: usize,
    /// How many elements each open aggregate still lacks, the outermost first.
    lacking: Vec<u64>,
}

impl Frames {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// What came is not of this protocol.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(children) = self.element()? else {
                return Ok(None);
            };
            if children > 0 {
                self.lacking.push(children);
                continue;
            }
            // An element that is complete may complete those around it.
            while let Some(lacking) = self.lacking.last_mut() {
                *lacking -= 1;
                if *lacking > 0 {
                    break;
                }
                self.lacking.pop();
            }
            if self.lacking.is_empty() {
                let rest = self.bytes.split_off(self.read);
                self.read = 0;
                return Ok(Some(std::mem::replace(&mut self.bytes, rest)));
            }
        }
    }

    /// Reads one element, or the head of an aggregate, and says how many
    /// elements follow as its parts; `None`, and nothing is read, when it has
    /// not come as a whole.
    fn element(&mut self) -> io::Result<Option<u64>> {
        let rest = &self.bytes[self.read..];
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let (kind, line) = rest[..end].split_first().ok_or_else(malformed)?;
        let head = end + 2;
        let (length, children) = match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => (head, 0),
            // A length of -1 is a nothing without contents.
            b'$' | b'!' | b'=' => match number(line)? {
                None => (head, 0),
                Some(contents) => {
                    let contents = usize::try_from(contents).map_err(|_| malformed())?;
                    (head + contents + 2, 0)
                }
            },
            b'*' | b'~' | b'>' => (head, number(line)?.unwrap_or(0)),
            b'%' => (head, 2 * number(line)?.unwrap_or(0)),
            // Attributes stand before the element that they are about.
            b'|' => (head, 2 * number(line)?.unwrap_or(0) + 1),
            _ => return Err(malformed()),
        };
        if rest.len() < length {
            return Ok(None);
        }
        self.read += length;
        Ok(Some(children))
    }
}

/// Whether this message says that keys have changed.
pub(super) fn is_invalidation(frame: &[u8]) -> bool {
    let Some(end) = frame.iter().position(|&byte| byte == b'\n') else {
        return false;
    };
    frame.starts_with(b">") && frame[end + 1..].starts_with(b"$10\r\ninvalidate\r\n")
}

/// Whether this reply is one text.
pub(super) fn is_text(frame: &[u8]) -> bool {
    frame.starts_with(b"$") && !frame.starts_with(b"$-")
}

/// How many values a request asks for.
pub(super) fn keys_asked(frame: &[u8]) -> u64 {
    match words(frame, 1).first().map(String::as_str) {
        Some("GET") => 1,
        Some("MGET") => words(frame, usize::MAX).len() as u64 - 1,
        _ => 0,
    }
}

/// The first `most` words of a request.
pub(super) fn words(frame: &[u8], most: usize) -> Vec<String> {
    let mut lines = frame.split(|&byte| byte == b'\n');
    let mut words = Vec::new();
    // An array's head, and then a length before each word. Words with line
    // breaks are no names of commands.
    lines.next();
    while words.len() < most
        && let (Some(_), Some(word)) = (lines.next(), lines.next())
    {
        let word = word.strip_suffix(b"\r").unwrap_or(word);
        words.push(String::from_utf8_lossy(word).to_uppercase());
    }
    words
}

/// `None` for -1.
fn number(line: &[u8]) -> io::Result<Option<u64>> {
    let text = str::from_utf8(line).map_err(|_| malformed())?;
    match text.parse::<i64>().map_err(|_| malformed())? {
        -1 => Ok(None),
        number => u64::try_from(number).map(Some).map_err(|_| malformed()),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no RESP")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, nested, empty, absent, and with line breaks inside.
    const MESSAGES: &[&str] = &[
        "+OK\r\n",
        "-ERR no\r\n",
        ":1\r\n",
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "(12345678901234567890\r\n",
        "$0\r\n\r\n",
        "$-1\r\n",
        "$4\r\n\r\n*1\r\n",
        "!5\r\nERR a\r\n",
        "=5\r\ntxt:a\r\n",
        "*0\r\n",
        "*-1\r\n",
        "~1\r\n:1\r\n",
        "*3\r\n*0\r\n*1\r\n*1\r\n:1\r\n$1\r\na\r\n",
        "%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n%0\r\n",
        "|1\r\n+ttl\r\n:3\r\n*1\r\n$1\r\na\r\n",
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n",
        ">2\r\n$10\r\ninvalidate\r\n_\r\n",
        ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$10\r\ninvalidate\r\n",
        "*2\r\n$6\r\nclient\r\n$8\r\ntracking\r\n",
    ];

    fn all(frames: &mut Frames) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(frame) = frames.next().unwrap() {
            found.push(String::from_utf8(frame).unwrap());
        }
        found
    }

    #[test]
    fn messages_that_come_at_once_are_told_apart() {
        let mut frames = Frames::default();
        frames.add(MESSAGES.concat().as_bytes());
        assert_eq!(all(&mut frames), MESSAGES);
        assert_eq!(all(&mut frames), [""; 0]);
    }

    #[test]
    fn messages_that_come_in_pieces_are_put_together() {
        let stream = MESSAGES.concat();
        for size in 1..stream.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                frames.add(piece);
                found.extend(all(&mut frames));
            }
            assert_eq!(found, MESSAGES, "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_is_there_with_its_last_byte_and_not_before() {
        for message in MESSAGES {
            for end in 0..message.len() {
                let mut frames = Frames::default();
                frames.add(&message.as_bytes()[..end]);
                assert_eq!(all(&mut frames), [""; 0], "{message:?} up to {end}");
                frames.add(&message.as_bytes()[end..]);
                assert_eq!(all(&mut frames), [*message]);
            }
        }
    }

    #[test]
    fn invalidations_are_known_and_other_pushes_are_not() {
        let found: Vec<_> = MESSAGES
            .iter()
            .filter(|message| is_invalidation(message.as_bytes()))
            .collect();
        assert_eq!(found, [&MESSAGES[18], &MESSAGES[19]]);
    }

    #[test]
    fn the_words_of_a_request_are_read() {
        let tracking = MESSAGES.last().unwrap().as_bytes();
        assert_eq!(words(tracking, 3), ["CLIENT", "TRACKING"]);
        assert_eq!(words(tracking, 1), ["CLIENT"]);
    }

    #[test]
    fn another_protocol_is_refused() {
        for stream in ["HTTP/1.1 200\r\n", "\r\n", "$x\r\n", "*-2\r\n"] {
            let mut frames = Frames::default();
            frames.add(stream.as_bytes());
            assert!(frames.next().is_err(), "{stream:?}");
        }
    }
}
