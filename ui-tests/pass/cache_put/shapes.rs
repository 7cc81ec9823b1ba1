//! `#[cache_put]`: what a write returns becomes what the next read gets.

#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cache_put, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Project {
    id: u64,
    name: String,
}

fn project(id: u64, name: &str) -> Project {
    let name = name.to_owned();
    Project { id, name }
}

struct Projects {
    tenant: String,
}

impl Projects {
    #[cacheable(ttl = 60, key_prefix = "project")]
    pub async fn get(&self, id: u64) -> Result<Option<Project>, String> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Ok(Some(project(id, "loaded")))
    }

    #[cacheable(
        ttl = std::time::Duration::from_secs(self.tenant.len() as u64),
        key_prefix = "shared",
        key = "{self.tenant}:{id}"
    )]
    pub async fn shared(&self, id: u64) -> Arc<Project> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Arc::new(project(id, "loaded"))
    }

    #[cache_put(method(Self::get(id)))]
    async fn rename(&self, id: u64, name: String) -> Result<Project, String> {
        if name.is_empty() {
            return Err("no name".to_owned());
        }
        Ok(project(id, &name))
    }

    #[cache_put(method(self.shared(id)), when = id > 0, unless = |value| value.name == "draft")]
    pub async fn publish(self: Arc<Self>, id: u64, name: &str) -> Option<Project> {
        Some(project(id, name))
    }
}

#[async_trait]
trait Save {
    async fn save(&mut self, project: Project) -> Project;
}

#[async_trait]
impl Save for Projects {
    #[cache_put(method(Self::get(project.id)), name = "save", crate = ::cacheable_runtime)]
    async fn save(&mut self, project: Project) -> Project {
        project
    }
}

#[cacheable(ttl = 60, key_prefix = "count")]
async fn count(of: &str) -> u64 {
    of.len() as u64
}

#[cacheable(ttl = 60, key_prefix = "count", key_fn = entry)]
async fn counted(of: &str) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    of.len() as u64
}

#[cache_put(method(counted(of), key_fn = entry))]
async fn set(of: &str, to: u64) -> u64 {
    let _ = of;
    to
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let mut projects = Projects {
        tenant: "t".repeat(50),
    };
    let name = async |projects: &Projects| projects.get(1).await.unwrap().unwrap().name;
    assert_eq!(name(&projects).await, "loaded");
    projects.rename(1, "renamed".to_owned()).await.unwrap();
    assert_eq!(name(&projects).await, "renamed");
    // A failed write changes nothing.
    projects.rename(1, String::new()).await.unwrap_err();
    projects.save(project(1, "saved")).await;
    assert_eq!(name(&projects).await, "saved");
    assert_eq!(LOADS.load(Ordering::Relaxed), 1);

    let projects = Arc::new(projects);
    let publish = async |name: &str| Arc::clone(&projects).publish(1, name).await.unwrap();
    publish("new").await;
    assert_eq!(projects.shared(1).await.name, "new");
    // A value that is not to be kept still makes the entry old.
    publish("draft").await;
    assert_eq!(projects.shared(1).await.name, "loaded");
    Arc::clone(&projects).publish(0, "zero").await.unwrap();
    assert_eq!(projects.shared(0).await.name, "loaded");
    assert_eq!(LOADS.load(Ordering::Relaxed), 3);

    set("abc", 7).await;
    assert_eq!(counted("abc").await, 7);
    assert_eq!(count("abc").await, 3);
}
