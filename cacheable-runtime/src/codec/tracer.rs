//! Finds the shape of a type by letting it read from nothing.
//!
//! The type's `Deserialize` is run against a [`Probe`](super::probe::Probe),
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

use super::shape::{Kind, Leaf, Node, Ref, Shape};

/// Limits are counts, not times: each process must find the same shape.
const MAX_RUNS: usize = 4096;
const MAX_EVENTS_PER_RUN: usize = 1 << 16;
const MAX_EVENTS: usize = 1 << 22;
/// Levels of nesting, against types that have no finite value.
pub(super) const MAX_DEPTH: u16 = 200;
/// How many of a failed run's choices are varied.
const MAX_BLAMED: usize = 6;

/// The node above the root.
const TOP: u32 = 0;
/// The part that stands for a node's length among the samples.
const LENGTH: u32 = u32::MAX;

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

pub(super) struct Tracer {
    pub(super) human_readable: bool,
    nodes: Vec<Draft>,
    ids: HashMap<Identity, u32>,
    any: bool,
    contradicted: bool,
    /// Which sample a part gets, where not the first.
    samples: HashMap<Frame, usize>,
    runs: usize,
    events: usize,

    // The state of one run.
    stack: Vec<Frame>,
    trail: Vec<Choice>,
    /// The way to the goal: which part of which node to go into.
    plan: HashMap<u32, u32>,
    /// The goal of this run has not been reached yet.
    aimed: bool,
    /// The run failed for a reason that is out of the way now.
    again: bool,
    run_ends_at: usize,
}

/// A node in the making.
struct Draft {
    node: Node,
    /// From where it was first met.
    via: Frame,
    /// Its end was reached once.
    done: bool,
    /// Leave it out where that is possible: its content could not be satisfied.
    barred: bool,
    /// Its owner does not take an empty one.
    wanted: bool,
    /// An enum's variant that is known to end.
    ending: Option<u32>,
    /// Variants that are not entered (again).
    skipped: Vec<u32>,
    /// Variants that lead in a circle.
    circular: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    kind: Kind,
    /// Of the visitor; of nothing for a variant's content.
    visitor: &'static str,
    /// The owner and the index of a variant's content.
    variant: Option<Frame>,
    names: &'static [&'static str],
    len: usize,
}

/// A node that is open, and the part that is being read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Frame {
    node: u32,
    part: u32,
}

/// Something that could have been answered otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Which of so many samples a part got.
    Sample(Frame, usize),
    /// A node that was answered with as little as possible.
    Short(u32),
}

/// Why a run ends early.
#[derive(Debug)]
pub(super) struct Stop;

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
        let settled = tracer.settle(run);
        while settled && tracer.has_budget() {
            let Some(goal) = tracer.next_goal() else {
                break;
            };
            tracer.aim(goal);
            tracer.settle(run);
            let draft = &mut tracer.nodes[goal.node as usize];
            if draft.node.parts[goal.part as usize] == Ref::Unknown {
                draft.skipped.push(goal.part);
            }
        }
        tracer.finish(settled)
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
            run_ends_at: 0,
        }
    }

    fn finish(self, settled: bool) -> Traced {
        let root = self.nodes[TOP as usize].node.parts[0];
        let nodes: Vec<Node> = self.nodes.into_iter().map(|draft| draft.node).collect();
        let holes = nodes.iter().any(|node| node.parts.contains(&Ref::Unknown));
        Traced {
            shape: Shape { root, nodes },
            complete: settled && !holes && !self.contradicted,
            any: self.any,
        }
    }

    fn has_budget(&self) -> bool {
        self.runs < MAX_RUNS && self.events < MAX_EVENTS
    }

    /// The first variant that no run has seen.
    fn next_goal(&self) -> Option<Frame> {
        self.nodes.iter().enumerate().find_map(|(node, draft)| {
            let part = draft
                .node
                .parts
                .iter()
                .enumerate()
                .position(|(part, &seen)| {
                    draft.node.kind == Kind::Enum
                        && seen == Ref::Unknown
                        && !draft.skipped.contains(&(part as u32))
                })?;
            Some(Frame {
                node: node as u32,
                part: part as u32,
            })
        })
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
            if self.vary(run, &failed) {
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
        catch_unwind(AssertUnwindSafe(|| run(self))).unwrap_or(false)
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
        self.has_budget() && (self.attempt(run) || is_later(&self.stack, failed))
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

    // What follows is called by the probe, while a type reads.

    fn event(&mut self) -> Result<(), Stop> {
        self.events += 1;
        if self.events > self.run_ends_at {
            Err(Stop)
        } else {
            Ok(())
        }
    }

    fn top(&self) -> Frame {
        // The top frame is pushed before a run, and no level pops it.
        self.stack
            .last()
            .copied()
            .unwrap_or(Frame { node: TOP, part: 0 })
    }

    /// Notes what the current part is.
    fn note(&mut self, found: Ref) {
        let Frame { node, part } = self.top();
        let draft = &mut self.nodes[node as usize];
        match draft.node.parts.get_mut(part as usize) {
            Some(seen) if *seen == Ref::Unknown => *seen = found,
            Some(seen) => self.contradicted |= *seen != found,
            None => {
                self.contradicted |= draft.done;
                draft.node.parts.push(found);
            }
        }
    }

    /// Something without parts; answers which sample it gets.
    pub(super) fn leaf(&mut self, leaf: Leaf, count: usize) -> Result<usize, Stop> {
        self.event()?;
        self.any |= leaf == Leaf::Any;
        self.note(Ref::Leaf(leaf));
        Ok(self.sample(self.top(), count))
    }

    fn sample(&mut self, place: Frame, count: usize) -> usize {
        if count > 1 {
            self.trail.push(Choice::Sample(place, count));
        }
        self.samples
            .get(&place)
            .copied()
            .unwrap_or(0)
            .min(count.saturating_sub(1))
    }

    /// Opens a node in the current part; answers its level.
    pub(super) fn enter(&mut self, identity: Identity, parts: usize) -> Result<usize, Stop> {
        self.event()?;
        let via = self.top();
        let id = match self.ids.get(&identity) {
            Some(&id) => id,
            None => {
                let id = self.nodes.len() as u32;
                let parts = vec![Ref::Unknown; parts];
                let node = Node {
                    kind: identity.kind,
                    names: identity.names,
                    parts,
                };
                self.nodes.push(Draft::new(node, via));
                self.ids.insert(identity, id);
                id
            }
        };
        self.note(Ref::Node(id));
        self.stack.push(Frame { node: id, part: 0 });
        Ok(self.stack.len() - 1)
    }

    /// Opens the content of the variant that is being read.
    pub(super) fn enter_variant(
        &mut self,
        kind: Kind,
        names: &'static [&'static str],
        parts: usize,
    ) -> Result<usize, Stop> {
        let variant = Some(self.top());
        self.enter(
            Identity {
                kind,
                visitor: "",
                variant,
                names,
                len: 0,
            },
            parts,
        )
    }

    /// Goes to a part of the node at this level.
    pub(super) fn go_to(&mut self, level: usize, part: u32) {
        self.close_above(level);
        self.stack[level].part = part;
    }

    /// A level above that is still open failed, and its owner carried on: what
    /// it would have read is not known.
    fn close_above(&mut self, level: usize) {
        self.contradicted |= self.stack.len() > level + 1;
        self.stack.truncate(level + 1);
    }

    /// The node at this level has been read.
    pub(super) fn leave(&mut self, level: usize) {
        self.close_above(level);
        let Some(Frame { node, part }) = self.stack.pop() else {
            return;
        };
        let draft = &mut self.nodes[node as usize];
        draft.done = true;
        if draft.node.kind == Kind::Enum && draft.ending.is_none() {
            draft.ending = Some(part);
            // What was circular may have been so for want of this ending.
            self.nodes
                .iter_mut()
                .for_each(|draft| draft.circular.clear());
        }
    }

    /// A tuple or struct was read up to this part.
    pub(super) fn leave_after(&mut self, level: usize, parts: usize) {
        let draft = &self.nodes[self.stack[level].node as usize];
        self.contradicted |= draft.done && draft.node.parts.len() != parts;
        self.leave(level);
    }

    /// How many elements the sequence, map or option at this level gets.
    pub(super) fn elements(&mut self, level: usize, counts: &[usize]) -> usize {
        let Frame { node, .. } = self.stack[level];
        let draft = &self.nodes[node as usize];
        let open = self.stack[..level].iter().any(|frame| frame.node == node);
        if open || draft.barred {
            return 0;
        }
        if draft.done && !draft.wanted && self.planned(node).is_none() {
            self.trail.push(Choice::Short(node));
            return 0;
        }
        counts[self.sample(Frame { node, part: LENGTH }, counts.len())]
    }

    fn planned(&self, node: u32) -> Option<u32> {
        self.plan.get(&node).copied().filter(|_| self.aimed)
    }

    /// Which variant the enum at this level gets.
    pub(super) fn variant(&mut self, level: usize) -> Result<u32, Stop> {
        let Frame { node, .. } = self.stack[level];
        let draft = &self.nodes[node as usize];
        let is_open = |variant: u32| {
            self.stack[..level].contains(&Frame {
                node,
                part: variant,
            })
        };
        let planned = self
            .planned(node)
            .filter(|&variant| !is_open(variant) && !draft.skipped.contains(&variant));
        let variant = planned.or(draft.ending).or_else(|| {
            (0..draft.node.parts.len() as u32).find(|variant| {
                !is_open(*variant)
                    && !draft.skipped.contains(variant)
                    && !draft.circular.contains(variant)
            })
        });
        let Some(variant) = variant else {
            self.break_circle(level);
            return Err(Stop);
        };
        if planned.is_some() && draft.node.parts[variant as usize] == Ref::Unknown {
            // The goal: from here on everything known is kept short.
            self.aimed = false;
        }
        self.stack[level].part = variant;
        Ok(variant)
    }

    /// Every variant leads back here: the last enum on the way that has another
    /// one takes that in the next run.
    fn break_circle(&mut self, level: usize) {
        for at in (0..level).rev() {
            let Frame { node, part } = self.stack[at];
            let draft = &mut self.nodes[node as usize];
            if draft.node.kind != Kind::Enum || draft.ending.is_some() {
                continue;
            }
            let others = (0..draft.node.parts.len() as u32).any(|other| {
                other != part && !draft.skipped.contains(&other) && !draft.circular.contains(&other)
            });
            if others && !draft.circular.contains(&part) {
                draft.circular.push(part);
                self.again = true;
                return;
            }
        }
    }
}

impl Draft {
    fn new(node: Node, via: Frame) -> Self {
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
