//! The shape of a type: what its `Deserialize` asks for, as a graph.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// The traced form of a type; recursion is an edge back.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) root: Ref,
    pub(super) nodes: Vec<Node>,
}

/// One place in a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ref {
    /// Never reached by the trace.
    Unknown,
    Leaf(Leaf),
    Node(u32),
}

/// Something with parts.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Fields of a struct, variants of an enum, as the type names them. With
    /// aliases there are more names than parts.
    pub(super) names: &'static [&'static str],
    pub(super) parts: Vec<Ref>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Option = 1,
    Seq,
    Map,
    Tuple,
    Struct,
    /// A part for each name: `Leaf::Unit`, or one of the three below.
    Enum,
    NewtypeVariant,
    TupleVariant,
    StructVariant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    Unit,
    UnitStruct,
    /// Whatever the format offers; `bincode` cannot.
    Any,
}

impl Shape {
    #[inline]
    pub(super) fn node(&self, at: Ref) -> Option<&Node> {
        match at {
            Ref::Node(index) => self.nodes.get(index as usize),
            Ref::Unknown | Ref::Leaf(_) => None,
        }
    }

    /// Feeds the graph to a hasher, nodes numbered in the order of a walk from
    /// the root, so that how the trace found them leaves no mark.
    pub(super) fn digest(&self, hasher: &mut SipHasher13) {
        let mut order: Vec<u32> = Vec::new();
        let mut number: Vec<Option<u32>> = vec![None; self.nodes.len()];
        let mut write = |at: Ref, order: &mut Vec<u32>, hasher: &mut SipHasher13| match at {
            Ref::Unknown => hasher.write(&[0]),
            Ref::Leaf(leaf) => hasher.write(&[1, leaf as u8]),
            Ref::Node(index) => {
                let number = number[index as usize].get_or_insert_with(|| {
                    order.push(index);
                    order.len() as u32 - 1
                });
                hasher.write(&[2]);
                hasher.write(&number.to_le_bytes());
            }
        };
        write(self.root, &mut order, hasher);
        let mut done = 0;
        while let Some(&index) = order.get(done) {
            done += 1;
            let node = &self.nodes[index as usize];
            hasher.write(&[node.kind as u8]);
            hasher.write(&(node.names.len() as u32).to_le_bytes());
            for name in node.names {
                hasher.write(&(name.len() as u32).to_le_bytes());
                hasher.write(name.as_bytes());
            }
            hasher.write(&(node.parts.len() as u32).to_le_bytes());
            for &part in &node.parts {
                write(part, &mut order, hasher);
            }
        }
    }

    /// Some sequence or map has elements that take no bytes by position. Their
    /// number would be bounded by nothing in the input.
    pub(super) fn has_weightless_elements(&self) -> bool {
        self.nodes.iter().any(|node| {
            matches!(node.kind, Kind::Seq | Kind::Map)
                && node.parts.iter().all(|&part| self.is_weightless(part, 0))
        })
    }

    fn is_weightless(&self, at: Ref, depth: usize) -> bool {
        match at {
            Ref::Leaf(leaf) => matches!(leaf, Leaf::Unit | Leaf::UnitStruct),
            Ref::Unknown => false,
            Ref::Node(index) => {
                let node = &self.nodes[index as usize];
                // A type that contains itself without an option, sequence or
                // enum between has no values, so this descent ends; the depth
                // is for a shape that no type has.
                depth < self.nodes.len()
                    && matches!(node.kind, Kind::Tuple | Kind::Struct)
                    && node
                        .parts
                        .iter()
                        .all(|&part| self.is_weightless(part, depth + 1))
            }
        }
    }
}
