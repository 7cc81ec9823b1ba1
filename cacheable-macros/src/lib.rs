//! The attributes of `cacheable-runtime`. Use that crate; it re-exports these.
//!
//! An attribute is read (`args`, `item`), judged (`model`) and printed (`expand`). A model
//! that exists is valid, so printing cannot fail; every rejection is in `check`,
//! `duration`, `freshness`, `key`, `pattern`, `refresh`, `tags` and `target`, with the
//! sentence that explains it.

mod args;
mod callable;
mod check;
mod diag;
mod duration;
mod expand;
mod form;
mod freshness;
mod given;
mod item;
mod key;
mod krate;
mod model;
mod pattern;
mod refresh;
mod settings;
mod tags;
mod taken;
mod target;
mod template;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[doc = include_str!("docs/cacheable.md")]
#[proc_macro_attribute]
pub fn cacheable(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cacheable(args.into(), &item.into()).into()
}

#[doc = include_str!("docs/cache_invalidate.md")]
#[proc_macro_attribute]
pub fn cache_invalidate(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cache_invalidate(args.into(), &item.into()).into()
}

#[doc = include_str!("docs/cache_put.md")]
#[proc_macro_attribute]
pub fn cache_put(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cache_put(args.into(), &item.into()).into()
}
