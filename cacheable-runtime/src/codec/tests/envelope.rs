//! The envelope opens for what was sealed under the same key, and for nothing
//! else.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::envelope::reseal;
use super::super::envelope::{
    Header, OpenError, Opened, Token, lease_bytes, open, seal, seal_with,
};
use super::*;

fn header() -> Header {
    Header {
        codec: CodecId::MsgPack,
        absent: false,
        site: 0x1122_3344_5566_7788,
        fingerprint: 0x99aa_bbcc_ddee_ff00,
        created_ms: 1_700_000_000_000,
        soft_expiry_ms: 1_700_000_060_000,
        hard_expiry_ms: 1_700_000_120_000,
        load_micros: 4_321,
        tag_stamp: 77,
        serial: 88,
        stand_in: false,
        tags: vec!["team:7".into(), "".into()],
    }
}

/// The format is stable: entries outlive the program that wrote them.
#[test]
fn golden_value() {
    let sealed = seal(b"cache:a:b", &header(), b"payload").unwrap();
    let expected = [
        "c16376 01 02 00 0200 07000000 e1100000 8877665544332211 00ffeeddccbbaa99",
        "0068e5cf8b010000 6052e6cf8b010000 c03ce7cf8b010000 4d00000000000000",
        "5800000000000000 0600 7465616d3a37 0000 7061796c6f6164 d2440de9c296cbf8",
    ];
    assert_eq!(hex(&sealed), expected.concat().replace(' ', ""));
    assert_eq!(
        open(b"cache:a:b", &sealed),
        Ok(Opened::Value(header(), b"payload"))
    );
}

/// The store looks at these without knowing what an entry is.
#[test]
fn the_store_finds_serial_stamp_and_lease_where_they_are() {
    let sealed = seal(b"cache:a:b", &header(), b"payload").unwrap();
    assert_eq!(sealed[crate::remote::SERIAL], 88_u64.to_le_bytes());
    assert_eq!(sealed[crate::remote::STAMP], 77_u64.to_le_bytes());
    let lease = lease_bytes(&Token([7; 16]));
    assert_eq!(lease.len(), crate::remote::LEASE);
}

#[test]
fn golden_lease() {
    let token = Token(*b"0123456789abcdef");
    let lease = lease_bytes(&token);
    assert_eq!(
        hex(&lease),
        "c1636c013031323334353637383961626364656617435f7901c02003"
    );
    assert_eq!(open(b"any key", &lease), Ok(Opened::Lease(token)));
}

fn hex(bytes: &[u8]) -> String {
    format!("{bytes:02x?}").replace(['[', ']', ',', ' '], "")
}

#[test]
fn an_absence_has_no_payload() {
    let absent = Header {
        absent: true,
        ..header()
    };
    let sealed = seal(b"k", &absent, b"ignored").unwrap();
    assert_eq!(open(b"k", &sealed), Ok(Opened::Value(absent, b"")));
}

#[test]
fn a_payload_written_in_place_is_the_same() {
    let there = seal_with(b"k", &header(), 0, |out| {
        out.extend_from_slice(b"payload");
        Ok(CodecId::Bincode)
    });
    let known = Header {
        codec: CodecId::Bincode,
        ..header()
    };
    assert_eq!(there, seal(b"k", &known, b"payload"));
    let failed = seal_with(b"k", &header(), 0, |_| Err(EncodeError::Failed));
    assert_eq!(failed, Err(EncodeError::Failed));
}

#[test]
fn too_many_or_too_long_tags_are_refused() {
    let long = Header {
        tags: vec!["x".repeat(65_536).into()],
        ..header()
    };
    assert_eq!(seal(b"k", &long, b""), Err(EncodeError::Tags));
    let many = Header {
        tags: vec!["".into(); 65_536],
        ..header()
    };
    assert_eq!(seal(b"k", &many, b""), Err(EncodeError::Tags));
    let just = Header {
        tags: vec!["x".repeat(65_535).into()],
        ..header()
    };
    let sealed = seal(b"k", &just, b"p").unwrap();
    assert_eq!(open(b"k", &sealed), Ok(Opened::Value(just, b"p")));
}

/// What a later version changes, with a checksum that is right.
#[test]
fn newer_forms_are_told_from_damage() {
    let sealed = seal(b"k", &header(), b"payload").unwrap();
    for version in [2, 3, 255] {
        let mut newer = sealed.clone();
        newer[3] = version;
        assert_eq!(open(b"k", &newer), Err(OpenError::Newer));
        let mut lease = lease_bytes(&Token([7; 16]));
        lease[3] = version;
        assert_eq!(open(b"k", &lease), Err(OpenError::Newer));
    }
    for (at, value) in [(4, 4), (4, 0), (5, 4), (5, 0x80), (5, 1), (6, 3), (8, 6)] {
        let mut newer = sealed.clone();
        newer[at] = value;
        assert_eq!(open(b"k", &newer), Err(OpenError::Checksum));
        reseal(b"k", &mut newer);
        assert_eq!(
            open(b"k", &newer),
            Err(OpenError::Newer),
            "byte {at} = {value}"
        );
    }
}

#[test]
fn foreign_texts_are_foreign() {
    for text in [
        "",
        "c",
        "null",
        "0",
        "{\"a\":1}",
        "[1,2]",
        "plain text",
        "OK",
        "\u{c1}cv\u{1}",
    ] {
        assert_eq!(
            open(b"k", text.as_bytes()),
            Err(OpenError::Foreign),
            "{text}"
        );
    }
    assert_eq!(open(b"k", &[0xC1, b'c', b'v', 0]), Err(OpenError::Foreign));
    assert_eq!(open(b"k", &[0xC1, b'c', b'v']), Err(OpenError::Truncated));
}

/// Tokens are told apart in a log without giving them away.
#[test]
fn a_token_is_not_printed() {
    assert_eq!(
        format!("{:?}", Token(*b"0123456789abcdef")),
        "Token(3031..)"
    );
}

fn any_header() -> impl Strategy<Value = Header> {
    let codec = prop_oneof![
        Just(CodecId::Bincode),
        Just(CodecId::MsgPack),
        Just(CodecId::Json)
    ];
    let tags = vec("[a-z:]{0,6}", 0..3);
    (codec, any::<[u64; 7]>(), any::<u32>(), tags).prop_map(|(codec, n, load_micros, tags)| {
        Header {
            codec,
            absent: false,
            site: n[0],
            fingerprint: n[1],
            created_ms: n[2],
            soft_expiry_ms: n[3],
            hard_expiry_ms: n[4],
            load_micros,
            tag_stamp: n[5],
            serial: n[6],
            stand_in: n[6] % 2 == 1,
            tags: tags.into_iter().map(String::into_boxed_str).collect(),
        }
    })
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn opens_what_was_sealed(header in any_header(), key in key(), payload in vec(any::<u8>(), 0..64)) {
        let sealed = seal(&key, &header, &payload).unwrap();
        prop_assert_eq!(open(&key, &sealed), Ok(Opened::Value(header, &payload)));
    }

    #[test]
    fn rejects_other_keys(header in any_header(), a in key(), b in key(), payload in vec(any::<u8>(), 0..32)) {
        prop_assume!(a != b);
        let sealed = seal(&a, &header, &payload).unwrap();
        prop_assert_eq!(open(&b, &sealed), Err(OpenError::Checksum));
    }

    #[test]
    fn rejects_a_key_that_grew_into_the_value(header in any_header(), key in key(), cut in 1_usize..20) {
        let sealed = seal(&key, &header, b"p").unwrap();
        let longer = [&key[..], &sealed[..cut]].concat();
        prop_assert!(open(&longer, &sealed).is_err());
        prop_assert!(open(&key, &sealed[cut..]).is_err());
    }

    #[test]
    fn rejects_every_cut(header in any_header(), payload in vec(any::<u8>(), 0..32)) {
        let sealed = seal(b"k", &header, &payload).unwrap();
        for cut in 0..sealed.len() {
            prop_assert!(open(b"k", &sealed[..cut]).is_err());
        }
    }
}

/// A value and a lease, as they lie in the store.
fn samples() -> [Vec<u8>; 2] {
    [
        seal(b"k", &header(), b"payload").unwrap(),
        lease_bytes(&Token([7; 16])).to_vec(),
    ]
}

#[test]
fn rejects_every_flipped_bit_and_every_cut() {
    for whole in samples() {
        assert!(open(b"k", &whole).is_ok());
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"k", &flipped).is_err(), "bit {bit}");
        }
        for cut in 0..whole.len() {
            assert!(open(b"k", &whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn rejects_damage_and_extension() {
    let mut noise = Noise(1);
    for whole in samples() {
        for _ in 0..100_000 {
            let mut damaged = whole.clone();
            for _ in 0..=noise.below(4) {
                damaged[noise.below(whole.len())] = noise.next() as u8;
            }
            assert!(
                damaged == whole || open(b"k", &damaged).is_err(),
                "{damaged:02x?}"
            );
        }
        for _ in 0..10_000 {
            let mut longer = whole.clone();
            longer.extend(noise.bytes(16, 256));
            longer.push(0);
            assert_eq!(
                open(b"k", &longer),
                Err(OpenError::Checksum),
                "{longer:02x?}"
            );
        }
    }
}

#[test]
fn rejects_noise() {
    let mut noise = Noise(2);
    for _ in 0..200_000 {
        let mut bytes = noise.bytes(160, 256);
        assert!(open(b"k", &bytes).is_err(), "{bytes:02x?}");
        // The same behind the start of an entry, under any version.
        let kind = [b'v', b'l'][noise.below(2)];
        bytes.splice(0..0, [0xC1, b'c', kind, noise.below(3) as u8]);
        assert!(open(b"k", &bytes).is_err(), "{bytes:02x?}");
    }
}

/// Noise with a checksum that is right: reads as an entry, or is rejected, and
/// asks for no more memory than it holds.
#[test]
fn survives_forged_checksums() {
    let mut noise = Noise(3);
    let mut opened = 0;
    for round in 0..100_000 {
        let mut forged = vec![
            0xC1,
            b'c',
            b'v',
            1,
            noise.below(5) as u8,
            noise.below(3) as u8,
        ];
        let tags = noise.below(3) as u16;
        forged.extend_from_slice(&if round % 2 == 0 { tags } else { u16::MAX }.to_le_bytes());
        forged.extend_from_slice(&(noise.below(40) as u32).to_le_bytes());
        forged.resize(72, 7);
        forged.extend(noise.bytes(40, 5));
        forged.resize(forged.len() + 8, 0);
        reseal(b"k", &mut forged);
        if let Ok(Opened::Value(header, payload)) = open(b"k", &forged) {
            let tags: usize = header.tags.iter().map(|tag| 2 + tag.len()).sum();
            assert_eq!(72 + tags + payload.len() + 8, forged.len());
            opened += 1;
        }
    }
    assert!(
        opened > 50,
        "the forgeries were too poor to test anything: {opened}"
    );
}
