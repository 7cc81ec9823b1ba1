//! Methods that claim the same entries never get each other's values.

use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{Runtime, cacheable};
use cacheable_tests::Log;

use super::Loads;
use crate::on_every_store;
use crate::stores::{LONG, Store};

on_every_store![
    methods_of_one_name_on_two_types,
    functions_of_one_name_in_two_modules,
    instances_of_one_generic_method,
    absence_belongs_to_its_method_too,
    absence_is_no_answer_of_a_method_that_has_none,
    callers_at_once_of_two_methods,
    a_value_of_another_type_under_a_methods_key,
    tenants_are_told_apart_by_the_key,
];

struct Users(Runtime);
struct Orders(Runtime);

impl Users {
    #[cacheable(ttl = 600, key_prefix = "same", runtime = self.0)]
    async fn get(&self, id: u64) -> String {
        format!("user {id}")
    }

    #[cacheable(ttl = 600, key_prefix = "same", none_ttl = 600, runtime = self.0)]
    async fn find(&self, id: u64) -> Option<String> {
        (id == 0).then(|| "user".to_owned())
    }
}

impl Orders {
    #[cacheable(ttl = 600, key_prefix = "same", runtime = self.0)]
    async fn get(&self, id: u64) -> String {
        format!("order {id}")
    }

    #[cacheable(ttl = 600, key_prefix = "same", none_ttl = 600, runtime = self.0)]
    async fn find(&self, id: u64) -> Option<String> {
        Some(format!("order {id}"))
    }
}

mod one {
    #[super::cacheable(ttl = 600, key_prefix = "same", skip(runtime), runtime = runtime)]
    pub(super) async fn load(runtime: &super::Runtime, id: u64) -> u64 {
        id + 1
    }
}

mod two {
    #[super::cacheable(ttl = 600, key_prefix = "same", skip(runtime), runtime = runtime)]
    pub(super) async fn load(runtime: &super::Runtime, id: u64) -> u64 {
        id + 2
    }
}

trait Table {
    const NAME: &'static str;
}
impl Table for Users {
    const NAME: &'static str = "users";
}
impl Table for Orders {
    const NAME: &'static str = "orders";
}

struct Repository<T> {
    runtime: Runtime,
    table: std::marker::PhantomData<T>,
}

impl<T: Table> Repository<T> {
    fn over(runtime: &Runtime) -> Self {
        Self {
            runtime: runtime.clone(),
            table: std::marker::PhantomData,
        }
    }

    #[cacheable(ttl = 600, key_prefix = "same", runtime = self.runtime)]
    async fn name(&self) -> String {
        T::NAME.to_owned()
    }

    #[cacheable(ttl = 600, key_prefix = "same", key = "{Self}", runtime = self.runtime)]
    async fn own_name(&self) -> String {
        T::NAME.to_owned()
    }
}

struct Tenant {
    runtime: Runtime,
    name: String,
}

impl Tenant {
    #[cacheable(ttl = 600, key_prefix = "tenant", key = "{self.name}:{id}", runtime = self.runtime)]
    async fn get(&self, id: &str) -> String {
        format!("{} {id}", self.name)
    }
}

/// Without level 1, where each method has what it stored.
async fn shared_alone(store: &Store) -> Runtime {
    store
        .runtime_with(|builder| builder.local_capacity(0))
        .await
}

async fn methods_of_one_name_on_two_types(store: Store) {
    let (log, guard) = Log::of_this_thread();
    let runtime = shared_alone(&store).await;
    let (users, orders) = (Users(runtime.clone()), Orders(runtime.clone()));
    for _ in 0..3 {
        assert_eq!(users.get(1).await, "user 1");
        assert_eq!(orders.get(1).await, "order 1");
    }
    // They take each other's entry away, and that is counted and said.
    let counts = runtime.observe().method("same.get");
    assert_eq!((counts.loads, counts.undecodable), (6, 5));
    drop(guard);
    let said = log.text();
    let said: Vec<_> = said
        .lines()
        .filter(|line| line.contains("two methods"))
        .collect();
    assert!((1..=2).contains(&said.len()), "{said:?}");
    assert_eq!(said[0].matches("identity.rs:").count(), 2, "{said:?}");
    assert!(
        said[0].contains("ERROR") && said[0].contains("key_prefix"),
        "{said:?}"
    );
}

async fn functions_of_one_name_in_two_modules(store: Store) {
    let runtime = shared_alone(&store).await;
    for _ in 0..3 {
        assert_eq!(one::load(&runtime, 1).await, 2);
        assert_eq!(two::load(&runtime, 1).await, 3);
    }
    assert_eq!(runtime.observe().method("same.load").undecodable, 5);
}

async fn instances_of_one_generic_method(store: Store) {
    let runtime = shared_alone(&store).await;
    let users = Repository::<Users>::over(&runtime);
    let orders = Repository::<Orders>::over(&runtime);
    for _ in 0..3 {
        assert_eq!(users.name().await, "users");
        assert_eq!(orders.name().await, "orders");
        assert_eq!(users.own_name().await, "users");
        assert_eq!(orders.own_name().await, "orders");
    }
    assert_eq!(runtime.observe().method("same.name").undecodable, 5);
    // With the type in the key both have their entry.
    let counts = runtime.observe().method("same.own_name");
    assert_eq!((counts.loads, counts.undecodable), (2, 0));
}

async fn absence_belongs_to_its_method_too(store: Store) {
    let runtime = store.runtime().await;
    let (users, orders) = (Users(runtime.clone()), Orders(runtime));
    assert_eq!(users.find(1).await, None);
    assert_eq!(orders.find(1).await.as_deref(), Some("order 1"));
    assert_eq!(users.find(1).await, None);
}

async fn absence_is_no_answer_of_a_method_that_has_none(store: Store) {
    let runtime = shared_alone(&store).await;
    let loads = Loads::default();
    // One method, before and after its return type was changed.
    {
        #[cacheable(ttl = 600, key_prefix = "changed", none_ttl = 600, skip(runtime, loads), runtime = runtime)]
        async fn find(runtime: &Runtime, loads: &Loads, id: u64) -> Option<u64> {
            loads.next();
            None
        }
        assert_eq!(
            loads
                .of_three(async || find(&runtime, &loads, 1).await)
                .await,
            1
        );
    }
    {
        #[cacheable(ttl = 600, key_prefix = "changed", skip(runtime, loads), runtime = runtime)]
        async fn find(runtime: &Runtime, loads: &Loads, id: u64) -> u64 {
            loads.next()
        }
        assert_eq!(
            loads
                .of_three(async || find(&runtime, &loads, 1).await)
                .await,
            1
        );
    }
    let counts = runtime.observe().method("changed.find");
    assert_eq!(counts.clashes, 0, "they are one method");
}

async fn callers_at_once_of_two_methods(store: Store) {
    let runtime = store.runtime().await;
    let users = Arc::new(Users(runtime.clone()));
    let orders = Arc::new(Orders(runtime));
    let calls: Vec<_> = (0..200)
        .map(|call| {
            let (users, orders) = (Arc::clone(&users), Arc::clone(&orders));
            tokio::spawn(async move {
                let id = call % 3;
                if call % 2 == 0 {
                    assert_eq!(users.get(id).await, format!("user {id}"));
                } else {
                    assert_eq!(orders.get(id).await, format!("order {id}"));
                }
            })
        })
        .collect();
    for call in calls {
        let ended = tokio::time::timeout(Duration::from_secs(60), call).await;
        ended.expect("they wait for each other").unwrap();
    }
}

async fn a_value_of_another_type_under_a_methods_key(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let users = Users(runtime.clone());
    let key = "cache:same:get:1";
    cache.set(key, &1_u64, LONG).await.unwrap();
    assert_eq!(users.get(1).await, "user 1");
    assert_eq!(runtime.observe().method("same.get").undecodable, 1);
    assert_eq!(cache.get::<u64>(key).await.unwrap(), None);
    assert_eq!(cache.get::<String>(key).await.unwrap().unwrap(), "user 1");
}

async fn tenants_are_told_apart_by_the_key(store: Store) {
    let runtime = store.runtime().await;
    let tenant = |name: &str| Tenant {
        runtime: runtime.clone(),
        name: name.to_owned(),
    };
    // With plain joining these would be one.
    for _ in 0..2 {
        for (name, id) in [
            ("a", "b:c"),
            ("a:b", "c"),
            ("a:b:c", ""),
            ("", "a:b:c"),
            ("b", "b:c"),
        ] {
            assert_eq!(tenant(name).get(id).await, format!("{name} {id}"));
        }
    }
    assert_eq!(runtime.observe().method("tenant.get").loads, 5);
}
