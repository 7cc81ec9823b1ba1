//! Which arguments are functions: nothing of them can be in a key.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    GenericArgument, GenericParam, Ident, PathArguments, TraitBound, Type, TypeParamBound,
    WherePredicate,
};

use crate::item::Function;

/// Whether values of this type can only be called: `impl Fn()`, `F` with `F: AsyncFn()`,
/// `fn()`, `Arc<dyn Fn()>`.
pub(crate) fn is_callable(ty: &Type, function: &Function) -> bool {
    match ty {
        Type::FnPtr(_) => true,
        Type::Reference(ty) => is_callable(&ty.elem, function),
        Type::Paren(ty) => is_callable(&ty.elem, function),
        Type::Group(ty) => is_callable(&ty.elem, function),
        Type::ImplTrait(ty) => has_call(&ty.bounds),
        Type::TraitObject(ty) => has_call(&ty.bounds),
        Type::Path(ty) => {
            if let Some(name) = ty.path.get_ident() {
                return is_callable_param(name, function);
            }
            let Some(last) = ty.path.segments.last() else {
                return false;
            };
            let is_pointer = ["Arc", "Box", "Rc"].iter().any(|name| last.ident == name);
            match &last.arguments {
                PathArguments::AngleBracketed(args) if is_pointer => {
                    let is_callable = |arg: &GenericArgument| matches!(arg, GenericArgument::Type(ty) if is_callable(ty, function));
                    args.args.iter().any(is_callable)
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether the function's type parameter `name` is one of closures. Their types have no
/// names, so it tells no calls apart.
pub(crate) fn is_callable_param(name: &Ident, function: &Function) -> bool {
    let generics = &function.sig.generics;
    let at_param = |param: &GenericParam| matches!(param, GenericParam::Type(param) if param.ident == *name && has_call(&param.bounds));
    let in_clause = |predicate: &WherePredicate| match predicate {
        WherePredicate::Type(predicate) => {
            *name == predicate.bounded_ty.to_token_stream().to_string()
                && has_call(&predicate.bounds)
        }
        _ => false,
    };
    let clause = generics.where_clause.iter();
    generics.params.iter().any(at_param)
        || clause.flat_map(|clause| &clause.predicates).any(in_clause)
}

/// Only the traits of functions take their arguments in parentheses.
fn has_call<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> bool {
    struct Call(bool);
    impl<'a> Visit<'a> for Call {
        fn visit_trait_bound(&mut self, bound: &'a TraitBound) {
            let last = bound.path.segments.last();
            self.0 |=
                last.is_some_and(|last| matches!(last.arguments, PathArguments::Parenthesized(_)));
        }
    }
    let mut call = Call(false);
    for bound in bounds {
        visit::visit_type_param_bound(&mut call, bound);
    }
    call.0
}
