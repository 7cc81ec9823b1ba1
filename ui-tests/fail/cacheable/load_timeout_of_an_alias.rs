use cacheable_runtime::cacheable;

type ApiResult<T> = Result<T, String>;

#[cacheable(ttl = 60, key_prefix = "a", load_timeout = "2s")]
async fn double(number: u64) -> ApiResult<Option<u64>> {
    Ok(Some(number * 2))
}

fn main() {}
