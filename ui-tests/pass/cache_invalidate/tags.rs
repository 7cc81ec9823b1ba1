//! Tags made of arguments, alone and beside patterns and methods.

#![deny(warnings)]

use std::sync::Arc;

use async_trait::async_trait;
use cacheable_runtime::{Error, Runtime, cache_invalidate, cacheable};

struct Team {
    id: u64,
}

struct Service {
    tenant: String,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "p", key = "{id}", tags = ["team:{team}", "tenant:{self.tenant}"])]
    pub async fn get(&self, id: u64, team: u64) -> Result<u64, Error> {
        Ok(id + team)
    }

    #[cache_invalidate(tags = ["team:{team.id}", "tenant:{self.tenant}", "projects"])]
    async fn close(&self, team: Team) -> Result<(), Error> {
        drop(team);
        Ok(())
    }

    #[cache_invalidate(
        "cache:p:*",
        method(self.get(id, team)),
        tags = ["team:{team}", "value:{value}"],
        when = id > 0,
        unless = |removed| *removed == 0,
        before,
        on_failure = "error",
    )]
    pub async fn all(self: Arc<Self>, id: u64, team: u64, value: String) -> Result<u64, Error> {
        Ok(id + team + value.len() as u64)
    }

    #[cache_invalidate(tags = ["tenant:{self.tenant}"])]
    async fn rename(&mut self, tenant: &str) {
        tenant.clone_into(&mut self.tenant);
    }
}

#[async_trait]
trait Forget {
    async fn forget(&mut self, pair: (u64, u64));
}

#[async_trait]
impl Forget for Service {
    #[cache_invalidate(tags = ["pair:{left}:{right}"])]
    async fn forget(&mut self, (left, right): (u64, u64)) {
        self.tenant = format!("{left}{right}");
    }
}

#[cache_invalidate(tags = ["kind:{T}:{N}"])]
async fn free<T: Send, const N: usize>() -> Option<usize> {
    Some(N)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let mut service = Service {
        tenant: "t".to_owned(),
    };
    service.get(1, 2).await.unwrap();
    service.close(Team { id: 2 }).await.unwrap();
    service.rename("u").await;
    service.forget((1, 2)).await;
    assert_eq!(free::<u8, 3>().await, Some(3));
    assert_eq!(Arc::new(service).all(1, 2, String::new()).await.unwrap(), 3);
}
