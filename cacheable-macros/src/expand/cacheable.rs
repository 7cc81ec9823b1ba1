//! `#[cacheable]`: a static descriptor, a key, one call into the runtime; and the companion
//! that builds the same key outside the call.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, FnArg, GenericParam};

use super::{condition, lint_underscores, local, pinned, runtime, site, wrap, writer};
use crate::check::Life;
use crate::model::{Cacheable, Codec, Companion};

pub(crate) fn expand(model: &Cacheable) -> TokenStream {
    let method = wrap(&model.function, &model.krate, &call(model), &run(model));
    let companion = model
        .companion
        .as_ref()
        .map(|companion| companions(model, companion));
    quote!(#method #companion)
}

/// What happens before the body: the level-1 look-up, or the key's text.
fn call(model: &Cacheable) -> TokenStream {
    let runtime = runtime(model.runtime.as_ref(), &model.krate);
    let key = writer(&model.key);
    let looked_up = quote_spanned!(Span::mixed_site()=> call(#runtime, #key));
    let bypassed = quote_spanned!(Span::mixed_site()=> bypass(#runtime));
    let call = condition(
        model.when.as_ref(),
        &descriptor(model),
        &looked_up,
        &bypassed,
    );
    let lives =
        lives(model).map(|(setter, life)| quote_spanned!(Span::mixed_site()=> .#setter(|| #life)));
    quote!(#call #(#lives)*)
}

fn run(model: &Cacheable) -> TokenStream {
    let private = model.krate.private();
    let output = &model.output;
    let body = pinned();
    let run = local(if model.unless.is_some() {
        "run_unless"
    } else {
        "run"
    });
    let unless = model.unless.iter();
    quote_spanned! {Span::mixed_site()=>
        #run(#private::shape!(#output), #body #(, #unless)*)
    }
}

/// The lives that are computed per call, with the setter each goes to.
fn lives(model: &Cacheable) -> impl Iterator<Item = (syn::Ident, &Expr)> {
    let site = &model.site;
    [
        ("ttl", Some(&site.ttl)),
        ("none_ttl", site.none_ttl.as_ref()),
        ("local_ttl", site.local_ttl.as_ref()),
    ]
    .into_iter()
    .filter_map(|(setter, life)| match life {
        Some(Life::Computed(expr)) => Some((local(setter), expr)),
        Some(Life::Millis(_)) | None => None,
    })
}

fn descriptor(model: &Cacheable) -> TokenStream {
    let private = model.krate.private();
    let settings = &model.site;
    let prefix = &settings.prefix;
    let method = model.function.name();
    let mut setters = TokenStream::new();
    for (setter, life) in [
        ("ttl_millis", Some(&settings.ttl)),
        ("none_ttl_millis", settings.none_ttl.as_ref()),
        ("local_ttl_millis", settings.local_ttl.as_ref()),
    ] {
        if let Some(Life::Millis(millis)) = life {
            let setter = local(setter);
            setters.extend(quote!(.#setter(#millis)));
        }
    }
    let jitter = settings.jitter.iter();
    let is_local = settings.local.iter();
    let schema = settings.schema.iter();
    let label = settings.name.iter();
    let codec = settings.codec.iter().map(|codec| match codec {
        Codec::Auto => quote!(#private::codec::AUTO),
        Codec::Bincode => quote!(#private::codec::BINCODE),
        Codec::MsgPack => quote!(#private::codec::MSGPACK),
        Codec::Json => quote!(#private::json_codec!()),
    });
    let descriptor = quote_spanned! {Span::mixed_site()=>
        Site(#prefix, #method)
            #(.name(#label))* #setters #(.jitter(#jitter))* #(.local(#is_local))*
            #(.codec(#codec))* #(.schema(#schema))*
    };
    site(&model.krate, &descriptor)
}

fn companions(model: &Cacheable, companion: &Companion) -> TokenStream {
    let function = &model.function;
    let Companion {
        name,
        takes_self,
        on_instance,
    } = companion;
    let vis = &function.vis;
    let (generics, _, bounds) = function.sig.generics.split_for_impl();
    let cfg: Vec<_> = function
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .collect();
    let inputs: Vec<_> = function.sig.inputs.iter().filter_map(typed).collect();
    let output = &model.output;
    let method_key = model.krate.public("MethodKey");
    let returns = quote!(#method_key<#output>);

    let link = if function.receiver().is_some() {
        "Self::"
    } else {
        ""
    };
    let doc = format!(
        " Names the entry of [`{method}`]({link}{method}) with these arguments.",
        method = function.name()
    );
    let receiver = takes_self.then(|| quote!(&self,));
    let site = descriptor(model);
    let key = writer(&model.key);
    // Level 1 ends with level 2, so an entry that is put needs no life of its own there.
    let lives = lives(model).filter(|(setter, _)| setter != "local_ttl");
    let setters = lives.map(|(setter, life)| quote!(.#setter(#life)));
    let allow_underscores = lint_underscores(function);
    let named = quote_spanned! {Span::mixed_site()=>
        #(#cfg)*
        #[doc = #doc]
        #[allow(dead_code, unused_mut, unused_variables)]
        #allow_underscores
        #vis fn #name #generics(#receiver #(#inputs),*) -> #returns #bounds {
            #site.method_key(#key) #(#setters)*
        }
    };

    // An argument under `#[cfg]` cannot be handed on in a call, so there the entry is only
    // named through the type.
    let under_cfg = function.params.iter().any(|param| !param.cfg.is_empty());
    let on_instance = on_instance
        .as_ref()
        .filter(|_| !under_cfg)
        .map(|on_instance| {
            let names: Vec<_> = (0..inputs.len())
                .map(|index| format_ident!("__cacheable_{index}", span = Span::mixed_site()))
                .collect();
            let types = function.params.iter().map(|param| &param.ty);
            let turbofish = turbofish(model);
            let call = if *takes_self {
                quote_spanned!(Span::mixed_site()=> Self::#name #turbofish(self, #(#names),*))
            } else {
                quote_spanned!(Span::mixed_site()=> Self::#name #turbofish(#(#names),*))
            };
            quote_spanned! {Span::mixed_site()=>
                #(#cfg)*
                #[doc(hidden)]
                #[allow(dead_code)]
                #vis fn #on_instance #generics(&self, #(#names: #types),*) -> #returns #bounds {
                    #call
                }
            }
        });
    quote!(#named #on_instance)
}

fn typed(arg: &FnArg) -> Option<TokenStream> {
    match arg {
        FnArg::Receiver(_) => None,
        FnArg::Typed(arg) => Some(arg.to_token_stream()),
    }
}

/// The function's own parameters, handed on.
fn turbofish(model: &Cacheable) -> Option<TokenStream> {
    let params: Vec<_> = model
        .function
        .sig
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!params.is_empty()).then(|| quote!(::<#(#params),*>))
}
