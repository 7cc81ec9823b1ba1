mod allocations;
mod model;
mod property;

use std::collections::{BTreeMap, HashMap};

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::{IntoKey, Key, KeyWriter};
use crate::error::ErrorKind;
use crate::pattern::Pattern;
use model::Value;

/// The text of one value.
fn text_of<T: Serialize + ?Sized>(value: &T) -> String {
    let mut key = KeyWriter::text("");
    key.value(value);
    key.finish_text().unwrap()
}

fn hash_of<T: Serialize + ?Sized>(value: &T) -> u128 {
    let mut key = KeyWriter::hash([1, 2]);
    key.value(value);
    key.finish_hash().unwrap()
}

#[track_caller]
fn check<T: Serialize + ?Sized>(value: &T, text: &str) {
    assert_eq!(text_of(value), text);
}

#[track_caller]
fn check_same<A: Serialize + ?Sized, B: Serialize + ?Sized>(a: &A, b: &B) {
    assert_eq!(text_of(a), text_of(b));
    assert_eq!(hash_of(a), hash_of(b), "{}", text_of(a));
}

#[track_caller]
fn check_differ<A: Serialize + ?Sized, B: Serialize + ?Sized>(a: &A, b: &B) {
    assert_ne!(text_of(a), text_of(b));
    assert_ne!(hash_of(a), hash_of(b), "{} {}", text_of(a), text_of(b));
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Id(u64);
#[derive(Serialize)]
struct Point {
    y: i32,
    x: i32,
}
#[derive(Serialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i32, i32),
    Rect {
        w: u8,
        h: u8,
    },
    #[serde(rename = "odd name: (x)")]
    Odd,
}

#[test]
fn readable_where_nothing_is_ambiguous() {
    check("alice", "alice");
    check(
        "550e8400-e29b-41d4-a716-446655440000",
        "550e8400-e29b-41d4-a716-446655440000",
    );
    check("a/b.c_d-e@f.org", "a/b.c_d-e@f.org");
    check("größe 数", "größe%20数");
    check("a:b*c", "a%3Ab%2Ac");
    check("50%", "50%25");
    check("\u{a0}\u{85}\u{7f}\n", "%C2%A0%C2%85%7F%0A");
    check(&42, "42");
    check(&-7, "-7");
    check(&u128::MAX, "340282366920938463463374607431768211455");
    check(&i128::MIN, "-170141183460469231731687303715884105728");
    check(&1.0, "1.0");
    check(&-0.0, "-0.0");
    check(&1e300, "1e300");
    check(&f64::NAN, "nan");
    check(&f64::NEG_INFINITY, "-inf");
    check(&true, "true");
    check(&'x', "x");
    check(&None::<u8>, "~");
    check(&Some(5), "~5");
    check(&(), "()");
    check(&Unit, "()");
    check(&Id(7), "7");
    check(&(1, "a"), "(1,a)");
    check(&Vec::<u8>::new(), "(,)");
    check(&vec![1], "(1)");
    check(&Point { y: 2, x: 1 }, "(x=1,y=2)");
    check(&HashMap::<u8, u8>::new(), "(=)");
    check(&Shape::Empty, "@Empty");
    check(&Shape::Circle(0.5), "@Circle(0.5)");
    check(&Shape::Line(1, -1), "@Line(1,-1)");
    check(&Shape::Rect { w: 1, h: 2 }, "@Rect(h=2,w=1)");
    check(&Shape::Odd, "@odd%20name%3A%20%28x%29");
    check(&std::net::Ipv4Addr::LOCALHOST, "'127.0.0.1");
    check(&Bytes(b"\x00\xff"), "0x00ff");
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[test]
fn a_string_is_never_taken_for_something_else() {
    for text in [
        "", "'", "'a", "~", "~5", "@Empty", "#00", "<u8>", "+1", "-1", "-", "1", "1.0", "1e5",
        "0x00", "true", "false", "nan", "inf", "-inf",
    ] {
        check(text, &format!("'{text}"));
    }
    check("()", "%28%29");
    check("(,)", "%28%2C%29");
    check("null", "null");
    check("None", "None");
    check("1a", "1a");
    check_differ(&1, "1");
    check_differ(&1.0, &1);
    check_differ(&1.0, "1.0");
    check_differ(&None::<&str>, "null");
    check_differ(&None::<&str>, "~");
    check_differ(&true, "true");
    check_differ(&f64::NAN, "nan");
    check_differ(&Shape::Empty, "@Empty");
    check_differ(&Shape::Empty, "Empty");
    check_differ(&(), "");
    check_differ(&(), "()");
    check_differ(&Bytes(b"\0"), "0x00");
    check_differ(&Bytes(b""), "");
    check_differ(&Bytes(b"a"), "a");
    check_differ(&Bytes(b"a"), b"a");
}

#[test]
fn nesting_is_kept() {
    check_differ(&None::<Option<u8>>, &Some(None::<u8>));
    check_differ(&Some(None::<u8>), &Some(Some(1)));
    check_differ(&Some(1), &1);
    check_differ(&Some(""), &None::<&str>);
    check_differ(&("a", "bc"), &("ab", "c"));
    check_differ(&("a,b",), &("a", "b"));
    check_differ(&(("a", "b"), "c"), &("a", ("b", "c")));
    check_differ(&vec![1, 2], &vec![vec![1, 2]]);
    check_differ(&Vec::<Vec<u8>>::new(), &vec![Vec::<u8>::new()]);
    check_differ(&(vec![1], 2), &(vec![1, 2],));
    check_differ(&(vec![1], vec![2]), &(vec![1, 2], Vec::<u8>::new()));
    check_differ(&Vec::<u8>::new(), &());
    check_differ(&Vec::<u8>::new(), &HashMap::<u8, u8>::new());
    check_differ(&vec![()], &Vec::<()>::new());
    check_differ(&Shape::Line(1, 2), &("@Line", 1, 2));
    check_differ(&BTreeMap::from([("a", "b")]), &vec!["a=b"]);
    check_differ(
        &BTreeMap::from([("a", 1), ("b", 2)]),
        &BTreeMap::from([("a", 2), ("b", 1)]),
    );
}

/// Texts that hold the very bytes that the hash separates its parts with.
#[test]
fn a_hash_is_not_misled_by_its_own_tags() {
    for tag in [
        '\0', '\u{1}', '\u{b}', '\u{c}', '\u{d}', '\u{e}', '\u{f}', 'ÿ',
    ] {
        check_differ(&("a", "b"), &(format!("a{tag}b"),));
        check_differ(&("a", None::<u8>), &(format!("a{tag}"),));
        check_differ(&("a", "b"), &(format!("a{tag}"), "b"));
        check_differ(&("a", "b"), &("a", format!("{tag}b")));
    }
    check_differ(&(format_args!("a"), "b"), &(format_args!("a\u{b}b"),));
    check_differ(&Shape::Empty, "Empty");
}

#[test]
fn what_counts_as_the_same_value() {
    check_same(&1_u8, &1_i128);
    check_same(&-1_i8, &-1_i128);
    check_same(&u64::MAX, &u128::from(u64::MAX));
    check_same(&0.5_f32, &0.5_f64);
    check_differ(&0.1_f32, &0.1_f64);
    check_same(&f64::NAN, &-f32::NAN);
    check_differ(&0.0, &-0.0);
    check_same(&'a', "a");
    check_same(&Id(3), &3);
    check_same(&vec![1, 2], &(1, 2));
    check_same(&Unit, &());
    check_same(&Point { x: 1, y: 2 }, &BTreeMap::from([("x", 1), ("y", 2)]));
    check_same("text", &String::from("text"));
    check_same(&std::net::Ipv6Addr::LOCALHOST, "::1");
    check_same(&format_args!("{}-{}", 1, "b"), "1-b");
}

#[test]
fn a_map_has_no_order() {
    let keys = ["a", "b", "aa", "a:b", "", "z", "ä", "1"];
    let one: HashMap<&str, usize> = keys.iter().copied().zip(0..).collect();
    for turn in 0..keys.len() {
        let mut keys = keys;
        keys.rotate_left(turn);
        let other: HashMap<&str, usize> = keys.into_iter().map(|key| (key, one[key])).collect();
        check_same(&one, &other);
    }
    // Entries that come twice do not cancel out.
    let twice = |letter: &str| {
        let entry = |letter: &str| (Value::Str(letter.to_owned()), Value::Unit);
        Value::Map(vec![entry(letter), entry(letter), entry("c")])
    };
    check_differ(&twice("a"), &twice("b"));
    check(&HashMap::from([("b", 1), ("a", 2)]), "(a=2,b=1)");
    check(
        &HashMap::from([((2, 1), "x"), ((1, 9), "y")]),
        "((1,9)=y,(2,1)=x)",
    );
}

#[test]
fn arguments_keep_apart() {
    let key = |a: &str, b: &str| {
        let mut key = KeyWriter::text("cache:p:m");
        key.arg(a).arg(b);
        key.finish_text().unwrap()
    };
    assert_eq!(key("a", "bc"), "cache:p:m:a:bc");
    assert_eq!(key("a:b", "c"), "cache:p:m:a%3Ab:c");
    assert_eq!(key("", ""), "cache:p:m:':'");
    assert_ne!(key("a", "bc"), key("ab", "c"));
    assert_ne!(key("a:", "b"), key("a", ":b"));
}

#[test]
fn templates_and_types() {
    let mut key = KeyWriter::text("cache:p:m:");
    key.literal("by-tenant:").value("t*").literal(":").value(&7);
    assert_eq!(key.finish_text().unwrap(), "cache:p:m:by-tenant:t%2A:7");

    let mut key = KeyWriter::text("cache:p:m");
    key.type_arg::<u8>().type_arg::<Vec<String>>().arg(&1);
    let text = key.finish_text().unwrap();
    assert_eq!(
        text,
        "cache:p:m:<u8>:<alloc%3A%3Avec%3A%3AVec<alloc%3A%3Astring%3A%3AString>>:1"
    );

    let hash = |key: &dyn Fn(&mut KeyWriter)| {
        let mut writer = KeyWriter::hash([1, 2]);
        key(&mut writer);
        writer.finish_hash().unwrap()
    };
    assert_ne!(
        hash(&|key| {
            key.type_arg::<u8>();
        }),
        hash(&|key| {
            key.type_arg::<i8>();
        })
    );
    assert_ne!(
        hash(&|key| {
            key.type_arg::<u8>();
        }),
        hash(&|key| {
            key.arg("u8");
        })
    );
    assert_eq!(
        hash(&|key| {
            key.arg(&1);
        }),
        hash(&|key| {
            key.literal("x").value(&1);
        })
    );
}

#[test]
fn a_seed_makes_another_hash() {
    let hash = |seed| {
        let mut key = KeyWriter::hash(seed);
        key.arg("same");
        key.finish_hash().unwrap()
    };
    assert_eq!(hash([1, 2]), hash([1, 2]));
    assert_ne!(hash([1, 2]), hash([2, 1]));
}

#[test]
fn long_values_become_digests() {
    check(&"a".repeat(200), &"a".repeat(200));
    let long = "x".repeat(10_000);
    let text = text_of(&long);
    // `printf 'x%.0s' {1..10000} | sha256sum`
    assert_eq!(text, "#e4ee97ec252749d2096447e849628d0d");
    check_differ(&long, &text);
    check_differ(&long, &"x".repeat(10_001));
    check_same(&"é🦀".repeat(1000), &"é🦀".repeat(1000));
    // What is over the limit is the text, not the string.
    assert!(text_of(&":".repeat(67)).starts_with('#'));
    assert_eq!(text_of(&vec![1; 10_000]).len(), 33);
}

#[test]
fn a_long_key_keeps_what_fits_and_digests_all() {
    let args: Vec<String> = (0..9).map(|n| format!("{n}{}", "v".repeat(150))).collect();
    let key = |args: &[String]| {
        let mut key = KeyWriter::text("cache:p:m");
        for arg in args {
            key.arg(arg);
        }
        key.finish_text().unwrap()
    };
    let text = key(&args);
    assert!(text.len() <= 1024, "{}", text.len());
    let kept = format!("cache:p:m:{}:#", args[..6].join(":"));
    assert!(text.starts_with(&kept), "{text}");
    assert_eq!(text.len(), kept.len() + 32);
    for changed in 0..args.len() {
        let mut args = args.clone();
        args[changed].push('!');
        assert_ne!(key(&args), text);
    }
    // Another split of the same characters is another key.
    let mut moved = args.clone();
    let last = moved[7].pop().unwrap();
    moved[8].insert(0, last);
    assert_ne!(key(&moved), text);

    let mut pattern = KeyWriter::text("");
    pattern
        .literal("cache:p:m:")
        .value(&args[0])
        .literal(":")
        .value(&args[1])
        .literal(":*");
    let pattern = Pattern::new(pattern.finish_pattern().unwrap()).unwrap();
    assert!(pattern.matches(text.as_bytes()));

    for start in [990, 991, 1024, 5000] {
        let mut key = KeyWriter::text(&"p".repeat(start));
        for arg in &args {
            key.arg(arg);
        }
        match key.finish_text() {
            Ok(text) => assert!(
                start == 990 && text.len() == 1024,
                "{start}: {}",
                text.len()
            ),
            Err(error) => assert!(start > 990 && error.kind() == ErrorKind::Key, "{start}"),
        }
    }
}

#[test]
fn a_failing_serialize_is_an_error_of_the_key() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("not today"))
        }
    }
    struct HalfMap(bool);
    impl Serialize for HalfMap {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap;
            let mut map = serializer.serialize_map(None)?;
            if self.0 {
                map.serialize_key("a")?;
            } else {
                map.serialize_value("a")?;
            }
            map.end()
        }
    }
    #[track_caller]
    fn check(value: &impl Serialize, said: &str) {
        let mut text = KeyWriter::text("cache:p:m");
        let error = text.arg(&1).arg(&(1, value)).arg(&2);
        assert!(format!("{error:?}").contains(said));
        let mut hash = KeyWriter::hash([1, 2]);
        hash.arg(&1).arg(&(1, value)).arg(&2);
        for error in [
            text.finish_text().unwrap_err(),
            hash.finish_hash().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Key);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
    check(&Refuses, "not today");
    check(&HalfMap(true), "pairs");
    check(&HalfMap(false), "pairs");
}

#[test]
fn keys_are_checked() {
    for (text, said) in [
        (String::new(), "empty"),
        ("a\0b".to_owned(), "control character '\\0'"),
        ("a\u{85}".to_owned(), "control character"),
        ("a".repeat(1025), "1025 bytes"),
    ] {
        let error = Key::new(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Key);
        assert!(error.to_string().contains(said), "{error}");
    }
    let key = Key::new("a".repeat(1024)).unwrap();
    assert_eq!((&key).into_key().unwrap(), key);
    assert_eq!("x y*".into_key().unwrap().as_str(), "x y*");
}
