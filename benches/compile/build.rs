//! Crates that are written and built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde_json::{Value, json};

use crate::program::{self, Size, Style};
use crate::repository;

/// A crate in a workspace of its own.
pub(crate) struct Crate {
    folder: PathBuf,
    style: Style,
}

/// What a build took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built {
    pub(crate) wall: Duration,
    /// Of all processes of the build; as `wall` where the system does not tell.
    pub(crate) cpu: Duration,
}

impl Built {
    pub(crate) fn json(&self) -> Value {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        json!({ "wall_ns": nanos(self.wall), "cpu_ns": nanos(self.cpu) })
    }
}

/// Where the crates are written.
pub(crate) fn directory() -> PathBuf {
    repository().join("target/compile")
}

impl Crate {
    /// The crate for one style, its dependencies built.
    pub(crate) fn of(style: Style) -> io::Result<Self> {
        let mut made = Self::with(style.folder(), style.dependency())?;
        made.style = style;
        made.write(
            Size {
                methods: 1,
                types: 1,
            },
            0,
        )?;
        made.build()?;
        Ok(made)
    }

    /// A crate with one dependency more than those that every program has.
    pub(crate) fn with(name: &str, dependency: &str) -> io::Result<Self> {
        let folder = directory().join(name);
        fs::create_dir_all(folder.join("src"))?;
        fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let dependency = dependency.replace("REPOSITORY", &repository().display().to_string());
        let common = if name == "user" { "" } else { COMMON };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{common}{dependency}\n\n[workspace]\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        Ok(Self {
            folder,
            style: Style::Plain,
        })
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.join("src/main.rs")
    }

    /// Writes the program; another `edit` is another text of one body.
    pub(crate) fn write(&self, size: Size, edit: usize) -> io::Result<()> {
        fs::write(self.source(), program::text(self.style, size, edit))
    }

    /// Builds what has changed.
    pub(crate) fn build(&self) -> io::Result<Built> {
        let (wall, cpu) = (Instant::now(), children_cpu());
        cargo(&self.folder, &["build", "--quiet"])?;
        let wall = wall.elapsed();
        let cpu = cpu
            .zip(children_cpu())
            .map(|(before, after)| after.saturating_sub(before));
        Ok(Built {
            wall,
            cpu: cpu.unwrap_or(wall),
        })
    }

    /// Builds the program anew, on the dependencies that are there.
    pub(crate) fn build_clean(&self) -> io::Result<Built> {
        let target = self.folder.join("target/debug");
        // What the compiler keeps of the program from the build before. The
        // text was just written, so it is built.
        remove(&target.join("incremental"))?;
        self.build()
    }

    /// Builds everything.
    pub(crate) fn build_cold(&self) -> io::Result<Built> {
        remove(&self.folder.join("target"))?;
        self.build()
    }

    /// How many crates of others are built for it, helpers of the build included.
    pub(crate) fn crates(&self) -> io::Result<usize> {
        let tree = cargo(
            &self.folder,
            &["tree", "-e", "no-dev", "--prefix", "none", "--no-dedupe"],
        )?;
        let mut names: Vec<_> = tree
            .lines()
            .filter_map(|line| line.split(" (").next())
            .filter(|name| !name.starts_with("user "))
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names.len())
    }
}

/// Both of which a service has anyway.
const COMMON: &str = "serde = { version = \"1\", features = [\"derive\"] }\n\
     tokio = { version = \"1\", features = [\"macros\", \"rt\", \"time\"] }\n";

fn cargo(folder: &Path, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("cargo")
        .args(arguments)
        .arg("--offline")
        .current_dir(folder)
        // Settings of the build that this program comes from.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "cargo {arguments:?} in {}: {said}",
        folder.display()
    )))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The processor time of the processes that this one has started and seen the
/// end of, theirs included.
fn children_cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, can hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    // In hundredths of a second, for any program on Linux.
    let ticks = |field: usize| fields.split_whitespace().nth(field)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(13)? + ticks(14)?)))
}
