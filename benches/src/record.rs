//! What is kept of a run in the repository: the figures, and what is drawn from them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value, json};

use crate::bounds::Bounds;
use crate::machine::Machine;
use crate::page;

/// Writes `docs/benchmarks.md` and its pictures anew from what is recorded.
///
/// # Errors
/// Nothing is recorded, or a file cannot be written.
pub fn redraw() -> io::Result<()> {
    Record::here().redraw()
}

/// Keeps figures beside those of the paths that [`Bench`](crate::Bench) runs, by names
/// that begin with `compile/`, and writes the page anew. No server is part of them.
///
/// # Errors
/// What is recorded was measured on another machine, or a file cannot be written.
pub fn keep(figures: &Map<String, Value>) -> io::Result<()> {
    let record = Record::here();
    let server = record.read()?["machine"]["server"].take();
    let machine = Machine::here(server.as_str().unwrap_or_default().to_owned());
    record.keep(&machine, false, figures)
}

/// What the names of figures begin with that a run of all paths does not measure.
const BESIDE: &str = "compile/";

/// `docs` and the files in it that a run writes.
pub(crate) struct Record {
    docs: PathBuf,
}

impl Record {
    pub(crate) fn here() -> Self {
        Self {
            docs: Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"),
        }
    }

    /// Keeps the figures of `paths`. Without all paths, those that were not measured stay,
    /// if they were measured on the same machine.
    pub(crate) fn keep(
        &self,
        machine: &Machine,
        all: bool,
        paths: &Map<String, Value>,
    ) -> io::Result<()> {
        let mut kept = Map::new();
        if self.figures().exists() {
            let mut before = self.read()?;
            let same = machine.is(&before["machine"]);
            if !all && !same {
                return Err(io::Error::other(
                    "what is recorded was measured on another machine: record everything, without a filter",
                ));
            }
            if let Value::Object(mut paths) = before["paths"].take() {
                paths.retain(|name, _| same && (!all || name.starts_with(BESIDE)));
                kept = paths;
            }
        }
        for (name, figures) in paths {
            kept.insert(name.clone(), without_rounds(figures));
        }
        let text = format!(
            "{:#}\n",
            json!({ "machine": machine.json(), "paths": kept })
        );
        fs::create_dir_all(self.pictures())?;
        fs::write(self.figures(), text)?;
        self.redraw()
    }

    /// Writes the page and the pictures anew from what is recorded.
    pub(crate) fn redraw(&self) -> io::Result<()> {
        let (page, pictures) = self.drawn()?;
        fs::write(self.page(), page)?;
        for (name, picture) in pictures {
            fs::write(self.pictures().join(name), picture)?;
        }
        Ok(())
    }

    /// The page, and the pictures by the names of their files.
    fn drawn(&self) -> io::Result<(String, Vec<(String, String)>)> {
        let results = self.read()?;
        let bounds = Bounds::recorded()?;
        let page = page::fill(&fs::read_to_string(self.page())?, &results, &bounds);
        Ok((page.map_err(io::Error::other)?, page::pictures(&results)))
    }

    fn read(&self) -> io::Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.figures())?)?)
    }

    fn figures(&self) -> PathBuf {
        self.pictures().join("results.json")
    }

    fn pictures(&self) -> PathBuf {
        self.docs.join("benchmarks")
    }

    fn page(&self) -> PathBuf {
        self.docs.join("benchmarks.md")
    }
}

/// Each round fills pages; they are in the file that every run writes.
fn without_rounds(figures: &Value) -> Value {
    let mut figures = figures.clone();
    if let Some(contenders) = figures["contenders"].as_array_mut() {
        for contender in contenders {
            if let Some(contender) = contender.as_object_mut() {
                contender.remove("rounds");
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::{Record, without_rounds};

    /// Who records or edits one of them without the others is told here.
    #[test]
    fn page_and_pictures_are_those_of_the_figures() {
        let record = Record::here();
        let (page, pictures) = record.drawn().unwrap();
        let again = "write them anew: cargo bench -p benches -- --redraw";
        assert!(
            page == fs::read_to_string(record.page()).unwrap(),
            "the page: {again}"
        );
        for (name, picture) in pictures {
            let there = fs::read_to_string(record.pictures().join(&name)).unwrap_or_default();
            assert!(picture == there, "{name}: {again}");
        }
    }

    #[test]
    fn rounds_are_left_out() {
        let figures = json!({ "contenders": [{ "name": "a", "rounds": [1, 2] }], "tasks": 1 });
        let expected = json!({ "contenders": [{ "name": "a" }], "tasks": 1 });
        assert_eq!(without_rounds(&figures), expected);
    }
}
