//! `#[cache_put]`: the body always runs, and its value becomes another method's entry.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::{condition, local, pinned, runtime, site, wrap};
use crate::model::Put;

pub(crate) fn expand(model: &Put) -> TokenStream {
    wrap(&model.function, &model.krate, &call(model), &run(model))
}

/// The call, and the shape of what the other method returns.
fn call(model: &Put) -> TokenStream {
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

fn run(model: &Put) -> TokenStream {
    let private = model.krate.private();
    let output = &model.output;
    let call = local("__cacheable_call");
    let body = pinned();
    let run = local(if model.unless.is_some() {
        "run_unless"
    } else {
        "run"
    });
    let unless = model.unless.iter();
    quote_spanned! {Span::mixed_site()=>
        0.#run(#private::shape!(#output), #call.1, #body #(, #unless)*)
    }
}
