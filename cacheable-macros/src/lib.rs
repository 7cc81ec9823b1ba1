//! The attributes of `cacheable-runtime`. Use that crate; it re-exports these.

mod args;
mod check;
mod diag;
mod duration;
mod expand;
mod form;
mod given;
mod item;
mod key;
mod krate;
mod model;
mod pattern;
mod target;
mod template;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Answers a call from the cache, and runs the body on a miss.
#[proc_macro_attribute]
pub fn cacheable(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cacheable(args.into(), &item.into()).into()
}

/// Removes entries after the body.
#[proc_macro_attribute]
pub fn cache_invalidate(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cache_invalidate(args.into(), &item.into()).into()
}

/// Stores what the body returns under another method's entry.
#[proc_macro_attribute]
pub fn cache_put(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::cache_put(args.into(), &item.into()).into()
}
