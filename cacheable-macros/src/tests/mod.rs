//! Expansions, compared with what is written down; and the small readers by themselves.
//!
//! What is refused, and in which words, is in `ui-tests`.

mod readers;
mod refreshes;

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ImplItem, Item, Meta};

use crate::expand;

/// Expands the attributes of ours in `source`, inside out as the compiler does.
fn expanded(source: &str) -> String {
    let mut file = syn::parse_file(source).expect("the source is Rust");
    for item in &mut file.items {
        if let Item::Impl(block) = item {
            let mut items = Vec::new();
            for item in std::mem::take(&mut block.items) {
                let tokens = expand_item(item.into_token_stream());
                let block: syn::ItemImpl = syn::parse2(quote!(impl X { #tokens })).unwrap();
                items.extend(block.items);
            }
            block.items = items;
        }
    }
    let functions: TokenStream = file
        .items
        .into_iter()
        .map(|item| match item {
            Item::Fn(_) => expand_item(item.into_token_stream()),
            other => other.into_token_stream(),
        })
        .collect();
    prettyplease::unparse(&syn::parse2(functions).expect("the expansion is Rust"))
}

fn expand_item(item: TokenStream) -> TokenStream {
    let Ok(ImplItem::Fn(mut function)) = syn::parse2(item.clone()) else {
        return item;
    };
    let ours = |attr: &syn::Attribute| match &attr.meta {
        Meta::List(list) => list
            .path
            .get_ident()
            .map(|name| (name.to_string(), list.tokens.clone())),
        _ => None,
    };
    let Some(position) = function
        .attrs
        .iter()
        .position(|attr| ours(attr).is_some_and(|(name, _)| name.starts_with("cache")))
    else {
        return item;
    };
    let (name, args) = ours(&function.attrs.remove(position)).unwrap();
    let item = function.into_token_stream();
    match name.as_str() {
        "cacheable" => expand::cacheable(args, &item),
        "cache_invalidate" => expand::cache_invalidate(args, &item),
        "cache_put" => expand::cache_put(args, &item),
        other => panic!("`{other}` is none of ours"),
    }
}

fn path(within: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(within)
}

/// `UPDATE_EXPANSIONS=1` writes down what there is now; look at the difference then.
fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPANSIONS").is_some()
}

/// Each file in `expansions` is a source, a line of dashes, and its expansion.
#[test]
fn expansions_are_as_written_down() {
    const LINE: &str = "\n// ----------------------------------------\n\n";
    let mut seen = 0;
    for entry in std::fs::read_dir(path("src/tests/expansions")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (source, written) = text.split_once(LINE).unwrap_or((&text, ""));
        let now = expanded(source);
        if is_update() {
            std::fs::write(&path, format!("{source}{LINE}{now}")).unwrap();
        } else {
            assert_eq!(
                now,
                written,
                "the expansion in {} has changed",
                path.display()
            );
        }
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} expansions were found");
}

/// The documented expansion is the real one, and short enough to read.
#[test]
fn the_documentation_shows_the_real_expansion() {
    const FENCE: &str = "```";
    let path = path("../docs/expansion.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut parts: Vec<_> = text.split(FENCE).map(str::to_owned).collect();
    assert!(parts.len() >= 7, "three blocks of code are expected");
    let source = parts[1].strip_prefix("rust\n").unwrap();
    let now = expanded(source);
    let method = now.lines().count();
    assert!(method < 25, "the expansion takes {method} lines");
    let companion = expanded(&source.replace("async fn", "pub async fn"));
    let companion = companion.split_once("/// Names").unwrap().1;
    let companion = format!("    /// Names{companion}");
    let shown = [
        (3, format!("rust\n{now}")),
        (5, format!("rust\nimpl ProjectService {{\n{companion}")),
    ];
    for (index, now) in shown {
        if is_update() {
            parts[index] = now;
        } else {
            assert_eq!(
                parts[index], now,
                "block {index} of the documentation is out of date"
            );
        }
    }
    if is_update() {
        std::fs::write(&path, parts.join(FENCE)).unwrap();
    }
}

#[test]
#[should_panic(expected = "dropped unread")]
fn mistakes_cannot_be_forgotten() {
    let mut errors = crate::diag::Errors::new("cacheable");
    errors.missing("something");
}
