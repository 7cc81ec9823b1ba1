//! `#[cacheable]`: a static descriptor, a key, one call into the runtime.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Expr;

use super::{companion, condition, local, near, refresh, runtime, site, tag_writer, wrap, writer};
use crate::duration::Life;
use crate::freshness::Late;
use crate::model::Cacheable;
use crate::refresh::Refresh;
use crate::settings::Codec;
use crate::tags::value_local;

pub(crate) fn expand(model: &Cacheable<'_>) -> TokenStream {
    let method = wrap(
        model.function,
        &model.krate,
        &call(model),
        &run(model),
        handed_over(model),
    );
    let refresh = match &model.refresh {
        Refresh::Again(again) => Some(refresh::function(model, again)),
        Refresh::Inline | Refresh::Owned => None,
    };
    let companion = model
        .companion
        .as_ref()
        .map(|companion| companion::expand(model, companion));
    quote!(#method #refresh #companion)
}

/// The last call: `run`, or one that takes more for what only some methods ask for.
fn run(model: &Cacheable<'_>) -> TokenStream {
    let unless = model.unless.as_ref();
    let is_owned = matches!(model.refresh, Refresh::Owned);
    if !is_owned && model.tags.of_value.is_empty() && model.late.is_none() {
        let method = if unless.is_some() {
            "run_unless"
        } else {
            "run"
        };
        return super::run(method, &model.output, &model.krate, None, unless);
    }
    let output = &model.output;
    let private = model.krate.private_at(near(output));
    let unless = match unless.cloned() {
        None => quote_spanned!(near(output)=> #private::keep_all),
        Some(Expr::Closure(mut closure)) if is_owned => {
            // What it reads of the arguments may be borrowed from the caller otherwise.
            closure.capture.get_or_insert_default();
            closure.into_token_stream()
        }
        Some(unless) => unless.into_token_stream(),
    };
    let tags = tags_of_value(model);
    let late = late(model);
    let here = handed_over(model).unwrap_or_else(|| near(output));
    let body = Ident::new("__cacheable_body", here);
    let (method, body) = if is_owned {
        ("run_owned", quote!(#body))
    } else {
        ("run_full", quote_spanned!(here=> ::core::pin::pin!(#body)))
    };
    let method = Ident::new(method, here);
    quote_spanned! {here=>
        #method(#private::shape!(#output), #body, #unless, #tags, #late)
    }
}

/// Where it is shown that a body cannot be handed over: at its function.
fn handed_over(model: &Cacheable<'_>) -> Option<Span> {
    let is_owned = matches!(model.refresh, Refresh::Owned);
    is_owned.then(|| near(&model.function.sig.ident))
}

/// `|value, tags| { tags.tag(..).tag(..); }`.
fn tags_of_value(model: &Cacheable<'_>) -> TokenStream {
    if model.tags.of_value.is_empty() {
        let private = model.krate.private_at(near(&model.output));
        return quote_spanned!(near(&model.output)=> #private::no_tags);
    }
    let value = value_local(Span::mixed_site());
    let tags = local("__cacheable_tags");
    let each = model.tags.of_value.iter().map(tag_writer);
    quote_spanned!(Span::mixed_site()=> |#value, #tags| { #tags #(.tag(#each))*; })
}

/// What is returned when the time of `load_timeout` is up.
fn late(model: &Cacheable<'_>) -> TokenStream {
    let output = &model.output;
    let private = model.krate.private_at(near(output));
    match &model.late {
        None => quote_spanned!(near(output)=> #private::never_late),
        Some(Late::Absent) => {
            quote_spanned!(near(output)=> || #private::absent_of(#private::shape!(#output)))
        }
        Some(Late::Error(error)) => {
            quote_spanned!(near(error)=> || ::core::result::Result::Err(#error))
        }
    }
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
    let tags = model.tags.of_arguments.iter().map(tag_writer);
    let again = match &model.refresh {
        Refresh::Again(again) => Some(refresh::setter(again)),
        Refresh::Inline | Refresh::Owned => None,
    };
    quote!(#call #(#lives)* #(.tag(#tags))* #again)
}

/// The lives that are computed per call, with the setter each goes to.
pub(super) fn lives<'a>(
    model: &'a Cacheable<'_>,
) -> impl Iterator<Item = (&'static str, &'a Expr)> + use<'a> {
    let lives = model.site.lives().into_iter();
    lives.filter_map(|(setter, life)| match life {
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
    for (setter, life) in settings.lives() {
        if let Some(Life::Millis(millis)) = life {
            let setter = local(&format!("{setter}_millis"));
            setters.extend(quote!(.#setter(#millis)));
        }
    }
    let jitter = settings.jitter.iter();
    let refresh_ahead = settings.refresh_ahead.iter();
    let beta = settings.beta.iter();
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
            #(.name(#label))* #setters #(.jitter(#jitter))*
            #(.refresh_ahead(#refresh_ahead))* #(.beta(#beta))* #(.local(#is_local))*
            #(.codec(#codec))* #(.schema(#schema))*
    };
    site(&model.krate, &descriptor)
}
