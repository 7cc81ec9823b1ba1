//! The arguments of `#[cacheable]`, one by one and together.

use std::time::Duration;

use cacheable_runtime::{Cache, CodecId, IntoKey, Policy, Runtime, cacheable};

use super::Loads;
use crate::on_every_store;
use crate::stores::{LONG, Store};

on_every_store![
    key_replaces_the_arguments,
    skip_leaves_arguments_out,
    when_is_asked_before,
    unless_is_asked_about_the_value,
    codec_is_the_one_asked_for,
    schema_is_part_of_the_form,
    name_is_the_label,
    local_is_accepted,
    key_fn_names_the_entry,
    runtime_is_the_one_that_is_named,
    all_together,
];

struct Service {
    runtime: Runtime,
    cache: Cache,
    tenant: &'static str,
    loads: Loads,
}

impl Service {
    async fn on(store: &Store) -> Self {
        Self::over(store.runtime().await)
    }

    fn over(runtime: Runtime) -> Self {
        Self {
            cache: runtime.cache(),
            runtime,
            tenant: "acme",
            loads: Loads::default(),
        }
    }

    async fn life_of(&self, key: impl IntoKey) -> Duration {
        let seen = self.cache.inspect(key).await.unwrap();
        seen.expect("there is an entry").ttl
    }

    fn slug(&self) -> String {
        format!("{} 1*", self.tenant.to_uppercase())
    }

    #[cacheable(ttl = 300, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn number(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = 600, key_prefix = "o", key = "{self.tenant}:{id}", runtime = self.runtime)]
    pub(crate) async fn of_tenant(&self, id: u64, trace: &str) -> String {
        format!("{trace} {id} {} {}", self.tenant, self.loads.next())
    }

    #[cacheable(ttl = 600, key_prefix = "o", key = "v1:{self.slug()}:{id}", runtime = self.runtime)]
    pub(crate) async fn by_method(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = 600, key_prefix = "o", skip(trace, verbose), runtime = self.runtime)]
    pub(crate) async fn skipping(&self, trace: &str, id: u64, verbose: bool) -> String {
        format!("{trace} {id} {verbose} {}", self.loads.next())
    }

    #[cacheable(ttl = 600, key_prefix = "o", skip(fresh), when = !fresh, runtime = self.runtime)]
    pub(crate) async fn when(&self, id: u64, fresh: bool) -> u64 {
        let _ = fresh;
        self.loads.next() + id
    }

    #[cacheable(ttl = 600, key_prefix = "o", unless = Vec::is_empty, runtime = self.runtime)]
    pub(crate) async fn unless(&self, list: Vec<u64>) -> Result<Vec<u64>, ()> {
        self.loads.next();
        Ok(list)
    }

    #[cacheable(ttl = 600, key_prefix = "o", codec = "bincode", runtime = self.runtime)]
    pub(crate) async fn bincode(&self) -> Vec<String> {
        vec![self.loads.next().to_string()]
    }

    #[cacheable(ttl = 600, key_prefix = "o", codec = "msgpack", runtime = self.runtime)]
    pub(crate) async fn msgpack(&self) -> Vec<String> {
        vec![self.loads.next().to_string()]
    }

    #[cacheable(ttl = 600, key_prefix = "o", codec = "json", runtime = self.runtime)]
    pub(crate) async fn json(&self) -> Vec<String> {
        vec![self.loads.next().to_string()]
    }

    #[cacheable(ttl = 600, key_prefix = "o", schema = 2, runtime = self.runtime)]
    pub(crate) async fn versioned(&self) -> u64 {
        self.loads.next()
    }

    #[cacheable(ttl = 600, key_prefix = "o", name = "a label", runtime = self.runtime)]
    pub(crate) async fn labelled(&self) -> u64 {
        self.loads.next()
    }

    #[cacheable(ttl = 600, key_prefix = "o", local = false, runtime = self.runtime)]
    pub(crate) async fn not_local(&self) -> u64 {
        self.loads.next()
    }

    #[cacheable(ttl = 600, key_prefix = "o", local_ttl = "5s", runtime = self.runtime)]
    pub(crate) async fn local_ttl(&self) -> u64 {
        self.loads.next()
    }

    #[cacheable(ttl = 600, key_prefix = "o", key_fn = entry_of, runtime = self.runtime)]
    async fn named(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(
        ttl = Duration::from_secs(u64::from(ttl)),
        none_ttl = "1m",
        key_prefix = "all/of_it",
        key = "{self.tenant}:{id}:{list.len()}",
        when = !list.contains(&13),
        unless = |value| *value == 7,
        jitter = 0.25,
        local = true,
        local_ttl = 1,
        codec = "msgpack",
        schema = 9,
        name = "all",
        key_fn = all_of_it,
        runtime = &self.runtime,
        crate = ::cacheable_runtime,
    )]
    async fn all(&self, id: u64, ttl: u32, list: Vec<u64>) -> Result<Option<u64>, String> {
        let _ = ttl;
        self.loads.next();
        match id {
            0 => Ok(None),
            1 => Err("one".to_owned()),
            _ => Ok(Some(id + list.len() as u64 - 1)),
        }
    }
}

async fn key_replaces_the_arguments(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    let first = s.of_tenant(1, "first").await;
    assert_eq!(s.of_tenant(1, "second").await, first);
    let other = Service {
        tenant: "other",
        ..Service::over(s.runtime.clone())
    };
    assert!(other.of_tenant(1, "first").await.contains("other"));
    assert_eq!(s.of_tenant(1, "third").await, first);
    assert!(
        s.cache
            .inspect("cache:o:of_tenant:acme:1")
            .await
            .unwrap()
            .is_some()
    );
    assert!(s.cache.remove(other.of_tenant_key(1)).await.unwrap());
    assert_eq!(s.of_tenant(1, "fourth").await, first);

    assert_eq!(s.loads.of_three(async || s.by_method(7).await).await, 1);
    let text = s.by_method_key(7).into_key().unwrap();
    assert_eq!(text.as_str(), "cache:o:by_method:v1:ACME%201%2A:7");
    assert!(s.cache.inspect(text).await.unwrap().is_some());
}

async fn skip_leaves_arguments_out(store: Store) {
    let service = Service::on(&store).await;
    let first = service.skipping("a", 1, true).await;
    assert_eq!(service.skipping("b", 1, false).await, first);
    assert_ne!(service.skipping("a", 2, true).await, first);
    assert_eq!(service.loads.count(), 2);
}

async fn when_is_asked_before(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.when(1, true).await).await, 3);
    assert!(
        s.cache.inspect("cache:o:when:1").await.unwrap().is_none(),
        "it was written"
    );
    assert_eq!(s.when(1, false).await, 5);
    // It is there, and is not read.
    assert_eq!(s.when(1, true).await, 6);
    assert_eq!(s.when(1, false).await, 5);
    assert_eq!(s.runtime.observe().method("o.when").bypasses, 4);
}

async fn unless_is_asked_about_the_value(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    let call = async |list: &[u64]| s.unless(list.to_vec()).await.unwrap();
    assert_eq!(s.loads.of_three(async || call(&[]).await).await, 3);
    assert_eq!(s.loads.of_three(async || call(&[1]).await).await, 1);
    let key = |list: &[u64]| Service::unless_key(list.to_vec());
    assert!(s.cache.inspect(key(&[])).await.unwrap().is_none());
    assert!(s.cache.inspect(key(&[1])).await.unwrap().is_some());
}

async fn codec_is_the_one_asked_for(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.bincode().await).await, 1);
    assert_eq!(s.loads.of_three(async || s.msgpack().await).await, 1);
    assert_eq!(s.loads.of_three(async || s.json().await).await, 1);
    for (key, codec) in [
        ("cache:o:bincode", CodecId::Bincode),
        ("cache:o:msgpack", CodecId::MsgPack),
        ("cache:o:json", CodecId::Json),
    ] {
        let seen = s.cache.inspect(key).await.unwrap().unwrap();
        assert_eq!(seen.codec, Some(codec), "{key}");
    }
}

async fn schema_is_part_of_the_form(store: Store) {
    // At level 1 each form has an entry of its own.
    let runtime = store.runtime_with(|builder| builder.local_capacity(0));
    let service = Service::over(runtime.await);
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.versioned().await).await, 1);
    // A handle takes entries of any method, if their form is the one it asks for.
    let read = async |schema| {
        let policy = Policy::new(LONG).schema(schema);
        let load = async || Ok::<u64, ()>(77);
        s.cache
            .get_or_load(Service::versioned_key(), policy, load)
            .await
    };
    assert_eq!(read(2).await, Ok(1));
    assert_eq!(read(1).await, Ok(77));
    assert_eq!(s.versioned().await, 2, "77 is of another form");
}

async fn name_is_the_label(store: Store) {
    let service = Service::on(&store).await;
    service.labelled().await;
    service.labelled().await;
    let observed = service.runtime.observe();
    let counts = observed.method("a label");
    assert_eq!((counts.misses, counts.loads, counts.hits_local), (1, 1, 1));
    assert_eq!(observed.method("o.labelled").loads, 0);
    service.local_ttl().await;
    assert_eq!(service.runtime.observe().method("o.local_ttl").loads, 1);
}

async fn local_is_accepted(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.not_local().await).await, 1);
    assert_eq!(s.loads.of_three(async || s.local_ttl().await).await, 1);
}

async fn key_fn_names_the_entry(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.named(5).await, 6);
    assert_eq!(
        s.cache.get::<u64>(Service::entry_of(5)).await.unwrap(),
        Some(6)
    );
    assert!(!s.cache.remove(Service::entry_of(6)).await.unwrap());
    assert!(s.cache.remove(Service::entry_of(5)).await.unwrap());
    assert_eq!(s.named(5).await, 7);
    // What a handle stores under a method's name is the method's value.
    s.cache
        .set(Service::entry_of(5), &99_u64, LONG)
        .await
        .unwrap();
    assert_eq!(s.named(5).await, 99);
}

async fn runtime_is_the_one_that_is_named(store: Store) {
    let service = Service::on(&store).await;
    let other = Service::over(store.neighbour().runtime().await);
    assert_eq!(service.number(1).await, 2);
    assert_eq!(
        other.loads.of_three(async || other.number(1).await).await,
        1
    );
    assert_eq!(service.runtime.observe().method("o.number").loads, 1);
    assert!(other.cache.remove(Service::number_key(1)).await.unwrap());
    assert_eq!(
        service
            .loads
            .of_three(async || service.number(1).await)
            .await,
        0
    );
}

async fn all_together(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    let loads = async |id, list: &[u64]| {
        let call = async || s.all(id, 100, list.to_vec()).await;
        s.loads.of_three(call).await
    };
    assert_eq!(loads(5, &[1]).await, 1);
    assert_eq!(loads(5, &[2]).await, 0, "the key has only its length");
    assert_eq!(loads(5, &[1, 2]).await, 1);
    assert_eq!(loads(6, &[1, 2]).await, 3, "`unless` holds for 7");
    assert_eq!(loads(5, &[13]).await, 3, "`when` is false");
    assert_eq!(loads(0, &[1]).await, 1, "`None` is kept");
    assert_eq!(loads(1, &[1]).await, 3, "an error is not");
    let seen = s.cache.inspect("cache:all/of_it:all:acme:5:1").await;
    let seen = seen.unwrap().unwrap();
    assert_eq!(seen.codec, Some(CodecId::MsgPack));
    let life = Duration::from_secs(100);
    assert!(seen.ttl <= life && seen.ttl > life.mul_f64(0.7));
    assert!(s.life_of("cache:all/of_it:all:acme:0:1").await <= Duration::from_secs(60));
    assert_eq!(s.runtime.observe().method("all").load_errors, 3);
    assert!(s.cache.remove(s.all_of_it(5, 100, vec![1])).await.unwrap());
    assert_eq!(loads(5, &[1]).await, 1);
}
