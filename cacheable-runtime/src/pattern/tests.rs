use super::*;

#[track_caller]
fn check(pattern: &str, covered: &[&str], not_covered: &[&str]) {
    let pattern = Pattern::new(pattern).unwrap();
    for key in covered {
        assert!(pattern.matches(key.as_bytes()), "{pattern} covers {key}");
    }
    for key in not_covered {
        assert!(!pattern.matches(key.as_bytes()), "{pattern} and {key}");
    }
}

#[test]
fn literals_and_wildcards() {
    check("a", &["a"], &["", "b", "aa", "A"]);
    check("a?c", &["abc", "a?c"], &["ac", "abbc"]);
    check("a*", &["a", "ab", "a*"], &["", "ba"]);
    check("*", &["", "a", "a:b"], &[]);
    check("**", &["a"], &[""]);
    check("*a*", &["a", "ba", "ab", "bab"], &["", "b"]);
    check(
        "cache:*:7",
        &["cache::7", "cache:7:7", "cache:7:77:7"],
        &["cache:7", "cache:x:77"],
    );
    check(
        "*ab*abc",
        &["ababc", "xabxabc", "ababcabc"],
        &["ababx", "abc"],
    );
}

#[test]
fn escapes() {
    check(r"\*", &["*"], &["a", r"\*"]);
    check(r"a\?", &["a?"], &["ab"]);
    check(r"\[a]", &["[a]"], &["a"]);
    check(r"\\", &[r"\"], &[r"\\"]);
    check(r"\a", &["a"], &[r"\a"]);
    check("\\\u{e9}", &["\u{e9}"], &[]);
}

#[test]
fn classes_are_read_as_redis_reads_them() {
    check("[abc]", &["a", "c"], &["d", "-", "ab"]);
    check("[a-c]", &["a", "b", "c"], &["d", "-"]);
    check("[c-a]", &["b"], &["d"]);
    check("[^a-c]", &["d", "-", "^"], &["b", ""]);
    check("[a^]", &["a", "^"], &["b"]);
    check("[]", &[], &["a", "]", ""]);
    check("[]a]", &[], &["a", "a]", "]a]"]);
    check("[^]", &["a", "]"], &["", "ab"]);
    check(r"[\]]", &["]"], &[r"\", r"\]"]);
    check(r"[\a-c]", &["a", "-", "c"], &["b"]);
    check(r"[a-\]", &["a", r"\", "]", "^"], &["b", "Z"]);
    check("[a-]]", &["a", "]", "^", "_", "`"], &["-", "b", "a]"]);
    check("[-a]", &["-", "a"], &["b"]);
    check("[^a]", &[], &["\u{e9}"]);
    assert!(Pattern::new("[^a]").unwrap().matches(&[0xe9]));
}

#[test]
fn malformed_patterns_are_refused_with_the_fix() {
    for (pattern, said) in [
        (String::new(), "such as `cache:project:*`"),
        ("a[bc".to_owned(), r"write `\[`"),
        ("[".to_owned(), r"write `\[`"),
        ("[^".to_owned(), r"write `\[`"),
        ("[a-]".to_owned(), "behind `\\` or `-` a `]` closes nothing"),
        (r"[\]".to_owned(), "closes nothing"),
        ("a\\".to_owned(), r"write `\\`"),
        ("[\u{e9}]".to_owned(), "one pattern for each"),
        ("[a-\u{e9}]".to_owned(), "one pattern for each"),
        ("[\\\u{e9}]".to_owned(), "one pattern for each"),
        ("a".repeat(1025), "end it earlier with `*`"),
    ] {
        let error = Pattern::new(&pattern).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Pattern);
        assert!(error.to_string().contains(said), "{pattern}: {error}");
    }
    assert!(Pattern::new("a".repeat(1024)).is_ok());
}

#[test]
fn literal_prefixes() {
    for (pattern, prefix) in [
        ("cache:project:*", "cache:project:"),
        ("cache:project:**", "cache:project:"),
        ("cache:project*", "cache:project"),
        ("cache:project:", "cache:project:"),
        ("cache:project:*:7", "cache:project:"),
        ("cache:project:?*", "cache:project:"),
        ("cache:*:*", "cache:"),
        (r"cache:a\*b:*", "cache:a*b:"),
        (r"cache:a\:*", "cache:a:"),
        ("cache:\u{e9}:*", "cache:\u{e9}:"),
        ("*", ""),
        ("[c]ache:*", ""),
    ] {
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!(pattern.literal_prefix(), prefix, "{pattern}");
    }
}

#[test]
fn reach_into_a_prefix() {
    for (pattern, reaches) in [
        ("session:*", true),
        ("session:", true),
        ("session:1", true),
        ("session", false),
        ("sess*", true),
        ("*", true),
        ("*x", true),
        ("?ession:1", true),
        ("[r-t]*", true),
        ("[a-r]*", false),
        ("[^s]*", false),
        ("s*x", true),
        ("cache:*", false),
        ("session?", true),
        ("s??????:*", true),
        ("s?????:*", false),
        ("*n*:*", true),
    ] {
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!(pattern.could_match_prefix("session:"), reaches, "{pattern}");
    }
}

#[test]
fn steps_are_bounded_by_the_product_of_the_lengths() {
    let key = "a".repeat(1024);
    for pattern in [
        "*a".repeat(512),
        "*a".repeat(500) + "*b",
        "*a*".repeat(300) + "b",
        "*".to_owned() + &"a".repeat(500) + "b",
        "*".to_owned() + &"?".repeat(500) + "b",
        "*[a-z]".repeat(150) + "*b",
    ] {
        let pattern = Pattern::new(pattern).unwrap();
        let mut steps = 0_usize;
        pattern.matches_counted(key.as_bytes(), || steps += 1);
        assert!(
            steps <= (pattern.as_str().len() + 1) * (key.len() + 1),
            "{steps} steps for {pattern}"
        );
    }
    // The classic: exponential where every star is widened again.
    let pattern = Pattern::new("*a*a*a*a*a*a*a*a*b").unwrap();
    let mut steps = 0;
    assert!(!pattern.matches_counted(key.as_bytes(), || steps += 1));
    assert!(steps <= 3 * key.len(), "{steps}");
}

#[test]
fn a_namespace_comes_first_and_costs_no_length() {
    let pattern = Pattern::new("cache:*").unwrap().in_namespace("shop:");
    assert_eq!(pattern.as_str(), "shop:cache:*");
    assert!(pattern.matches(b"shop:cache:1") && !pattern.matches(b"cache:1"));
    let longest = "x".repeat(MAX_PATTERN - 1) + "*";
    let long = Pattern::new(longest).unwrap().in_namespace("shop:");
    assert_eq!(long.as_str().len(), MAX_PATTERN + 5);
}
