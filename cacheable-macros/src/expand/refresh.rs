//! The function beside a method that makes its call again, in the background.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::companion::turbofish;
use super::near;
use crate::model::Cacheable;
use crate::refresh::{Again, Receiver};

/// `.refresh(|| Self::again(..))`, which copies the arguments when it is called.
pub(super) fn setter(again: &Again) -> TokenStream {
    let at = again.at;
    let name = &again.name;
    let own = again.is_associated.then(|| quote_spanned!(at=> Self::));
    let turbofish = turbofish(&again.generics);
    let receiver = again.receiver.iter().map(|receiver| {
        let this = if receiver.by_reference {
            quote!(self)
        } else {
            quote!(&self)
        };
        quote_spanned!(at=> ::core::clone::Clone::clone(#this))
    });
    let params = again.params.iter().map(|param| {
        let (name, ty) = (&param.name, &param.ty);
        if param.by_reference {
            quote_spanned!(near(ty)=> <#ty as ::std::borrow::ToOwned>::to_owned(#name))
        } else {
            quote_spanned!(near(ty)=> <#ty as ::core::clone::Clone>::clone(&#name))
        }
    });
    let copies = receiver.chain(params);
    quote_spanned!(at=> .refresh(|| #own #name #turbofish(#(#copies),*)))
}

/// The function. It is a plain one that returns a box: the future of an `async fn` would
/// have to be known to be `Send` in order to know that it is.
pub(super) fn function(model: &Cacheable<'_>, again: &Again) -> TokenStream {
    let function = model.function;
    let at = again.at;
    let private = model.krate.private_at(at);
    let this = format_ident!("__cacheable_self", span = Span::mixed_site());
    let local = |index: usize| format_ident!("__cacheable_{index}", span = Span::mixed_site());
    let mut inputs = Vec::new();
    let mut handed = Vec::new();
    let mut bounds = TokenStream::new();
    if let Some(receiver) = &again.receiver {
        let ty = &receiver.ty;
        let reference = receiver.by_reference.then(|| quote!(&));
        inputs.push(quote_spanned!(at=> #this: #ty));
        handed.push(quote_spanned!(at=> #reference #this));
        bounds = bound(receiver, at);
    }
    for (index, param) in again.params.iter().enumerate() {
        let (name, ty) = (local(index), &param.ty);
        let here = near(ty);
        if param.by_reference {
            inputs.push(quote_spanned!(here=> #name: <#ty as ::std::borrow::ToOwned>::Owned));
            handed.push(quote_spanned!(here=> ::core::borrow::Borrow::<#ty>::borrow(&#name)));
        } else {
            inputs.push(quote_spanned!(here=> #name: #ty));
            handed.push(quote_spanned!(here=> #name));
        }
    }
    let own = again.is_associated.then(|| quote_spanned!(at=> Self::));
    let method = &function.sig.ident;
    let turbofish = turbofish(&again.generics);
    let name = &again.name;
    let generics = &again.generics;
    let written = generics.where_clause.iter();
    let written = written.flat_map(|clause| &clause.predicates);
    let shared = function.shared_attrs();
    quote_spanned! {at=>
        #(#shared)*
        #[doc(hidden)]
        #[allow(dead_code, deprecated)]
        fn #name #generics(#(#inputs),*) -> #private::BoxFuture<'static, ()>
        where
            #(#written,)* #bounds
        {
            ::std::boxed::Box::pin(async move {
                let _ = #own #method #turbofish(#(#handed),*).await;
            })
        }
    }
}

/// What an instance needs to be copied and to wait in another task.
fn bound(receiver: &Receiver, at: Span) -> TokenStream {
    let clone = receiver
        .is_instance
        .then(|| quote_spanned!(at=> ::core::clone::Clone +));
    quote_spanned!(at=> Self: #clone ::core::marker::Send + ::core::marker::Sync + 'static)
}
