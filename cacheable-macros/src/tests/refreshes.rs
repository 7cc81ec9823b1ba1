//! Which signatures show that their body can outlive the caller.

use super::expanded;

/// The call that an expansion ends in.
#[track_caller]
fn check(arguments: &str, function: &str, call: &str) {
    let source = format!(
        "impl S {{ #[cacheable(ttl = 1, key_prefix = \"a\", {arguments})] {function} {{ body }} }}"
    );
    let expanded = expanded(&source);
    let found = ["run_owned(", "run_unless(", "run_full(", "run("]
        .into_iter()
        .find(|call| expanded.contains(&format!(".{call}")));
    assert_eq!(found, Some(call), "{arguments} {function}: {expanded}");
}

const STALE: &str = "stale_while_revalidate = 5, key = \"all\"";

#[test]
fn what_borrows_nothing_is_handed_over() {
    for arguments in [STALE, "refresh_ahead = 0.5", "beta = 1.0"] {
        check(arguments, "async fn f(id: u64) -> u64", "run_owned(");
    }
    for function in [
        "async fn f() -> u64",
        "async fn f(self: Arc<Self>, name: String) -> u64",
        "async fn f(self: std::sync::Arc<Self>) -> u64",
        "async fn f<const N: usize>((a, b): (u8, [u8; N]), _: Option<Vec<String>>) -> u64",
        "async fn f(name: &'static str, of: Cow<'static, str>) -> u64",
        "async fn f(call: fn(&str) -> Call) -> u64",
        "async fn f(object: Box<dyn Kind + Send + 'static>) -> u64",
    ] {
        check(STALE, function, "run_owned(");
    }
}

#[test]
fn what_may_borrow_is_run_by_a_caller() {
    for function in [
        "async fn f(&self) -> u64",
        "async fn f(self: &Arc<Self>) -> u64",
        "async fn f(self: Arc<Other>) -> u64",
        "async fn f(self) -> u64",
        "async fn f(id: &str) -> u64",
        "async fn f(id: Option<&str>) -> u64",
        "async fn f(id: Cow<'_, str>) -> u64",
        "async fn f<'a>(id: Id<'a>) -> u64",
        "async fn f<T>(id: u64) -> u64",
        "async fn f(id: impl Kind) -> u64",
        "async fn f(id: Vec<impl Kind>) -> u64",
        "async fn f(object: Box<dyn Kind>) -> u64",
    ] {
        check(STALE, function, "run(");
    }
}

#[test]
fn only_a_refresh_hands_a_body_over() {
    let function = "async fn f(id: u64) -> Option<u64>";
    check("none_ttl = 5", function, "run(");
    check("stale_if_error = 5, retry_after = 5", function, "run(");
    check("unless = |value| *value == 0", function, "run_unless(");
    check("load_timeout = 5", function, "run_full(");
    check("tags = [\"value:{value}\"]", function, "run_full(");
    check("tags = [\"id:{id}\"]", function, "run(");
    check("beta = 1.0, refresh = \"inline\"", function, "run(");
    check(
        "beta = 1.0, refresh = \"background\"",
        function,
        "run_owned(",
    );
}

#[test]
fn what_is_asked_for_is_handed_over_where_it_can_be() {
    let asked = "beta = 1.0, refresh = \"background\"";
    for function in [
        "async fn f(self) -> u64",
        "async fn f<T>(id: T) -> u64",
        "async fn f(id: impl Kind) -> u64",
        "async fn f(self: Arc<Other>, object: Box<dyn Kind>) -> u64",
    ] {
        check(asked, function, "run_owned(");
    }
    for function in [
        "async fn f(&self) -> u64",
        "async fn f(self: Arc<Self>, id: &str) -> u64",
        "async fn f(id: &str) -> u64",
    ] {
        check(asked, function, "run(");
    }
}
