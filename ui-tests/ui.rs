//! What the attributes accept, compiled and run; and what they refuse, word for word.
//!
//! Half of each message is the compiler's own, which another version words differently. So
//! the messages are compared only on the one that recorded them; what has to compile is
//! compiled on any. After `TRYBUILD=overwrite` on another version, change `RECORDED`.

use std::io::Write as _;
use std::process::Command;

/// The compiler whose messages the `.stderr` files hold.
const RECORDED: &str = "1.95";

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    let version = rustc_version();
    let is_recorded = minor(&version) == Some(RECORDED);
    let records = std::env::var_os("TRYBUILD").is_some_and(|mode| mode == "overwrite");
    for attribute in ["cacheable", "cache_invalidate", "cache_put"] {
        cases.pass(format!("pass/{attribute}/*.rs"));
        if is_recorded || records {
            cases.compile_fail(format!("fail/{attribute}/*.rs"));
        }
    }
    if !is_recorded {
        // Past the harness, which shows the output of a test only when it fails.
        let text = format!(
            "\nui: messages are not compared: they were recorded on rustc {RECORDED}, and this is \
             {version}\n"
        );
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
}

/// What `rustc --version` says, of the compiler that `trybuild` has its cargo use.
fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("--version").output().unwrap();
    assert!(told.status.success(), "rustc does not tell its version");
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// `1.95` of `rustc 1.95.0 (59807616e 2026-04-14)`, and nothing of a nightly.
fn minor(version: &str) -> Option<&str> {
    let number = version.split_whitespace().nth(1)?;
    let (minor, patch) = number.rsplit_once('.')?;
    patch.parse::<u32>().ok().map(|_| minor)
}

#[test]
fn the_minor_version_is_read() {
    let of = |version| minor(version).unwrap();
    assert_eq!(of("rustc 1.95.0 (59807616e 2026-04-14)"), "1.95");
    assert_eq!(of("rustc 1.88.2"), "1.88");
    // Another channel words some messages in its own way.
    assert_eq!(minor("rustc 1.95.0-nightly (0123456ab 2026-02-01)"), None);
    assert_eq!(minor("clang"), None);
}
