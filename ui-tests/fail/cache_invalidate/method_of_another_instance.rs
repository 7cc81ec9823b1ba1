use cacheable_runtime::{cache_invalidate, cacheable};

struct Projects {
    tenant: String,
}

impl Projects {
    #[cacheable(ttl = 60, key_prefix = "project", key = "{self.tenant}:{id}")]
    pub async fn project(&self, id: u64) -> u64 {
        id
    }

    // Which tenant's? `method(self.project(id))` says it.
    #[cache_invalidate(method(Self::project(id)))]
    pub async fn save(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
