//! A fingerprint is the same for every process, compiler and machine.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its form matters")]
struct Order {
    id: u64,
    lines: Vec<Line>,
    state: State,
    parent: Option<Box<Order>>,
    by_name: HashMap<String, (f64, [u8; 4])>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its form matters")]
struct Line {
    name: String,
    price: i32,
    at: std::net::IpAddr,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its form matters")]
enum State {
    New,
    Paid(u64),
    Sent { to: String },
    Pair(u8, bool),
}

fn all() -> Vec<(&'static str, u64)> {
    vec![
        ("u64", fingerprint::<u64>()),
        ("string", fingerprint::<String>()),
        ("option", fingerprint::<Option<String>>()),
        ("map", fingerprint::<BTreeMap<String, Vec<u8>>>()),
        ("order", fingerprint::<Order>()),
        (
            "order, second meaning",
            schema::<Order>(CodecChoice::Auto, 2).fingerprint,
        ),
        ("value", fingerprint::<serde_json::Value>()),
    ]
}

/// Entries outlive the program that wrote them. When this fails, the next
/// version of the program finds none of the entries of the last one.
#[test]
fn fingerprints_are_what_they_were() {
    let golden = [
        ("u64", 0x4734_e4db_e5a7_b630_u64),
        ("string", 0x07f9_49b9_ee1a_8457),
        ("option", 0xbc41_0659_ed13_f7af),
        ("map", 0xfa7b_7ea9_0826_f0ce),
        ("order", 0x347c_8dd2_bf62_3513),
        ("order, second meaning", 0xd90f_fefb_e6e6_e708),
        ("value", 0xbab2_58e9_3117_d065),
    ];
    assert_eq!(format!("{:x?}", all()), format!("{golden:x?}"));
}

/// Hash maps are seeded differently in each process, addresses differ.
#[test]
fn another_process_finds_the_same() {
    const CHILD: &str = "CACHEABLE_TEST_PRINT_FINGERPRINTS";
    let mine = format!("{:x?}", all());
    if std::env::var_os(CHILD).is_some() {
        println!("{mine}");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "codec::tests::determinism::another_process_finds_the_same",
        ])
        .arg("--nocapture")
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains(&mine), "{printed}");
}

/// The order in which types are traced, and by how many threads at once,
/// changes nothing.
#[test]
fn threads_find_the_same() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Fresh(Vec<Order>, Line);
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(fingerprint::<Fresh>))
        .collect();
    let found: Vec<u64> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(
        found.iter().all(|&one| one == fingerprint::<Fresh>()),
        "{found:x?}"
    );
}
