impl Store for Memory {
    #[cacheable(ttl = 60, key_prefix = "sum")]
    fn sum<'life0, 'async_trait>(
        &'life0 self,
        __arg1: (u64, u64),
    ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<u64> {
                return __ret;
            }
            let __self = self;
            let (left, right) = {
                let __arg1 = __arg1;
                __arg1
            };
            let __ret: u64 = { left + right };
            __ret
        })
    }
}

// ----------------------------------------

impl Store for Memory {
    fn sum<'life0, 'async_trait>(
        &'life0 self,
        __arg1: (u64, u64),
    ) -> ::core::pin::Pin<
        Box<
            dyn ::core::future::Future<
                Output = u64,
            > + ::core::marker::Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let (left, right) = {
                let __arg1 = __arg1;
                __arg1
            };
            let __cacheable_call = ::cacheable_runtime::__private::site!(
                Site("sum", "sum").ttl_millis(60000u64)
            )
                .call(
                    ::cacheable_runtime::__private::global(),
                    |__cacheable_key| {
                        __cacheable_key.arg(&left).arg(&right);
                    },
                );
            let __cacheable_body = async move {
                ::cacheable_runtime::__private::returns!(u64);
                if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<
                    u64,
                > {
                    return __ret;
                }
                let __self = self;
                let __ret: u64 = { left + right };
                __ret
            };
            __cacheable_call
                .run(
                    ::cacheable_runtime::__private::shape!(u64),
                    ::core::pin::pin!(__cacheable_body),
                )
                .await
        })
    }
}
