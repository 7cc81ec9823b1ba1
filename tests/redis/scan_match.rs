//! Our reading of patterns against Redis's own.

use std::collections::HashSet;
use std::env;

use cacheable_runtime::Pattern;
use cacheable_tests::RedisServer;
use fastrand::Rng;
use redis::{Connection, Pipeline, Value};

const ROUNDS: usize = 12;
const KEYS: usize = 300;
const PATTERNS: usize = 400;

/// Characters that mean something to patterns, and few that do not, so that matches are frequent.
const SPECIAL: &[&str] = &["*", "*", "?", "[", "]", "^", "-", "\\"];
const PLAIN: &[&str] = &["a", "b", "c", "z", ":", "é", "\u{80}", "%", " "];

#[test]
fn our_matcher_is_the_one_of_scan() {
    // Another seed tries other patterns; a failure names the pattern.
    let seed = env::var("CACHEABLE_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    let server = RedisServer::start();
    let mut connection = server.connect();
    let (mut pairs, mut matches, mut malformed, mut classes) = (0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let mut patterns = Vec::new();
        while patterns.len() < PATTERNS {
            match Pattern::new(pattern(&mut random)) {
                Ok(pattern) => patterns.push(pattern),
                Err(_) => malformed += 1,
            }
        }
        let mut keys = HashSet::new();
        while keys.len() < KEYS {
            keys.insert(key(&mut random));
            let pattern = random.choice(&patterns).unwrap().clone();
            keys.insert(key_near(&mut random, pattern.as_str()));
        }
        load(&mut connection, &keys);
        for (pattern, theirs) in patterns.iter().zip(scan(&mut connection, &patterns)) {
            for key in &keys {
                let ours = pattern.matches(key);
                assert_eq!(
                    ours,
                    theirs.contains(key),
                    "{pattern:?} on {:?}",
                    key.escape_ascii().to_string()
                );
                matches += usize::from(ours);
            }
            classes += usize::from(pattern.as_str().contains('[') && !theirs.is_empty());
            pairs += keys.len();
        }
    }
    println!("{pairs} pairs, {matches} matches, {classes} matching patterns with brackets");
    // Few matches would mean that little was compared.
    assert!(pairs > 1_000_000 && matches > 10_000 && classes > 300 && malformed > 100);
}

/// What no generator should be relied upon to hit.
#[test]
fn known_corners() {
    let keys: HashSet<Vec<u8>> = [
        "", "a", "b", "-", "]", "[", "\\", "^", "*", "a]", "]a]", "\\]", "ab", "a*", "é", "`",
        "aaaa",
    ]
    .iter()
    .map(|key| key.as_bytes().to_vec())
    .chain([vec![0], vec![0xff], vec![0xc3], b"a\xff".to_vec()])
    .collect();
    let patterns: Vec<Pattern> = [
        "*",
        "**",
        "***",
        "?*",
        "*?",
        "??",
        "[]",
        "[^]",
        "[]a]",
        "[^]a]",
        "[a-]]",
        "[]-a]",
        "[z-a]",
        "[^z-a]",
        r"[\]]",
        r"[^\]]",
        r"[a-\]",
        r"[\a-c]",
        r"[-a]",
        r"[a\-]",
        "[*]",
        "[?]",
        "[[]",
        "[^^]",
        r"\*",
        r"\\",
        r"\[",
        r"\a",
        "a*",
        "*a",
        "*a*",
        "*a*a*a*a*",
        "*a*a*a*a*a*",
        "a**b",
        "é",
        "??",
        "*\u{e9}",
        "[^a]*",
        r"\é",
    ]
    .iter()
    .map(|text| Pattern::new(text).unwrap_or_else(|error| panic!("{error}")))
    .collect();
    let server = RedisServer::start();
    let mut connection = server.connect();
    load(&mut connection, &keys);
    for (pattern, theirs) in patterns.iter().zip(scan(&mut connection, &patterns)) {
        let ours: HashSet<Vec<u8>> = keys
            .iter()
            .filter(|key| pattern.matches(key))
            .cloned()
            .collect();
        assert_eq!(ours, theirs, "{pattern:?}");
    }
}

fn key(random: &mut Rng) -> Vec<u8> {
    let mut key = Vec::new();
    for _ in 0..random.usize(0..6) {
        match random.u8(0..10) {
            0 => key.push(random.u8(..)),
            1 => key.push(
                *random
                    .choice(&[0x00, 0x80, 0xa9, 0xc2, 0xc3, 0xff])
                    .unwrap(),
            ),
            2 => key.extend(random.choice(SPECIAL).unwrap().bytes()),
            _ => key.extend(random.choice(PLAIN).unwrap().bytes()),
        }
    }
    key
}

/// A key that `pattern` covers, or nearly covers.
fn key_near(random: &mut Rng, pattern: &str) -> Vec<u8> {
    let mut key = Vec::new();
    let mut rest = pattern.chars();
    while let Some(char) = rest.next() {
        match char {
            '*' => {
                for _ in 0..random.usize(0..3) {
                    key.extend(random.choice(PLAIN).unwrap().bytes());
                }
            }
            '?' => key.push(random.u8(..)),
            '[' => {
                let inside: Vec<char> = rest.by_ref().take_while(|&char| char != ']').collect();
                let member = random.choice(inside).unwrap_or(']');
                key.extend(member.to_string().bytes());
            }
            '\\' => {}
            char => key.extend(char.to_string().bytes()),
        }
    }
    key
}

fn pattern(random: &mut Rng) -> String {
    let mut pattern = String::new();
    for _ in 0..random.usize(1..8) {
        match random.u8(0..8) {
            0 | 1 => pattern.push_str(random.choice(SPECIAL).unwrap()),
            2 => class(random, &mut pattern),
            _ => pattern.push_str(random.choice(PLAIN).unwrap()),
        }
    }
    pattern
}

fn class(random: &mut Rng, pattern: &mut String) {
    pattern.push_str(if random.bool() { "[" } else { "[^" });
    for _ in 0..random.usize(0..4) {
        let member = random
            .choice(&["a", "b", "z", "-", "^", "]", "\\", "*", "c", ":"])
            .unwrap();
        pattern.push_str(member);
    }
    pattern.push(']');
}

fn load(connection: &mut Connection, keys: &HashSet<Vec<u8>>) {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("FLUSHALL");
    for key in keys {
        pipeline.set(key, "");
    }
    pipeline.exec(connection).unwrap();
}

fn scan(connection: &mut Connection, patterns: &[Pattern]) -> Vec<HashSet<Vec<u8>>> {
    let mut pipeline = Pipeline::new();
    for pattern in patterns {
        pipeline
            .cmd("SCAN")
            .arg(0)
            .arg("MATCH")
            .arg(pattern.as_str())
            .arg("COUNT")
            .arg(100_000);
    }
    let replies: Vec<Value> = pipeline.query(connection).unwrap();
    replies
        .into_iter()
        .map(|reply| {
            let (cursor, found): (u64, Vec<Vec<u8>>) = redis::from_redis_value(reply).unwrap();
            assert_eq!(cursor, 0, "one reply holds them all");
            found.into_iter().collect()
        })
        .collect()
}
