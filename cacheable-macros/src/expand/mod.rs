//! Model to tokens, one attribute a file; here is what they share.
//!
//! Locals carry `Span::mixed_site()`, so the user's body and closures cannot see them.
//! Statics and functions have no such shelter and carry unlikely names instead. The user's
//! own tokens keep their spans throughout.

mod cacheable;
mod companion;
mod invalidate;
mod put;
mod refresh;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprReference, Type};

use crate::args::{CacheableArgs, InvalidateArgs, PutArgs};
use crate::check;
use crate::diag::Errors;
use crate::given::{self, Arguments};
use crate::item::{self, Function, Param};
use crate::key::{Part, Plan};
use crate::krate::Krate;
use crate::model::{Cacheable, Invalidate, Put};

pub(crate) fn cacheable(args: TokenStream, item: &TokenStream) -> TokenStream {
    let judge = |args: &CacheableArgs, function: &Function, errors: &mut Errors| {
        Cacheable::new(args, function, errors).map(|model| cacheable::expand(&model))
    };
    attribute("cacheable", args, item, judge, companion::fallback)
}

pub(crate) fn cache_invalidate(args: TokenStream, item: &TokenStream) -> TokenStream {
    let judge = |args: &InvalidateArgs, function: &Function, errors: &mut Errors| {
        Invalidate::new(args, function, errors).map(|model| invalidate::expand(&model))
    };
    attribute("cache_invalidate", args, item, judge, |_, _| None)
}

pub(crate) fn cache_put(args: TokenStream, item: &TokenStream) -> TokenStream {
    let judge = |args: &PutArgs, function: &Function, errors: &mut Errors| {
        Put::new(args, function, errors).map(|model| put::expand(&model))
    };
    attribute("cache_put", args, item, judge, |_, _| None)
}

/// Reads, judges and prints. With mistakes, the item stands beside them as it was, with
/// what else its callers may name, so that they are not reported too.
fn attribute<A: Arguments>(
    name: &'static str,
    args: TokenStream,
    item: &TokenStream,
    judge: impl FnOnce(&A, &Function, &mut Errors) -> Option<TokenStream>,
    fallback: impl FnOnce(&A, &Function) -> Option<TokenStream>,
) -> TokenStream {
    let mut errors = Errors::new(name);
    let args = given::read(args, &mut errors);
    let mut beside = None;
    let expanded = match item::parse(item.clone()) {
        Ok(function) => {
            let expanded = judge(&args, &function, &mut errors);
            if expanded.is_none() {
                beside = fallback(&args, &function);
            }
            expanded
        }
        Err(problem) => {
            check::not_a_function(problem, &mut errors);
            None
        }
    };
    match errors.finish() {
        None => expanded.expect("a model without mistakes has an expansion"),
        Some(mistakes) => quote!(#mistakes #item #beside),
    }
}

/// `run(shape, .., body, unless)`, the last call of an expansion.
fn run(
    method: &str,
    output: &Type,
    krate: &Krate,
    between: Option<&TokenStream>,
    unless: Option<&Expr>,
) -> TokenStream {
    let method = Ident::new(method, near(output));
    let private = krate.private_at(near(output));
    let body = Ident::new("__cacheable_body", near(output));
    let between = between.into_iter();
    let unless = unless.into_iter();
    quote_spanned! {near(output)=>
        #method(
            #private::shape!(#output), #(#between,)* ::core::pin::pin!(#body) #(, #unless)*
        )
    }
}

/// A span of ours that shows the place of the user's `tokens` in a message.
pub(crate) fn near(tokens: &impl ToTokens) -> Span {
    Span::mixed_site().located_at(syn::spanned::Spanned::span(tokens))
}

/// A local of the expansion.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The function with its body run by `run`, after `call` was made from the arguments.
///
/// The body is pinned here and lent to the runtime: its state is held once, beside the
/// arguments, and not a second time in the future of the runtime.
fn wrap(
    function: &Function,
    krate: &Krate,
    call: &TokenStream,
    run: &TokenStream,
    here: Option<Span>,
) -> TokenStream {
    let [call_local, body_local] = ["__cacheable_call", "__cacheable_body"].map(local);
    let nothing = || syn::parse_quote!(());
    let output = function.output().cloned().unwrap_or_else(nothing);
    let private = krate.private_at(near(&output));
    let returns = quote_spanned!(near(&output)=> #private::returns!(#output););
    // What is wrong with the value is shown at its type.
    let here = here.unwrap_or_else(|| near(&output));
    let call_here = Ident::new("__cacheable_call", here);
    let run = quote_spanned!(here=> #call_here.#run.await);
    let Function { prelude, body, .. } = function;
    let allow = lint_underscores(&function.params);
    // The branch never runs. It tells the compiler what the body returns, so that a type
    // mistake inside is reported there and not at the attribute.
    function.with_body(quote_spanned! {Span::mixed_site()=>
        #prelude
        #allow
        let #call_local = #call;
        let #body_local = async move {
            #returns
            #body
        };
        #run
    })
}

/// An argument named `_id` is used after all, by its key.
fn lint_underscores<'a>(params: impl IntoIterator<Item = &'a Param>) -> Option<TokenStream> {
    params
        .into_iter()
        .flat_map(|param| &param.bindings)
        .any(|name| name.to_string().starts_with('_'))
        .then(|| quote!(#[allow(clippy::used_underscore_binding)]))
}

/// `|key| { key.arg(&id); }`.
fn writer(plan: &Plan) -> TokenStream {
    written(plan, "__cacheable_key")
}

/// `|tag| { tag.literal("team:").value(&team); }`.
fn tag_writer(plan: &Plan) -> TokenStream {
    written(plan, "__cacheable_tag")
}

fn written(plan: &Plan, writer: &str) -> TokenStream {
    if plan.parts.is_empty() {
        return quote!(|_| {});
    }
    let key = local(writer);
    let mut statements = TokenStream::new();
    let mut chain = TokenStream::new();
    let end = |chain: &mut TokenStream, statements: &mut TokenStream| {
        if !chain.is_empty() {
            let chain = std::mem::take(chain);
            statements.extend(quote_spanned!(Span::mixed_site()=> #key #chain;));
        }
    };
    for part in &plan.parts {
        let (link, cfg) = match part {
            Part::Literal(text) => (quote!(.literal(#text)), &[][..]),
            Part::Value(expr, cfg) => (quote_spanned!(near(expr)=> .value(&#expr)), &cfg[..]),
            Part::Arg(expr, cfg) => (quote_spanned!(near(expr)=> .arg(&#expr)), &cfg[..]),
            Part::Type(ty) => (quote!(.type_arg::<#ty>()), &[][..]),
        };
        if cfg.is_empty() {
            chain.extend(link);
        } else {
            end(&mut chain, &mut statements);
            statements.extend(quote_spanned!(Span::mixed_site()=> #(#cfg)* #key #link;));
        }
    }
    end(&mut chain, &mut statements);
    quote_spanned!(Span::mixed_site()=> |#key| { #statements })
}

/// `global()`, or what `runtime = ..` says.
fn runtime(expr: Option<&Expr>, krate: &Krate) -> TokenStream {
    let private = krate.private();
    match expr {
        None => quote_spanned!(Span::mixed_site()=> #private::global()),
        // A reference is taken here in any case; two would hide an `Arc` behind the second.
        Some(Expr::Reference(ExprReference { expr, .. })) => {
            quote_spanned!(Span::mixed_site()=> #private::runtime(&#expr))
        }
        Some(expr) => quote_spanned!(Span::mixed_site()=> #private::runtime(&#expr)),
    }
}

/// The descriptor of this call site, a static behind a macro: no token of the user's may
/// stand where it is in scope, since names of statics are not hygienic.
fn site(krate: &Krate, descriptor: &TokenStream) -> TokenStream {
    let private = krate.private();
    quote_spanned!(Span::mixed_site()=> #private::site!(#descriptor))
}

/// `site.yes`, or `{ let site = site; if when { site.yes } else { site.no } }`.
fn condition(
    when: Option<&Expr>,
    site: &TokenStream,
    yes: &TokenStream,
    no: &TokenStream,
) -> TokenStream {
    let Some(when) = when else {
        return quote!(#site.#yes);
    };
    // `x == Id { .. }` reads as the branch's own block without parentheses.
    let has_braces = when.to_token_stream().into_iter().any(
        |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace),
    );
    let when = if has_braces {
        quote!((#when))
    } else {
        quote!(#when)
    };
    let local = local("__cacheable_site");
    quote_spanned! {Span::mixed_site()=> {
        let #local = #site;
        if #when { #local.#yes } else { #local.#no }
    }}
}
