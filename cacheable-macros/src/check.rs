//! The rules, one function each: what is judged, why it is refused, what to write instead.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Expr, FnArg, Ident, Lifetime, Lit, LitFloat, LitStr, ReceiverKind, Type, TypeImplTrait,
    TypeReference,
};

use crate::args::Slot;
use crate::diag::{Errors, list, nearest};
use crate::form::Form;
use crate::freshness::float;
use crate::item::{Function, NotAFunction};
use crate::key;
use crate::settings::Codec;

/// Says why the attribute cannot stand on this item.
pub(crate) fn not_a_function(problem: NotAFunction, errors: &mut Errors) {
    match problem {
        NotAFunction::Other { at, kind } => {
            let article = if kind.starts_with(['e', 'i']) {
                "an"
            } else {
                "a"
            };
            errors.at(
                at,
                format_args!(
                    "this is {article} `{kind}`, and only calls of functions can be cached; move \
                     the attribute to an `async fn`"
                ),
            );
        }
        NotAFunction::Bodiless { at } => errors.at(
            at,
            "this function has no body to wrap; move the attribute to the function in the `impl`",
        ),
        NotAFunction::Unreadable(error) => errors.parse(&error, "this function cannot be read"),
    }
}

pub(crate) fn is_async(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    match function.form {
        Form::Async | Form::Future { .. } => {}
        Form::Sync => errors.at(
            sig.fn_token,
            format_args!(
                "this function is not async, and the cache may have to wait for its store; write \
                 `async fn {}`",
                sig.ident
            ),
        ),
        Form::Opaque => errors.at(
            sig.fn_token,
            format_args!(
                "this function returns a future and its body is not one async block, so there is \
                 nothing to wrap; write `async fn {}`, or put the whole body into `async move \
                 {{ .. }}`",
                sig.ident
            ),
        ),
    }
}

/// A hit skips the body, and with it every change that the body would make.
pub(crate) fn nothing_mutable(function: &Function, errors: &mut Errors) {
    for arg in &function.sig.inputs {
        match arg {
            FnArg::Receiver(receiver) => {
                let mutable = match &receiver.kind {
                    ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
                    ReceiverKind::Typed(_, ty) => mutable_reference(ty).is_some(),
                    _ => false,
                };
                if mutable {
                    errors.at(
                        receiver,
                        "a hit skips the body, and with it what it would change through `&mut \
                         self`; write `&self`",
                    );
                }
            }
            FnArg::Typed(arg) => {
                if let Some(reference) = mutable_reference(&arg.ty) {
                    let pat = arg.pat.to_token_stream();
                    errors.at(
                        reference,
                        format_args!(
                            "a hit skips the body, and with it what it would change through \
                             `{pat}`; take `{pat}` by value or by `&`, and return what changed"
                        ),
                    );
                }
            }
        }
    }
}

fn mutable_reference(ty: &Type) -> Option<&TypeReference> {
    struct Mutable<'a>(Option<&'a TypeReference>);
    impl<'a> Visit<'a> for Mutable<'a> {
        fn visit_type_reference(&mut self, ty: &'a TypeReference) {
            if ty.mutability.is_some() {
                self.0.get_or_insert(ty);
            }
            visit::visit_type_reference(self, ty);
        }
    }
    let mut mutable = Mutable(None);
    mutable.visit_type(ty);
    mutable.0
}

/// The written type of what is stored.
pub(crate) fn value_type(function: &Function, errors: &mut Errors) -> Option<Type> {
    // Nothing is known of what another kind of function returns.
    if matches!(function.form, Form::Sync | Form::Opaque) {
        return None;
    }
    let nothing = "this function returns nothing, so there is no value to store; return the value";
    let Some(ty) = function.output() else {
        errors.at(&function.sig.ident, nothing);
        return None;
    };
    match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => errors.at(ty, nothing),
        Type::Never(_) => errors.at(ty, nothing),
        _ => {
            let opaque = named_type(function, errors);
            if opaque && let Some(borrow) = borrow(ty) {
                errors.at(
                    borrow,
                    "a stored value outlives the call, so it cannot borrow; return an owned type, \
                     such as `String` for `&str`, `Vec<T>` for `&[T]`, or `Arc<T>` to share it",
                );
            }
        }
    }
    Some(ty.clone())
}

/// Refuses `impl Trait` in the return type: the expansion must be able to name it.
pub(crate) fn named_type(function: &Function, errors: &mut Errors) -> bool {
    let written = (function.output()).filter(|_| !matches!(function.form, Form::Opaque));
    let hidden = written.and_then(hidden);
    if let Some(ty) = hidden {
        errors.at(
            ty,
            "the return type is hidden behind `impl Trait`, and a stored value needs a type that \
             can be read back; write the type itself",
        );
    }
    hidden.is_none()
}

/// The `impl Trait` in a type.
pub(crate) fn hidden(ty: &Type) -> Option<&TypeImplTrait> {
    struct Hidden<'a>(Option<&'a TypeImplTrait>);
    impl<'a> Visit<'a> for Hidden<'a> {
        fn visit_type_impl_trait(&mut self, ty: &'a TypeImplTrait) {
            self.0.get_or_insert(ty);
        }
    }
    let mut hidden = Hidden(None);
    hidden.visit_type(ty);
    hidden.0
}

/// Whether the type, as far as it shows, can be named outside the call.
pub(crate) fn is_owned(ty: &Type) -> bool {
    !matches!(ty, Type::ImplTrait(_)) && borrow(ty).is_none()
}

/// What in the type borrows, as far as it shows.
pub(crate) fn borrow(ty: &Type) -> Option<proc_macro2::TokenStream> {
    struct Borrow(Option<proc_macro2::TokenStream>);
    impl<'a> Visit<'a> for Borrow {
        fn visit_type_reference(&mut self, ty: &'a TypeReference) {
            if ty
                .lifetime
                .as_ref()
                .is_none_or(|name| name.ident != "static")
            {
                self.0.get_or_insert_with(|| ty.to_token_stream());
            } else {
                visit::visit_type_reference(self, ty);
            }
        }
        fn visit_lifetime(&mut self, name: &'a Lifetime) {
            if name.ident != "static" {
                self.0.get_or_insert_with(|| name.to_token_stream());
            }
        }
        // The lifetimes of a function pointer are its own.
        fn visit_type_fn_ptr(&mut self, _: &'a syn::TypeFnPtr) {}
    }
    let mut borrow = Borrow(None);
    borrow.visit_type(ty);
    borrow.0
}

/// A share from 0 up to, and without, 1.
pub(crate) fn share(slot: &Slot<Expr>, errors: &mut Errors) -> Option<LitFloat> {
    let (name, expr) = (slot.name()?, slot.get()?);
    match number(expr) {
        Some(value) if (0.0..1.0).contains(&value) => Some(float(value)),
        _ => {
            errors.at(
                expr,
                format_args!(
                    "`{name}` is the share of the `ttl` that chance may take away, a number from \
                     0 to less than 1; write `{name} = 0.1`"
                ),
            );
            None
        }
    }
}

/// The value of a number that is written out.
pub(crate) fn number(expr: &Expr) -> Option<f64> {
    let Expr::Lit(literal) = expr else {
        return None;
    };
    match &literal.lit {
        Lit::Float(value) => value.base10_parse().ok(),
        Lit::Int(value) => value.base10_parse().ok(),
        _ => None,
    }
}

/// The second segment of every key.
pub(crate) fn prefix(text: &LitStr, errors: &mut Errors) -> Option<String> {
    let value = text.value();
    let bad = |c: char| c == ':' || key::special(c);
    if value.is_empty() {
        errors.at(
            text,
            "`key_prefix` is empty, so its entries could not be told from others; write \
             `key_prefix = \"project\"`",
        );
        return None;
    }
    if let Some(sign) = value.chars().find(|c| bad(*c)) {
        let clean: String = value
            .chars()
            .map(|c| if bad(c) { '_' } else { c })
            .collect();
        errors.at(
            text,
            format_args!(
                "`key_prefix` holds {sign:?}, which parts the segments of a key or means \
                 something else in a pattern; write `key_prefix = {clean:?}`"
            ),
        );
        return None;
    }
    Some(value)
}

/// The name in counters and logs.
pub(crate) fn label(slot: &Slot<LitStr>, errors: &mut Errors) -> Option<String> {
    let text = slot.get()?;
    let value = text.value();
    if value.is_empty() || value.chars().any(char::is_control) {
        errors.at(
            text,
            "`name` is what counters and logs show, so it is not empty and holds no control \
             characters; write `name = \"project.get\"`",
        );
        return None;
    }
    Some(value)
}

pub(crate) fn codec(slot: &Slot<LitStr>, errors: &mut Errors) -> Option<Codec> {
    const NAMES: [&str; 4] = ["auto", "bincode", "msgpack", "json"];
    let text = slot.get()?;
    match text.value().as_str() {
        "auto" => Some(Codec::Auto),
        "bincode" => Some(Codec::Bincode),
        "msgpack" => Some(Codec::MsgPack),
        "json" => Some(Codec::Json),
        other => {
            let near = nearest(&other.to_lowercase(), NAMES).unwrap_or("json");
            errors.at(
                text,
                format_args!(
                    "there is no codec {other:?}; there are {}; write `codec = {near:?}`",
                    list(NAMES)
                ),
            );
            None
        }
    }
}

/// `|value| ..`, or the name of a function.
pub(crate) fn unless(slot: &Slot<Expr>, errors: &mut Errors) -> Option<Expr> {
    let expr = slot.get()?;
    let reason = match expr {
        Expr::Closure(closure) if closure.asyncness.is_some() => {
            "is async, and its answer is needed at once"
        }
        Expr::Closure(closure) if closure.inputs.len() == 1 => return Some(expr.clone()),
        Expr::Closure(_) => "takes one argument, the value",
        Expr::Path(_) => return Some(expr.clone()),
        _ => "is asked about the value",
    };
    errors.at(
        expr,
        format_args!("`unless` {reason}; write `unless = |value| value.is_draft`"),
    );
    None
}

/// Whether a failure of the store becomes the method's own.
pub(crate) fn on_failure(slot: &Slot<LitStr>, function: &Function, errors: &mut Errors) -> bool {
    let Some(text) = slot.get() else { return false };
    match text.value().as_str() {
        "log" => false,
        "error" => {
            let plain = match function.output() {
                None => true,
                Some(Type::Tuple(tuple)) => tuple.elems.is_empty(),
                Some(ty) => last_segment(ty).is_some_and(|name| name == "Option"),
            };
            if plain {
                errors.at(
                    text,
                    "`on_failure = \"error\"` reports through the error of a `Result`, which this \
                     function does not return; return a `Result<_, E>` with `E: \
                     From<cacheable_runtime::Error>`, or remove it",
                );
            }
            true
        }
        other => {
            errors.at(
                text,
                format_args!(
                    "there is no `on_failure = {other:?}`; write `on_failure = \"error\"` to return \
                     the failure, or `on_failure = \"log\"`, the default, to count and log it"
                ),
            );
            false
        }
    }
}

pub(crate) fn last_segment(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(ty) => ty.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}
