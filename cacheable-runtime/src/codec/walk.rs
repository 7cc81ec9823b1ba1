//! The tracer's side of a run: what a type is answered while it reads.

use super::shape::{Kind, Leaf, Node, Ref};
use super::stop::Stop;
use super::tracer::{Choice, Draft, Frame, Identity, LENGTH, TOP, Tracer};

impl Tracer {
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
        let id = if let Some(&id) = self.ids.get(&identity) {
            id
        } else {
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
        let place = Frame { node, part: LENGTH };
        let wanted = draft.wanted || self.samples.contains_key(&place);
        if draft.done && !wanted && self.planned(node).is_none() {
            self.trail.push(Choice::Short(node));
            return 0;
        }
        counts[self.sample(place, counts.len())]
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
        if planned.is_some()
            && !self.is_explored(Frame {
                node,
                part: variant,
            })
        {
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
