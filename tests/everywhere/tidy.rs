//! What no compiler checks about the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room of the runtime may import, apart from itself. What is not
/// listed is reached through those that are.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("time", &[]),
    ("sync", &[]),
    ("pattern", &["error"]),
    ("key", &["error", "pattern"]),
    // A policy names the codec that is asked for.
    ("policy", &["codec"]),
    ("observe", &["error", "sync"]),
    ("codec", &["error", "time", "sync"]),
    ("bus", &[]),
    (
        "local",
        &["bus", "error", "observe", "pattern", "sync", "time"],
    ),
    ("conn", &["bus", "error", "observe", "time", "sync"]),
    ("remote", &["conn", "error", "pattern", "sync", "time"]),
    (
        "cache",
        &[
            "codec", "error", "key", "local", "observe", "pattern", "policy", "remote", "sync",
            "time",
        ],
    ),
    (
        "primitives",
        &["codec", "conn", "error", "observe", "sync", "time"],
    ),
    ("monitor", &["conn", "error", "observe", "sync", "time"]),
    ("config", &["error"]),
    (
        "runtime",
        &[
            "bus",
            "cache",
            "config",
            "conn",
            "error",
            "local",
            "monitor",
            "observe",
            "policy",
            "primitives",
            "remote",
            "sync",
            "time",
        ],
    ),
    ("__private", &["cache", "codec", "key", "runtime", "sync"]),
];

/// Rooms that must not know one another, whatever is added above.
const STRANGERS: [&str; 3] = ["codec", "local", "remote"];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every file that is ours and may be committed, with its path from the root.
fn files() -> Vec<(String, PathBuf)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // What `.gitignore` names, and what belongs to git.
            let left_out = [".git", "target", "corpus", "artifacts", "coverage", "wip"];
            if left_out.contains(&name.as_str()) || name.starts_with("target-") {
                continue;
            }
            if path.is_dir() {
                walk(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let root = Path::new(ROOT).canonicalize().unwrap();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    paths
        .into_iter()
        .map(|path| (relative(&path), path))
        .collect()
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let ours = |(name, path): &(String, PathBuf)| name.starts_with(folder) && is(path, "rs");
    let files = files().into_iter().filter(ours);
    files
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect()
}

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// `["cache", "read"]` for `cache/read.rs`, `["cache"]` for `cache/mod.rs`.
fn module(file: &str) -> Vec<&str> {
    let path = file.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').collect()
}

/// The rooms that a file names by `crate::room` or by enough `super::`.
fn rooms_named(module: &[&str], source: &str) -> BTreeSet<String> {
    // A file's own tests are one level deeper, and stay within the file.
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = source
        .lines()
        .filter_map(|line| line.split("//").next())
        .collect();
    let code = code.join("\n");
    let mut rooms = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        // `$crate` stands in the expansions of users.
        let mut before = code[..at].chars().rev();
        if before
            .next()
            .is_none_or(|c| c != '$' && c != '_' && !c.is_alphanumeric())
        {
            rooms.extend(first_segments(&code[at + path.len()..]));
        }
    }
    let mut rest = code.as_str();
    while let Some(at) = rest.find("super::") {
        let mut levels = 0;
        rest = &rest[at..];
        while let Some(outer) = rest.strip_prefix("super::") {
            (rest, levels) = (outer, levels + 1);
        }
        if levels == module.len() {
            rooms.extend(first_segments(rest));
        }
    }
    // A type of the root, such as `Runtime`, lives in some room; so does what
    // a macro of the root expands to.
    rooms.retain(|room| room.starts_with(char::is_lowercase) || room == "__private");
    rooms
}

/// `a` of `a::b`; `a` and `c` of `{a::b, c}`.
fn first_segments(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let word = text.trim_start().chars();
        word.take_while(|c| *c == '_' || c.is_ascii_alphanumeric())
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => items.last_mut().unwrap().push(c),
        }
    }
    items.iter().map(|item| word(item)).collect()
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let source = "use crate::error::Error;\nuse super::super::codec::{self};\n\
                  // use crate::comment;\nlet x = crate::{conn::{Link, A},\n time};\n\
                  $crate::__private::x; use super::sibling;\n\
                  #[cfg(test)]\nmod tests {\n use crate::runtime;\n}";
    let named = rooms_named(&module("cache/read.rs"), source);
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        ["codec", "conn", "error", "time"]
    );
    assert_eq!(module("cache/flight/mod.rs"), ["cache", "flight"]);
    let named = rooms_named(&module("cache/mod.rs"), "use super::remote::Store;");
    assert!(named.contains("remote"));
}

#[test]
fn every_room_imports_only_what_lies_below_it() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let folder = "cacheable-runtime/src/";
    let mut read = 0;
    for (name, source) in sources(folder) {
        let inside = name.strip_prefix(folder).unwrap();
        let module = module(inside);
        let room = module[0];
        // `lib.rs` shows what there is; tests look wherever they must.
        if room == "lib" || inside.contains("/tests") || inside.ends_with("fuzzing.rs") {
            continue;
        }
        let allowed = layers.get(room);
        let allowed = allowed.unwrap_or_else(|| panic!("{name}: the room `{room}` has no layer"));
        for named in rooms_named(&module, &source) {
            // A type of the root, such as `Runtime`, lives in some room.
            if named == room || named.starts_with(char::is_uppercase) || named.starts_with("__") {
                continue;
            }
            assert!(
                layers.contains_key(named.as_str()),
                "{name}: `{named}` is no room"
            );
            assert!(
                allowed.contains(&named.as_str()),
                "{name} imports `{named}`, which does not lie below `{room}`"
            );
        }
        read += 1;
    }
    assert!(read > 30, "{read} files were found");
}

#[test]
fn the_layers_are_layers() {
    for (place, (room, below)) in LAYERS.iter().enumerate() {
        for other in *below {
            let at = LAYERS.iter().position(|(room, _)| room == other).unwrap();
            // The exception is told where it is listed.
            assert!(
                at < place || *room == "policy",
                "`{room}` and `{other}` go in circles"
            );
        }
        if STRANGERS.contains(room) {
            let known = |stranger: &&str| stranger != room && below.contains(stranger);
            assert!(!STRANGERS.iter().any(known), "{room}");
        }
    }
}

#[test]
fn only_conn_and_the_redis_store_name_the_client() {
    for (name, source) in sources("cacheable-runtime/src/") {
        let allowed = name.contains("/conn/")
            || name.contains("/remote/redis/")
            || (name.contains("/primitives/") || name.contains("/monitor/"))
                && name.contains("/redis");
        let named = source.lines().any(|line| line.starts_with("use redis::"));
        assert!(allowed || !named, "{name}");
    }
}

#[test]
fn the_two_crates_have_one_version() {
    let manifest = file("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    let version = version.unwrap().trim_matches('"');
    let pinned = |name: &str, pin: &str| {
        let start = format!("{name} = ");
        let line = manifest.lines().find(|line| line.starts_with(&start));
        assert!(
            line.unwrap().contains(&format!("version = \"{pin}\"")),
            "{line:?}"
        );
    };
    pinned("cacheable-macros", &format!("={version}"));
    pinned("cacheable-runtime", version);
    for member in ["cacheable-macros", "cacheable-runtime"] {
        assert!(file(&format!("{member}/Cargo.toml")).contains("version.workspace = true"));
    }
    let named = file("cacheable-runtime/src/__private.rs");
    let (major_minor, _) = version.rsplit_once('.').unwrap();
    assert!(
        named.contains(&format!("version = \\\"{major_minor}\\\"")),
        "the message is old"
    );
}

#[test]
fn files_are_of_a_size_to_be_read() {
    const MOST: usize = 510;
    for (name, path) in files() {
        if is(&path, "rs") || is(&path, "md") {
            let text = fs::read_to_string(path).unwrap();
            let lines = lines_by_hand(&text);
            assert!(lines <= MOST, "{name} has {lines} lines: divide it");
        }
    }
}

/// Without what is drawn from figures, which is as long as they are many.
fn lines_by_hand(text: &str) -> usize {
    let mut drawn = false;
    let by_hand = text.lines().filter(|line| {
        drawn = (drawn || line.starts_with("<!-- begin ")) && !line.starts_with("<!-- end ");
        !drawn
    });
    by_hand.count()
}

#[test]
fn no_test_is_left_out_and_nothing_is_unfinished() {
    // Put together, so that this file is not among what it finds.
    let marks = ["todo", "dbg"].map(|mark| format!("{mark}!("));
    let marks = marks
        .into_iter()
        .chain(["#[ignore", "FIXME", "TODO"].map(|mark| {
            let (start, end) = mark.split_at(2);
            [start, end].concat()
        }));
    let marks: Vec<String> = marks.collect();
    for (name, source) in sources("") {
        if name.ends_with("everywhere/tidy.rs") {
            continue;
        }
        for mark in &marks {
            assert!(!source.contains(mark.as_str()), "{name}: {mark}");
        }
    }
}

#[test]
fn no_file_names_a_machine() {
    let home = std::env::var("HOME").unwrap_or_default();
    let root = Path::new(ROOT)
        .canonicalize()
        .unwrap()
        .display()
        .to_string();
    let folders = ["home", "Users", "root", "work", "tmp", "var/folders"];
    let mut machine: Vec<String> = folders.iter().map(|folder| format!("/{folder}/")).collect();
    machine.push(root);
    // In a container the home of a user can be as short as `/`.
    machine.extend(Some(home).filter(|home| home.len() > 3));
    for (name, path) in files() {
        // What is no text has no paths that matter here.
        let Ok(text) = fs::read_to_string(path) else {
            continue;
        };
        for (line, text) in text.lines().enumerate() {
            let found = machine.iter().find(|part| text.contains(part.as_str()));
            assert!(found.is_none(), "{name}:{}: {found:?}", line + 1);
        }
    }
}

/// Whether `runtime::key::tests::a_case` and the like is a test.
fn is_there(path: &[&str]) -> bool {
    let [binary, modules @ .., test] = path else {
        return false;
    };
    let (folder, modules) = match *binary {
        "runtime" => ("cacheable-runtime/src", modules.to_vec()),
        "macros" => ("cacheable-macros/src", modules.to_vec()),
        "no_runtime" => ("tests/everywhere", vec!["no_runtime"]),
        "conformance" => ("tests/conformance", modules.to_vec()),
        "redis" => ("tests/redis", modules.to_vec()),
        "everywhere" => ("tests/everywhere", modules.to_vec()),
        "fleet" => ("tests/fleet", modules.to_vec()),
        "faults" => ("tests/faults", modules.to_vec()),
        "cluster" => ("tests/cluster", modules.to_vec()),
        "model" => ("tests/model", modules.to_vec()),
        "primitives" => ("tests/primitives", modules.to_vec()),
        _ => return false,
    };
    // A whole file.
    let file = format!("{folder}/{}", [&modules[..], &[*test]].concat().join("/"));
    if Path::new(ROOT).join(format!("{file}.rs")).exists() {
        return true;
    }
    // `tests` at the end may be a module inside of the file.
    let within = modules.strip_suffix(&["tests"]).unwrap_or(&modules);
    [&modules[..], within].iter().any(|modules| {
        let file = format!("{folder}/{}", modules.join("/"));
        [format!("{file}.rs"), format!("{file}/mod.rs")]
            .iter()
            .any(|file| {
                let source = fs::read_to_string(Path::new(ROOT).join(file));
                source.is_ok_and(|source| source.contains(&format!("fn {test}(")))
            })
    })
}

#[test]
fn the_acceptance_list_names_what_is_there() {
    for (page, least) in [
        ("docs/acceptance.md", 60),
        ("docs/scenarios.md", 120),
        ("docs/primitives.md", 130),
    ] {
        let named = names_what_is_there(page);
        assert!(named > least, "{named} tests are named in {page}");
    }
    assert!(!is_there(&["redis", "outage", "nothing"]));
}

/// How many tests a page names.
fn names_what_is_there(page: &str) -> usize {
    let mut named = 0;
    for word in file(page).split('`').skip(1).step_by(2) {
        let path: Vec<&str> = word.split("::").collect();
        let of_letters = |part: &&str| part.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        if word.contains('/') && !word.contains(':') {
            let there = Path::new(ROOT).join(word.trim_start_matches("./")).exists();
            assert!(there, "{page} names `{word}`, which is nowhere");
        } else if path.len() > 1 && path.iter().all(of_letters) {
            assert!(is_there(&path), "{page} names `{word}`, which is nowhere");
            named += 1;
        }
    }
    named
}
