//! Patterns of `#[cache_invalidate]`, read by the rules of Redis.

use quote::ToTokens as _;
use syn::LitStr;

use crate::diag::Errors;
use crate::item::Function;
use crate::key::{self, Part, Plan};
use crate::template::{self, Hole, Segment};

/// Names that belong to sessions, locks, limits and streams.
const RESERVED: [&str; 4] = ["session:", "lock:", "limit:", "stream:"];

/// The longest pattern that the runtime takes.
const LONGEST: usize = 1024;

/// Reads and judges one pattern.
pub(crate) fn read(text: &LitStr, function: &Function, errors: &mut Errors) -> Option<Plan> {
    if text.value().is_empty() {
        errors.at(
            text,
            "the pattern is empty; write which entries go, such as `\"cache:project:*\"`",
        );
        return None;
    }
    if text.value().len() > LONGEST {
        errors.at(
            text,
            format_args!("the pattern is longer than {LONGEST} bytes; shorten it"),
        );
        return None;
    }
    let segments = template::cut(text, true, errors)?;
    let sound = check(&segments, text, errors);
    let mut parts = Vec::new();
    for segment in segments {
        match segment {
            Segment::Literal(literal) => parts.push(Some(Part::Literal(literal))),
            Segment::Hole(hole) => {
                let part = match template::resolve(&hole, text, function, errors) {
                    Some(Hole::Value { expr, cfg }) => Some(Part::Value(expr, cfg)),
                    Some(Hole::Type(ty)) => Some(Part::Type(ty.into_token_stream())),
                    None => None,
                };
                parts.push(part);
            }
        }
    }
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    let parts = key::join(parts, text, errors)?;
    sound.then_some(Plan { parts })
}

fn check(segments: &[Segment], text: &LitStr, errors: &mut Errors) -> bool {
    let mut start = Start::default();
    let mut class = false;
    let mut escaped = false;
    for segment in segments {
        let literal = match segment {
            Segment::Literal(literal) => literal,
            Segment::Hole(hole) if class => {
                errors.at(
                    text,
                    format_args!(
                        "the placeholder `{{{hole}}}` stands inside `[..]`, where its value \
                         would be a set of signs; write it outside"
                    ),
                );
                return false;
            }
            Segment::Hole(hole) if escaped => {
                errors.at(
                    text,
                    format_args!(
                        "a `\\` stands before the placeholder `{{{hole}}}`, whose value is \
                         escaped already; remove the `\\`"
                    ),
                );
                return false;
            }
            Segment::Hole(_) => {
                start.open = true;
                continue;
            }
        };
        for c in literal.chars() {
            if escaped {
                escaped = false;
                if !class {
                    start.push(c);
                }
                continue;
            }
            match c {
                '\\' => escaped = true,
                ']' if class => class = false,
                _ if class => {}
                '[' => {
                    class = true;
                    start.open = true;
                }
                '*' | '?' => start.open = true,
                _ => start.push(c),
            }
        }
    }
    if class {
        errors.at(
            text,
            "a `[` is not closed; write `]` after the set, or `\\\\[` for the sign itself",
        );
    } else if escaped {
        errors.at(
            text,
            "the pattern ends in a `\\` that escapes nothing; remove it, or write `\\\\\\\\` for the \
             sign itself",
        );
    } else if start.literal.is_empty() {
        errors.at(
            text,
            "the pattern has no literal start, so it could reach every entry; begin with one, \
             such as `\"cache:project:*\"`",
        );
    } else if let Some(reserved) = start.reserved() {
        errors.at(
            text,
            format_args!(
                "the pattern could reach `{reserved}*`, which holds no cached values; begin \
                 with another name, such as `\"cache:project:*\"`"
            ),
        );
    } else {
        return true;
    }
    false
}

/// The text that every match begins with.
#[derive(Default)]
struct Start {
    literal: String,
    /// A wildcard or placeholder was met: anything may follow.
    open: bool,
}

impl Start {
    fn push(&mut self, c: char) {
        if !self.open {
            self.literal.push(c);
        }
    }

    fn reserved(&self) -> Option<&'static str> {
        RESERVED.into_iter().find(|reserved| {
            self.literal.starts_with(reserved) || (self.open && reserved.starts_with(&self.literal))
        })
    }
}
