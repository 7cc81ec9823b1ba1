//! Names for group removal: what a tag is made of, and where it can be made.

use proc_macro2::{Ident, Span};
use syn::LitStr;
use syn::ext::IdentExt as _;

use crate::args::Slot;
use crate::diag::{Errors, nearest};
use crate::item::Function;
use crate::key::{self, Part, Plan, special};
use crate::template::{self, Segment, VALUE};

/// The tags of an entry.
#[derive(Default)]
pub(crate) struct Tags {
    /// Made of the arguments, before the body.
    pub(crate) of_arguments: Vec<Plan>,
    /// Made of the loaded value, after it.
    pub(crate) of_value: Vec<Plan>,
}

impl Tags {
    /// Whether building them needs an instance.
    pub(crate) fn uses_self(&self) -> bool {
        self.of_arguments.iter().any(Plan::uses_self)
    }

    /// What of the arguments they are made of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.of_arguments.iter().flat_map(|plan| &plan.parts)
    }
}

/// What the loaded value is called in the closure that makes tags of it.
pub(crate) fn value_local(near: Span) -> Ident {
    Ident::new("__cacheable_value", Span::mixed_site().located_at(near))
}

/// The tags of `#[cacheable]`.
pub(crate) fn of_entry(slot: &Slot<Vec<LitStr>>, function: &Function, errors: &mut Errors) -> Tags {
    let mut tags = Tags::default();
    for text in distinct(slot, errors) {
        let Some(segments) = cut(text, errors) else {
            continue;
        };
        match sources(&segments, function) {
            Sources { value: true, .. } if function.binding(VALUE).is_some() => errors.at(
                text,
                "in a tag `{value}` is the loaded value, and this function has an argument of that \
                 name; rename the argument",
            ),
            Sources {
                value: true,
                argument: Some(argument),
            } => errors.at(
                text,
                format_args!(
                    "a tag is made of arguments, before the body, or of the loaded value, after \
                     it, and `{{{argument}}}` is an argument; write two tags, or return what the \
                     tag needs as part of the value"
                ),
            ),
            Sources { value: true, .. } => {
                let local = value_local(text.span());
                let plan = plan(&segments, text, errors, |hole, errors| {
                    if root(hole) == VALUE {
                        template::resolve_value(hole, text, &local, errors)
                    } else {
                        template::resolve(hole, text, function, errors)
                    }
                });
                tags.of_value.extend(plan);
            }
            Sources { value: false, .. } => {
                if let Some(hole) = misspelled(&segments, function) {
                    errors.at(
                        text,
                        format_args!(
                            "the placeholder `{{{hole}}}` names no argument; the loaded value is \
                             called `value`, as in `{{value.owner}}`"
                        ),
                    );
                    continue;
                }
                let plan = plan(&segments, text, errors, |hole, errors| {
                    template::resolve(hole, text, function, errors)
                });
                tags.of_arguments.extend(plan);
            }
        }
    }
    tags
}

/// The tags of `#[cache_invalidate]`.
pub(crate) fn of_removal(
    slot: &Slot<Vec<LitStr>>,
    function: &Function,
    errors: &mut Errors,
) -> Vec<Plan> {
    let mut plans = Vec::new();
    for text in distinct(slot, errors) {
        let Some(segments) = cut(text, errors) else {
            continue;
        };
        if sources(&segments, function).value && function.binding(VALUE).is_none() {
            errors.at(
                text,
                "what is removed is named before the body runs, when there is no value yet; make \
                 the tag of arguments, such as `\"team:{team}\"`",
            );
            continue;
        }
        plans.extend(plan(&segments, text, errors, |hole, errors| {
            template::resolve(hole, text, function, errors)
        }));
    }
    plans
}

/// The texts, each once.
fn distinct<'a>(slot: &'a Slot<Vec<LitStr>>, errors: &mut Errors) -> Vec<&'a LitStr> {
    let mut distinct: Vec<&LitStr> = Vec::new();
    for text in slot.get().into_iter().flatten() {
        if distinct.iter().any(|known| known.value() == text.value()) {
            errors.at(
                text,
                format_args!("`tags` names {:?} twice; keep one of the two", text.value()),
            );
        } else {
            distinct.push(text);
        }
    }
    distinct
}

fn cut(text: &LitStr, errors: &mut Errors) -> Option<Vec<Segment>> {
    if text.value().is_empty() {
        errors.at(
            text,
            "a tag is empty; write what the entries have in common, such as `\"team:{team}\"`",
        );
        return None;
    }
    let segments = template::cut(text, false, errors)?;
    let literals = || {
        segments.iter().filter_map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Hole(_) => None,
        })
    };
    if let Some(bad) = literals().flat_map(str::chars).find(|c| special(*c)) {
        errors.at(
            text,
            format_args!(
                "a tag holds {bad:?}, and it is one name, which is neither a pattern nor a \
                 sentence; use letters, digits and `: _ - . /`"
            ),
        );
        return None;
    }
    if literals().all(|literal| literal.chars().all(|c| c == ':')) {
        errors.at(
            text,
            format_args!(
                "a tag has no text of its own, so those of other things could be the same; write \
                 what it is, such as `\"team:{}\"`",
                text.value().trim_start_matches(':')
            ),
        );
        return None;
    }
    Some(segments)
}

fn plan(
    segments: &[Segment],
    text: &LitStr,
    errors: &mut Errors,
    resolve: impl Fn(&str, &mut Errors) -> Option<template::Hole>,
) -> Option<Plan> {
    let parts = key::parts(segments, text, errors, resolve)?;
    let parts = key::join(parts, text, errors)?;
    Some(Plan { parts })
}

/// What a tag is made of; types and constants are there at any time.
struct Sources<'a> {
    value: bool,
    argument: Option<&'a str>,
}

fn sources<'a>(segments: &'a [Segment], function: &Function) -> Sources<'a> {
    let is_argument = |hole: &&str| {
        let root = root(hole);
        root != VALUE && (root == "self" || function.binding(root).is_some())
    };
    Sources {
        value: holes(segments).any(|hole| root(hole) == VALUE),
        argument: holes(segments).find(is_argument),
    }
}

fn holes(segments: &[Segment]) -> impl Iterator<Item = &str> {
    segments.iter().filter_map(|segment| match segment {
        Segment::Hole(hole) => Some(hole.as_str()),
        Segment::Literal(_) => None,
    })
}

/// `value` of `value.owner`, `Self` of `Self::KIND`.
fn root(hole: &str) -> &str {
    let root = hole.split(['.', ':']).next().unwrap_or_default().trim();
    root.strip_prefix("r#").unwrap_or(root)
}

/// A placeholder that was probably meant to be the value.
fn misspelled<'a>(segments: &'a [Segment], function: &Function) -> Option<&'a str> {
    let known = |name: &str| {
        let names = function.binding_names();
        name == "self"
            || names.iter().any(|known| known == name)
            || nearest(name, names.iter().map(String::as_str)).is_some()
            || function.type_params().any(|param| param.unraw() == name)
            || function.const_params().any(|param| param.unraw() == name)
    };
    holes(segments).find(|hole| !known(root(hole)) && nearest(root(hole), [VALUE]).is_some())
}
