impl Repository {
    /// Documented.
    #[must_use]
    #[cacheable(ttl = "1h", key_prefix = "t", key = "v1:{self.tenant}:{Self::KIND}:{T}:{pair.0}")]
    pub(crate) async fn get<T>(self: Arc<Self>, pair: (u64, u64), #[cfg(test)] _extra: u8) -> Arc<T> {
        self.load(pair).await
    }
}

// ----------------------------------------

impl Repository {
    /// Documented.
    #[must_use]
    pub(crate) async fn get<T>(
        self: Arc<Self>,
        pair: (u64, u64),
        #[cfg(test)]
        _extra: u8,
    ) -> Arc<T> {
        #[allow(clippy::used_underscore_binding)]
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Site("t", "get").ttl_millis(3600000u64)
        )
            .call(
                ::cacheable_runtime::__private::global(),
                |__cacheable_key| {
                    __cacheable_key
                        .literal(":v1:")
                        .value(&self.tenant)
                        .literal(":")
                        .value(&Self::KIND)
                        .type_arg::<T>()
                        .literal(":")
                        .value(&pair.0);
                },
            );
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Arc < T >);
            self.load(pair).await
        };
        __cacheable_call
            .run(
                ::cacheable_runtime::__private::shape!(Arc < T >),
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
    /// Names the entry of [`get`](Self::get) with these arguments.
    #[allow(dead_code, unused_mut, unused_variables)]
    pub(crate) fn get_key<T>(
        &self,
        pair: (u64, u64),
    ) -> ::cacheable_runtime::MethodKey<Arc<T>> {
        ::cacheable_runtime::__private::site!(Site("t", "get").ttl_millis(3600000u64))
            .method_key(|__cacheable_key| {
                __cacheable_key
                    .literal(":v1:")
                    .value(&self.tenant)
                    .literal(":")
                    .value(&Self::KIND)
                    .type_arg::<T>()
                    .literal(":")
                    .value(&pair.0);
            })
    }
    #[doc(hidden)]
    #[allow(dead_code)]
    pub(crate) fn get_key_for<T>(
        &self,
        __cacheable_0: (u64, u64),
    ) -> ::cacheable_runtime::MethodKey<Arc<T>> {
        Self::get_key::<T>(self, __cacheable_0)
    }
}
