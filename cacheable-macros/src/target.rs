//! `method(Self::get_project(id))`: the call of the companion that names its entry.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

use crate::args::MethodCall;
use crate::diag::Errors;
use crate::expand::near;
use crate::item::Function;

/// The companion's name beside a method of this name.
pub(crate) fn companion_of(method: &Ident) -> Ident {
    format_ident!("{}_key", method.unraw(), span = method.span())
}

/// Turns the written call into one of the companion, with the written spans, so that a
/// method that is gone or has other arguments is reported where it was named.
pub(crate) fn read(
    method: &MethodCall,
    function: &Function,
    errors: &mut Errors,
) -> Option<TokenStream> {
    let renamed = |ident: &Ident| match &method.key_fn {
        Some(name) => name.clone(),
        None => companion_of(ident),
    };
    match &method.call {
        Expr::Call(call) if matches!(&*call.func, Expr::Path(_)) => {
            let Expr::Path(path) = &*call.func else {
                return None;
            };
            if let Some(qself) = &path.qself
                && qself.as_token.is_some()
            {
                errors.at(
                    &method.call,
                    "`method` cannot name a method of a trait, as a trait holds no function that \
                     builds its key; remove entries by a pattern such as `\"cache:project:*\"`",
                );
                return None;
            }
            let mut path = path.clone();
            let last = path.path.segments.last_mut()?;
            last.ident = renamed(&last.ident);
            let args = owned(&call.args, function);
            Some(quote!(#path(#args)))
        }
        Expr::MethodCall(call) => {
            let receiver = &call.receiver;
            let name = renamed(&call.method);
            let name = format_ident!("{name}_for", span = call.method.span());
            let turbofish = &call.turbofish;
            let args = owned(&call.args, function);
            Some(quote!(#receiver.#name #turbofish(#args)))
        }
        other => {
            let (reason, fix) = match other {
                Expr::Await(_) | Expr::Try(_) => (
                    "takes the call itself, which is not made here",
                    without(other),
                ),
                Expr::Path(path) => (
                    "takes a call, with its arguments",
                    format!("{}(..)", text(path)),
                ),
                _ => (
                    "takes the call whose entry is meant",
                    "Self::get_project(id)".to_owned(),
                ),
            };
            errors.at(
                other,
                format_args!("`{}` {reason}; write `{}({fix})`", method.name, method.name),
            );
            None
        }
    }
}

/// The call inside `.await` and `?`.
fn without(expr: &Expr) -> String {
    match expr {
        Expr::Await(inner) => without(&inner.base),
        Expr::Try(inner) => without(&inner.expr),
        other => text(other),
    }
}

fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" . ", "."),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

/// The call's arguments. The key is built before the body runs, and the body still needs
/// what it is called with: an argument of ours, or a field of one, is handed on as a copy.
fn owned(args: &Punctuated<Expr, Token![,]>, function: &Function) -> TokenStream {
    let args = args.iter().map(|arg| {
        if is_ours(arg, function) {
            quote_spanned!(near(arg)=> ::core::clone::Clone::clone(&#arg))
        } else {
            arg.to_token_stream()
        }
    });
    quote!(#(#args),*)
}

fn is_ours(expr: &Expr, function: &Function) -> bool {
    match expr {
        Expr::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|name| function.binding(&name.unraw().to_string()).is_some()),
        Expr::Field(field) => {
            let is_self = matches!(&*field.base, Expr::Path(path) if path.path.is_ident("self"));
            is_self || is_ours(&field.base, function)
        }
        _ => false,
    }
}
