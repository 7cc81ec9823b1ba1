//! What the attributes accept, compiled and run; and what they refuse, word for word.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    for attribute in ["cacheable", "cache_invalidate", "cache_put"] {
        cases.pass(format!("pass/{attribute}/*.rs"));
        cases.compile_fail(format!("fail/{attribute}/*.rs"));
    }
}
