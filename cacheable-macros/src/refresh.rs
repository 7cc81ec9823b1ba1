//! Who loads a value again while callers are answered with the old one: one of them, the
//! body itself once it outlives its caller, or a function beside the method that calls it
//! on copies of its arguments.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, GenericParam, Generics, Lifetime, LitStr, Pat, PathArguments,
    ReceiverKind, Token, Type, TypeParamBound, TypeTraitObject, WherePredicate,
};

use crate::args::CacheableArgs;
use crate::check;
use crate::diag::{Errors, list, nearest};
use crate::expand::near;
use crate::freshness;
use crate::item::{Function, is_unit, mentions};

/// How a refresh runs.
pub(crate) enum Refresh {
    /// In the call of one of the callers; or there is none.
    Inline,
    /// In the background: the body is handed over, as it borrows nothing.
    Owned,
    /// In the background, by a function that makes the call again.
    Again(Box<Again>),
}

/// The function beside the method, which takes copies of what that takes.
pub(crate) struct Again {
    pub(crate) name: Ident,
    /// The path of its neighbours begins with `Self`.
    pub(crate) is_associated: bool,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) params: Vec<Handed>,
    /// Those of the method, without lifetimes.
    pub(crate) generics: Generics,
    /// Where it was asked for.
    pub(crate) at: Span,
}

/// What the method is called on.
pub(crate) struct Receiver {
    pub(crate) token: Token![self],
    /// Without its reference.
    pub(crate) ty: Type,
    pub(crate) by_reference: bool,
}

/// One argument.
pub(crate) struct Handed {
    pub(crate) name: Ident,
    /// Without its reference.
    pub(crate) ty: Type,
    pub(crate) by_reference: bool,
}

/// Judges `refresh`, and decides where it is not written.
pub(crate) fn read(
    args: &CacheableArgs,
    function: &Function,
    errors: &mut Errors,
) -> Option<Refresh> {
    if let Some(name) = args.refresh.name()
        && !freshness::may_refresh(args, errors)
    {
        errors.at(
            name,
            "`refresh` has nothing to act on, as it says who loads a value again while callers \
             are answered with it; write `stale_while_revalidate = \"10m\"`, `refresh_ahead = \
             0.8` or `beta = 1.0` beside it, or remove it",
        );
    }
    match args.refresh.get() {
        None if freshness::refreshes(args) && outlives(function) => Some(Refresh::Owned),
        None => Some(Refresh::Inline),
        Some(text) => match text.value().as_str() {
            "inline" => Some(Refresh::Inline),
            "background" => background(text, function, errors),
            other => {
                const NAMES: [&str; 2] = ["background", "inline"];
                let near = nearest(&other.to_lowercase(), NAMES).unwrap_or("background");
                errors.at(
                    text,
                    format_args!(
                        "there is no `refresh = {other:?}`; there are {}; write `refresh = \
                         {near:?}`",
                        list(NAMES)
                    ),
                );
                None
            }
        },
    }
}

/// Whether the signature alone shows that the body can outlive its caller.
fn outlives(function: &Function) -> bool {
    let receiver = match function.receiver().map(|receiver| &receiver.kind) {
        None => true,
        Some(ReceiverKind::Typed(_, ty)) => is_shared_self(ty),
        Some(_) => false,
    };
    let generics = &function.sig.generics.params;
    receiver
        && generics
            .iter()
            .all(|param| matches!(param, GenericParam::Const(_)))
        && function.params.iter().all(|param| shows_owned(&param.ty))
}

/// `Arc<Self>`
fn is_shared_self(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let Some(last) = ty.path.segments.last() else {
        return false;
    };
    let PathArguments::AngleBracketed(args) = &last.arguments else {
        return false;
    };
    let is_self = |arg: &GenericArgument| matches!(arg, GenericArgument::Type(Type::Path(ty)) if ty.path.is_ident("Self"));
    last.ident == "Arc" && args.args.len() == 1 && args.args.iter().all(is_self)
}

/// Owned as far as it is spelled: nothing in it may stand for a borrow.
fn shows_owned(ty: &Type) -> bool {
    struct Objects(bool);
    impl<'a> Visit<'a> for Objects {
        fn visit_type_trait_object(&mut self, ty: &'a TypeTraitObject) {
            let is_static = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static");
            self.0 |= !ty.bounds.iter().any(is_static);
            visit::visit_type_trait_object(self, ty);
        }
    }
    let mut borrowing = Objects(false);
    borrowing.visit_type(ty);
    !borrowing.0 && check::hidden(ty).is_none() && check::borrow(ty).is_none()
}

/// Whether the body may outlive its caller, where the user says so.
fn can_outlive(function: &Function) -> bool {
    let receiver = match function.receiver().map(|receiver| &receiver.kind) {
        None | Some(ReceiverKind::Value) => true,
        Some(ReceiverKind::Typed(_, ty)) => check::borrow(ty).is_none(),
        Some(_) => false,
    };
    let is_owned = |ty: &Type| check::borrow(ty).is_none();
    receiver && function.params.iter().all(|param| is_owned(&param.ty))
}

fn background(text: &LitStr, function: &Function, errors: &mut Errors) -> Option<Refresh> {
    if can_outlive(function) {
        return Some(Refresh::Owned);
    }
    if function.is_async_trait() {
        errors.at(
            text,
            "`refresh = \"background\"` of what borrows needs a function beside this one, and a \
             trait holds none but its own; take `self: Arc<Self>` and owned arguments, or write \
             `refresh = \"inline\"`",
        );
        return None;
    }
    again(text, function, errors).map(|again| Refresh::Again(Box::new(again)))
}

/// The function that calls this one again, if each argument can be copied and handed over.
fn again(text: &LitStr, function: &Function, errors: &mut Errors) -> Option<Again> {
    let mut sound = true;
    let mut params = Vec::new();
    for arg in &function.sig.inputs {
        let FnArg::Typed(arg) = arg else { continue };
        let (at, reason, fix) = if arg.attrs.iter().any(|attr| attr.path().is_ident("cfg")) {
            (
                arg.to_token_stream(),
                "this one may not be there",
                "take it in any case",
            )
        } else if let Some(name) = named(&arg.pat, &arg.ty) {
            match handed(name, &arg.ty) {
                Ok(param) => {
                    params.push(param);
                    continue;
                }
                Err((reason, fix)) => (arg.ty.to_token_stream(), reason, fix),
            }
        } else {
            (
                arg.pat.to_token_stream(),
                "this one has no name to copy it by",
                "name it and take it apart in the body",
            )
        };
        errors.at(
            at,
            format_args!(
                "`refresh = \"background\"` makes this call again later, on copies of its \
                 arguments, and {reason}; {fix}, or write `refresh = \"inline\"`"
            ),
        );
        sound = false;
    }
    let generics = without_lifetimes(&function.sig.generics, errors);
    let tokens = [
        function.sig.to_token_stream(),
        function.body.clone(),
        function.prelude.clone(),
    ];
    let receiver = function.receiver().map(receiver);
    let again = Again {
        name: format_ident!(
            "__cacheable_background_refresh_of_{}",
            function.sig.ident.unraw(),
            span = near(text)
        ),
        is_associated: receiver.is_some() || tokens.iter().any(|tokens| mentions(tokens, "Self")),
        receiver,
        params,
        generics: generics?,
        at: near(text),
    };
    sound.then_some(again)
}

/// The name of an argument that has just one.
fn named<'a>(pat: &'a Pat, ty: &Type) -> Option<&'a Ident> {
    match pat {
        Pat::Ident(pat)
            if pat.by_ref.is_none() && pat.subpat.is_none() && !is_unit(&pat.ident, ty) =>
        {
            Some(&pat.ident)
        }
        _ => None,
    }
}

/// The argument as it is handed over, or why it cannot be, and what to do.
fn handed(name: &Ident, ty: &Type) -> Result<Handed, (&'static str, &'static str)> {
    let (ty, by_reference) = match ty {
        Type::Reference(reference) if check::borrow(ty).is_some() => (&*reference.elem, true),
        ty => (ty, false),
    };
    if check::hidden(ty).is_some() {
        return Err((
            "the type of this one has no name",
            "give it one, as in `<T: Clone>`",
        ));
    }
    if by_reference && matches!(ty, Type::TraitObject(_)) {
        return Err(("there is no copy of this one", "take an `Arc` of it"));
    }
    if check::borrow(ty).is_some() {
        return Err((
            "a copy of this one would still borrow",
            "take an owned value, such as `Option<String>` for `Option<&str>`",
        ));
    }
    Ok(Handed {
        name: name.clone(),
        ty: ty.clone(),
        by_reference,
    })
}

fn receiver(receiver: &syn::Receiver) -> Receiver {
    let (ty, by_reference) = match &receiver.kind {
        ReceiverKind::Typed(_, ty) => match &**ty {
            Type::Reference(reference) => ((*reference.elem).clone(), true),
            ty => (ty.clone(), false),
        },
        kind => (
            syn::parse_quote!(Self),
            matches!(kind, ReceiverKind::Reference(..)),
        ),
    };
    Receiver {
        token: receiver.self_token,
        ty,
        by_reference,
    }
}

/// The generics of a function whose arguments borrow nothing any more.
fn without_lifetimes(generics: &Generics, errors: &mut Errors) -> Option<Generics> {
    struct Named<'a>(&'a Generics, Option<Lifetime>);
    impl<'a> Visit<'a> for Named<'_> {
        fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
            if self.0.lifetimes().any(|own| own.lifetime == *lifetime) {
                self.1.get_or_insert_with(|| lifetime.clone());
            }
        }
    }
    let mut left = generics.clone();
    let mut named = Named(generics, None);
    left.params = generics
        .params
        .iter()
        .filter(|param| !matches!(param, GenericParam::Lifetime(_)))
        .cloned()
        .collect();
    if let Some(clause) = &mut left.where_clause {
        let predicates = std::mem::take(&mut clause.predicates).into_iter();
        clause.predicates = predicates
            .filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)))
            .collect();
    }
    named.visit_generics(&left);
    let Some(lifetime) = named.1 else {
        return Some(left);
    };
    errors.at(
        &lifetime,
        format_args!(
            "`refresh = \"background\"` makes this call again later, when `{lifetime}` is over; \
             bound the type by `'static`, or write `refresh = \"inline\"`"
        ),
    );
    None
}
