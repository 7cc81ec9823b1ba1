//! What each path may cost, and whether it does.

use std::fmt::Write;

use serde_json::Value;

use crate::bounds::Bounds;
use crate::table::{Table, nanos, number, ratio};

/// A promise about some figures.
struct Budget {
    path: &'static str,
    text: &'static str,
    checks: Vec<Check>,
}

/// One figure, if it was measured, and its limit.
struct Check {
    figure: Option<f64>,
    limit: Limit,
    written: fn(f64) -> String,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}
use Limit::{AtLeast, AtMost};

/// Budget, what was measured, and whether that is within it.
pub(crate) fn table(results: &Value, bounds: &Bounds) -> Table {
    let mut table = Table::new(&["", "budget", "measured", "reached"]);
    for budget in all(&Results(results), bounds) {
        let mut measured = String::new();
        for check in &budget.checks {
            let separator = if measured.is_empty() { "" } else { ", " };
            let figure = check.figure.map_or("–".to_owned(), check.written);
            let _ = write!(measured, "{separator}{figure}");
        }
        let reached = match budget.reached() {
            None => "not measured",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        table.row(vec![
            budget.path.to_owned(),
            budget.text.to_owned(),
            measured,
            reached.to_owned(),
        ]);
    }
    table
}

impl Budget {
    /// `None` if a figure is missing and no other breaks the budget.
    fn reached(&self) -> Option<bool> {
        let mut reached = Some(!self.checks.is_empty()).filter(|any| *any);
        for check in &self.checks {
            match (check.figure, &check.limit) {
                (Some(figure), AtMost(limit)) if figure > *limit => return Some(false),
                (Some(figure), AtLeast(limit)) if figure < *limit => return Some(false),
                (Some(_), _) => {}
                (None, _) => reached = None,
            }
        }
        reached
    }
}

struct Results<'a>(&'a Value);

impl Results<'_> {
    fn find(&self, path: &str, contender: &str) -> Option<&Value> {
        let contenders = self.0["paths"][path]["contenders"].as_array()?.iter();
        let mut named = contenders.filter(|one| one["name"] == contender);
        named.next()
    }

    fn of(&self, path: &str, contender: &str, figure: &str) -> Option<f64> {
        self.find(path, contender)?[figure].as_f64()
    }

    /// How much longer the last of several sizes takes than the first.
    fn growth(&self, path: &str, contender: &str, limit: Limit) -> Check {
        let times = self.find(path, contender).map(|it| &it["wall_ns"]);
        let times = times.and_then(Value::as_array);
        let first = times.and_then(|times| times.first()?.as_f64());
        let last = times.and_then(|times| times.last()?.as_f64());
        Check {
            figure: last.zip(first).map(|(last, first)| last / first),
            limit,
            written: ratio,
        }
    }

    fn check(
        &self,
        (path, contender, figure): (&str, &str, &str),
        limit: Limit,
        written: fn(f64) -> String,
    ) -> Check {
        Check {
            figure: self.of(path, contender, figure),
            limit,
            written,
        }
    }

    /// Two figures of one path, the first as a share of the second.
    fn share(&self, (path, ours, theirs): (&str, &str, &str), figure: &str, limit: Limit) -> Check {
        let ours = self.of(path, ours, figure);
        let theirs = self.of(path, theirs, figure);
        Check {
            figure: ours.zip(theirs).map(|(ours, theirs)| ours / theirs),
            limit,
            written: ratio,
        }
    }
}

const ARC: &str = "#[cacheable], Arc";
const CACHEABLE: &str = "#[cacheable]";
const CPU: &str = "cpu_of_floor";
const OPS: &str = "ops_of_floor";

/// So many round trips, and what the heartbeat of the connection adds to them.
fn trips(each: f64) -> Limit {
    AtMost(each + 0.05)
}

fn all(results: &Results<'_>, bounds: &Bounds) -> Vec<Budget> {
    let budget = |path, text, checks| Budget { path, text, checks };
    let allocations = |hit: &str| Check {
        figure: bounds.hits.get(hit).map(|cost| cost.allocations),
        limit: AtMost(0.0),
        written: |it| format!("{it:.0} allocations"),
    };
    let hit = |path, name, limit| results.check((path, name, CPU), limit, ratio);
    let faster = |path, rival, figure| results.share((path, ARC, rival), figure, AtMost(1.0));
    let (id_1, id_64) = ("hit/embedded/u64/1", "hit/embedded/u64/64");
    let (name_1, name_64) = ("hit/embedded/str/1", "hit/embedded/str/64");
    let at_level_2 = |path: &str| {
        let check = |tasks| {
            let path = format!("{path}/{tasks}");
            results.check((&path, "#[cacheable], Arc, u64", OPS), AtLeast(2.0), ratio)
        };
        ["64", "1024"].map(check).into()
    };
    let outage = |contender, figure, limit, written| {
        results.check(("outage", contender, figure), limit, written)
    };
    vec![
        budget(
            "level-1 hit, `Arc`, `u64`, 1 and 64 tasks",
            "≤ 1.5 × CPU of `quick_cache`, 0 allocations",
            vec![
                hit(id_1, ARC, AtMost(1.5)),
                hit(id_64, ARC, AtMost(1.5)),
                allocations("Arc, u64"),
            ],
        ),
        budget(
            "same, against macro peers",
            "less CPU than `cached` and `hitbox`",
            vec![
                faster(id_1, "cached", "cpu_ns"),
                faster(id_64, "cached", "cpu_ns"),
                faster(id_1, "hitbox, owned", "cpu_ns"),
                faster(id_64, "hitbox, owned", "cpu_ns"),
            ],
        ),
        budget(
            "level-1 hit, `Arc`, `&str`, 1 and 64 tasks",
            "≤ 1.5 × CPU of `quick_cache`, 0 allocations",
            vec![
                hit(name_1, ARC, AtMost(1.5)),
                hit(name_64, ARC, AtMost(1.5)),
                allocations("Arc, &str"),
            ],
        ),
        budget(
            "level-1 hit, owned, 1 and 64 tasks",
            "the clone + 20 %",
            vec![
                hit(id_1, "#[cacheable], owned", AtMost(1.2)),
                hit(id_64, "#[cacheable], owned", AtMost(1.2)),
            ],
        ),
        budget(
            "level-2 hit, 100 B, 64 and 1 024 tasks",
            "≥ 2 × operations of raw `redis`",
            at_level_2("hit/redis/100B"),
        ),
        budget(
            "same, on one worker thread",
            "as much",
            at_level_2("hit/redis/100B-one-worker"),
        ),
        budget(
            "same, 1 task",
            "within 10 % of raw `redis`",
            vec![results.check(
                ("hit/redis/100B/1", "#[cacheable], Arc, u64", OPS),
                AtLeast(0.9),
                ratio,
            )],
        ),
        budget(
            "cold key, 1 000 callers, 50 ms body",
            "1 load, also in four runtimes on one server; ≤ body + 20 ms",
            [
                "#[cacheable], embedded",
                "#[cacheable], redis",
                "#[cacheable], redis, 4 runtimes",
            ]
            .into_iter()
            .flat_map(|name| {
                [
                    results.check(("stampede", name, "loads"), AtMost(1.0), number),
                    results.check(("stampede", name, "makespan_ns"), AtMost(70e6), nanos),
                ]
            })
            .collect(),
        ),
        budget(
            "miss, body free",
            "≤ 3 round trips",
            vec![
                results.check(("miss/redis/1", ARC, "round_trips"), trips(3.0), |trips| {
                    format!("{trips:.1} trips")
                }),
            ],
        ),
        budget(
            "removal of one entry, a tag, a whole prefix",
            "flat: at most twice the time in 500 times the keys",
            [
                "remove, one entry",
                "invalidate_tag",
                "clear, a whole prefix",
            ]
            .map(|name| results.growth("removal/whole", name, AtMost(2.0)))
            .into(),
        ),
        budget(
            "removal of another pattern, 1 M keys",
            "≤ 1.1 × `SCAN 1000` and `UNLINK`, p99 of a `GET` meanwhile ≤ 1.5 × theirs",
            [("wall_of_floor", 1.1), ("get_p99_of_floor", 1.5)]
                .map(|(figure, limit)| {
                    let one = ("removal/pattern", "clear, another pattern", figure);
                    results.check(one, AtMost(limit), ratio)
                })
                .into(),
        ),
        budget(
            "stale reads when loads overlap removals, one process",
            "0",
            vec![results.check(
                ("stale/process", "#[cacheable]", "stale"),
                AtMost(0.0),
                number,
            )],
        ),
        budget(
            "same, reader elsewhere",
            "0 after the push: none older than 100 ms",
            vec![results.check(
                ("stale/elsewhere", "#[cacheable]", "stale_after_100ms"),
                AtMost(0.0),
                number,
            )],
        ),
        budget(
            "Zipf 0.99, both levels",
            "≥ 1.5 M/s",
            vec![results.check(
                ("zipf", "#[cacheable], both levels", "ops_per_second"),
                AtLeast(1.5e6),
                number,
            )],
        ),
        budget(
            "exact limit, 64 tasks",
            "≥ 0.5 × `SET`, one round trip",
            vec![
                results.check(("limit/redis/64", "exact", OPS), AtLeast(0.5), ratio),
                results.check(
                    ("limit/redis/64", "exact", "round_trips"),
                    trips(1.0),
                    |trips| format!("{trips:.1} trips"),
                ),
            ],
        ),
        budget(
            "lock, acquire and release, 1 and 64 tasks",
            "≥ 0.77 × plain `SET NX` and script",
            ["lock/1", "lock/64"]
                .map(|path| results.check((path, "locks, with a fence", OPS), AtLeast(0.77), ratio))
                .into(),
        ),
        budget(
            "lock, hand-over",
            "p50 < 1 ms",
            vec![results.check(("lock/handover", "locks", "p50_ns"), AtMost(1e6), nanos)],
        ),
        budget(
            "Redis killed for 2 s, 6 000 calls/s",
            "≥ 1 000 calls/s answered, longest ≤ 150 ms, 0 errors",
            vec![
                outage(
                    "#[cacheable]",
                    "answered_per_second",
                    AtLeast(1_000.0),
                    number,
                ),
                outage("#[cacheable]", "longest_ns", AtMost(150e6), nanos),
                outage("#[cacheable]", "errors", AtMost(0.0), |it| {
                    format!("{it:.0} errors")
                }),
            ],
        ),
        budget(
            "same, back again",
            "stores < 1 s after Redis answers",
            vec![outage("#[cacheable]", "recovery_ns", AtMost(1e9), nanos)],
        ),
        budget(
            "100 annotated methods that share a value type",
            "each adds < 20 ms to a clean debug build",
            vec![results.check(("compile/each", CACHEABLE, "clean_ns"), AtMost(20e6), nanos)],
        ),
        budget(
            "same, each with a value type of its own",
            "as much",
            vec![results.check(
                ("compile/each", CACHEABLE, "clean_typed_ns"),
                AtMost(20e6),
                nanos,
            )],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{AtLeast, AtMost, Budget, Check, Limit, Results, table};
    use crate::bounds::Bounds;
    use crate::table::number;

    #[track_caller]
    fn check(figures: &[(Option<f64>, Limit)], expected: Option<bool>) {
        let checks = figures.iter().map(|(figure, limit)| Check {
            figure: *figure,
            limit: match limit {
                AtMost(limit) => AtMost(*limit),
                AtLeast(limit) => AtLeast(*limit),
            },
            written: number,
        });
        let budget = Budget {
            path: "",
            text: "",
            checks: checks.collect(),
        };
        assert_eq!(budget.reached(), expected);
    }

    #[test]
    fn a_budget_is_reached_if_all_of_it_is() {
        check(
            &[(Some(1.0), AtMost(1.0)), (Some(2.0), AtLeast(2.0))],
            Some(true),
        );
        check(
            &[(Some(1.0), AtMost(1.0)), (Some(1.9), AtLeast(2.0))],
            Some(false),
        );
        check(&[(Some(1.1), AtMost(1.0))], Some(false));
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        check(&[], None);
        check(&[(None, AtMost(1.0)), (Some(1.0), AtMost(1.0))], None);
        check(
            &[(None, AtMost(1.0)), (Some(2.0), AtMost(1.0))],
            Some(false),
        );
    }

    #[test]
    fn figures_are_found_by_path_and_name() {
        let results = json!({ "paths": { "a/1": { "contenders": [
            { "name": "x", "cpu_ns": 3.0 }, { "name": "y", "cpu_ns": 2.0 },
        ] } } });
        let results = Results(&results);
        assert_eq!(results.of("a/1", "x", "cpu_ns"), Some(3.0));
        assert_eq!(results.of("a/1", "z", "cpu_ns"), None);
        assert_eq!(results.of("b", "x", "cpu_ns"), None);
        let share = results.share(("a/1", "x", "y"), "cpu_ns", AtMost(1.0));
        assert_eq!(share.figure, Some(1.5));
    }

    #[test]
    fn without_figures_nothing_is_claimed() {
        let bounds = Bounds {
            rustc: String::new(),
            arch: String::new(),
            hits: BTreeMap::new(),
        };
        let table = table(&json!({}), &bounds).to_string();
        assert!(!table.contains("yes"), "{table}");
        assert!(!table.contains("**no**"), "{table}");
    }
}
