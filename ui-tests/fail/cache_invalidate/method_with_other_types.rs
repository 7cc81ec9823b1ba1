use cacheable_runtime::{cache_invalidate, cacheable};

struct Projects;

impl Projects {
    #[cacheable(ttl = 60, key_prefix = "project")]
    pub async fn project(&self, id: &str) -> u64 {
        id.len() as u64
    }

    #[cache_invalidate(method(Self::project(id)))]
    pub async fn save(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
