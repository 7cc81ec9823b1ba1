//! Bytes as base64url, without padding.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Of a SHA-256.
const HASH: usize = 43;

/// `text` is as long as the bytes need, which are whole groups of three.
pub(super) fn encode(bytes: &[u8], text: &mut [u8]) {
    for (group, letters) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let mut bits = [0; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        for (at, letter) in letters.iter_mut().enumerate() {
            *letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
        }
    }
}

/// Of any length.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = vec![0; (bytes.len() * 4).div_ceil(3)];
    encode(bytes, &mut text);
    // A shorter last group is written with the letters that it needs.
    String::from_utf8(text).expect("the letters are ASCII")
}

/// Reads whole groups of four letters; `false`: it is something else.
pub(super) fn decode(text: &[u8], bytes: &mut [u8]) -> bool {
    for (letters, group) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let mut bits = 0_u32;
        for &letter in letters {
            let Some(value) = value(letter) else {
                return false;
            };
            bits = bits << 6 | u32::from(value);
        }
        group.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    true
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// Whether it could be a hash.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == HASH && text.bytes().all(|letter| value(letter).is_some())
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_come_back_and_the_text_is_the_usual_one() {
        let bytes: Vec<u8> = (0..=255).cycle().take(768).collect();
        let mut text = vec![0; 1024];
        super::encode(&bytes, &mut text);
        let mut back = vec![0; 768];
        assert!(super::decode(&text, &mut back));
        assert_eq!(back, bytes);
        assert_eq!(super::text(b"\xfb\xff\xfe"), "-__-");
        assert_eq!(super::text(b"ab"), "YWI");
        assert!(super::is_hash(&super::text(&[7; 32])));
        assert!(!super::decode(b"ab*d", &mut [0; 3]));
    }
}
