//! Size, depth, and what errors say.

use serde::{Deserialize, Serializer};

use super::*;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Nest(Vec<Nest>);

/// Two levels for each: the newtype and the sequence.
fn nest(levels: usize) -> Nest {
    (1..levels).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]))
}

#[test]
fn what_is_written_as_deep_as_may_be_is_read() {
    for choice in choices() {
        carried(choice, &nest(usize::from(ENCODE_DEPTH) / 2));
        let deeper = nest(usize::from(ENCODE_DEPTH) / 2 + 1);
        assert_eq!(
            written(choice, &deeper),
            Err(EncodeError::TooDeep),
            "{choice:?}"
        );
    }
}

#[test]
fn deep_values_do_not_overflow_the_stack() {
    let value = nest(10_000);
    for choice in choices() {
        assert_eq!(
            written(choice, &value),
            Err(EncodeError::TooDeep),
            "{choice:?}"
        );
    }
    // Dropping it is as deep.
    let mut rest = vec![value];
    while let Some(Nest(inner)) = rest.pop() {
        rest.extend(inner);
    }
}

#[test]
fn the_size_limit_is_exact() {
    for choice in choices() {
        let schema = schema::<(String, u8)>(choice, 0);
        let value = ("x".repeat(300), 7_u8);
        let size = written(choice, &value).unwrap().1.len();
        let mut out = b"kept".to_vec();
        encode(&schema, &value, size, &mut out).unwrap();
        assert_eq!(out.len(), 4 + size);

        let mut out = b"kept".to_vec();
        let refused = encode(&schema, &value, size - 1, &mut out);
        assert_eq!(
            refused,
            Err(EncodeError::TooLarge { limit: size - 1 }),
            "{choice:?}"
        );
        assert_eq!(out, b"kept");
        assert_eq!(
            encode(&schema, &value, 0, &mut out),
            Err(EncodeError::TooLarge { limit: 0 })
        );
    }
}

/// Serialized, it fails in the way that it is told.
#[derive(Deserialize, Debug, PartialEq)]
struct Fails(u8);

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_newtype_struct("Fails", &0_u8),
            1 => Err(serde::ser::Error::custom("secret 1234")),
            _ => panic!("secret 5678"),
        }
    }
}

#[test]
fn a_failing_value_is_an_error_without_its_message() {
    for choice in choices() {
        assert!(written(choice, &Fails(0)).is_ok());
        for how in [1, 2] {
            let error = written(choice, &vec![Fails(0), Fails(how)]).unwrap_err();
            assert_eq!(error, EncodeError::Failed);
            let error = Error::from(error);
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}

#[test]
fn a_failure_of_one_value_leaves_the_type_to_bincode() {
    assert!(written(CodecChoice::Auto, &Fails(1)).is_err());
    assert_eq!(carried_fails(), CodecId::Bincode);
}

fn carried_fails() -> CodecId {
    let (codec, bytes) = written(CodecChoice::Auto, &Fails(0)).unwrap();
    assert_eq!(decode::<Fails>(codec, &bytes), Ok(Fails(0)));
    codec
}

#[test]
fn errors_have_their_kind() {
    let error = Error::from(EncodeError::TooLarge { limit: 10 });
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.to_string(), "the value takes more than 10 bytes");
    for error in [
        EncodeError::TooDeep,
        EncodeError::Unreadable,
        EncodeError::Failed,
    ] {
        assert_eq!(Error::from(error).kind(), ErrorKind::Codec);
    }
    assert_eq!(Error::from(DecodeError::Trailing).kind(), ErrorKind::Codec);
}

/// A sequence that announces another length than it has would shift what
/// follows it.
#[test]
fn a_false_length_is_refused() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Liar(Vec<u8>);
    impl Serialize for Liar {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(Some(self.0.len() + 1))?;
            for byte in &self.0 {
                seq.serialize_element(byte)?;
            }
            seq.end()
        }
    }
    for choice in choices() {
        assert!(
            written(choice, &(Liar(vec![1, 2]), 9_u8)).is_err(),
            "{choice:?}"
        );
    }
}

#[cfg(not(feature = "json"))]
#[test]
fn without_json_an_entry_in_json_is_a_miss() {
    assert!(!CodecChoice::Auto.accepts(CodecId::Json));
    assert_eq!(
        decode::<u8>(CodecId::Json, b"1"),
        Err(DecodeError::Missing(CodecId::Json))
    );
}

/// The stack of a worker thread is 2 MiB; a debug build uses the most of it.
#[test]
fn the_deepest_value_fits_a_small_stack() {
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(|| {
            for choice in choices() {
                carried(choice, &nest(usize::from(ENCODE_DEPTH) / 2));
            }
            let bottomless = vec![1; 4096];
            assert!(decode::<Nest>(CodecId::Bincode, &bottomless).is_err());
            assert!(decode::<Nest>(CodecId::MsgPack, &vec![0x91; 4096]).is_err());
        })
        .unwrap()
        .join()
        .unwrap();
}
