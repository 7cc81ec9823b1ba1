//! What surrounds a payload in the store: format version 1.
//!
//! All integers are little-endian. A value:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 3 | magic `C1 63 76`; `C1` starts neither UTF-8 text nor any `MessagePack` value |
//! | 3 | 1 | version, `01` |
//! | 4 | 1 | codec: 1 bincode, 2 `MessagePack`, 3 JSON |
//! | 5 | 1 | flags: bit 0 "cached absence", the payload is empty; bit 1 "stands in for a load that failed"; the others are zero |
//! | 6 | 2 | number of tags |
//! | 8 | 4 | payload length |
//! | 12 | 4 | microseconds that the load took |
//! | 16 | 8 | identity of the call site |
//! | 24 | 8 | schema fingerprint |
//! | 32 | 8 | created, milliseconds of server time |
//! | 40 | 8 | soft expiry, same clock |
//! | 48 | 8 | hard expiry, same clock |
//! | 56 | 8 | tag stamp |
//! | 64 | 8 | serial: random, so that no two entries are the same |
//! | 72 | – | tags: each a 2-byte length and UTF-8 text |
//! | – | – | payload |
//! | end − 8 | 8 | checksum |
//!
//! A lease is `C1 63 6C`, version, a 16-byte token and a checksum: 28 bytes.
//!
//! The checksum is SipHash-1-3 with a fixed key. For a value it covers the
//! length of the key (8 bytes), the key and everything before the checksum, so
//! bytes that were moved to another key fail as well as flipped or cut ones.
//! For a lease it covers the magic, the version and the token. It guards
//! against accidents, not against somebody who writes to the store on purpose:
//! decoding is bounded for that case.
//!
//! A reader rejects what it does not know: another version, an unknown codec
//! or flag. Nothing in here may change its meaning without a new version.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::{CodecId, EncodeError};

const VALUE_MAGIC: [u8; 3] = [0xC1, b'c', b'v'];
const LEASE_MAGIC: [u8; 3] = [0xC1, b'c', b'l'];
const VERSION: u8 = 1;
const FLAG_ABSENT: u8 = 1;
const FLAG_STAND_IN: u8 = 2;

const CODEC_AT: usize = 4;
const PAYLOAD_LEN_AT: usize = 8;
/// Length of the fixed part, before tags and payload.
const FIXED: usize = 72;
const CHECKSUM: usize = 8;
const TOKEN: usize = 16;
const LEASE: usize = 4 + TOKEN + CHECKSUM;

/// Everything an entry carries beside its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) codec: CodecId,
    /// A cached `None`: there is no payload.
    pub(crate) absent: bool,
    /// An old value whose refresh failed.
    pub(crate) stand_in: bool,
    pub(crate) site: u64,
    pub(crate) fingerprint: u64,
    pub(crate) created_ms: u64,
    pub(crate) soft_expiry_ms: u64,
    pub(crate) hard_expiry_ms: u64,
    /// 0: it was not loaded, but set.
    pub(crate) load_micros: u32,
    pub(crate) tag_stamp: u64,
    pub(crate) serial: u64,
    pub(crate) tags: Vec<Box<str>>,
}

/// What lies under a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    Value(Header, &'a [u8]),
    Lease(Token),
}

/// Who holds a lease: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) [u8; TOKEN]);

/// Why bytes are not an entry of ours; each one is a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Shorter than it says.
    Truncated,
    /// Not written by this crate.
    Foreign,
    /// Written by a version that knows more than this one.
    Newer,
    /// Ours by its start, but damaged, extended, or written for another key.
    Checksum,
}

/// One entry from a payload that exists already.
pub(crate) fn seal(key: &[u8], header: &Header, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    seal_with(key, header, payload.len(), |out| {
        out.extend_from_slice(payload);
        Ok(header.codec)
    })
}

/// One entry whose payload is written in place.
///
/// `write` appends the payload and says which codec wrote it; `header.codec`
/// does not matter. `expected` is a guess at the payload's length.
pub(crate) fn seal_with(
    key: &[u8],
    header: &Header,
    expected: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<CodecId, EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let tags: usize = header.tags.iter().map(|tag| 2 + tag.len()).sum();
    let mut out = Vec::with_capacity(FIXED + tags + expected + CHECKSUM);
    write_fixed(header, &mut out)?;
    for tag in &header.tags {
        let len = u16::try_from(tag.len()).map_err(|_| EncodeError::Tags)?;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(tag.as_bytes());
    }
    let start = out.len();
    let codec = if header.absent {
        header.codec
    } else {
        write(&mut out)?
    };
    let len = out.len() - start;
    let len = u32::try_from(len).map_err(|_| EncodeError::TooLarge {
        limit: u32::MAX as usize,
    })?;
    out[CODEC_AT] = codec as u8;
    out[PAYLOAD_LEN_AT..PAYLOAD_LEN_AT + 4].copy_from_slice(&len.to_le_bytes());
    let sum = value_checksum(key, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    Ok(out)
}

fn write_fixed(header: &Header, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let tags = u16::try_from(header.tags.len()).map_err(|_| EncodeError::Tags)?;
    out.extend_from_slice(&VALUE_MAGIC);
    out.push(VERSION);
    out.push(header.codec as u8);
    let absent = if header.absent { FLAG_ABSENT } else { 0 };
    let stand_in = if header.stand_in { FLAG_STAND_IN } else { 0 };
    out.push(absent | stand_in);
    out.extend_from_slice(&tags.to_le_bytes());
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&header.load_micros.to_le_bytes());
    for field in [
        header.site,
        header.fingerprint,
        header.created_ms,
        header.soft_expiry_ms,
        header.hard_expiry_ms,
        header.tag_stamp,
        header.serial,
    ] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    debug_assert_eq!(out.len(), FIXED);
    Ok(())
}

/// Reads what [`seal`] or [`lease_bytes`] wrote for this key.
pub(crate) fn open<'a>(key: &[u8], bytes: &'a [u8]) -> Result<Opened<'a>, OpenError> {
    let magic = bytes.get(..3).ok_or(OpenError::Foreign)?;
    if magic == VALUE_MAGIC {
        open_value(key, bytes)
    } else if magic == LEASE_MAGIC {
        open_lease(bytes)
    } else {
        Err(OpenError::Foreign)
    }
}

fn open_value<'a>(key: &[u8], bytes: &'a [u8]) -> Result<Opened<'a>, OpenError> {
    check_version(bytes)?;
    if bytes.len() < FIXED + CHECKSUM {
        return Err(OpenError::Truncated);
    }
    let (body, sum) = bytes.split_at(bytes.len() - CHECKSUM);
    if read_u64(sum, 0) != value_checksum(key, body) {
        let claimed = FIXED + CHECKSUM + read_u32(body, PAYLOAD_LEN_AT) as usize;
        return Err(if bytes.len() < claimed {
            OpenError::Truncated
        } else {
            OpenError::Checksum
        });
    }

    // From here on the bytes are as somebody wrote them for this key: what
    // does not fit was meant for a reader that knows more.
    let codec = CodecId::from_byte(body[CODEC_AT]).ok_or(OpenError::Newer)?;
    let flags = body[5];
    if flags & !(FLAG_ABSENT | FLAG_STAND_IN) != 0 {
        return Err(OpenError::Newer);
    }
    let (tags, payload) = read_tags(&body[FIXED..], usize::from(read_u16(body, 6)))?;
    let absent = flags & FLAG_ABSENT != 0;
    let len = read_u32(body, PAYLOAD_LEN_AT) as usize;
    if payload.len() != len || (absent && len != 0) {
        return Err(OpenError::Newer);
    }
    let header = Header {
        codec,
        absent,
        stand_in: flags & FLAG_STAND_IN != 0,
        load_micros: read_u32(body, 12),
        site: read_u64(body, 16),
        fingerprint: read_u64(body, 24),
        created_ms: read_u64(body, 32),
        soft_expiry_ms: read_u64(body, 40),
        hard_expiry_ms: read_u64(body, 48),
        tag_stamp: read_u64(body, 56),
        serial: read_u64(body, 64),
        tags,
    };
    Ok(Opened::Value(header, payload))
}

fn read_tags(mut rest: &[u8], count: usize) -> Result<(Vec<Box<str>>, &[u8]), OpenError> {
    // A tag takes two bytes at least, so a false count cannot ask for more
    // memory than a small multiple of the input.
    let mut tags = Vec::with_capacity(count.min(rest.len() / 2));
    for _ in 0..count {
        let len = rest.get(..2).ok_or(OpenError::Newer)?;
        let len = usize::from(read_u16(len, 0));
        let tag = rest.get(2..2 + len).ok_or(OpenError::Newer)?;
        let tag = std::str::from_utf8(tag).map_err(|_| OpenError::Newer)?;
        tags.push(tag.into());
        rest = &rest[2 + len..];
    }
    Ok((tags, rest))
}

/// What stands under a key while its holder loads the value.
pub(crate) fn lease_bytes(token: &Token) -> [u8; LEASE] {
    let mut out = [0; LEASE];
    let (body, sum) = out.split_at_mut(LEASE - CHECKSUM);
    body[..3].copy_from_slice(&LEASE_MAGIC);
    body[3] = VERSION;
    body[4..].copy_from_slice(&token.0);
    sum.copy_from_slice(&checksum(&[body]).to_le_bytes());
    out
}

fn open_lease(bytes: &[u8]) -> Result<Opened<'_>, OpenError> {
    check_version(bytes)?;
    if bytes.len() < LEASE {
        return Err(OpenError::Truncated);
    }
    let (body, sum) = bytes.split_at(LEASE - CHECKSUM);
    if sum.len() != CHECKSUM || read_u64(sum, 0) != checksum(&[body]) {
        return Err(OpenError::Checksum);
    }
    let mut token = [0; TOKEN];
    token.copy_from_slice(&body[4..]);
    Ok(Opened::Lease(Token(token)))
}

fn check_version(bytes: &[u8]) -> Result<(), OpenError> {
    match bytes.get(3) {
        Some(&VERSION) => Ok(()),
        // Version 0 was never written.
        Some(0) => Err(OpenError::Foreign),
        Some(_) => Err(OpenError::Newer),
        None => Err(OpenError::Truncated),
    }
}

fn value_checksum(key: &[u8], body: &[u8]) -> u64 {
    // The length in front keeps a key's end from passing for the body's start.
    checksum(&[&(key.len() as u64).to_le_bytes(), key, body])
}

fn checksum(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(b"cacheable env v1");
    for part in parts {
        hasher.write(part);
    }
    hasher.finish()
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

impl fmt::Debug for Token {
    /// Two bytes tell leases apart in a log; the rest stays secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the entry is cut short",
            Self::Foreign => "the entry was not written by this crate",
            Self::Newer => "the entry was written by a newer version",
            Self::Checksum => "the entry is damaged or belongs to another key",
        })
    }
}

impl std::error::Error for OpenError {}

/// Writes the checksum that these bytes would need.
#[cfg(any(test, fuzzing))]
pub(super) fn reseal(key: &[u8], bytes: &mut [u8]) {
    let at = bytes.len() - CHECKSUM;
    let sum = value_checksum(key, &bytes[..at]);
    bytes[at..].copy_from_slice(&sum.to_le_bytes());
}
