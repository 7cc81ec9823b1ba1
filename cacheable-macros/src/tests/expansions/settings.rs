#[cacheable(
    ttl = settings.ttl(id),
    key_prefix = "p",
    none_ttl = "5s",
    local_ttl = 3,
    when = id != 0,
    unless = |value| value.is_empty(),
    jitter = 0.2,
    codec = "json",
    schema = 2,
    runtime = settings.runtime,
    crate = crate::deps::caching,
    name = "p.find",
    skip(settings),
    key_fn = entry
)]
async fn find<T: Query, const N: usize>(settings: &Settings, id: u64) -> ApiResult<Option<String>>
where
    T: Send,
{
    let query = T::new(id)?;
    query.run().await
}

// ----------------------------------------

async fn find<T: Query, const N: usize>(
    settings: &Settings,
    id: u64,
) -> ApiResult<Option<String>>
where
    T: Send,
{
    let __cacheable_call = {
        let __cacheable_site = crate::deps::caching::__private::site!(
            Site("p", "find").name("p.find").none_ttl_millis(5000u64)
            .local_ttl_millis(3000u64).jitter(0.2f64).codec(crate
            ::deps::caching::__private::json_codec!()).schema(2)
        );
        if id != 0 {
            __cacheable_site
                .call(
                    crate::deps::caching::__private::runtime(&settings.runtime),
                    |__cacheable_key| {
                        __cacheable_key.type_arg::<T>().arg(&N).arg(&id);
                    },
                )
        } else {
            __cacheable_site
                .bypass(crate::deps::caching::__private::runtime(&settings.runtime))
        }
    }
        .ttl(|| settings.ttl(id));
    let __cacheable_body = async move {
        crate::deps::caching::__private::returns!(ApiResult < Option < String > >);
        let query = T::new(id)?;
        query.run().await
    };
    __cacheable_call
        .run_unless(
            crate::deps::caching::__private::shape!(ApiResult < Option < String > >),
            ::core::pin::pin!(__cacheable_body),
            |value| value.is_empty(),
        )
        .await
}
/// Names the entry of [`find`](find) with these arguments.
#[allow(dead_code, unused_mut, unused_variables)]
fn entry<T: Query, const N: usize>(
    settings: &Settings,
    id: u64,
) -> crate::deps::caching::MethodKey<ApiResult<Option<String>>>
where
    T: Send,
{
    crate::deps::caching::__private::site!(
        Site("p", "find").name("p.find").none_ttl_millis(5000u64)
        .local_ttl_millis(3000u64).jitter(0.2f64).codec(crate
        ::deps::caching::__private::json_codec!()).schema(2)
    )
        .method_key(|__cacheable_key| {
            __cacheable_key.type_arg::<T>().arg(&N).arg(&id);
        })
        .ttl(settings.ttl(id))
}
