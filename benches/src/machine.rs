//! What the figures were measured on.

use std::process::Command;
use std::{fs, thread};

use serde_json::{Value, json};

/// The machine and the programs that figures depend on.
#[derive(Debug)]
pub struct Machine {
    facts: Vec<(&'static str, String)>,
}

/// The only fact that is another one every time.
const LOAD: &str = "load at the start";

impl Machine {
    /// This machine; `server` is the version of the server that is measured.
    pub fn here(server: String) -> Self {
        let cores = thread::available_parallelism()
            .map_or_else(|_| "unknown".to_owned(), |cores| cores.get().to_string());
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        Self {
            facts: vec![
                ("cores", cores),
                ("cpu", cpu_model()),
                ("system", system),
                ("kernel", said_by("uname", &["-r"])),
                ("server", server),
                ("rustc", said_by("rustc", &["--version"])),
                (LOAD, load()),
            ],
        }
    }

    /// Whether figures that were measured there can stand beside those of here.
    pub(crate) fn is(&self, other: &Value) -> bool {
        let mut lasting = self.facts.iter().filter(|(name, _)| *name != LOAD);
        lasting.all(|(name, fact)| other[*name] == *fact)
    }

    pub(crate) fn json(&self) -> Value {
        self.facts
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), json!(fact)))
            .collect()
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, fact) in &self.facts {
            writeln!(f, "{name}: {fact}")?;
        }
        Ok(())
    }
}

fn cpu_model() -> String {
    let Ok(info) = fs::read_to_string("/proc/cpuinfo") else {
        return said_by("sysctl", &["-n", "machdep.cpu.brand_string"]);
    };
    info.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(
            || "unknown".to_owned(),
            |(_, model)| model.trim().to_owned(),
        )
}

/// How many threads want to run, on average over 1, 5 and 15 minutes.
fn load() -> String {
    fs::read_to_string("/proc/loadavg").map_or_else(
        |_| said_by("sysctl", &["-n", "vm.loadavg"]),
        |load| load.split(' ').take(3).collect::<Vec<_>>().join(" "),
    )
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn a_machine_is_the_same_under_another_load() {
        let here = Machine::here("Redis 7".to_owned());
        let mut there = here.json();
        there[super::LOAD] = "9 9 9".into();
        assert!(here.is(&there));
        there["server"] = "Redis 8".into();
        assert!(!here.is(&there));
    }
}
