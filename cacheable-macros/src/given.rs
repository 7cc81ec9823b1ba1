//! Reading the arguments of an attribute one by one, so that one mistake hides no other.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, ExprLit, Lit, LitBool, LitInt, LitStr, Token, token};

use crate::args::{CacheableArgs, InvalidateArgs, KeyFn, MethodCall, PutArgs};
use crate::diag::{Errors, list, nearest};

/// A set of arguments that `read` can fill.
pub(crate) trait Arguments: Default {
    const NAMES: &'static [&'static str];

    /// Takes one named argument, or refuses it when there is none of that name.
    fn set(&mut self, given: Given, errors: &mut Errors);

    /// Takes a string that stands without a name.
    fn bare(&mut self, text: LitStr, errors: &mut Errors);
}

/// Reads every argument; the ones that cannot be read are reported and left out.
pub(crate) fn read<A: Arguments>(tokens: TokenStream, errors: &mut Errors) -> A {
    let mut args = A::default();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if let Err(error) = read_one(&mut args, input, errors) {
                errors.parse(&error, "this argument cannot be read");
                skip_to_comma(input)?;
            }
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            } else if !input.is_empty() {
                errors.span(
                    input.span(),
                    "a comma is missing before this; write `,` between arguments",
                );
                if !input.peek(Ident::peek_any) && !input.peek(LitStr) {
                    skip_to_comma(input)?;
                }
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.parse(&error, "the arguments cannot be read");
    }
    args
}

fn read_one<A: Arguments>(
    args: &mut A,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<()> {
    if input.peek(LitStr) {
        args.bare(input.parse()?, errors);
        return Ok(());
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error("an argument is `name = value`"));
    }
    let name = input.call(Ident::parse_any)?;
    let written = if input.peek(Token![=]) {
        let equals = input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            errors.at(
                equals,
                format_args!("`{name}` has no value; write one after the `=`"),
            );
            errors.meant(&name.to_string());
            return Ok(());
        }
        Written::Value(ungrouped(input.parse()?))
    } else if input.peek(token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        Written::List(content.parse()?)
    } else {
        Written::Flag
    };
    args.set(Given { name, written }, errors);
    Ok(())
}

/// A value that a `macro_rules!` macro handed in, without the invisible brackets around it.
fn ungrouped(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungrouped(*group.expr),
        expr => expr,
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// What the same thing is called elsewhere.
const ELSEWHERE: [(&str, &str); 26] = [
    ("expire", "ttl"),
    ("expires", "ttl"),
    ("time_to_live", "ttl"),
    ("ttl_secs", "ttl"),
    ("prefix", "key_prefix"),
    ("condition", "when"),
    ("cond", "when"),
    ("ignore", "skip"),
    ("except", "unless"),
    ("convert", "key"),
    ("cache_none", "none_ttl"),
    ("swr", "stale_while_revalidate"),
    ("stale", "stale_while_revalidate"),
    ("stale_ttl", "stale_while_revalidate"),
    ("grace", "stale_if_error"),
    ("fallback", "stale_if_error"),
    ("retry", "retry_after"),
    ("backoff", "retry_after"),
    ("early_refresh", "refresh_ahead"),
    ("refresh_after", "refresh_ahead"),
    ("xfetch", "beta"),
    ("timeout", "load_timeout"),
    ("on_timeout", "timeout_error"),
    ("tag", "tags"),
    ("group", "tags"),
    ("groups", "tags"),
];

/// Says that there is no such argument, and which one may have been meant.
pub(crate) fn refuse_name<A: Arguments>(name: &Ident, errors: &mut Errors) {
    let text = name.unraw().to_string();
    errors.meant(&text);
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(from, to)| *from == text && A::NAMES.contains(to))
        .map(|(_, to)| *to);
    let owner = [
        ("cacheable", CacheableArgs::NAMES),
        ("cache_invalidate", InvalidateArgs::NAMES),
        ("cache_put", PutArgs::NAMES),
    ]
    .into_iter()
    .find(|(_, names)| names.contains(&text.as_str()));
    let all = || list(A::NAMES.iter().copied());
    let hint = if let Some((owner, _)) = owner {
        format!("it belongs to `#[{owner}]`; the arguments are {}", all())
    } else if let Some(near) = elsewhere.or_else(|| nearest(&text, A::NAMES.iter().copied())) {
        errors.meant(near);
        format!("did you mean `{near}`?")
    } else {
        format!("the arguments are {}", all())
    };
    errors.at(name, format_args!("there is no argument `{text}`; {hint}"));
}

/// One argument as it was written.
pub(crate) struct Given {
    pub(crate) name: Ident,
    written: Written,
}

enum Written {
    Flag,
    Value(Expr),
    List(TokenStream),
}

impl Given {
    fn into_parts<T>(
        self,
        errors: &mut Errors,
        shape: &str,
        read: impl FnOnce(Written) -> Result<T, TokenStream>,
    ) -> (Ident, Option<T>) {
        let name = self.name;
        match read(self.written) {
            Ok(value) => (name, Some(value)),
            Err(at) => {
                let message = format!("`{name}` {shape}");
                if at.is_empty() {
                    errors.at(&name, message);
                } else {
                    errors.at(at, message);
                }
                (name, None)
            }
        }
    }

    pub(crate) fn value(self, errors: &mut Errors, example: &str) -> (Ident, Option<Expr>) {
        let shape = format!("takes one value; write `{example}`");
        self.into_parts(errors, &shape, |written| match written {
            Written::Value(expr) => Ok(expr),
            Written::Flag => Err(TokenStream::new()),
            Written::List(tokens) => Err(tokens),
        })
    }

    fn literal<T>(
        self,
        errors: &mut Errors,
        shape: &str,
        read: impl FnOnce(Lit) -> Option<T>,
    ) -> (Ident, Option<T>) {
        self.into_parts(errors, shape, |written| match written {
            Written::Value(Expr::Lit(expr)) => {
                read(expr.lit.clone()).ok_or_else(|| expr.into_token_stream())
            }
            Written::Value(expr) => Err(expr.into_token_stream()),
            Written::List(tokens) => Err(tokens),
            Written::Flag => Err(TokenStream::new()),
        })
    }

    pub(crate) fn string(self, errors: &mut Errors, example: &str) -> (Ident, Option<LitStr>) {
        let shape = format!("is a string in quotes; write `{example}`");
        self.literal(errors, &shape, |lit| match lit {
            Lit::Str(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn boolean(self, errors: &mut Errors, example: &str) -> (Ident, Option<LitBool>) {
        let shape = format!("is `true` or `false`; write `{example}`");
        self.literal(errors, &shape, |lit| match lit {
            Lit::Bool(value) => Some(value),
            _ => None,
        })
    }

    pub(crate) fn number(self, errors: &mut Errors, example: &str) -> (Ident, Option<LitInt>) {
        let shape = format!("is a whole number from 0 up; write `{example}`");
        self.literal(errors, &shape, |lit| match lit {
            Lit::Int(value) if value.base10_parse::<u64>().is_ok() => Some(value),
            _ => None,
        })
    }

    pub(crate) fn flag(self, errors: &mut Errors) -> (Ident, Option<()>) {
        self.into_parts(
            errors,
            "stands alone; write it without a value",
            |written| match written {
                Written::Flag => Ok(()),
                Written::Value(expr) => Err(expr.into_token_stream()),
                Written::List(tokens) => Err(tokens),
            },
        )
    }

    pub(crate) fn names(self, errors: &mut Errors, example: &str) -> (Ident, Option<Vec<Ident>>) {
        let shape = format!("lists names of arguments; write `{example}`");
        self.into_parts(errors, &shape, |written| match written {
            Written::List(tokens) => {
                let names =
                    |input: ParseStream<'_>| input.parse_terminated(Ident::parse_any, Token![,]);
                match names.parse2(tokens.clone()) {
                    Ok(names) if !names.is_empty() => Ok(names.into_iter().collect()),
                    _ => Err(tokens),
                }
            }
            Written::Value(expr) => Err(expr.into_token_stream()),
            Written::Flag => Err(TokenStream::new()),
        })
    }

    pub(crate) fn strings(
        self,
        errors: &mut Errors,
        example: &str,
    ) -> (Ident, Option<Vec<LitStr>>) {
        let shape = format!("lists strings in brackets; write `{example}`");
        self.into_parts(errors, &shape, |written| match written {
            Written::Value(Expr::Array(array)) if !array.elems.is_empty() => {
                let text = |element| match ungrouped(element) {
                    Expr::Lit(ExprLit {
                        lit: Lit::Str(text),
                        ..
                    }) => Ok(text),
                    other => Err(other.into_token_stream()),
                };
                array.elems.into_iter().map(text).collect()
            }
            Written::Value(expr) => Err(expr.into_token_stream()),
            Written::List(tokens) => Err(tokens),
            Written::Flag => Err(TokenStream::new()),
        })
    }

    pub(crate) fn key_fn(self, errors: &mut Errors) -> (Ident, Option<KeyFn>) {
        let shape = "stands alone or names the function to emit; write `key_fn` or \
                     `key_fn = project_entry`";
        self.into_parts(errors, shape, |written| match written {
            Written::Flag => Ok(KeyFn::Beside),
            Written::Value(expr) => match &expr {
                Expr::Path(path) => path
                    .path
                    .get_ident()
                    .map(|name| KeyFn::Named(name.clone()))
                    .ok_or_else(|| expr.to_token_stream()),
                _ => Err(expr.into_token_stream()),
            },
            Written::List(tokens) => Err(tokens),
        })
    }

    pub(crate) fn method(self, errors: &mut Errors) -> (Ident, Option<MethodCall>) {
        let name = self.name.clone();
        let shape = "holds the call whose entry is meant; write `method(Self::get_project(id))`";
        self.into_parts(errors, shape, |written| match written {
            Written::List(tokens) if tokens.is_empty() => Err(tokens),
            Written::List(tokens) => syn::parse2::<MethodContent>(tokens.clone())
                .map(|content| MethodCall {
                    name,
                    call: content.call,
                    key_fn: content.key_fn,
                })
                .map_err(|_| tokens),
            Written::Value(expr) => Err(expr.into_token_stream()),
            Written::Flag => Err(TokenStream::new()),
        })
    }
}

struct MethodContent {
    call: Expr,
    key_fn: Option<Ident>,
}

impl Parse for MethodContent {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let call = ungrouped(input.parse()?);
        let mut key_fn = None;
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let name: Ident = input.parse()?;
            if name != "key_fn" {
                return Err(syn::Error::new(name.span(), "expected `key_fn`"));
            }
            input.parse::<Token![=]>()?;
            key_fn = Some(input.parse()?);
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(Self { call, key_fn })
    }
}
