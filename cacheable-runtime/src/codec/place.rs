//! Where a value stands in its type's shape, and what may be written there.

use std::cell::Cell;

use serde::ser::Error;

use super::shape::{Kind, Leaf, Node, Ref, Shape};

/// What one encoder can carry.
pub(crate) struct Rules<'a> {
    /// By position: the value must have this shape. `None`: names and kinds
    /// are in the bytes.
    pub(super) shape: Option<&'a Shape>,
    /// Neither infinity nor NaN.
    pub(super) finite: bool,
    pub(super) depth: u16,
    pub(super) fault: Cell<Option<Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not what the type's `Deserialize` would ask for in this place.
    Shape,
    /// `Some` of something that is written as nothing.
    Nested,
    NotFinite,
    TooDeep,
}

impl Rules<'_> {
    /// A value as it is, to look at.
    pub(super) fn none() -> Self {
        Self {
            shape: None,
            finite: false,
            depth: u16::MAX,
            fault: Cell::new(None),
        }
    }

    /// Errors of encoders cannot carry a fault of ours, so it waits here.
    #[cold]
    pub(super) fn refuse<T, E: Error>(&self, fault: Fault) -> Result<T, E> {
        self.fault.set(Some(fault));
        Err(E::custom("refused"))
    }
}

/// Where in the shape a value stands; `Unknown` where nothing is checked. A
/// shape that values are held against has no holes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    rules: &'a Rules<'a>,
    at: Ref,
    depth: u16,
    /// Directly inside a `Some`.
    optional: bool,
}

impl<'a> Place<'a> {
    #[inline]
    pub(super) fn root(rules: &'a Rules<'a>) -> Self {
        let at = rules.shape.map_or(Ref::Unknown, |shape| shape.root);
        Self {
            rules,
            at,
            depth: rules.depth,
            optional: false,
        }
    }

    /// The content of a newtype stands where the newtype does.
    #[inline]
    pub(super) fn content<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => self.rules.refuse(Fault::TooDeep),
        }
    }

    #[inline]
    pub(super) fn inside_some(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    #[inline]
    pub(super) fn leaf<E: Error>(&self, leaf: Leaf) -> Result<(), E> {
        match self.at {
            Ref::Unknown => Ok(()),
            Ref::Leaf(expected) if expected == leaf => Ok(()),
            Ref::Leaf(_) | Ref::Node(_) => self.rules.refuse(Fault::Shape),
        }
    }

    #[inline]
    pub(super) fn float<E: Error>(&self, leaf: Leaf, finite: bool) -> Result<(), E> {
        if self.rules.finite && !finite {
            return self.rules.refuse(Fault::NotFinite);
        }
        self.leaf(leaf)
    }

    /// Something that the formats with names write as nothing.
    #[inline]
    pub(super) fn nil<E: Error>(&self) -> Result<(), E> {
        if self.optional && self.rules.shape.is_none() {
            return self.rules.refuse(Fault::Nested);
        }
        Ok(())
    }

    /// `len`: how many parts the value has, where that is the type's to say.
    #[inline]
    pub(super) fn enter<E: Error>(&self, kind: Kind, len: Option<usize>) -> Result<Parts<'a>, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.rules.refuse(Fault::TooDeep);
        };
        let node = match (self.at, self.rules.shape) {
            (Ref::Unknown, _) | (_, None) => None,
            (at, Some(shape)) => match shape.node(at) {
                Some(node)
                    if node.kind == kind && len.is_none_or(|len| len == node.parts.len()) =>
                {
                    Some(node)
                }
                _ => return self.rules.refuse(Fault::Shape),
            },
        };
        Ok(Parts {
            rules: self.rules,
            node,
            next: 0,
            depth,
        })
    }

    /// The place of an enum's variant, by index and by name.
    #[inline]
    pub(super) fn variant<E: Error>(&self, index: u32, name: &str) -> Result<Self, E> {
        let Parts { node, depth, .. } = self.enter(Kind::Enum, None)?;
        let index = index as usize;
        let at = match node {
            None => Ref::Unknown,
            Some(node)
                if node
                    .names
                    .get(index)
                    .is_some_and(|&known| std::ptr::eq(known, name) || known == name) =>
            {
                node.part(index)
            }
            Some(_) => return self.rules.refuse(Fault::Shape),
        };
        Ok(Self {
            at,
            depth,
            optional: false,
            ..*self
        })
    }
}

impl Node {
    #[inline]
    fn part(&self, index: usize) -> Ref {
        self.parts.get(index).copied().unwrap_or(Ref::Unknown)
    }
}

/// The walk over the parts of one value.
pub(super) struct Parts<'a> {
    rules: &'a Rules<'a>,
    node: Option<&'a Node>,
    pub(super) next: usize,
    depth: u16,
}

impl<'a> Parts<'a> {
    #[inline]
    pub(super) fn place(&self, part: usize) -> Place<'a> {
        let at = self.node.map_or(Ref::Unknown, |node| node.part(part));
        Place {
            rules: self.rules,
            at,
            depth: self.depth,
            optional: false,
        }
    }

    /// The next part of a tuple.
    #[inline]
    pub(super) fn part<E: Error>(&mut self) -> Result<usize, E> {
        let part = self.next;
        if self.node.is_some_and(|node| part >= node.parts.len()) {
            return self.rules.refuse(Fault::Shape);
        }
        self.next += 1;
        Ok(part)
    }

    /// The next part of a struct, under this name.
    #[inline]
    pub(super) fn field<E: Error>(&mut self, name: &str) -> Result<usize, E> {
        let part = self.part()?;
        let Some(node) = self.node else {
            return Ok(part);
        };
        let known = if node.names.len() == node.parts.len() {
            same_name(node.names[part], name)
        } else {
            node.names.iter().any(|known| same_name(known, name))
        };
        if known {
            Ok(part)
        } else {
            self.rules.refuse(Fault::Shape)
        }
    }

    #[inline]
    pub(super) fn skipped<E: Error>(&self) -> Result<(), E> {
        if self.node.is_some() {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn end<E: Error>(&self) -> Result<(), E> {
        if self.node.is_some_and(|node| self.next != node.parts.len()) {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }

    /// The end of a sequence or map that announced `claimed` elements.
    #[inline]
    pub(super) fn end_of<E: Error>(&self, claimed: Option<usize>) -> Result<(), E> {
        if claimed.is_some_and(|claimed| claimed != self.next) {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }
}

/// A type may write `user_id` and read `userId` (`rename_all` with two
/// conventions); by position that is the same field.
#[inline]
fn same_name(read: &str, written: &str) -> bool {
    std::ptr::eq(read, written) || read == written || same_letters(read, written)
}

#[cold]
fn same_letters(read: &str, written: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .filter(|c| !matches!(c, '_' | '-'))
            .flat_map(char::to_lowercase)
    }
    letters(read).eq(letters(written))
}
