//! What a hit may cost, in figures that are the same on every machine.

use std::collections::BTreeMap;
use std::{fs, io};

use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bounds.json");

/// How much more instructions than recorded pass, as a share.
///
/// Two runs differ by less than 0.01, because every process hashes with seeds of its
/// own. Another minor version of the compiler may lay out the same code differently
/// by a few hundredths. What this is to find costs more: a second hash of the
/// arguments, a lock, a text, a clock that is read once more.
pub const TOLERANCE: f64 = 0.08;

/// What one hit costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Instructions of the processor, as `callgrind` counts them.
    pub instructions: Option<f64>,
    /// Calls of the allocator.
    pub allocations: f64,
}

/// What hits have cost when it was last recorded, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The compiler.
    pub rustc: String,
    /// The kind of processor; instructions of two kinds cannot be compared.
    pub arch: String,
    /// By the name of the hit.
    pub hits: BTreeMap<String, Cost>,
}

impl Bounds {
    /// Reads `benches/bounds.json`.
    ///
    /// # Errors
    /// There is none, or it is not what [`record`](Self::record) has written.
    pub fn recorded() -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(FILE)?)?)
    }

    /// Writes `benches/bounds.json` anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(&self) -> io::Result<()> {
        fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")
    }

    /// What is wrong with a hit that costs this, in a sentence each.
    ///
    /// Allocations are held to the last one: their number does not depend on the
    /// machine. Instructions that were not counted are not judged.
    pub fn broken_by(&self, hit: &str, cost: &Cost) -> Vec<String> {
        let Some(bound) = self.hits.get(hit) else {
            return vec![format!("{hit} has no bound yet: record one")];
        };
        let mut broken = Vec::new();
        if let (Some(now), Some(then)) = (cost.instructions, bound.instructions)
            && now > then * (1.0 + TOLERANCE)
        {
            broken.push(format!(
                "{hit} takes {now:.0} instructions, and took {then:.0}; {:.0} pass",
                then * (1.0 + TOLERANCE)
            ));
        }
        // A thousandth: what a background task allocates now and then is spread over all hits.
        if cost.allocations > bound.allocations + 0.001 {
            broken.push(format!(
                "{hit} allocates {:.3} times, and did {:.3} times",
                cost.allocations, bound.allocations
            ));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Cost};

    fn cost(instructions: f64, allocations: f64) -> Cost {
        Cost {
            instructions: Some(instructions),
            allocations,
        }
    }

    fn bounds() -> Bounds {
        Bounds {
            rustc: "rustc 1".to_owned(),
            arch: "x86_64".to_owned(),
            hits: [("arc".to_owned(), cost(100.0, 0.0))].into(),
        }
    }

    #[track_caller]
    fn check(now: Cost, expected: &[&str]) {
        let broken = bounds().broken_by("arc", &now);
        assert_eq!(broken.len(), expected.len(), "{broken:?}");
        for (broken, expected) in broken.iter().zip(expected) {
            assert!(broken.contains(expected), "{broken}");
        }
    }

    #[test]
    fn what_costs_as_much_or_less_passes() {
        check(cost(100.0, 0.0), &[]);
        check(cost(60.0, 0.0), &[]);
        check(cost(107.9, 0.0005), &[]);
    }

    #[test]
    fn a_bound_that_is_exceeded_is_told() {
        check(cost(108.1, 0.0), &["108 instructions"]);
        check(cost(100.0, 1.0), &["allocates 1.000 times"]);
        check(cost(200.0, 2.0), &["200 instructions", "allocates 2.000"]);
    }

    #[test]
    fn allocations_are_judged_without_instructions() {
        let uncounted = |allocations| Cost {
            instructions: None,
            allocations,
        };
        check(uncounted(0.0), &[]);
        check(uncounted(1.0), &["allocates"]);
    }

    #[test]
    fn a_hit_without_a_bound_does_not_pass() {
        let broken = bounds().broken_by("other", &cost(1.0, 0.0));
        assert!(broken[0].contains("no bound"), "{broken:?}");
    }
}
