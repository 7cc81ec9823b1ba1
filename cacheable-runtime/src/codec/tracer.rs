//! Finds the shape of a type by letting it read from nothing.
//!
//! The type's `Deserialize` is run against a `Probe`,
//! which notes what is asked for and answers with samples. One run sees one
//! variant of each enum, so runs repeat, each led to one variant that nobody
//! has seen, until there is none. Everything that a run decides lies in the
//! tracer, not in the type:
//!
//! - A **node** is something with parts. Its identity is the name of the
//!   visitor's type with the names it brings: that tells `G<u32>` from
//!   `G<String>`, needs no `'static`, and never reaches the fingerprint.
//! - **Recursion** is a node that is met while it is open. It is answered with
//!   as little as it takes: `None`, an empty sequence, a variant that ends.
//! - What is **known** already and does not lie on the way to the run's goal is
//!   answered in the same way, so a run costs little for a wide type.
//! - A **rejected** sample makes the run fail. The choices of that run are then
//!   varied one at a time, the last first, until the type comes further. When
//!   nothing helps, the nearest option, sequence or variant around it is left
//!   out, and the shape has a hole: it is incomplete.
//!
//! A type may read one thing or another depending on data. The same part then
//! asks for two different things, which is noticed, and the shape is not
//! trusted.

use std::any::type_name;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::shape::{Kind, Node, Ref, Shape};

/// Limits are counts, not times: each process must find the same shape.
const MAX_RUNS: usize = 4096;
const MAX_EVENTS_PER_RUN: usize = 1 << 16;
const MAX_EVENTS: usize = 1 << 22;
/// Levels of nesting, against types that have no finite value.
pub(super) const MAX_DEPTH: u16 = 200;
/// How many of a failed run's choices are varied.
const MAX_BLAMED: usize = 6;

/// The node above the root.
pub(super) const TOP: u32 = 0;
/// The part that stands for a node's length among the samples.
pub(super) const LENGTH: u32 = u32::MAX;

/// What a type turned out to be.
pub(super) struct Traced {
    pub(super) shape: Shape,
    /// Every part was seen, and never as two different things.
    pub(super) complete: bool,
    /// It asked for whatever the format offers.
    pub(super) any: bool,
}

/// One run of a type's `Deserialize`; `false` when it failed.
pub(super) type Run = fn(&mut Tracer) -> bool;

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state machine"
)]
pub(super) struct Tracer {
    pub(super) human_readable: bool,
    pub(super) nodes: Vec<Draft>,
    pub(super) ids: HashMap<Identity, u32>,
    pub(super) any: bool,
    pub(super) contradicted: bool,
    /// Which sample a part gets, where not the first.
    pub(super) samples: HashMap<Frame, usize>,
    pub(super) runs: usize,
    pub(super) events: usize,

    // The state of one run.
    pub(super) stack: Vec<Frame>,
    pub(super) trail: Vec<Choice>,
    /// The way to the goal: which part of which node to go into.
    pub(super) plan: HashMap<u32, u32>,
    /// The goal of this run has not been reached yet.
    pub(super) aimed: bool,
    /// The run failed for a reason that is out of the way now.
    pub(super) again: bool,
    pub(super) panicked: bool,
    pub(super) run_ends_at: usize,
}

/// A node in the making.
pub(super) struct Draft {
    pub(super) node: Node,
    /// From where it was first met.
    pub(super) via: Frame,
    /// Its end was reached once.
    pub(super) done: bool,
    /// Leave it out where that is possible: its content could not be satisfied.
    pub(super) barred: bool,
    /// Its owner does not take an empty one.
    pub(super) wanted: bool,
    /// An enum's variant that is known to end.
    pub(super) ending: Option<u32>,
    /// Variants that are not entered (again).
    pub(super) skipped: Vec<u32>,
    /// Variants that lead in a circle.
    pub(super) circular: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) kind: Kind,
    /// Of the visitor; of nothing for a variant's content.
    pub(super) visitor: &'static str,
    /// The owner and the index of a variant's content.
    pub(super) variant: Option<Frame>,
    pub(super) names: &'static [&'static str],
    pub(super) len: usize,
}

/// A node that is open, and the part that is being read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub(super) node: u32,
    pub(super) part: u32,
}

/// Something that could have been answered otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Which of so many samples a part got.
    Sample(Frame, usize),
    /// A node that was answered with as little as possible.
    Short(u32),
}

impl Identity {
    pub(super) fn of<V>(kind: Kind, names: &'static [&'static str], len: usize) -> Self {
        Self {
            kind,
            visitor: type_name::<V>(),
            variant: None,
            names,
            len,
        }
    }
}

impl Tracer {
    pub(super) fn trace(human_readable: bool, run: Run) -> Traced {
        let mut tracer = Self::new(human_readable);
        let mut settled = tracer.settle(run);
        while settled && tracer.has_budget() {
            let Some(goal) = tracer.next_goal() else {
                break;
            };
            tracer.aim(goal);
            settled = tracer.settle(run);
            if !tracer.is_explored(goal) {
                tracer.nodes[goal.node as usize].skipped.push(goal.part);
            }
        }
        tracer.finish()
    }

    fn new(human_readable: bool) -> Self {
        let top = Frame { node: TOP, part: 0 };
        let node = Node {
            kind: Kind::Tuple,
            names: &[],
            parts: vec![Ref::Unknown],
        };
        Self {
            human_readable,
            nodes: vec![Draft::new(node, top)],
            ids: HashMap::new(),
            any: false,
            contradicted: false,
            samples: HashMap::new(),
            runs: 0,
            events: 0,
            stack: Vec::new(),
            trail: Vec::new(),
            plan: HashMap::new(),
            aimed: false,
            again: false,
            panicked: false,
            run_ends_at: 0,
        }
    }

    fn finish(self) -> Traced {
        let root = self.nodes[TOP as usize].node.parts[0];
        // A part that was rejected is known all the same: whatever reads one
        // thing reads no more of it. What stood behind it in its owner was not
        // seen, and the owner's end was not reached.
        let whole = |draft: &Draft| draft.done && !draft.node.parts.contains(&Ref::Unknown);
        let seen = root != Ref::Unknown && self.nodes[1..].iter().all(whole);
        Traced {
            complete: seen && !self.contradicted,
            any: self.any,
            shape: Shape {
                root,
                nodes: self.nodes.into_iter().map(|draft| draft.node).collect(),
            },
        }
    }

    fn has_budget(&self) -> bool {
        self.runs < MAX_RUNS && self.events < MAX_EVENTS
    }

    /// The first variant that no run has read to its end.
    fn next_goal(&self) -> Option<Frame> {
        (0..self.nodes.len() as u32).find_map(|node| {
            let draft = &self.nodes[node as usize];
            if draft.node.kind != Kind::Enum {
                return None;
            }
            (0..draft.node.parts.len() as u32)
                .map(|part| Frame { node, part })
                .find(|&goal| !draft.skipped.contains(&goal.part) && !self.is_explored(goal))
        })
    }

    /// A variant was read to its end.
    pub(super) fn is_explored(&self, variant: Frame) -> bool {
        match self.nodes[variant.node as usize].node.parts[variant.part as usize] {
            Ref::Unknown => false,
            Ref::Leaf(_) => true,
            Ref::Node(content) => self.nodes[content as usize].done,
        }
    }

    /// Lays the plan: from the goal back to the top, the way it was first met.
    fn aim(&mut self, goal: Frame) {
        self.plan.clear();
        let mut at = goal;
        while at.node != TOP {
            self.plan.insert(at.node, at.part);
            at = self.nodes[at.node as usize].via;
        }
    }

    /// Runs until one succeeds, varying what was rejected.
    fn settle(&mut self, run: Run) -> bool {
        while self.has_budget() {
            if self.attempt(run) {
                return true;
            }
            if self.again {
                continue;
            }
            let failed = self.stack.clone();
            // Each panic is printed; one of a kind is enough.
            if !self.panicked && self.vary(run, &failed) {
                continue;
            }
            if !self.leave_out(&failed) {
                return false;
            }
        }
        false
    }

    fn attempt(&mut self, run: Run) -> bool {
        self.runs += 1;
        self.aimed = true;
        self.again = false;
        self.run_ends_at = self.events + MAX_EVENTS_PER_RUN;
        self.trail.clear();
        self.stack.clear();
        self.stack.push(Frame { node: TOP, part: 0 });
        // A type may panic on data it never expected; its dummy value may do so
        // when it is dropped.
        let result = catch_unwind(AssertUnwindSafe(|| run(self)));
        self.panicked = result.is_err();
        result.unwrap_or(false)
    }

    /// Changes one choice so that a run comes further than `failed`.
    fn vary(&mut self, run: Run, failed: &[Frame]) -> bool {
        let mut blamed: Vec<Choice> = Vec::new();
        for &choice in self.trail.iter().rev() {
            if !blamed.contains(&choice) {
                blamed.push(choice);
            }
            if blamed.len() == MAX_BLAMED {
                break;
            }
        }
        for choice in blamed {
            match choice {
                Choice::Short(node) => {
                    self.nodes[node as usize].wanted = true;
                    if self.comes_further(run, failed) {
                        return true;
                    }
                    self.nodes[node as usize].wanted = false;
                }
                Choice::Sample(place, count) => {
                    let before = self.samples.get(&place).copied();
                    for sample in 0..count {
                        if sample != before.unwrap_or(0) {
                            self.samples.insert(place, sample);
                            if self.comes_further(run, failed) {
                                return true;
                            }
                        }
                    }
                    match before {
                        Some(before) => self.samples.insert(place, before),
                        None => self.samples.remove(&place),
                    };
                }
            }
        }
        false
    }

    fn comes_further(&mut self, run: Run, failed: &[Frame]) -> bool {
        if self.panicked || !self.has_budget() {
            return false;
        }
        self.attempt(run) || (!self.panicked && is_later(&self.stack, failed))
    }

    /// Gives up on the smallest thing around a failure that can be left out.
    fn leave_out(&mut self, failed: &[Frame]) -> bool {
        for frame in failed.iter().rev() {
            let draft = &mut self.nodes[frame.node as usize];
            match draft.node.kind {
                Kind::Option | Kind::Seq | Kind::Map if !draft.barred => {
                    draft.barred = true;
                    return true;
                }
                Kind::Enum if !draft.skipped.contains(&frame.part) => {
                    draft.skipped.push(frame.part);
                    if draft.ending == Some(frame.part) {
                        draft.ending = None;
                    }
                    if draft.skipped.len() < draft.node.parts.len() {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }
}

impl Draft {
    pub(super) fn new(node: Node, via: Frame) -> Self {
        Self {
            node,
            via,
            done: false,
            barred: false,
            wanted: false,
            ending: None,
            skipped: Vec::new(),
            circular: Vec::new(),
        }
    }
}

/// Whether a run that ended at `a` came further than one that ended at `b`.
/// Parts are read in order, and an owner is finished after its parts, so where
/// one way is the beginning of the other the shorter one is later.
fn is_later(a: &[Frame], b: &[Frame]) -> bool {
    for (a, b) in a.iter().zip(b) {
        if a.part != b.part {
            return a.part > b.part;
        }
    }
    a.len() < b.len()
}
