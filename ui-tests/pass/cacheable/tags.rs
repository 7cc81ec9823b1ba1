//! Tags made of arguments and of the loaded value, in every shape of function.

#![deny(warnings)]

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cacheable};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Project {
    id: u64,
    owner: String,
    pair: (u8, u8),
}

impl Project {
    fn region(&self) -> Region {
        Region {
            name: self.owner.to_uppercase(),
        }
    }
}

struct Region {
    name: String,
}

pub struct Request {
    team: String,
}

impl Request {
    fn tenant(&self) -> u32 {
        self.team.len() as u32
    }
}

fn project(id: u64) -> Project {
    Project {
        id,
        owner: "ada".to_owned(),
        pair: (1, 2),
    }
}

#[cacheable(ttl = 60, key_prefix = "tags", tags = ["projects", "team:{team}"])]
pub async fn of_arguments(id: u64, team: &str) -> Result<Project, String> {
    let _ = team;
    Ok(project(id))
}

#[cacheable(
    ttl = 60,
    key_prefix = "tags",
    key = "{request.team}",
    tags = ["team:{request.team}:{request.tenant()}", "pair:{a}:{ b }", "type:{r#type}"],
    unless = |value| value.is_none(),
)]
pub async fn of_places(
    request: Request,
    (a, b): (u8, u8),
    r#type: Option<String>,
) -> Vec<Option<String>> {
    vec![Some(format!("{}{a}{b}", request.team)), r#type]
        .into_iter()
        .map(Some)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

trait IsNone {
    fn is_none(&self) -> bool;
}

impl IsNone for Vec<Option<String>> {
    fn is_none(&self) -> bool {
        self.is_empty()
    }
}

#[cacheable(
    ttl = 60,
    key_prefix = "tags",
    tags = ["all", "owner:{value.owner}", "region:{value.region().name}:{value.pair.0}"],
)]
pub async fn of_value(id: u64) -> Result<Option<Arc<Project>>, String> {
    Ok(Some(Arc::new(project(id))))
}

#[cacheable(ttl = 60, key_prefix = "tags", tags = ["id:{value}"], unless = |id| *id == 0)]
async fn of_value_alone(value_of: u64) -> u64 {
    value_of
}

/// In a service the arguments may be called as they like, where no tag is made of the value.
#[cacheable(ttl = 60, key_prefix = "tags", tags = ["value:{value_of}"])]
async fn named_value(value_of: u64, __cacheable_value: u64) -> u64 {
    value_of + __cacheable_value
}

#[cacheable(ttl = 60, key_prefix = "tags", tags = ["kind:{T}:{N}", "kind:{T}:{value.id}"])]
pub async fn generic<T: Send, const N: usize>(id: u64) -> Project {
    project(id)
}

pub struct Service<T> {
    tenant: String,
    by_name: HashMap<String, T>,
}

impl<T: Clone + Send + Sync> Service<T> {
    const KIND: &'static str = "service";

    #[cacheable(
        ttl = 60,
        key_prefix = "tags",
        tags = ["tenant:{self.tenant}", "kind:{Self::KIND}:{name}", "count:{self.by_name.len()}"],
    )]
    pub async fn by_reference(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).map(|_| 1)
    }

    #[cacheable(
        ttl = 60,
        key_prefix = "tags",
        tags = ["tenant:{self.tenant}", "value:{Self::KIND}:{value}", "of:{Self}"],
    )]
    pub(crate) async fn by_arc(self: Arc<Self>, #[cfg(all())] name: String) -> Option<u64> {
        self.by_name.get(&name).map(|_| 1)
    }
}

trait Find {
    fn find(&self, id: u64) -> impl Future<Output = Project> + Send;
}

impl Find for Service<u8> {
    #[cacheable(ttl = 60, key_prefix = "tags", tags = ["find:{id}", "found:{value.id}"])]
    async fn find(&self, id: u64) -> Project {
        project(id)
    }
}

#[async_trait]
trait Load {
    async fn load(&self, pair: (u64, u64)) -> Result<Project, String>;
}

#[async_trait]
impl Load for Service<u8> {
    #[cacheable(
        ttl = 60,
        key_prefix = "tags",
        tags = ["load:{self.tenant}:{left}:{right}", "loaded:{value.id}"],
    )]
    async fn load(&self, (left, right): (u64, u64)) -> Result<Project, String> {
        Ok(project(left + right))
    }
}

macro_rules! cached {
    ($name:ident, $argument:ident, $share:expr, $window:expr, $($tag:literal),*; $text:expr) => {
        #[cacheable(
            ttl = 60,
            key_prefix = "tags",
            refresh_ahead = $share,
            stale_if_error = $window,
            refresh = "background",
            tags = [$($tag,)* $text],
        )]
        pub async fn $name($argument: &str) -> String {
            $argument.to_owned()
        }
    };
}

cached!(by_macro, name, 0.8, "1h", "name:{name}", "value:{value}"; "all");

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let service = Arc::new(Service {
        tenant: "t".to_owned(),
        by_name: HashMap::from([("a".to_owned(), 1_u8)]),
    });
    for _ in 0..2 {
        assert_eq!(of_arguments(1, "a").await.unwrap().id, 1);
        let request = Request {
            team: "t".to_owned(),
        };
        assert_eq!(
            of_places(request, (1, 2), None).await,
            [Some("t12".to_owned()), None]
        );
        assert_eq!(of_value(1).await.unwrap().unwrap().id, 1);
        assert_eq!(of_value_alone(1).await, 1);
        assert_eq!(named_value(1, 2).await, 3);
        assert_eq!(by_macro("a").await, "a");
        assert_eq!(generic::<u8, 3>(1).await.id, 1);
        assert_eq!(service.by_reference("a").await, Some(1));
        assert_eq!(Arc::clone(&service).by_arc("a".to_owned()).await, Some(1));
        assert_eq!(service.find(1).await.id, 1);
        assert_eq!(service.load((1, 2)).await.unwrap().id, 3);
    }
    // The companion takes what the tags are made of, too.
    let _ = (
        of_arguments_key(1, "a"),
        of_value_key(1),
        generic_key::<u8, 3>(1),
    );
    let _ = of_places_key(
        Request {
            team: String::new(),
        },
        (1, 2),
        None,
    );
    let _ = (
        service.by_reference_key("a"),
        service.by_arc_key("a".to_owned()),
    );
}
