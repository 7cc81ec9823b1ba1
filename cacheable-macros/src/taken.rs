//! What a companion takes of its function: the arguments that the entry's name, its tags or
//! its life are made of, and the generics that these need.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{Expr, GenericParam, Generics, Ident, WherePredicate};

use crate::item::{Function, Param};
use crate::key::{Part, Plan};
use crate::tags::Tags;

/// Part of a function's arguments and generics.
pub(crate) struct Taken {
    /// Whether the argument is taken, for each.
    params: Vec<bool>,
    pub(crate) generics: Generics,
}

impl Taken {
    pub(crate) fn new(function: &Function, key: &Plan, tags: &Tags, ttl: Option<&Expr>) -> Self {
        let mut sources: Vec<_> = key.parts.iter().map(Part::tokens).collect();
        sources.extend(tags.parts().map(Part::tokens));
        sources.extend(ttl.map(ToTokens::to_token_stream));
        let is_read = |name: &Ident| sources.iter().any(|source| reads(source, name));
        let params = function.params.iter();
        let params: Vec<_> = params
            .map(|param| param.bindings.iter().any(is_read))
            .collect();
        sources.extend(function.output().map(ToTokens::to_token_stream));
        let types = function.params.iter().zip(&params);
        let types = types.filter(|(_, taken)| **taken);
        sources.extend(types.map(|(param, _)| param.ty.to_token_stream()));
        let generics = narrowed(&function.sig.generics, sources.into_iter().collect());
        Self { params, generics }
    }

    /// Everything, for want of a key.
    pub(crate) fn all(function: &Function) -> Self {
        Self {
            params: vec![true; function.params.len()],
            generics: function.sig.generics.clone(),
        }
    }

    /// What stands for the taken ones in `all`, which has one for each argument.
    pub(crate) fn of<T>(&self, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let all = all.into_iter().zip(&self.params);
        all.filter_map(|(one, taken)| taken.then_some(one))
    }

    pub(crate) fn params<'a>(&self, function: &'a Function) -> impl Iterator<Item = &'a Param> {
        self.of(&function.params)
    }
}

/// Whether the binding may be read in `tokens`, as `name` or in a format string. A field or
/// a method of that name is something else.
fn reads(tokens: &TokenStream, name: &Ident) -> bool {
    let inlined = format!("{{{}", name.unraw());
    let mut dots = 0;
    tokens.clone().into_iter().any(|token| {
        let is_member = dots == 1;
        dots = match &token {
            TokenTree::Punct(punct) if punct.as_char() == '.' => dots + 1,
            _ => 0,
        };
        match token {
            TokenTree::Ident(ident) => !is_member && ident.unraw() == name.unraw(),
            TokenTree::Group(group) => reads(&group.stream(), name),
            TokenTree::Literal(literal) => literal.to_string().contains(&inlined),
            TokenTree::Punct(_) => false,
        }
    })
}

/// The generics that `used` names, and what their bounds name in turn. The compiler could
/// not infer another type where the companion is called.
fn narrowed(generics: &Generics, used: TokenStream) -> Generics {
    let own: BTreeSet<_> = generics.params.iter().map(name_of).collect();
    let mut used = names(used);
    loop {
        let before = used.len();
        let kept = generics.params.iter();
        let kept = kept.filter(|param| used.contains(&name_of(param)));
        let mut more: BTreeSet<_> = kept
            .flat_map(|param| names(param.to_token_stream()))
            .collect();
        for predicate in predicates(generics) {
            if holds(predicate, &own, &used) {
                more.extend(names(predicate.to_token_stream()));
            }
        }
        used.extend(more.into_iter().filter(|name| own.contains(name)));
        if used.len() == before {
            break;
        }
    }
    let mut narrowed = generics.clone();
    let params = generics.params.iter();
    narrowed.params = params
        .filter(|param| used.contains(&name_of(param)))
        .cloned()
        .collect();
    if let Some(clause) = &mut narrowed.where_clause {
        clause.predicates = predicates(generics)
            .filter(|predicate| holds(predicate, &own, &used))
            .cloned()
            .collect();
    }
    narrowed
}

fn predicates(generics: &Generics) -> impl Iterator<Item = &WherePredicate> {
    let clause = generics.where_clause.iter();
    clause.flat_map(|clause| &clause.predicates)
}

/// Whether the predicate is about nothing but used parameters. One that is about none of
/// the function's own, such as `Self: Holds<T>`, must not bring in another either.
fn holds(predicate: &WherePredicate, own: &BTreeSet<String>, used: &BTreeSet<String>) -> bool {
    let about = match predicate {
        WherePredicate::Type(predicate) => predicate.bounded_ty.to_token_stream(),
        WherePredicate::Lifetime(predicate) => predicate.lifetime.to_token_stream(),
        _ => predicate.to_token_stream(),
    };
    let about = names(about);
    let own_of = |names: BTreeSet<String>| -> BTreeSet<String> {
        names
            .into_iter()
            .filter(|name| own.contains(name))
            .collect()
    };
    let mut about = own_of(about);
    if about.is_empty() {
        about = own_of(names(predicate.to_token_stream()));
    }
    about.is_subset(used)
}

fn name_of(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(param) => param.lifetime.to_string(),
        GenericParam::Type(param) => param.ident.to_string(),
        GenericParam::Const(param) => param.ident.to_string(),
    }
}

/// Every identifier, and every lifetime with its quote.
fn names(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut quote = "";
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) => {
                found.insert(format!("{quote}{ident}"));
            }
            TokenTree::Group(group) => found.extend(names(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        let is_quote = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
        quote = if is_quote { "'" } else { "" };
    }
    found
}
