//! The generated parts of `docs/benchmarks.md`: text between two comments, written from
//! the recorded figures alone.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::bounds::{Bounds, TOLERANCE};
use crate::budgets;
use crate::plot::{Plot, Unit};
use crate::table::Table;

/// The page with its generated parts written anew.
///
/// # Errors
/// A part has no place in it.
pub(crate) fn fill(page: &str, results: &Value, bounds: &Bounds) -> Result<String, String> {
    let mut page = page.to_owned();
    for (part, text) in [
        ("machine", machine(results)),
        ("budgets", budgets::table(results, bounds).to_string()),
        ("hits", hits(bounds)),
        ("tables", tables(results)),
    ] {
        page = replaced(&page, part, &text)?;
    }
    Ok(page)
}

/// Each picture with the name of its file.
pub(crate) fn pictures(results: &Value) -> Vec<(String, String)> {
    let families = families(results);
    let pictures = families
        .iter()
        .filter_map(|(family, paths)| Some((file(family), picture(family, paths)?.svg())));
    pictures.collect()
}

fn replaced(page: &str, part: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (
        format!("<!-- begin {part} -->"),
        format!("<!-- end {part} -->"),
    );
    let parts = page.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or(format!("the page has no `{begin}` with its end"))?;
    Ok(format!(
        "{before}{begin}\n\n{}\n\n{end}{after}",
        text.trim_end()
    ))
}

fn machine(results: &Value) -> String {
    let mut table = Table::new(&["", "measured on"]);
    if let Some(facts) = results["machine"].as_object() {
        for (name, fact) in facts {
            let fact = fact.as_str().unwrap_or_default();
            table.row(vec![name.clone(), fact.to_owned()]);
        }
    }
    table.to_string()
}

fn hits(bounds: &Bounds) -> String {
    let mut table = Table::new(&["", "instructions", "allocations"]);
    for (name, cost) in &bounds.hits {
        let instructions = cost.instructions;
        table.row(vec![
            name.clone(),
            instructions.map_or_else(String::new, |it| format!("{it:.0}")),
            format!("{:.1}", cost.allocations),
        ]);
    }
    format!(
        "{table}\n{}, {}; {:.0} % more than that pass.",
        bounds.rustc,
        bounds.arch,
        TOLERANCE * 100.0
    )
}

fn tables(results: &Value) -> String {
    let mut text = String::new();
    for (family, paths) in families(results) {
        let _ = write!(text, "### {family}\n\n");
        if picture(&family, &paths).is_some() {
            let _ = write!(text, "![{family}](benchmarks/{})\n\n", file(&family));
        }
        for (tasks, path) in paths {
            if tasks > 0 {
                let _ = write!(text, "#### {family}/{tasks}\n\n");
            }
            match path["note"].as_str() {
                Some(note) if !note.is_empty() => {
                    let _ = write!(text, "{note}\n\n");
                }
                _ => {}
            }
            if let Some(table) = Table::from_json(&path["table"]) {
                let _ = writeln!(text, "{table}");
            }
        }
    }
    text
}

/// The paths that differ in the number of tasks alone, from few to many. One that is
/// measured in one way has the number 0.
type Families<'a> = BTreeMap<String, BTreeMap<u64, &'a Value>>;

fn families(results: &Value) -> Families<'_> {
    let mut families = Families::new();
    for (name, path) in results["paths"].as_object().into_iter().flatten() {
        let split = name.rsplit_once('/');
        let numbered = split.and_then(|(family, tasks)| Some((family, tasks.parse().ok()?)));
        let (family, tasks) = numbered.unwrap_or((name.as_str(), 0));
        families
            .entry(family.to_owned())
            .or_default()
            .insert(tasks, path);
    }
    families
}

fn file(family: &str) -> String {
    format!("{}.svg", family.replace('/', "-"))
}

/// What a path has drawn itself, or operations per second as bars.
fn picture(family: &str, paths: &BTreeMap<u64, &Value>) -> Option<Plot> {
    if let Some(own) = paths.values().find_map(|path| path.get("plot")) {
        return serde_json::from_value(own.clone()).ok();
    }
    let first = paths.values().next()?["contenders"].as_array()?;
    let figure = |path: &Value, name: &str| {
        let contenders = path["contenders"].as_array()?.iter();
        let mut named = contenders.filter(|contender| contender["name"] == name);
        named.next()?["ops_per_second"].as_f64()
    };
    first.first()?.get("ops_per_second")?;
    let groups = paths.keys().map(|tasks| match tasks {
        0 => String::new(),
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    });
    let mut plot = Plot::bars(family, "operations per second", Unit::Number, groups);
    for contender in first {
        let name = contender["name"].as_str()?;
        plot = plot.bar(name, paths.values().map(|path| figure(path, name)));
    }
    Some(plot)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{fill, pictures, replaced};
    use crate::bounds::Bounds;

    fn results() -> Value {
        let path = |ops: f64| {
            json!({
                "note": "ten of them",
                "contenders": [{ "name": "ours", "ops_per_second": ops }],
                "table": [["", "ops/s"], ["ours", format!("{ops}")]],
            })
        };
        json!({
            "machine": { "cpu": "a fast one" },
            "paths": { "hit/1024": path(3.0), "hit/64": path(2.0), "alone": path(1.0) },
        })
    }

    fn bounds() -> Bounds {
        Bounds {
            rustc: "rustc 1".to_owned(),
            arch: "x86_64".to_owned(),
            hits: BTreeMap::new(),
        }
    }

    fn empty() -> String {
        ["machine", "budgets", "hits", "tables"]
            .map(|part| format!("<!-- begin {part} -->\n<!-- end {part} -->\n"))
            .concat()
    }

    #[test]
    fn every_table_is_written_under_its_family() {
        let page = fill(&empty(), &results(), &bounds()).unwrap();
        let at = |text: &str| {
            page.find(text)
                .unwrap_or_else(|| panic!("no {text} in {page}"))
        };
        assert!(at("### alone") < at("### hit"));
        assert!(at("#### hit/64") < at("#### hit/1024"));
        at("a fast one");
        at("ten of them");
        at("![hit](benchmarks/hit.svg)");
    }

    #[test]
    fn filling_twice_changes_nothing() {
        let once = fill(&empty(), &results(), &bounds()).unwrap();
        assert_eq!(fill(&once, &results(), &bounds()).unwrap(), once);
    }

    #[test]
    fn a_page_without_a_place_is_refused() {
        let problem = fill("nothing", &results(), &bounds()).unwrap_err();
        assert!(problem.contains("begin machine"), "{problem}");
    }

    #[test]
    fn what_stands_around_a_part_stays() {
        let page = "a <!-- begin x --> old <!-- end x --> b";
        let expected = "a <!-- begin x -->\n\nnew\n\n<!-- end x --> b";
        assert_eq!(replaced(page, "x", "new\n").unwrap(), expected);
    }

    #[test]
    fn a_family_has_one_picture() {
        let names: Vec<_> = pictures(&results())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["alone.svg", "hit.svg"]);
    }
}
