use cacheable_runtime::cacheable;

use std::borrow::Cow;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn title<'a>(number: &'a str) -> Result<Cow<'a, str>, String> {
    Ok(Cow::Borrowed(number))
}

fn main() {}
