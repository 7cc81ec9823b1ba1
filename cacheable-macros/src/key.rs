//! What goes into a key: all arguments, or what a template says.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, LitStr};

use crate::callable::{is_callable, is_callable_param};
use crate::diag::{Errors, list, nearest};
use crate::item::{Function, mentions};
use crate::template::{self, Hole, Segment};

/// The parts of a key or pattern, in order.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
}

/// One call on the key writer.
pub(crate) enum Part {
    /// Text as it is.
    Literal(String),
    /// A value without the colon before it.
    Value(TokenStream, Vec<Attribute>),
    /// A value with the colon before it.
    Arg(TokenStream, Vec<Attribute>),
    /// A type with the colon before it.
    Type(TokenStream),
}

impl Plan {
    /// Whether building it needs an instance.
    pub(crate) fn uses_self(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Value(expr, _) | Part::Arg(expr, _) => mentions(expr, "self"),
            Part::Literal(_) | Part::Type(_) => false,
        })
    }
}

impl Part {
    /// What of the user's it is made of.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Part::Value(tokens, _) | Part::Arg(tokens, _) | Part::Type(tokens) => tokens.clone(),
            Part::Literal(_) => TokenStream::new(),
        }
    }
}

/// Every argument but `self`, the skipped ones and the runtime itself, after what tells
/// generic calls apart.
pub(crate) fn of_arguments(
    function: &Function,
    skip: &[Ident],
    runtime: Option<&Ident>,
    errors: &mut Errors,
) -> Plan {
    let mut skipped = skipped(function, skip, errors);
    skipped.extend(runtime.map(|ident| ident.unraw().to_string()));
    let kept = |ident: &Ident| !skipped.contains(&ident.unraw().to_string());
    let mut parts = identity(function, &skipped);
    let consts = function.const_params().filter(|param| kept(param));
    parts.extend(consts.map(|param| Part::Arg(param.to_token_stream(), Vec::new())));
    for param in &function.params {
        let bindings = param.bindings.iter().filter(|ident| kept(ident));
        if is_callable(&param.ty, function) {
            for ident in bindings {
                errors.at(
                    ident,
                    format_args!(
                        "`{ident}` is a function, which cannot be part of a key; leave it out with \
                         `skip({ident})`, and have an argument in the key that tells what it does"
                    ),
                );
            }
            continue;
        }
        parts.extend(bindings.map(|ident| Part::Arg(ident.to_token_stream(), param.cfg.clone())));
    }
    Plan { parts }
}

/// What `key = ".."` says. The types stay in front unless the template places them: calls
/// for two types share no entry by an oversight.
pub(crate) fn of_template(text: &LitStr, function: &Function, errors: &mut Errors) -> Option<Plan> {
    if text.value().is_empty() {
        errors.at(
            text,
            "`key` is empty; leave it out to use all arguments, or write a fixed text such as \
             `key = \"all\"` for one entry",
        );
        return None;
    }
    let segments = template::cut(text, false, errors)?;
    let mut sound = true;
    for segment in &segments {
        if let Segment::Literal(literal) = segment {
            sound &= check_literal(literal, text, errors);
        }
    }
    let parts = parts(&segments, text, errors, |hole, errors| {
        template::resolve(hole, text, function, errors)
    });
    let mut parts = parts.filter(|_| sound)?;
    let is_type = |part: &Part| match part {
        Part::Type(ty) => Some(ty.to_string()),
        _ => None,
    };
    let placed = parts.iter().filter_map(is_type).collect();
    parts.insert(0, Part::Literal(":".to_owned()));
    let parts = join(parts, text, errors)?;
    let mut all = identity(function, &placed);
    all.extend(parts);
    Some(Plan { parts: all })
}

/// What the segments of a name stand for, one by one.
pub(crate) fn parts(
    segments: &[Segment],
    text: &LitStr,
    errors: &mut Errors,
    resolve: impl Fn(&str, &mut Errors) -> Option<Hole>,
) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut sound = true;
    // Two values need a colon between them: every other sign may be part of a value, and
    // then `("a-b", "c")` and `("a", "b-c")` would share an entry.
    let mut colon = true;
    for segment in segments {
        match segment {
            Segment::Literal(literal) => {
                colon |= literal.contains(':');
                parts.push(Part::Literal(literal.clone()));
            }
            Segment::Hole(hole) => {
                if !colon {
                    errors.at(
                        text,
                        format_args!(
                            "nothing keeps `{{{hole}}}` and the placeholder before it apart, as \
                             only a colon cannot be part of a value; write `:{{{hole}}}`"
                        ),
                    );
                    sound = false;
                }
                colon = false;
                match resolve(hole, errors) {
                    Some(Hole::Value { expr, cfg }) => parts.push(Part::Value(expr, cfg)),
                    Some(Hole::Type(ty)) => parts.push(Part::Type(ty)),
                    None => sound = false,
                }
            }
        }
    }
    sound.then_some(parts)
}

/// Merges neighbouring texts and gives each type its whole segment, colon included.
pub(crate) fn join(parts: Vec<Part>, text: &LitStr, errors: &mut Errors) -> Option<Vec<Part>> {
    let mut joined: Vec<Part> = Vec::new();
    let mut after_type = false;
    for part in parts {
        match part {
            Part::Literal(literal) => {
                if after_type && !literal.starts_with(':') {
                    return whole_segment(text, errors);
                }
                after_type = false;
                match joined.last_mut() {
                    Some(Part::Literal(before)) => before.push_str(&literal),
                    _ => joined.push(Part::Literal(literal)),
                }
            }
            Part::Type(ty) => {
                let Some(Part::Literal(before)) = joined.last_mut() else {
                    return whole_segment(text, errors);
                };
                if before.pop() != Some(':') {
                    return whole_segment(text, errors);
                }
                if before.is_empty() {
                    joined.pop();
                }
                joined.push(Part::Type(ty));
                after_type = true;
            }
            Part::Value(..) | Part::Arg(..) => {
                if after_type {
                    return whole_segment(text, errors);
                }
                joined.push(part);
            }
        }
    }
    Some(joined)
}

fn whole_segment(text: &LitStr, errors: &mut Errors) -> Option<Vec<Part>> {
    errors.at(
        text,
        "a type takes a whole segment; write a colon before and after its placeholder",
    );
    None
}

/// The types that are part of a call's identity.
fn identity(function: &Function, left_out: &BTreeSet<String>) -> Vec<Part> {
    // The type that a method belongs to is told by the entry itself: in the key it would
    // make patterns over a generic service's methods miss. `{Self}` puts it there.
    function
        .type_params()
        .filter(|param| !left_out.contains(&param.to_string()))
        .filter(|param| !is_callable_param(param, function))
        .map(|param| Part::Type(quote!(#param)))
        .collect()
}

fn skipped(function: &Function, skip: &[Ident], errors: &mut Errors) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let arguments = function.binding_names();
    for ident in skip {
        let name = ident.unraw().to_string();
        let known = arguments.contains(&name)
            || function.type_params().any(|param| *param == name)
            || function.const_params().any(|param| *param == name);
        if name == "self" {
            errors.at(
                ident,
                "`self` is never part of the key; remove it from `skip`, or write what of it \
                 belongs there, such as `key = \"{self.tenant}:{id}\"`",
            );
        } else if !known {
            let shown = || arguments.iter().map(String::as_str);
            let hint = nearest(&name, shown())
                .map(|near| format!("did you mean `{near}`? "))
                .unwrap_or_default();
            let arguments = match arguments.len() {
                0 => "it takes none".to_owned(),
                1 => format!("its argument is {}", list(shown())),
                _ => format!("its arguments are {}", list(shown())),
            };
            errors.at(
                ident,
                format_args!(
                    "`skip` names no argument of this function with `{name}`; {hint}{arguments}"
                ),
            );
        } else if !names.insert(name) {
            errors.at(
                ident,
                format_args!("`skip` names `{ident}` twice; keep one of the two"),
            );
        }
    }
    names
}

fn check_literal(literal: &str, text: &LitStr, errors: &mut Errors) -> bool {
    let Some(bad) = literal.chars().find(|c| special(*c)) else {
        return true;
    };
    errors.at(
        text,
        format_args!(
            "`key` holds {bad:?}, which means something else in a pattern or cannot be read in \
             a key; use letters, digits and `: _ - . /`"
        ),
    );
    false
}

/// What a key's own text never holds.
pub(crate) fn special(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "*?[]\\{}%".contains(c)
}
