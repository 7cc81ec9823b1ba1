//! `#[cache_put]`: the body always runs, and its value becomes another method's entry.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{condition, local, run, runtime, site, wrap};
use crate::model::Put;

pub(crate) fn expand(model: &Put<'_>) -> TokenStream {
    let unless = model.unless.as_ref();
    let method = if unless.is_some() {
        "run_unless"
    } else {
        "run"
    };
    let call_local = local("__cacheable_call");
    let target = quote_spanned!(Span::mixed_site()=> #call_local.1);
    let run = run(method, &model.output, &model.krate, Some(&target), unless);
    wrap(
        model.function,
        &model.krate,
        &call(model),
        &quote!(0.#run),
        None,
    )
}

/// The call, and the shape of what the other method returns.
fn call(model: &Put<'_>) -> TokenStream {
    let private = model.krate.private();
    let label = model.name.clone().unwrap_or_else(|| model.function.name());
    let descriptor = quote_spanned!(Span::mixed_site()=> Put(#label));
    let runtime = runtime(model.runtime.as_ref(), &model.krate);
    let entry = &model.method;
    let [key, target] = ["__cacheable_key", "__cacheable_target"].map(local);
    let begun = quote_spanned!(Span::mixed_site()=> begin(#runtime, #key));
    let skipped = quote_spanned!(Span::mixed_site()=> skip());
    let site = site(&model.krate, &descriptor);
    let call = condition(model.when.as_ref(), &site, &begun, &skipped);
    quote_spanned! {Span::mixed_site()=> {
        let #key = #entry;
        let #target = #private::shape_of_key!(&#key);
        (#call, #target)
    }}
}
