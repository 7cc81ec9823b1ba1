//! How a function says that it is asynchronous, and what stands around its body.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{
    GenericArgument, Pat, PathArguments, ReturnType, Signature, Token, Type, TypeParamBound,
};

/// The three ways that are understood, and the two that are not.
pub(crate) enum Form {
    /// `async fn`.
    Async,
    /// One async block behind `impl Future<Output = T>`, or one boxed async block behind
    /// `Pin<Box<dyn Future<Output = T>>>`, which is what `#[async_trait]` leaves.
    Future { output: Box<Type>, boxed: bool },
    /// Returns a future, but the body is more than one async block.
    Opaque,
    /// Returns no future.
    Sync,
}

/// One pair of brackets around the body, with what stands before it.
pub(crate) struct Layer {
    head: TokenStream,
    delimiter: Delimiter,
    span: Span,
}

/// Finds the form, the layers from the outside in, and what the body's own future runs.
pub(crate) fn read(
    sig: &Signature,
    body: &Group,
    stream: TokenStream,
) -> (Form, Vec<Layer>, TokenStream) {
    let mut layers = vec![Layer::new(TokenStream::new(), body)];
    if sig.asyncness.is_some() {
        return (Form::Async, layers, stream);
    }
    let ReturnType::Type(_, ty) = &sig.output else {
        return (Form::Sync, layers, stream);
    };
    let (output, boxed) = match (impl_future(ty), boxed_future(ty)) {
        (Some(output), _) => (output, false),
        (None, Some(output)) => (output, true),
        (None, None) => return (Form::Sync, layers, stream),
    };
    let opened = if boxed {
        boxed_block(stream.clone(), &mut layers)
    } else {
        async_block(stream.clone(), &mut layers)
    };
    match opened {
        Some(inner) => {
            let output = Box::new(output.clone());
            (Form::Future { output, boxed }, layers, inner)
        }
        None => (Form::Opaque, layers, stream),
    }
}

/// Puts the layers around a new body.
pub(crate) fn close(layers: &[Layer], body: TokenStream) -> TokenStream {
    layers.iter().rev().fold(body, |body, layer| {
        let mut group = Group::new(layer.delimiter, body);
        group.set_span(layer.span);
        let head = &layer.head;
        quote!(#head #group)
    })
}

impl Layer {
    fn new(head: TokenStream, group: &Group) -> Self {
        Self {
            head,
            delimiter: group.delimiter(),
            span: group.span(),
        }
    }
}

/// `async move { .. }` and nothing else.
fn async_block(stream: TokenStream, layers: &mut Vec<Layer>) -> Option<TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let is_async = input.parse::<Token![async]>()?;
        let is_move = input.parse::<Option<Token![move]>>()?;
        let block: Group = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((quote!(#is_async #is_move), block))
    };
    let (head, block) = parser.parse2(stream).ok()?;
    if block.delimiter() != Delimiter::Brace {
        return None;
    }
    layers.push(Layer::new(head, &block));
    Some(block.stream())
}

/// `Box::pin(async move { .. })` and nothing else.
fn boxed_block(stream: TokenStream, layers: &mut Vec<Layer>) -> Option<TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let path: syn::Path = input.parse()?;
        let argument: Group = input.parse()?;
        Ok((path, argument))
    };
    let (path, argument) = parser.parse2(stream).ok()?;
    let mut ends = path.segments.iter().rev().map(|segment| &segment.ident);
    let is_pin = ends.next().is_some_and(|name| name == "pin")
        && ends.next().is_some_and(|name| name == "Box")
        && argument.delimiter() == Delimiter::Parenthesis;
    if !is_pin {
        return None;
    }
    layers.push(Layer::new(path.into_token_stream(), &argument));
    async_block(argument.stream(), layers)
}

/// `T` of `impl Future<Output = T>`.
fn impl_future(ty: &Type) -> Option<&Type> {
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().find_map(future_output),
        _ => None,
    }
}

/// `T` of `Pin<Box<dyn Future<Output = T>>>`, or of its alias in `futures`.
fn boxed_future(ty: &Type) -> Option<&Type> {
    if let Some(output) = type_argument(ty, "BoxFuture") {
        return Some(output);
    }
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

/// A pattern argument that `#[async_trait]` replaced by a name and takes apart first thing
/// in the body: `let (a, b) = { let __arg1 = __arg1; __arg1 };`.
pub(crate) struct TakenApart {
    pub(crate) name: String,
    pub(crate) pat: Pat,
}

/// Moves those statements out of the body, so that the key can be built from what they bind.
pub(crate) fn taken_apart(body: TokenStream) -> (Vec<TakenApart>, TokenStream, TokenStream) {
    let (mut found, mut prelude, mut rest) = (Vec::new(), TokenStream::new(), TokenStream::new());
    let mut statement = TokenStream::new();
    for token in body {
        let ends = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            // What `#[async_trait]` puts first needs no semicolon: `if let .. { return .. }`.
            TokenTree::Group(group) => {
                let first = statement.clone().into_iter().next();
                group.delimiter() == Delimiter::Brace
                    && matches!(first, Some(TokenTree::Ident(first)) if first == "if")
            }
            _ => false,
        };
        statement.extend([token]);
        if ends {
            let statement = std::mem::take(&mut statement);
            match read_taken_apart(statement.clone()) {
                Some(pattern) => {
                    found.push(pattern);
                    prelude.extend(statement);
                }
                None => rest.extend(statement),
            }
        }
    }
    rest.extend(statement);
    (found, prelude, rest)
}

fn read_taken_apart(statement: TokenStream) -> Option<TakenApart> {
    let parser = |input: ParseStream<'_>| {
        input.call(syn::Attribute::parse_outer)?;
        input.parse::<Token![let]>()?;
        let pat = Pat::parse_single(input)?;
        input.parse::<Token![=]>()?;
        let block: Group = input.parse()?;
        input.parse::<Token![;]>()?;
        Ok((pat, block))
    };
    let (pat, block) = parser.parse2(statement).ok()?;
    let statement = |input: ParseStream<'_>| {
        input.parse::<Token![let]>()?;
        let names: [syn::Ident; 3] = {
            let bound = input.parse()?;
            input.parse::<Token![=]>()?;
            let moved = input.parse()?;
            input.parse::<Token![;]>()?;
            [bound, moved, input.parse()?]
        };
        Ok(names)
    };
    let [bound, moved, given] = statement.parse2(block.stream()).ok()?;
    let name = bound.to_string();
    let is_so = name.starts_with("__arg") && bound == moved && moved == given;
    is_so.then_some(TakenApart { name, pat })
}
