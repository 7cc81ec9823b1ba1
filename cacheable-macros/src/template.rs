//! Text with `{placeholders}`: which part is literal, and what each placeholder names.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Expr, Ident, LitStr};

use crate::callable::is_callable;
use crate::diag::{Errors, list, nearest};
use crate::item::Function;

/// A stretch of a template.
pub(crate) enum Segment {
    Literal(String),
    /// The text between the braces.
    Hole(String),
}

/// What a placeholder stands for.
pub(crate) enum Hole {
    Value {
        expr: TokenStream,
        cfg: Vec<Attribute>,
    },
    Type(TokenStream),
}

/// Cuts `text` at its braces; `{{` and `}}` stand for braces where `doubled` says so.
pub(crate) fn cut(text: &LitStr, doubled: bool, errors: &mut Errors) -> Option<Vec<Segment>> {
    let value = text.value();
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = value.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if doubled && rest.starts_with(brace) {
            literal.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        if brace == "}" {
            errors.at(
                text,
                "a `}` closes nothing; write `{` before the placeholder's name",
            );
            return None;
        }
        let Some(end) = rest
            .find(['{', '}'])
            .filter(|end| rest[*end..].starts_with('}'))
        else {
            errors.at(
                text,
                format_args!("the placeholder `{{{rest}` is not closed; write `}}` after its name"),
            );
            return None;
        };
        if !literal.is_empty() {
            segments.push(Segment::Literal(std::mem::take(&mut literal)));
        }
        segments.push(Segment::Hole(rest[..end].to_owned()));
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal));
    }
    Some(segments)
}

/// Finds what the placeholder `hole` of `text` names.
pub(crate) fn resolve(
    hole: &str,
    text: &LitStr,
    function: &Function,
    errors: &mut Errors,
) -> Option<Hole> {
    match find(hole.trim(), text, function) {
        Ok(hole) => Some(hole),
        Err(reason) => {
            errors.at(text, reason);
            None
        }
    }
}

/// The same for what is made of the loaded value, which is called `value` in `text` and
/// `local` in the expansion.
pub(crate) fn resolve_value(
    hole: &str,
    text: &LitStr,
    local: &Ident,
    errors: &mut Errors,
) -> Option<Hole> {
    let written = LitStr::new(hole.trim(), text.span()).parse::<Expr>();
    let expr = written.ok().and_then(|expr| of_value(&expr, local));
    if expr.is_none() {
        errors.at(
            text,
            format_args!(
                "the placeholder `{{{hole}}}` is more than the loaded value, its fields and its \
                 methods without arguments; write `{{value.owner}}`"
            ),
        );
    }
    expr.map(|expr| Hole::Value {
        expr,
        cfg: Vec::new(),
    })
}

fn of_value(expr: &Expr, local: &Ident) -> Option<TokenStream> {
    match expr {
        Expr::Path(path) if path.path.is_ident(VALUE) => Some(local.to_token_stream()),
        Expr::Field(field) => {
            let base = of_value(&field.base, local)?;
            let member = &field.member;
            Some(quote!(#base.#member))
        }
        Expr::MethodCall(call) if call.args.is_empty() && call.turbofish.is_none() => {
            let base = of_value(&call.receiver, local)?;
            let method = &call.method;
            Some(quote!(#base.#method()))
        }
        _ => None,
    }
}

/// What the loaded value is called in a tag.
pub(crate) const VALUE: &str = "value";

fn find(hole: &str, text: &LitStr, function: &Function) -> Result<Hole, String> {
    if hole.is_empty() {
        return Err(format!(
            "the placeholder `{{}}` is empty; {}",
            valid(function)
        ));
    }
    let name = hole.strip_prefix("r#").unwrap_or(hole);
    // An argument first, by text: its name may be a keyword, and its own identifier
    // carries the span that reaches it from wherever the template was written.
    if let Some((ident, param)) = function.binding(name) {
        if is_callable(&param.ty, function) {
            return Err(format!(
                "the placeholder `{{{hole}}}` is a function, which cannot be part of a key; \
                 leave it out, and name an argument that tells what it does"
            ));
        }
        return Ok(Hole::Value {
            expr: ident.to_token_stream(),
            cfg: param.cfg.clone(),
        });
    }
    if let Some(param) = function.const_params().find(|param| *param == name) {
        return Ok(Hole::Value {
            expr: param.to_token_stream(),
            cfg: Vec::new(),
        });
    }
    if let Some(param) = function.type_params().find(|param| *param == name) {
        return Ok(Hole::Type(param.to_token_stream()));
    }
    if name == "Self" {
        return Ok(Hole::Type(quote!(Self)));
    }
    let Ok(expr) = LitStr::new(hole, text.span()).parse::<Expr>() else {
        return Err(unusable(hole, function));
    };
    let mut cfg = Vec::new();
    let expr = place(&expr, hole, function, &mut cfg)?;
    Ok(Hole::Value { expr, cfg })
}

/// `id`, `self.tenant`, `request.user.id()`, `pair.0`, `Self::TABLE`.
fn place(
    expr: &Expr,
    hole: &str,
    function: &Function,
    cfg: &mut Vec<Attribute>,
) -> Result<TokenStream, String> {
    match expr {
        Expr::Path(path) if path.qself.is_none() => {
            if let Some(name) = path.path.get_ident() {
                return root(&name.unraw().to_string(), hole, function, cfg);
            }
            let first = path.path.segments.first().map(|segment| &segment.ident);
            let known = first.is_some_and(|first| {
                first == "Self" || function.type_params().any(|param| param == first)
            });
            if known {
                Ok(expr.to_token_stream())
            } else {
                Err(unusable(hole, function))
            }
        }
        Expr::Field(field) => {
            let base = place(&field.base, hole, function, cfg)?;
            let member = &field.member;
            Ok(quote!(#base.#member))
        }
        Expr::MethodCall(call) if call.args.is_empty() && call.turbofish.is_none() => {
            let base = place(&call.receiver, hole, function, cfg)?;
            let method = &call.method;
            Ok(quote!(#base.#method()))
        }
        _ => Err(unusable(hole, function)),
    }
}

fn root(
    name: &str,
    hole: &str,
    function: &Function,
    cfg: &mut Vec<Attribute>,
) -> Result<TokenStream, String> {
    if name == "self" {
        return match function.receiver() {
            Some(receiver) => Ok(receiver.self_token.to_token_stream()),
            None => Err(format!(
                "the placeholder `{{{hole}}}` uses `self`, which this function does not take; {}",
                valid(function)
            )),
        };
    }
    if let Some((ident, param)) = function.binding(name) {
        cfg.extend(param.cfg.iter().cloned());
        return Ok(ident.to_token_stream());
    }
    let names = function.binding_names();
    let hint = nearest(name, names.iter().map(String::as_str))
        .map(|near| format!("did you mean `{{{near}}}`? "))
        .unwrap_or_default();
    Err(format!(
        "the placeholder `{{{hole}}}` names no argument; {hint}{}",
        valid(function)
    ))
}

fn unusable(hole: &str, function: &Function) -> String {
    if hole.contains(':') && !hole.contains("::") {
        let name = hole.split(':').next().unwrap_or_default();
        return format!(
            "the placeholder `{{{hole}}}` has a format; values are written in one way only, so \
             write `{{{name}}}`"
        );
    }
    format!(
        "the placeholder `{{{hole}}}` is more than an argument, its fields and its methods \
         without arguments; {}",
        valid(function)
    )
}

/// What may be written instead.
fn valid(function: &Function) -> String {
    let names = function.binding_names();
    let shown = || names.iter().map(String::as_str);
    match (names.len(), function.receiver().is_some()) {
        (0, true) => {
            "it takes no argument but `self`; write a field, such as `{self.tenant}`".into()
        }
        (0, false) => "it takes no argument".into(),
        (1, _) => format!("its argument is {}", list(shown())),
        (_, _) => format!("its arguments are {}", list(shown())),
    }
}
