//! The function beside a cached one that names the entry of a call.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{FnArg, GenericParam, Generics, Type, Visibility};

use super::cacheable::{descriptor, lives};
use super::{lint_underscores, tag_writer, writer};
use crate::args::CacheableArgs;
use crate::check;
use crate::item::Function;
use crate::krate::Krate;
use crate::model::{self, Cacheable, Companion};
use crate::taken::Taken;

/// The companion, and what `method(self.get(id))` calls on an instance.
pub(super) fn expand(model: &Cacheable<'_>, companion: &Companion) -> TokenStream {
    let function = model.function;
    let Companion {
        name,
        takes_self,
        taken,
        on_instance,
    } = companion;
    let method = function.name();
    let link = if function.receiver().is_some() {
        "Self::"
    } else {
        ""
    };
    let doc = format!(" Names the entry of [`{method}`]({link}{method}) with these arguments.");
    let allow_underscores = lint_underscores(taken.params(function));
    let receiver = takes_self.then(|| quote!(&self,));
    let inputs = inputs(function, taken);
    // A lifetime may be left with one use of the two that it had.
    let allow_lifetimes = (taken.generics.lifetimes().next().is_some())
        .then(|| quote!(#[allow(single_use_lifetimes)]));
    let site = descriptor(model);
    let key = writer(&model.key);
    let ttl = lives(model)
        .filter(|(setter, _)| *setter == "ttl")
        .map(|(_, life)| quote!(.ttl(#life)));
    let tags = model.tags.of_arguments.iter().map(tag_writer);
    let by_value = (!model.tags.of_value.is_empty()).then(|| quote!(.tagged_by_value()));
    let named = Signature {
        attributes: quote_spanned! {Span::mixed_site()=>
            #[doc = #doc]
            #[allow(dead_code, unused_mut, unused_variables)]
            #allow_underscores
            #allow_lifetimes
        },
        head: quote!(#name),
        inputs: quote!(#receiver #(#inputs),*),
        generics: &taken.generics,
    }
    .with(function, &model.krate, &model.output, &{
        quote_spanned!(Span::mixed_site()=> #site.method_key(#key) #(#ttl)* #(.tag(#tags))* #by_value)
    });

    // An argument under `#[cfg]` cannot be handed on in a call, so there an entry is only
    // named through the type.
    let under_cfg = taken.params(function).any(|param| !param.cfg.is_empty());
    let on_instance = on_instance
        .as_ref()
        .filter(|_| !under_cfg)
        .map(|on_instance| {
            let types: Vec<_> = taken.params(function).map(|param| &param.ty).collect();
            let locals: Vec<_> = (0..types.len())
                .map(|index| format_ident!("__cacheable_{index}", span = Span::mixed_site()))
                .collect();
            let turbofish = turbofish(&taken.generics);
            let instance = takes_self.then(|| quote!(self,));
            Signature {
                attributes: quote! {
                    #[doc(hidden)]
                    #[allow(dead_code)]
                    #allow_lifetimes
                },
                head: quote!(#on_instance),
                inputs: quote!(&self, #(#locals: #types),*),
                generics: &taken.generics,
            }
            .with(function, &model.krate, &model.output, &{
                quote!(Self::#name #turbofish(#instance #(#locals),*))
            })
        });
    quote!(#named #on_instance)
}

/// A companion that stands in for the one of a wrong attribute, so that `method(..)` is not
/// reported too. A missing method is reported after what is wrong here, a missing function
/// beside it, so only functions need it.
pub(super) fn fallback(args: &CacheableArgs, function: &Function) -> Option<TokenStream> {
    let visible = !matches!(function.vis, Visibility::Inherited);
    if function.receiver().is_some() || !(visible || args.key_fn.name().is_some()) {
        return None;
    }
    let name = model::companion_name(args, function);
    let output = function.output().filter(|ty| check::is_owned(ty))?;
    let taken = model::taken_at_best(args, function);
    let inputs = inputs(function, &taken);
    let signature = Signature {
        attributes: quote!(#[allow(unused_mut, unused_variables)]),
        head: quote!(#name),
        inputs: quote!(#(#inputs),*),
        generics: &taken.generics,
    };
    let body = quote_spanned!(Span::mixed_site()=> ::core::unimplemented!());
    Some(signature.with(function, &Krate::default(), output, &body))
}

struct Signature<'a> {
    attributes: TokenStream,
    head: TokenStream,
    inputs: TokenStream,
    generics: &'a Generics,
}

impl Signature<'_> {
    /// The function item, under the same `#[cfg]`s and lint levels as the method.
    fn with(
        &self,
        function: &Function,
        krate: &Krate,
        output: &Type,
        body: &TokenStream,
    ) -> TokenStream {
        let shared = function.shared_attrs();
        let vis = &function.vis;
        let key = krate.public("MethodKey");
        let Self {
            attributes,
            head,
            inputs,
            generics,
        } = self;
        let bounds = &generics.where_clause;
        quote_spanned! {Span::mixed_site()=>
            #(#shared)*
            #attributes
            #vis fn #head #generics(#inputs) -> #key<#output> #bounds {
                #body
            }
        }
    }
}

/// The taken arguments as they are.
fn inputs(function: &Function, taken: &Taken) -> Vec<TokenStream> {
    let typed = |arg: &FnArg| match arg {
        FnArg::Receiver(_) => None,
        FnArg::Typed(arg) => Some(arg.to_token_stream()),
    };
    taken
        .of(function.sig.inputs.iter().filter_map(typed))
        .collect()
}

/// The companion's own parameters, handed on.
pub(super) fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let of = |param: &GenericParam| match param {
        GenericParam::Type(param) => Some(param.ident.clone()),
        GenericParam::Const(param) => Some(param.ident.clone()),
        GenericParam::Lifetime(_) => None,
    };
    let params: Vec<_> = generics.params.iter().filter_map(of).collect();
    (!params.is_empty()).then(|| quote!(::<#(#params),*>))
}
