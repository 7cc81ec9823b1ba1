//! Old bytes, new type: every change is seen in the fingerprint, so the entry
//! is a miss whatever the codec would have made of it.

use serde::Deserialize;

use super::*;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Item {
    id: u64,
    name: String,
    qty: u32,
    price: u32,
    ok: bool,
}

/// A new form of `Item` in its own module, so that it has the same name.
macro_rules! form {
    ($module:ident { $($field:ident: $of:ty),* }) => {
        mod $module {
            #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
            pub(super) struct Item { $(pub(super) $field: $of),* }
        }
    };
}

form!(same {
    id: u64,
    name: String,
    qty: u32,
    price: u32,
    ok: bool
});
form!(reordered {
    id: u64,
    name: String,
    price: u32,
    qty: u32,
    ok: bool
});
form!(signed {
    id: u64,
    name: String,
    qty: i32,
    price: u32,
    ok: bool
});
form!(widened {
    id: u64,
    name: String,
    qty: u64,
    price: u32,
    ok: bool
});
form!(signed_wide {
    id: u64,
    name: String,
    qty: i64,
    price: u32,
    ok: bool
});
form!(float {
    id: f64,
    name: String,
    qty: u32,
    price: u32,
    ok: bool
});
form!(renamed {
    id: u64,
    name: String,
    qty: u32,
    cost: u32,
    ok: bool
});
form!(last_removed {
    id: u64,
    name: String,
    qty: u32,
    price: u32
});
form!(middle_removed {
    id: u64,
    name: String,
    price: u32,
    ok: bool
});
form!(first_removed {
    name: String,
    qty: u32,
    price: u32,
    ok: bool
});
form!(last_added {
    id: u64,
    name: String,
    qty: u32,
    price: u32,
    ok: bool,
    note: String
});
form!(middle_added {
    id: u64,
    name: String,
    admin: bool,
    qty: u32,
    price: u32,
    ok: bool
});
form!(option_added { id: u64, name: String, qty: u32, price: u32, ok: bool, note: Option<String> });
form!(made_optional { id: u64, name: String, qty: Option<u32>, price: u32, ok: bool });
form!(made_list { id: u64, name: Vec<String>, qty: u32, price: u32, ok: bool });
form!(bytes { id: u64, name: Vec<u8>, qty: u32, price: u32, ok: bool });
form!(character {
    id: u64,
    name: char,
    qty: u32,
    price: u32,
    ok: bool
});
form!(nested {
    id: u64,
    name: (String,),
    qty: u32,
    price: u32,
    ok: bool
});

#[track_caller]
fn differs<Old, New>()
where
    Old: DeserializeOwned + 'static,
    New: DeserializeOwned + 'static,
{
    for choice in choices() {
        let (old, new) = (schema::<Old>(choice, 0), schema::<New>(choice, 0));
        assert!(old.complete && new.complete);
        assert_ne!(old.fingerprint, new.fingerprint, "{choice:?}");
    }
}

#[test]
fn every_change_of_a_struct_is_seen() {
    differs::<Item, reordered::Item>();
    differs::<Item, signed::Item>();
    differs::<Item, widened::Item>();
    differs::<Item, signed_wide::Item>();
    differs::<Item, float::Item>();
    differs::<Item, renamed::Item>();
    differs::<Item, last_removed::Item>();
    differs::<Item, middle_removed::Item>();
    differs::<Item, first_removed::Item>();
    differs::<Item, last_added::Item>();
    differs::<Item, middle_added::Item>();
    differs::<Item, option_added::Item>();
    differs::<Item, made_optional::Item>();
    differs::<Item, made_list::Item>();
    differs::<Item, bytes::Item>();
    differs::<Item, character::Item>();
    differs::<Item, nested::Item>();
}

#[test]
fn a_change_is_seen_wherever_it_is_nested() {
    differs::<Vec<Item>, Vec<signed::Item>>();
    differs::<Option<Item>, Option<reordered::Item>>();
    differs::<(u8, Vec<Option<Item>>), (u8, Vec<Option<renamed::Item>>)>();
    differs::<Result<Item, String>, Result<last_added::Item, String>>();
    differs::<Result<String, Vec<Item>>, Result<String, Vec<last_added::Item>>>();
    differs::<
        std::collections::BTreeMap<String, Item>,
        std::collections::BTreeMap<String, float::Item>,
    >();
    differs::<Option<Box<[Item]>>, Option<Box<[made_optional::Item]>>>();
}

#[test]
fn the_same_form_elsewhere_is_the_same() {
    assert_eq!(fingerprint::<Item>(), fingerprint::<same::Item>());
    assert_eq!(fingerprint::<Vec<Item>>(), fingerprint::<Vec<same::Item>>());
    assert_eq!(
        fingerprint::<Vec<Item>>(),
        fingerprint::<std::collections::VecDeque<same::Item>>()
    );
}

/// Without the fingerprint these bytes are read as another value, without an
/// error; that is why the tests above matter.
#[test]
fn bincode_alone_does_not_notice() {
    let old = Item {
        id: 7,
        name: "bolt".into(),
        qty: 3,
        price: 250,
        ok: true,
    };
    let (codec, bytes) = written(CodecChoice::Bincode, &old).unwrap();

    let swapped: reordered::Item = decode(codec, &bytes).unwrap();
    assert_eq!((swapped.qty, swapped.price), (250, 3));
    let zigzag: signed::Item = decode(codec, &bytes).unwrap();
    assert_eq!(zigzag.qty, -2);
    let renamed: renamed::Item = decode(codec, &bytes).unwrap();
    assert_eq!(renamed.cost, 250);
}

/// What one removed field leaves over is an error, not ignored.
#[test]
fn bincode_reads_all_or_nothing() {
    let old = Item {
        id: 7,
        name: "bolt".into(),
        qty: 3,
        price: 250,
        ok: true,
    };
    let (codec, bytes) = written(CodecChoice::Bincode, &old).unwrap();
    assert_eq!(
        decode::<last_removed::Item>(codec, &bytes).unwrap_err(),
        DecodeError::Trailing
    );
    assert_eq!(
        decode::<last_added::Item>(codec, &bytes).unwrap_err(),
        DecodeError::Malformed
    );
}

mod states {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    pub(super) enum Old {
        Paid,
        Sent(u32),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum InsertedBefore {
        Hold,
        Paid,
        Sent(u32),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Appended {
        Paid,
        Sent(u32),
        Lost { at: u64 },
        Back,
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Swapped {
        Sent(u32),
        Paid,
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Removed {
        Paid,
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Renamed {
        Payed,
        Sent(u32),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Retyped {
        Paid,
        Sent(i32),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Emptied {
        Paid,
        Sent(),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Filled {
        Paid(()),
        Sent(u32),
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Named {
        Paid,
        Sent { to: u32 },
        Lost { at: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum FieldRenamed {
        Paid,
        Sent(u32),
        Lost { when: u64 },
    }
    #[derive(Serialize, Deserialize)]
    pub(super) enum Paired {
        Paid,
        Sent(u32, u32),
        Lost { at: u64 },
    }
}

#[test]
fn every_change_of_an_enum_is_seen() {
    use states::Old;
    differs::<Old, states::InsertedBefore>();
    differs::<Old, states::Appended>();
    differs::<Old, states::Swapped>();
    differs::<Old, states::Removed>();
    differs::<Old, states::Renamed>();
    differs::<Old, states::Retyped>();
    differs::<Old, states::Emptied>();
    differs::<Old, states::Filled>();
    differs::<Old, states::Named>();
    differs::<Old, states::FieldRenamed>();
    differs::<Old, states::Paired>();
    for value in [Old::Paid, Old::Sent(3), Old::Lost { at: 4 }] {
        assert_eq!(carried(CodecChoice::Auto, &value), CodecId::Bincode);
    }
}

#[test]
fn tuples_and_arrays_by_length_and_kind() {
    differs::<(u32, u32), (u32, u32, u32)>();
    differs::<[u8; 4], [u8; 5]>();
    differs::<[u8; 4], [i8; 4]>();
    differs::<Vec<u8>, serde_bytes::ByteBuf>();
    differs::<(u32, String), (String, u32)>();
    differs::<std::collections::BTreeMap<u32, u64>, std::collections::BTreeMap<u64, u32>>();
    differs::<Vec<u32>, std::collections::BTreeMap<u32, u32>>();
    differs::<Option<u32>, Vec<u32>>();
    differs::<Option<u32>, Option<Option<u32>>>();
}

#[test]
fn an_extra_number_separates_meanings_of_one_form() {
    let plain = schema::<Item>(CodecChoice::Auto, 0);
    let second = schema::<Item>(CodecChoice::Auto, 2);
    assert_ne!(plain.fingerprint, second.fingerprint);
    assert_eq!(
        second.fingerprint,
        schema::<Item>(CodecChoice::Auto, 2).fingerprint
    );
}

/// One number in every codec: a site that changes its setting reads on.
#[test]
fn the_codec_setting_is_not_part_of_the_fingerprint() {
    for choice in choices() {
        assert_eq!(
            schema::<Item>(choice, 0).fingerprint,
            fingerprint::<Item>(),
            "{choice:?}"
        );
    }
    let value = Item {
        id: 7,
        name: "bolt".into(),
        qty: 3,
        price: 250,
        ok: true,
    };
    for choice in choices() {
        let (codec, bytes) = written(choice, &value).unwrap();
        assert!(CodecChoice::Auto.accepts(codec) && choice.accepts(codec));
        assert_eq!(decode::<Item>(codec, &bytes).unwrap(), value);
    }
    assert!(!CodecChoice::MsgPack.accepts(CodecId::Bincode));
}
