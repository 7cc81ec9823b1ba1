//! `#[cacheable]`: a static descriptor, a key, one call into the runtime.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;

use super::{companion, condition, local, run, runtime, site, wrap, writer};
use crate::duration::Life;
use crate::model::{Cacheable, Codec};

pub(crate) fn expand(model: &Cacheable<'_>) -> TokenStream {
    let unless = model.unless.as_ref();
    let method = if unless.is_some() {
        "run_unless"
    } else {
        "run"
    };
    let run = run(method, &model.output, &model.krate, None, unless);
    let method = wrap(model.function, &model.krate, &call(model), &run);
    let companion = model
        .companion
        .as_ref()
        .map(|companion| companion::expand(model, companion));
    quote!(#method #companion)
}

/// What happens before the body: the level-1 look-up, or the key's text.
fn call(model: &Cacheable<'_>) -> TokenStream {
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
    let lives = lives(model).map(|(setter, life)| {
        let setter = local(setter);
        quote_spanned!(Span::mixed_site()=> .#setter(|| #life))
    });
    quote!(#call #(#lives)*)
}

/// The lives that are computed per call, with the setter each goes to.
pub(super) fn lives<'a>(
    model: &'a Cacheable<'_>,
) -> impl Iterator<Item = (&'static str, &'a Expr)> + use<'a> {
    let site = &model.site;
    [
        ("ttl", Some(&site.ttl)),
        ("none_ttl", site.none_ttl.as_ref()),
        ("local_ttl", site.local_ttl.as_ref()),
    ]
    .into_iter()
    .filter_map(|(setter, life)| match life {
        Some(Life::Computed(expr)) => Some((setter, expr)),
        Some(Life::Millis(_)) | None => None,
    })
}

pub(super) fn descriptor(model: &Cacheable<'_>) -> TokenStream {
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
    let label = model.name.iter();
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
