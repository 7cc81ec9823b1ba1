use proc_macro2::Span;
use syn::LitStr;

use crate::args::Slot;
use crate::diag::{Errors, list, nearest};
use crate::duration::{Refusal, seconds, text};
use crate::item::{self, Function};
use crate::{key, pattern, tags};

#[test]
fn lives_are_read_in_milliseconds() {
    for (written, millis) in [
        ("90s", 90_000),
        ("1h 30m", 5_400_000),
        ("1h30m", 5_400_000),
        ("2 hours 5 minutes", 7_500_000),
        ("  1W 2D 3H 4M 5S 6MS ", 788_645_006),
        ("250ms", 250),
        ("1 day", 86_400_000),
        ("0h 1s", 1_000),
        ("36500 days", 3_153_600_000_000),
    ] {
        assert_eq!(text(written), Ok(millis), "{written}");
    }
    assert_eq!(seconds(3600), Ok(3_600_000));
    assert_eq!(seconds(3_153_600_000), Ok(3_153_600_000_000));
}

#[test]
fn lives_that_cannot_be_meant_are_refused() {
    for written in ["0s", "0h 0m", "0ms"] {
        assert_eq!(text(written), Err(Refusal::Zero), "{written}");
    }
    for written in [
        "36501 days",
        "99999999999999999999s",
        "18446744073709551615w",
    ] {
        assert_eq!(text(written), Err(Refusal::TooLong), "{written}");
    }
    for written in [
        "", " ", "s", "5", "5 x", "1.5h", "1h,30m", "1m 1h", "1h 1h", "h1", "1h -5m",
    ] {
        assert!(
            matches!(text(written), Err(Refusal::Unreadable(_))),
            "{written}"
        );
    }
    assert_eq!(text("-5m"), Err(Refusal::Negative));
    assert_eq!(seconds(0), Err(Refusal::Zero));
    assert_eq!(seconds(-1), Err(Refusal::Negative));
    assert_eq!(seconds(3_153_600_001), Err(Refusal::TooLong));
    assert_eq!(seconds(i128::MAX), Err(Refusal::TooLong));
}

#[test]
fn the_nearest_name_is_found_and_a_far_one_is_not() {
    let names = ["ttl", "key", "key_prefix", "none_ttl", "unless", "jitter"];
    for (written, meant) in [
        ("tll", Some("ttl")),
        ("keyprefix", Some("key_prefix")),
        ("key_perfix", Some("key_prefix")),
        ("nonettl", Some("none_ttl")),
        ("jiter", Some("jitter")),
        ("colour", None),
        ("x", None),
    ] {
        assert_eq!(nearest(written, names), meant, "{written}");
    }
}

#[test]
fn names_are_listed_as_in_a_sentence() {
    assert_eq!(list([]), "");
    assert_eq!(list(["a"]), "`a`");
    assert_eq!(list(["a", "b"]), "`a` and `b`");
    assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
}

fn function() -> Function {
    let item = "async fn f<T>(&self, id: u64, r#type: &str, (a, b): (u8, u8)) -> u64 { 1 }";
    item::parse(item.parse().unwrap()).unwrap_or_else(|_| unreachable!())
}

/// What is wrong with `text` for one of the readers, or nothing.
#[track_caller]
fn check<T>(
    read: impl Fn(&LitStr, &Function, &mut Errors) -> Option<T>,
    text: &str,
    expected: Option<&str>,
) {
    let mut errors = Errors::new("cacheable");
    let read = read(
        &LitStr::new(text, Span::call_site()),
        &function(),
        &mut errors,
    );
    let mistakes = errors.finish().map(|tokens| tokens.to_string());
    assert_eq!(read.is_some(), mistakes.is_none(), "{text:?}: {mistakes:?}");
    match (mistakes, expected) {
        (None, None) => {}
        (Some(mistakes), Some(expected)) if mistakes.contains(expected) => {}
        (mistakes, expected) => panic!("{text:?}: {mistakes:?} is not {expected:?}"),
    }
}

#[test]
fn key_templates_are_judged() {
    let check = |text: &str, expected: Option<&str>| check(key::of_template, text, expected);
    for sound in [
        "{id}",
        "{id}:{type}",
        "{r#type}:{a}::{b}",
        "v1.x_y-z/{ id }",
        "{self.name}:{self.pair.0.1}:{self.slug().len()}",
        "{Self::TABLE}:{T::NAME}",
        "{T}",
        "{Self}:{T}:{id}:{T}",
        "ö",
    ] {
        check(sound, None);
    }
    check("{id}{a}", Some("apart"));
    check("{id}-{a}", Some("apart"));
    check("{id}:-{a}", None);
    check("x{T}", Some("whole segment"));
    check("{T}x", Some("whole segment"));
    check("{id}{T}", Some("apart"));
    check("{}", Some("empty"));
    check("{ }", Some("empty"));
    check("{id", Some("not closed"));
    check("{id{a}", Some("not closed"));
    check("{{id}}", Some("not closed"));
    check("id}", Some("closes nothing"));
    check("{id.parse::<u8>()}", Some("more than"));
    check("{id.max(3)}", Some("more than"));
    check("{id[0]}", Some("more than"));
    check("{\\\"x\\\"}", Some("more than"));
    check("{std::f64::consts::PI}", Some("more than"));
    check("{id:?}", Some("format"));
    check("{ids}", Some("did you mean `{id}`?"));
    for special in [" ", "*", "?", "[", "]", "\\", "%", "\n"] {
        check(special, Some("`key` holds"));
    }
}

#[test]
fn patterns_are_judged() {
    let check = |text: &str, expected: Option<&str>| check(pattern::read, text, expected);
    for sound in [
        "cache:project:*",
        "cache:[ab]:?",
        "cache:[^a-c]*",
        "cache:[]x",
        r"cache:[\]]",
        r"cache:\*",
        r"\*:all",
        "cache:{id}:{a}{b}*",
        "cache:{{x}}:*",
        "cache:{T}:*",
        "api:users:*",
        "x]",
        "lock",
        "sessions",
        "cache:session:*",
    ] {
        check(sound, None);
    }
    for open in ["*", "?x", "[a]x", "{id}", "*{id}"] {
        check(open, Some("no literal start"));
    }
    for reserved in [
        "session:*",
        "session:1",
        "s*",
        "sess?on:*",
        "l{id}",
        "lock:x",
        "li[m]*",
        r"\session:*",
    ] {
        check(reserved, Some("could reach"));
    }
    check("x[", Some("not closed"));
    check("x[a", Some("not closed"));
    check(r"x[a\]", Some("not closed"));
    check(r"x\", Some("escapes nothing"));
    check("x[{id}]", Some("inside"));
    check(r"x\{id}", Some("escaped already"));
    check("", Some("empty"));
    check(&"x".repeat(1025), Some("longer than"));
    check(&"x".repeat(1024), None);
}

#[test]
fn tags_are_judged() {
    let of_entry = |text: &LitStr, function: &Function, errors: &mut Errors| {
        let tags = tags::of_entry(&Slot::of(vec![text.clone()]), function, errors);
        let made = tags.of_arguments.len() + tags.of_value.len();
        (made == 1).then_some(tags.of_value.len())
    };
    let check_entry = |text: &str, expected: Option<&str>| check(of_entry, text, expected);
    for sound in [
        "all",
        "team:{id}",
        "{id}:team",
        "v1.x_y-z/{ id }:{a}:{self.name}",
        "kind:{T}:{Self}:{Self::KIND}",
        "owner:{value.owner}:{value.pair.0}:{ value.slug() }",
        "owner:{value}",
        "kind:{T}:{value.owner}:{Self::KIND}",
        "type:{type}",
        "ö",
    ] {
        check_entry(sound, None);
    }
    check_entry("", Some("empty"));
    check_entry("{id}", Some("no text of its own"));
    check_entry(":{id}:{a}", Some("`\\\"team:{id}:{a}\\\"`"));
    check_entry("x:{id}-{a}", Some("apart"));
    check_entry("x:{value.a}{value.b}", Some("apart"));
    check_entry("x:{id}:{value.b}", Some("`{id}` is an argument"));
    check_entry(
        "x:{value.b}:{self.name}",
        Some("`{self.name}` is an argument"),
    );
    check_entry("x:{value.b.max(3)}", Some("more than the loaded value"));
    check_entry("x:{value:?}", Some("more than the loaded value"));
    check_entry("x:{id:?}", Some("format"));
    check_entry("x:{vlaue.b}", Some("called `value`"));
    check_entry("x:{ids}", Some("did you mean `{id}`?"));
    check_entry("x:{id", Some("not closed"));
    check_entry("x:{}", Some("empty"));
    check_entry("x{T}", Some("whole segment"));
    for special in [" ", "*", "?", "[", "]", "\\", "%", "\n"] {
        check_entry(&format!("x:{special}"), Some("a tag holds"));
    }

    let of_removal = |text: &LitStr, function: &Function, errors: &mut Errors| {
        let plans = tags::of_removal(&Slot::of(vec![text.clone()]), function, errors);
        (!plans.is_empty()).then_some(plans.len())
    };
    let check_removal = |text: &str, expected: Option<&str>| check(of_removal, text, expected);
    check_removal("team:{id}:{self.name}:{T}", None);
    check_removal("all", None);
    check_removal("owner:{value.owner}", Some("no value yet"));
    check_removal("x:{ids}", Some("did you mean `{id}`?"));
    check_removal("team:*", Some("a tag holds"));
}
