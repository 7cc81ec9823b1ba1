//! What an attribute was written on: the signature parsed, the body kept as tokens.
//!
//! The body is never parsed, so that it may hold whatever the compiler of the day
//! accepts, and its spans stay the user's.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, PatIdent, PathArguments, Receiver, ReturnType,
    Signature, Token, Type, TypeParamBound, Visibility, token,
};

/// A function with a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) params: Vec<Param>,
    pub(crate) form: Form,
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

/// How the function says that it is asynchronous.
pub(crate) enum Form {
    /// `async fn`.
    Async { brace: Span },
    /// `fn .. -> impl Future<Output = T>` with one async block.
    Returned {
        output: Type,
        head: TokenStream,
        brace: Span,
        outer: Span,
    },
    /// `fn .. -> Pin<Box<dyn Future<Output = T>>>` with one boxed async block: what
    /// `#[async_trait]` leaves.
    Boxed {
        output: Type,
        path: TokenStream,
        paren: Span,
        head: TokenStream,
        brace: Span,
        outer: Span,
    },
    /// None of these.
    Sync,
    /// Returns a future, but the body is more than one async block.
    Opaque,
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
    let params = sig.inputs.iter().filter_map(Param::new).collect();
    let (form, body) = Form::of(&sig, &body, stream);
    Ok(Function {
        attrs,
        vis,
        sig,
        params,
        form,
        body,
    })
}

impl Function {
    /// The type that a caller gets by awaiting, if one is written.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.form {
            Form::Returned { output, .. } | Form::Boxed { output, .. } => Some(output),
            Form::Async { .. } | Form::Sync | Form::Opaque => match &self.sig.output {
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

    /// `Self` may be named: certainly so with a receiver, or where the signature does.
    pub(crate) fn has_self_type(&self) -> bool {
        self.receiver().is_some() || mentions(&self.sig.to_token_stream(), "Self")
    }

    /// The body is what `#[async_trait]` made of it, so this is a method of a trait.
    pub(crate) fn is_async_trait(&self) -> bool {
        matches!(self.form, Form::Boxed { .. })
            && self
                .sig
                .generics
                .lifetimes()
                .any(|param| param.lifetime.ident == "async_trait")
    }

    /// The function with `body` in the place of what its future ran.
    pub(crate) fn with_body(&self, body: TokenStream) -> TokenStream {
        let Self {
            attrs, vis, sig, ..
        } = self;
        let braced = |span: Span, stream: TokenStream| {
            let mut group = Group::new(Delimiter::Brace, stream);
            group.set_span(span);
            group
        };
        let block = match &self.form {
            Form::Async { brace } => braced(*brace, body),
            Form::Returned {
                head, brace, outer, ..
            } => {
                let inner = braced(*brace, body);
                braced(*outer, quote!(#head #inner))
            }
            Form::Boxed {
                path,
                paren,
                head,
                brace,
                outer,
                ..
            } => {
                let inner = braced(*brace, body);
                let mut argument = Group::new(Delimiter::Parenthesis, quote!(#head #inner));
                argument.set_span(*paren);
                braced(*outer, quote!(#path #argument))
            }
            Form::Sync | Form::Opaque => unreachable!("the model refuses these"),
        };
        quote!(#(#attrs)* #vis #sig #block)
    }
}

impl Param {
    fn new(arg: &FnArg) -> Option<Self> {
        let FnArg::Typed(arg) = arg else { return None };
        let mut bindings = Bindings(Vec::new());
        bindings.visit_pat(&arg.pat);
        Some(Self {
            cfg: arg
                .attrs
                .iter()
                .filter(|attr| attr.path().is_ident("cfg"))
                .cloned()
                .collect(),
            bindings: bindings.0,
            ty: (*arg.ty).clone(),
        })
    }
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

impl Form {
    fn of(sig: &Signature, body: &Group, stream: TokenStream) -> (Self, TokenStream) {
        let outer = body.span();
        if sig.asyncness.is_some() {
            return (Self::Async { brace: outer }, stream);
        }
        let ReturnType::Type(_, ty) = &sig.output else {
            return (Self::Sync, stream);
        };
        if let Some(output) = impl_future(ty) {
            return match async_block(stream) {
                Ok((head, block)) => {
                    let form = Self::Returned {
                        output: output.clone(),
                        head,
                        brace: block.span(),
                        outer,
                    };
                    (form, block.stream())
                }
                Err(stream) => (Self::Opaque, stream),
            };
        }
        if let Some(output) = boxed_future(ty) {
            return match boxed_block(stream) {
                Ok((path, paren, head, block)) => {
                    let form = Self::Boxed {
                        output: output.clone(),
                        path,
                        paren,
                        head,
                        brace: block.span(),
                        outer,
                    };
                    (form, block.stream())
                }
                Err(stream) => (Self::Opaque, stream),
            };
        }
        (Self::Sync, stream)
    }
}

/// `T` of `impl Future<Output = T>`.
fn impl_future(ty: &Type) -> Option<&Type> {
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().find_map(future_output),
        _ => None,
    }
}

/// `T` of `Pin<Box<dyn Future<Output = T>>>`.
fn boxed_future(ty: &Type) -> Option<&Type> {
    match type_argument(type_argument(ty, "Pin")?, "Box")? {
        Type::TraitObject(ty) => ty.bounds.iter().find_map(future_output),
        _ => None,
    }
}

fn type_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(ty) = ty else { return None };
    let segment = ty.path.segments.last()?;
    match &segment.arguments {
        PathArguments::AngleBracketed(args) if segment.ident == name => {
            args.args.iter().find_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

fn future_output(bound: &TypeParamBound) -> Option<&Type> {
    let TypeParamBound::Trait(bound) = bound else {
        return None;
    };
    let segment = bound.path.segments.last()?;
    match &segment.arguments {
        PathArguments::AngleBracketed(args) if segment.ident == "Future" => {
            args.args.iter().find_map(|arg| match arg {
                GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// `async move { .. }` and nothing else: its head and its block.
fn async_block(stream: TokenStream) -> Result<(TokenStream, Group), TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let is_async = input.parse::<Token![async]>()?;
        let is_move = input.parse::<Option<Token![move]>>()?;
        let block: Group = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((quote!(#is_async #is_move), block))
    };
    match parser.parse2(stream.clone()) {
        Ok((head, block)) if block.delimiter() == Delimiter::Brace => Ok((head, block)),
        _ => Err(stream),
    }
}

/// `Box::pin(async move { .. })` and nothing else.
fn boxed_block(
    stream: TokenStream,
) -> Result<(TokenStream, Span, TokenStream, Group), TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let path: syn::Path = input.parse()?;
        let argument: Group = input.parse()?;
        Ok((path, argument))
    };
    let Ok((path, argument)) = parser.parse2(stream.clone()) else {
        return Err(stream);
    };
    let mut ends = path.segments.iter().rev();
    let is_pin = ends.next().is_some_and(|segment| segment.ident == "pin")
        && ends.next().is_some_and(|segment| segment.ident == "Box");
    match async_block(argument.stream()) {
        Ok((head, block)) if is_pin && argument.delimiter() == Delimiter::Parenthesis => {
            Ok((path.into_token_stream(), argument.span(), head, block))
        }
        _ => Err(stream),
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
