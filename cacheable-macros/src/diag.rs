//! Mistakes, collected: every one of an attribute is reported in one go.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found in one attribute.
///
/// Dropping it unasked would swallow them, so that panics in our own tests.
pub(crate) struct Errors {
    attribute: &'static str,
    found: Option<syn::Error>,
    /// Arguments that were written under another name: not missing as well.
    meant: Vec<String>,
    asked: bool,
}

impl Errors {
    pub(crate) fn new(attribute: &'static str) -> Self {
        Self {
            attribute,
            found: None,
            meant: Vec::new(),
            asked: false,
        }
    }

    /// A mistake at `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        let error = syn::Error::new_spanned(tokens, self.sentence(message));
        self.add(error);
    }

    /// A mistake at `span`, for what has no tokens.
    pub(crate) fn span(&mut self, span: Span, message: impl Display) {
        let error = syn::Error::new(span, self.sentence(message));
        self.add(error);
    }

    /// A mistake of the attribute as a whole: something is not there.
    pub(crate) fn missing(&mut self, message: impl Display) {
        self.span(Span::call_site(), message);
    }

    /// Remembers that a mistake was about the argument `name`.
    pub(crate) fn meant(&mut self, name: &str) {
        self.meant.push(name.to_owned());
    }

    pub(crate) fn was_meant(&self, name: &str) -> bool {
        self.meant.iter().any(|meant| meant == name)
    }

    /// What the parser said, at the token where it stopped.
    pub(crate) fn parse(&mut self, error: &syn::Error, context: impl Display) {
        self.span(error.span(), format_args!("{context}: {error}"));
    }

    /// The errors as tokens, or nothing when there were none.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        self.asked = true;
        self.found.as_ref().map(syn::Error::to_compile_error)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    fn sentence(&self, message: impl Display) -> String {
        format!("`#[{}]`: {message}", self.attribute)
    }

    fn add(&mut self, error: syn::Error) {
        match &mut self.found {
            Some(found) => found.combine(error),
            None => self.found = Some(error),
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        debug_assert!(
            self.asked || std::thread::panicking(),
            "the mistakes of `#[{}]` were dropped unread",
            self.attribute
        );
    }
}

/// The one of `names` that `written` was probably meant to be.
pub(crate) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = 1 + written.chars().count() / 4;
    names
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "`a`, `b` and `c`".
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// How many single-letter edits, swaps of neighbours included, lie between two names.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = left[i - 1] == right[j - 1];
                let replaced = rows[i - 1][j - 1] + usize::from(!same);
                let moved = rows[i - 1][j].min(rows[i][j - 1]) + 1;
                let swapped =
                    if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]
                    {
                        rows[i - 2][j - 2] + 1
                    } else {
                        usize::MAX
                    };
                replaced.min(moved).min(swapped)
            };
        }
    }
    rows[left.len()][right.len()]
}
