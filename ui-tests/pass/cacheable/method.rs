//! A method on `&self`, the commonest of all.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{IntoKey, Runtime, cacheable};

#[derive(Default)]
struct Projects {
    loads: AtomicU64,
}

impl Projects {
    #[cacheable(ttl = 3600, key_prefix = "project")]
    pub async fn title(&self, id: &str, version: u32) -> Result<String, String> {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        if id == "gone" {
            return Err(format!("no {id}"));
        }
        Ok(format!("{id} v{version} #{load}"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let projects = Projects::default();
    assert_eq!(projects.title("a", 1).await.unwrap(), "a v1 #0");
    assert_eq!(projects.title("a", 1).await.unwrap(), "a v1 #0");
    assert_eq!(projects.title("a", 2).await.unwrap(), "a v2 #1");
    assert!(projects.title("gone", 1).await.is_err());
    assert!(projects.title("gone", 1).await.is_err());
    assert_eq!(projects.loads.load(Ordering::Relaxed), 4);
    let key = Projects::title_key("a", 1).into_key().unwrap();
    assert_eq!(key.as_str(), "cache:project:title:a:1");
}
