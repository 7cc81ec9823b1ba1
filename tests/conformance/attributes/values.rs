//! What is kept of what a method returns.

use std::sync::Arc;

use cacheable_runtime::{Runtime, cacheable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::Semaphore;

use super::Loads;
use crate::on_every_store;
use crate::stores::Store;

on_every_store![
    plain_values_are_kept,
    options_are_kept_when_they_hold_something,
    results_are_kept_when_they_are_ok,
    an_error_is_not_kept_in_generic_code,
    callers_at_once_share_one_object,
    a_value_over_the_limit_is_returned_and_counted,
    a_value_that_cannot_be_encoded_is_returned_and_counted,
    an_argument_that_cannot_be_in_a_key_bypasses_and_is_counted,
];

type Answer<T> = Result<T, Refused>;
type Perhaps<T> = Option<T>;
type Anything<T> = Answer<Perhaps<T>>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Refused;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    names: Vec<String>,
    rating: Option<f64>,
}

/// Shared: it cannot be copied.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Document {
    text: String,
}

/// Some values of this type have no serialized form.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Fickle(u64);

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 0 {
            return Err(serde::ser::Error::custom("nothing to be seen"));
        }
        serializer.serialize_newtype_struct("Fickle", &self.0)
    }
}

struct Service {
    runtime: Runtime,
    loads: Loads,
    gate: Semaphore,
}

impl Service {
    async fn on(store: &Store) -> Self {
        Self::over(store.runtime().await)
    }

    fn over(runtime: Runtime) -> Self {
        Self {
            runtime,
            loads: Loads::default(),
            gate: Semaphore::new(0),
        }
    }

    async fn is_kept(&self, key: &str) -> bool {
        self.runtime.cache().inspect(key).await.unwrap().is_some()
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn record(&self, id: u64) -> Record {
        self.loads.next();
        Record {
            id,
            names: vec![String::new(), "\u{fc}\0:*".to_owned()],
            rating: Some(-0.1),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn unit(&self, fails: bool) -> Answer<()> {
        self.loads.next();
        if fails { Err(Refused) } else { Ok(()) }
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn shared(&self, text: &str) -> Arc<Document> {
        self.loads.next();
        let text = text.to_owned();
        Arc::new(Document { text })
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn perhaps(&self, there: bool) -> Perhaps<Record> {
        let record = self.record(1).await;
        self.loads.next();
        there.then_some(record)
    }

    #[cacheable(ttl = 600, key_prefix = "v", none_ttl = 60, runtime = self.runtime)]
    async fn perhaps_shared(&self, there: bool) -> Option<Arc<Document>> {
        self.loads.next();
        let text = "text".to_owned();
        there.then(|| Arc::new(Document { text }))
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn answer(&self, fails: bool) -> Answer<u64> {
        let load = self.loads.next();
        if fails { Err(Refused) } else { Ok(load) }
    }

    #[cacheable(ttl = 600, key_prefix = "v", none_ttl = 60, runtime = self.runtime)]
    async fn anything(&self, id: u64) -> Anything<u64> {
        self.loads.next();
        match id {
            0 => Ok(None),
            1 => Err(Refused),
            _ => Ok(Some(id)),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn answer_shared(&self, fails: bool) -> Result<Arc<Document>, Refused> {
        self.loads.next();
        let text = "text".to_owned();
        if fails {
            Err(Refused)
        } else {
            Ok(Arc::new(Document { text }))
        }
    }

    /// Nothing in here says that `T` can be a `Result`.
    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime, skip(value))]
    async fn echo<T>(&self, value: T) -> T
    where
        T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.loads.next();
        value
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime, skip(value))]
    async fn perhaps_echo<T>(&self, value: T) -> Option<T>
    where
        T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.loads.next();
        Some(value)
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn held(&self) -> Arc<Document> {
        self.loads.next();
        self.gate.acquire().await.unwrap().forget();
        let text = "held".to_owned();
        Arc::new(Document { text })
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn of_size(&self, size: usize) -> String {
        self.loads.next();
        "x".repeat(size)
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn fickle(&self, id: u64) -> Fickle {
        self.loads.next();
        Fickle(id)
    }

    #[cacheable(ttl = 600, key_prefix = "v", runtime = self.runtime)]
    async fn of_fickle(&self, argument: &Fickle) -> u64 {
        self.loads.next();
        argument.0
    }
}

async fn plain_values_are_kept(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    let first = s.record(1).await;
    let once = s
        .loads
        .of_three(async || assert_eq!(s.record(1).await, first))
        .await;
    assert_eq!(once, 0);
    assert_eq!(s.loads.of_three(async || s.unit(false).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.unit(true).await).await, 3);
    let shared = async || assert_eq!(s.shared("text").await.text, "text");
    assert_eq!(s.loads.of_three(shared).await, 1);
}

async fn options_are_kept_when_they_hold_something(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    s.record(1).await;
    assert_eq!(
        s.loads
            .of_three(async || s.perhaps(true).await.unwrap())
            .await,
        1
    );
    let none = async || assert_eq!(s.perhaps(false).await, None);
    assert_eq!(s.loads.of_three(none).await, 3);
    assert_eq!(
        s.loads
            .of_three(async || s.perhaps_shared(true).await.unwrap())
            .await,
        1
    );
    let none = async || assert_eq!(s.perhaps_shared(false).await, None);
    assert_eq!(s.loads.of_three(none).await, 1);
}

async fn results_are_kept_when_they_are_ok(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(
        s.loads
            .of_three(async || s.answer(false).await.unwrap())
            .await,
        1
    );
    assert_eq!(
        s.loads
            .of_three(async || s.answer(true).await.unwrap_err())
            .await,
        3
    );
    assert!(!s.is_kept("cache:v:answer:true").await);
    let some = async || assert_eq!(s.anything(7).await, Ok(Some(7)));
    assert_eq!(s.loads.of_three(some).await, 1);
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.anything(0).await, Ok(None)))
            .await,
        1
    );
    assert_eq!(
        s.loads
            .of_three(async || s.anything(1).await.unwrap_err())
            .await,
        3
    );
    assert!(!s.is_kept("cache:v:anything:1").await);
    assert_eq!(
        s.loads
            .of_three(async || s.answer_shared(false).await.unwrap())
            .await,
        1
    );
    assert_eq!(
        s.loads
            .of_three(async || s.answer_shared(true).await.unwrap_err())
            .await,
        3
    );
    assert_eq!(s.runtime.observe().method("v.answer").load_errors, 3);
}

async fn an_error_is_not_kept_in_generic_code(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    for (answer, loads) in [(Err(Refused), 3), (Ok(1_u64), 1)] {
        let echo = async || assert_eq!(s.echo(answer.clone()).await, answer);
        assert_eq!(s.loads.of_three(echo).await, loads);
        let echo = async || assert_eq!(s.perhaps_echo(answer.clone()).await, Some(answer.clone()));
        assert_eq!(s.loads.of_three(echo).await, loads);
    }
    let alias: Answer<Record> = Err(Refused);
    let echo = async || assert_eq!(s.echo(alias.clone()).await, alias);
    assert_eq!(s.loads.of_three(echo).await, 3);
    assert_eq!(s.runtime.observe().method("v.echo").load_errors, 6);
    // The control: another type is kept by the same methods.
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.echo(1_u64).await, 1))
            .await,
        1
    );
    assert_eq!(
        s.loads.of_three(async || s.perhaps_echo(1_u64).await).await,
        1
    );
}

async fn callers_at_once_share_one_object(store: Store) {
    let service = Arc::new(Service::on(&store).await);
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { service.held().await })
        })
        .collect();
    while service.runtime.observe().method("v.held").waits < 4 {
        tokio::task::yield_now().await;
    }
    service.gate.add_permits(1);
    let mut shared = Vec::new();
    for caller in callers {
        shared.push(caller.await.unwrap());
    }
    assert!(shared.iter().all(|one| Arc::ptr_eq(one, &shared[0])));
    assert_eq!(
        (service.loads.count(), service.held().await.text.as_str()),
        (1, "held")
    );
}

async fn a_value_over_the_limit_is_returned_and_counted(store: Store) {
    let runtime = store.runtime_with(|builder| builder.max_value_size(1_000));
    let service = Service::over(runtime.await);
    let s = &service;
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.of_size(900).await.len(), 900))
            .await,
        1
    );
    let large = async || assert_eq!(s.of_size(1_001).await.len(), 1_001);
    assert_eq!(s.loads.of_three(large).await, 3);
    assert!(!s.is_kept("cache:v:of_size:1001").await);
    assert_eq!(s.runtime.observe().method("v.of_size").not_stored, 3);
}

async fn a_value_that_cannot_be_encoded_is_returned_and_counted(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.fickle(1).await).await, 1);
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.fickle(0).await.0, 0))
            .await,
        3
    );
    assert!(!s.is_kept("cache:v:fickle:0").await);
    assert_eq!(s.runtime.observe().method("v.fickle").not_stored, 3);
}

async fn an_argument_that_cannot_be_in_a_key_bypasses_and_is_counted(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(
        s.loads
            .of_three(async || s.of_fickle(&Fickle(1)).await)
            .await,
        1
    );
    assert_eq!(
        s.loads
            .of_three(async || s.of_fickle(&Fickle(0)).await)
            .await,
        3
    );
    assert_eq!(s.runtime.observe().method("v.of_fickle").bypasses, 3);
    assert_eq!(
        s.runtime.cache().clear("cache:v:of_fickle*").await.unwrap(),
        1
    );
}
