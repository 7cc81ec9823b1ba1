use cacheable_runtime::cacheable;

use std::borrow::Cow;

#[derive(Clone)]
struct Service;

impl Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find<'a>(
        &self,
        id: Option<&str>,
        name: Cow<'a, str>,
        (left, right): (u64, u64),
        any: impl AsRef<str> + serde::Serialize + Send,
    ) -> String {
        format!("{id:?}{name}{left}{right}{}", any.as_ref())
    }
}

fn main() {}
