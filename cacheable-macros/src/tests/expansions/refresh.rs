#[cacheable(ttl = 60, key_prefix = "a", stale_while_revalidate = "10m", unless = |value| *value > limit)]
async fn owned(id: String, limit: u64) -> u64 {
    ask(id, limit).await
}

#[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
async fn borrowed<'a, T: Kind + 'static>(mut id: &'a str, list: &[u8]) -> Option<T> {
    ask(id, list).await
}

impl ProjectService {
    #[cacheable(ttl = 60, key_prefix = "a", refresh_ahead = 0.8, tags = ["owner:{value.owner}"])]
    async fn shared(self: Arc<Self>, id: String) -> Project {
        self.ask(id).await
    }

    #[cfg(feature = "background")]
    #[cacheable(ttl = 60, key_prefix = "a", refresh_ahead = 0.8, refresh = "background")]
    pub async fn method(&self, id: &str, version: Option<u64>) -> Project {
        self.ask(id, version).await
    }
}

// ----------------------------------------

async fn owned(id: String, limit: u64) -> u64 {
    let __cacheable_call = ::cacheable_runtime::__private::site!(
        Site("a", "owned").ttl_millis(60000u64).stale_while_revalidate_millis(600000u64)
    )
        .call(
            ::cacheable_runtime::__private::global(),
            |__cacheable_key| {
                __cacheable_key.arg(&id).arg(&limit);
            },
        );
    let __cacheable_body = async move {
        ::cacheable_runtime::__private::returns!(u64);
        ask(id, limit).await
    };
    __cacheable_call
        .run_owned(
            ::cacheable_runtime::__private::shape!(u64),
            __cacheable_body,
            move |value| *value > limit,
            ::cacheable_runtime::__private::no_tags,
            ::cacheable_runtime::__private::never_late,
        )
        .await
}
async fn borrowed<'a, T: Kind + 'static>(mut id: &'a str, list: &[u8]) -> Option<T> {
    let __cacheable_call = ::cacheable_runtime::__private::site!(
        Site("a", "borrowed").ttl_millis(60000u64).beta(1.0f64)
    )
        .call(
            ::cacheable_runtime::__private::global(),
            |__cacheable_key| {
                __cacheable_key.type_arg::<T>().arg(&id).arg(&list);
            },
        )
        .refresh(|| __cacheable_background_refresh_of_borrowed::<T>(id, list));
    let __cacheable_body = async move {
        ::cacheable_runtime::__private::returns!(Option < T >);
        ask(id, list).await
    };
    __cacheable_call
        .run(
            ::cacheable_runtime::__private::shape!(Option < T >),
            ::core::pin::pin!(__cacheable_body),
        )
        .await
}
#[doc(hidden)]
#[allow(dead_code, deprecated)]
fn __cacheable_background_refresh_of_borrowed<T: Kind + 'static>(
    __cacheable_0: &str,
    __cacheable_1: &[u8],
) -> ::cacheable_runtime::__private::BoxFuture<'static, ()> {
    let __cacheable_0 = <str as ::std::borrow::ToOwned>::to_owned(__cacheable_0);
    let __cacheable_1 = <[u8] as ::std::borrow::ToOwned>::to_owned(__cacheable_1);
    ::std::boxed::Box::pin(async move {
        let _ = borrowed::<
            T,
        >(
                ::core::borrow::Borrow::<str>::borrow(&__cacheable_0),
                ::core::borrow::Borrow::<[u8]>::borrow(&__cacheable_1),
            )
            .await;
    })
}
impl ProjectService {
    async fn shared(self: Arc<Self>, id: String) -> Project {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Site("a", "shared").ttl_millis(60000u64).refresh_ahead(0.8f64)
        )
            .call(
                ::cacheable_runtime::__private::global(),
                |__cacheable_key| {
                    __cacheable_key.arg(&id);
                },
            );
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Project);
            self.ask(id).await
        };
        __cacheable_call
            .run_owned(
                ::cacheable_runtime::__private::shape!(Project),
                __cacheable_body,
                ::cacheable_runtime::__private::keep_all,
                |__cacheable_value, __cacheable_tags| {
                    __cacheable_tags
                        .tag(|__cacheable_tag| {
                            __cacheable_tag
                                .literal("owner:")
                                .value(&__cacheable_value.owner);
                        });
                },
                ::cacheable_runtime::__private::never_late,
            )
            .await
    }
    #[cfg(feature = "background")]
    pub async fn method(&self, id: &str, version: Option<u64>) -> Project {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Site("a", "method").ttl_millis(60000u64).refresh_ahead(0.8f64)
        )
            .call(
                ::cacheable_runtime::__private::global(),
                |__cacheable_key| {
                    __cacheable_key.arg(&id).arg(&version);
                },
            )
            .refresh(|| Self::__cacheable_background_refresh_of_method(
                self,
                id,
                &version,
            ));
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Project);
            self.ask(id, version).await
        };
        __cacheable_call
            .run(
                ::cacheable_runtime::__private::shape!(Project),
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
    #[cfg(feature = "background")]
    #[doc(hidden)]
    #[allow(dead_code, deprecated)]
    fn __cacheable_background_refresh_of_method(
        __cacheable_self: &Self,
        __cacheable_0: &str,
        __cacheable_1: &Option<u64>,
    ) -> ::cacheable_runtime::__private::BoxFuture<'static, ()> {
        let __cacheable_self = ::cacheable_runtime::__private::detached(
            __cacheable_self,
        );
        let __cacheable_0 = <str as ::std::borrow::ToOwned>::to_owned(__cacheable_0);
        let __cacheable_1 = <Option<u64> as ::core::clone::Clone>::clone(__cacheable_1);
        ::std::boxed::Box::pin(async move {
            let _ = Self::method(
                    &__cacheable_self,
                    ::core::borrow::Borrow::<str>::borrow(&__cacheable_0),
                    __cacheable_1,
                )
                .await;
        })
    }
    #[cfg(feature = "background")]
    /// Names the entry of [`method`](Self::method) with these arguments.
    #[allow(dead_code, unused_mut, unused_variables)]
    pub fn method_key(
        id: &str,
        version: Option<u64>,
    ) -> ::cacheable_runtime::MethodKey<Project> {
        ::cacheable_runtime::__private::site!(
            Site("a", "method").ttl_millis(60000u64).refresh_ahead(0.8f64)
        )
            .method_key(|__cacheable_key| {
                __cacheable_key.arg(&id).arg(&version);
            })
    }
    #[cfg(feature = "background")]
    #[doc(hidden)]
    #[allow(dead_code)]
    pub fn method_key_for(
        &self,
        __cacheable_0: &str,
        __cacheable_1: Option<u64>,
    ) -> ::cacheable_runtime::MethodKey<Project> {
        Self::method_key(__cacheable_0, __cacheable_1)
    }
}
