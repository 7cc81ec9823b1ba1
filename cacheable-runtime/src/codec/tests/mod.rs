//! What the codecs promise: a value comes back as it was, or not at all.
#![allow(
    clippy::needless_pass_by_value,
    clippy::option_option,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::zero_sized_map_values,
    reason = "odd types are what is tested, and serde says what its functions look like"
)]

mod changes;
mod determinism;
mod envelope;
mod features;
mod hostile;
mod limits;
mod msgpack;
mod shapes;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

const LIMIT: usize = 1 << 20;

/// Every choice of this build.
fn choices() -> Vec<CodecChoice> {
    vec![
        CodecChoice::Auto,
        CodecChoice::Bincode,
        CodecChoice::MsgPack,
        #[cfg(feature = "json")]
        CodecChoice::Json,
    ]
}

fn fingerprint<T: DeserializeOwned + 'static>() -> u64 {
    schema::<T>(CodecChoice::Auto, 0).fingerprint
}

fn written<T>(choice: CodecChoice, value: &T) -> Result<(CodecId, Vec<u8>), EncodeError>
where
    T: Serialize + DeserializeOwned + 'static,
{
    let mut out = Vec::new();
    let codec = encode(&schema::<T>(choice, 0), value, LIMIT, &mut out)?;
    Ok((codec, out))
}

/// Encodes, decodes, compares; says which codec carried the value.
#[track_caller]
fn carried<T>(choice: CodecChoice, value: &T) -> CodecId
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let (codec, bytes) = written(choice, value).expect("the value can be encoded");
    let back: T = decode(codec, &bytes).expect("the value can be decoded");
    assert_eq!(&back, value, "through {codec}");
    codec
}

/// Carried rightly or refused, by every choice; nothing in between.
#[track_caller]
fn never_wrong<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    for choice in choices() {
        if let Ok((codec, bytes)) = written(choice, value) {
            let back: T = decode(codec, &bytes).expect("what was written can be read");
            assert_eq!(&back, value, "{choice:?} through {codec}");
        }
    }
}

/// Random bytes, the same in each run.
struct Noise(u64);

impl Noise {
    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Up to `most` bytes, each below `end`.
    fn bytes(&mut self, most: usize, end: u16) -> Vec<u8> {
        (0..self.below(most + 1))
            .map(|_| self.below(usize::from(end)) as u8)
            .collect()
    }
}
