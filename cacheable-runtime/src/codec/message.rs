//! Messages, which are read by programs that only know what they expect.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use super::place::Rules;
use super::sink::Sink;
use super::{ENCODE_DEPTH, EncodeError, msgpack};

/// `MessagePack` with field names, of at most `limit` bytes, for
/// [`decode`](super::decode). Whether the reader's type can read it is the
/// reader's to find out.
pub(crate) fn message<T: Serialize + ?Sized>(
    value: &T,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let rules = Rules {
        shape: None,
        finite: false,
        depth: ENCODE_DEPTH,
        fault: Cell::new(None),
    };
    let mut sink = Sink::new(&mut out, limit);
    let written = catch_unwind(AssertUnwindSafe(|| {
        msgpack::encode(&value, &rules, &mut sink)
    }))
    .unwrap_or(false);
    if let Some(fault) = rules.fault.get() {
        Err(EncodeError::from(fault))
    } else if sink.is_full() {
        Err(EncodeError::TooLarge { limit })
    } else if written {
        Ok(out)
    } else {
        Err(EncodeError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CodecId, decode};
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_cannot_be_is_refused() {
        let bytes = message(&("a", Some(1)), 100).unwrap();
        let read: (String, Option<u8>) = decode(CodecId::MsgPack, &bytes).unwrap();
        assert_eq!(read, ("a".to_owned(), Some(1)));
        assert!(message("text", 100).is_ok());
        assert_eq!(
            message(&[0_u8; 100][..], 99),
            Err(EncodeError::TooLarge { limit: 99 })
        );
        assert!(matches!(
            message(&Some(None::<u8>), 99),
            Err(EncodeError::Unsupported(_))
        ));
    }
}
