//! What no compiler checks about the scripts.

use std::fs;
use std::path::Path;

/// X1: each script says that it is one, names its keys, reads the time once at
/// most, and writes large numbers out in full.
#[test]
fn scripts_keep_the_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../cacheable-runtime/src/primitives/session/redis/lua");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("#!lua"), "{name}");
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with(['#', '-']))
            .collect();
        let head = head.join(" ");
        assert!(
            head.contains("KEYS[1]") && head.contains("Returns"),
            "{name}"
        );
        assert!(text.matches("'TIME'").count() <= 1, "{name}");
        assert!(!text.contains("tostring"), "{name}");
        for (at, _) in text
            .match_indices("redis.call('")
            .chain(text.match_indices("redis.pcall('"))
        {
            let call = &text[at..];
            let call = &call[..call.find(')').unwrap()];
            let first = call.split(", ").nth(1);
            assert!(
                call.contains("'TIME'") || first.is_some_and(|key| key.starts_with("KEYS[")),
                "{name}: {call}"
            );
        }
        read += 1;
    }
    assert_eq!(read, 9);
}
