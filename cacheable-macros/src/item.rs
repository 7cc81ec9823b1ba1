//! What an attribute was written on: the signature parsed, the body kept as tokens.
//!
//! The body is never parsed, so that it may hold whatever the compiler of the day
//! accepts, and its spans stay the user's.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, GenericParam, Pat, PatIdent, Receiver, ReturnType, Signature, Token, Type,
    Visibility, token,
};

use crate::form::{self, Form, Layer};

/// A function with a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) params: Vec<Param>,
    pub(crate) form: Form,
    layers: Vec<Layer>,
    /// What has to happen before the arguments have their names.
    pub(crate) prelude: TokenStream,
    /// What the body's own future runs.
    pub(crate) body: TokenStream,
}

/// One typed argument; the receiver is in the signature.
pub(crate) struct Param {
    /// The `#[cfg]`s it stands under.
    pub(crate) cfg: Vec<Attribute>,
    /// Every name that its pattern binds.
    pub(crate) bindings: Vec<Ident>,
    pub(crate) ty: Type,
}

/// Why there is no function here.
pub(crate) enum NotAFunction {
    /// Another item, by its keyword.
    Other { at: TokenStream, kind: String },
    /// A function of a trait without a default body.
    Bodiless { at: TokenStream },
    /// The parser does not understand the signature.
    Unreadable(syn::Error),
}

/// Reads the item.
pub(crate) fn parse(item: TokenStream) -> Result<Function, NotAFunction> {
    let parser = |input: ParseStream<'_>| {
        let attrs = Attribute::parse_outer(input)?;
        let vis = input.parse()?;
        let defaultness = input.peek(Token![default]) && input.parse::<Token![default]>().is_ok();
        let sig: Signature = input.parse()?;
        let rest: TokenStream = input.parse()?;
        Ok((attrs, vis, defaultness, sig, rest))
    };
    let (mut attrs, vis, _, sig, rest) = parser
        .parse2(item.clone())
        .map_err(|error| other_item(item, error))?;
    let mut rest = rest.into_iter();
    let body = match (rest.next(), rest.next()) {
        (Some(TokenTree::Group(body)), None) if body.delimiter() == Delimiter::Brace => body,
        _ => {
            return Err(NotAFunction::Bodiless {
                at: sig.ident.to_token_stream(),
            });
        }
    };
    let (inner, stream) = inner_attributes(body.stream());
    attrs.extend(inner);
    let mut params: Vec<_> = sig.inputs.iter().filter_map(Param::new).collect();
    let (form, layers, mut body) = form::read(&sig, &body, stream);
    let mut prelude = TokenStream::new();
    if matches!(form, Form::Future { boxed: true, .. }) {
        let patterns;
        (patterns, prelude, body) = form::taken_apart(body);
        for pattern in patterns {
            let of = |param: &&mut Param| {
                let names = &param.bindings;
                names.len() == 1 && names[0] == pattern.name
            };
            if let Some(param) = params.iter_mut().find(of) {
                param.bindings = bindings(&pattern.pat);
            }
        }
    }
    Ok(Function {
        attrs,
        vis,
        sig,
        params,
        form,
        layers,
        prelude,
        body,
    })
}

impl Function {
    /// The type that a caller gets by awaiting, if one is written.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.form {
            Form::Future { output, .. } => Some(output),
            Form::Async | Form::Sync | Form::Opaque => match &self.sig.output {
                ReturnType::Default => None,
                ReturnType::Type(_, ty) => Some(ty),
            },
        }
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// The function's name as users see it.
    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// The binding of this name, with the span that reaches it.
    pub(crate) fn binding(&self, name: &str) -> Option<(&Ident, &Param)> {
        self.params.iter().find_map(|param| {
            let found = param.bindings.iter().find(|ident| ident.unraw() == name)?;
            Some((found, param))
        })
    }

    /// The names of all arguments, as they may be written in a placeholder.
    pub(crate) fn binding_names(&self) -> Vec<String> {
        self.params
            .iter()
            .flat_map(|param| &param.bindings)
            .map(|ident| ident.unraw().to_string())
            .collect()
    }

    /// The function's own type parameters.
    pub(crate) fn type_params(&self) -> impl Iterator<Item = &Ident> {
        self.sig
            .generics
            .params
            .iter()
            .filter_map(|param| match param {
                GenericParam::Type(param) => Some(&param.ident),
                GenericParam::Lifetime(_) | GenericParam::Const(_) => None,
            })
    }

    /// The function's own constant parameters.
    pub(crate) fn const_params(&self) -> impl Iterator<Item = &Ident> {
        self.sig
            .generics
            .params
            .iter()
            .filter_map(|param| match param {
                GenericParam::Const(param) => Some(&param.ident),
                GenericParam::Lifetime(_) | GenericParam::Type(_) => None,
            })
    }

    /// The body is what `#[async_trait]` made of it, so this is a method of a trait.
    pub(crate) fn is_async_trait(&self) -> bool {
        matches!(self.form, Form::Future { boxed: true, .. })
            && self
                .sig
                .generics
                .lifetimes()
                .any(|param| param.lifetime.ident == "async_trait")
    }

    /// The `#[cfg]`s and lint levels that what stands beside it shares.
    pub(crate) fn shared_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs
            .iter()
            .filter(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("allow"))
    }

    /// The function with `body` in the place of what its future ran.
    pub(crate) fn with_body(&self, body: TokenStream) -> TokenStream {
        let Self {
            attrs, vis, sig, ..
        } = self;
        let block = form::close(&self.layers, body);
        quote!(#(#attrs)* #vis #sig #block)
    }
}

impl Param {
    fn new(arg: &FnArg) -> Option<Self> {
        let FnArg::Typed(arg) = arg else { return None };
        Some(Self {
            cfg: arg
                .attrs
                .iter()
                .filter(|attr| attr.path().is_ident("cfg"))
                .cloned()
                .collect(),
            bindings: match &*arg.pat {
                Pat::Ident(pat) if !is_unit(&pat.ident, &arg.ty) => vec![pat.ident.clone()],
                pat => bindings(pat),
            },
            ty: (*arg.ty).clone(),
        })
    }
}

/// Whether `Unit: Unit` takes a value apart that holds nothing; `ID: u64` binds one.
pub(crate) fn is_unit(name: &Ident, ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    ty.path
        .segments
        .last()
        .is_some_and(|last| last.ident == *name)
}

/// Every name that a pattern binds, in order.
fn bindings(pat: &Pat) -> Vec<Ident> {
    let mut bindings = Bindings(Vec::new());
    bindings.visit_pat(pat);
    bindings.0
}

struct Bindings(Vec<Ident>);

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        // `None` or a constant looks like a binding; only case tells them apart.
        let first = pat.ident.unraw().to_string().chars().next();
        let binds = pat.subpat.is_some() || !first.is_some_and(char::is_uppercase);
        if binds && !self.0.contains(&pat.ident) {
            self.0.push(pat.ident.clone());
        }
        visit::visit_pat_ident(self, pat);
    }
}

/// `#![allow(..)]` at the start of a body belongs to the whole function.
fn inner_attributes(stream: TokenStream) -> (Vec<Attribute>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let mut attrs = Vec::new();
        while input.peek(Token![#]) && input.peek2(Token![!]) && input.peek3(token::Bracket) {
            attrs.extend(Attribute::parse_inner(input)?);
        }
        for attr in &mut attrs {
            attr.style = syn::AttrStyle::Outer;
        }
        Ok((attrs, input.parse::<TokenStream>()?))
    };
    parser
        .parse2(stream.clone())
        .unwrap_or_else(|_| (Vec::new(), stream))
}

fn other_item(item: TokenStream, error: syn::Error) -> NotAFunction {
    const KINDS: [&str; 10] = [
        "struct", "enum", "union", "trait", "impl", "mod", "static", "type", "use", "extern",
    ];
    let mut constant = None;
    for token in item {
        let TokenTree::Ident(ident) = token else {
            continue;
        };
        let text = ident.to_string();
        if text == "fn" {
            return NotAFunction::Unreadable(error);
        }
        if KINDS.contains(&text.as_str()) && constant.is_none() {
            return NotAFunction::Other {
                at: ident.into_token_stream(),
                kind: text,
            };
        }
        if text == "const" {
            constant = Some(ident);
        }
    }
    match constant {
        Some(ident) => NotAFunction::Other {
            at: ident.into_token_stream(),
            kind: "const".to_owned(),
        },
        None => NotAFunction::Unreadable(error),
    }
}

/// Whether the identifier stands anywhere in `tokens`.
pub(crate) fn mentions(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
