#[cacheable(
    ttl = 60,
    key_prefix = "a",
    stale_while_revalidate = "10m",
    stale_if_error = window(id),
    retry_after = 5,
    refresh_ahead = 0.8,
    load_timeout = "250ms",
    timeout_error = Error::Late
)]
async fn literal(id: &str) -> Result<u64, Error> {
    ask(id).await
}

#[cacheable(ttl = 60, key_prefix = "a", beta = 2, load_timeout = Duration::from_secs(limit))]
async fn computed(id: &str, limit: u64) -> Option<u64> {
    ask(id, limit).await
}

// ----------------------------------------

async fn literal(id: &str) -> Result<u64, Error> {
    let __cacheable_call = ::cacheable_runtime::__private::site!(
        Site("a", "literal").ttl_millis(60000u64)
        .stale_while_revalidate_millis(600000u64).retry_after_millis(5000u64)
        .load_timeout_millis(250u64).refresh_ahead(0.8f64)
    )
        .call(
            ::cacheable_runtime::__private::global(),
            |__cacheable_key| {
                __cacheable_key.arg(&id);
            },
        )
        .stale_if_error(|| window(id));
    let __cacheable_body = async move {
        ::cacheable_runtime::__private::returns!(Result < u64, Error >);
        ask(id).await
    };
    __cacheable_call
        .run_full(
            ::cacheable_runtime::__private::shape!(Result < u64, Error >),
            ::core::pin::pin!(__cacheable_body),
            ::cacheable_runtime::__private::keep_all,
            ::cacheable_runtime::__private::no_tags,
            || ::core::result::Result::Err(Error::Late),
        )
        .await
}
async fn computed(id: &str, limit: u64) -> Option<u64> {
    let __cacheable_call = ::cacheable_runtime::__private::site!(
        Site("a", "computed").ttl_millis(60000u64).beta(2.0f64)
    )
        .call(
            ::cacheable_runtime::__private::global(),
            |__cacheable_key| {
                __cacheable_key.arg(&id).arg(&limit);
            },
        )
        .load_timeout(|| Duration::from_secs(limit));
    let __cacheable_body = async move {
        ::cacheable_runtime::__private::returns!(Option < u64 >);
        ask(id, limit).await
    };
    __cacheable_call
        .run_full(
            ::cacheable_runtime::__private::shape!(Option < u64 >),
            ::core::pin::pin!(__cacheable_body),
            ::cacheable_runtime::__private::keep_all,
            ::cacheable_runtime::__private::no_tags,
            || ::cacheable_runtime::__private::absent_of(
                ::cacheable_runtime::__private::shape!(Option < u64 >),
            ),
        )
        .await
}
