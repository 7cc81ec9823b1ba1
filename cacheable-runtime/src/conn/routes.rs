//! Which link carries a command.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, Pipeline};

use super::address::Address;
use super::slots::slot;
use super::subscribe::{Kind, Topic};
use super::{Cluster, Lane, Link, Lua};
use crate::error::{Error, ErrorKind};
use crate::sync::in_time;

/// One server, or the nodes of a cluster.
pub(crate) enum Routes {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

/// The way of one or more commands.
pub(crate) struct Leg {
    link: Arc<Link>,
    /// A command that is given up after so long counts as late. `None`: who
    /// gives it up says so, since there is only one server it can be about.
    late: Option<Duration>,
}

/// Keys of one call that go the same way.
pub(crate) struct Group {
    pub(crate) leg: Leg,
    /// Their numbers in the call, apart for each command.
    pub(crate) commands: Vec<Vec<usize>>,
}

impl Routes {
    pub(crate) fn of(&self, key: &str) -> Result<Leg, Error> {
        Ok(match self {
            Self::One(link) => Leg {
                link: Arc::clone(link),
                late: None,
            },
            Self::Cluster(cluster) => Leg {
                link: cluster.of(key.as_bytes())?,
                late: Some(cluster.late()),
            },
        })
    }

    /// What is under a key. `until`: when it is given up; `None`: by who asks.
    pub(crate) async fn get(
        &self,
        key: &str,
        until: Option<Instant>,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self {
            // Without a reference more to the link: all calls would count theirs
            // in one place.
            Self::One(link) => link.get(key, until).await,
            Self::Cluster(_) => {
                let leg = self.of(key)?;
                let answer = Box::pin(async move { leg.get(key).await });
                match until {
                    None => answer.await,
                    // It takes note when it is dropped.
                    Some(until) => in_time(until, answer).await.unwrap_or_else(|| Err(late())),
                }
            }
        }
    }

    /// The way of what any node of a cluster takes: that of the key, as long as
    /// it is open.
    pub(crate) fn any(&self, key: &str) -> Result<Leg, Error> {
        let own = self.of(key);
        let Self::Cluster(cluster) = self else {
            return own;
        };
        if own.as_ref().is_ok_and(|leg| leg.link.trouble().is_none()) {
            return own;
        }
        match cluster.topology().links_up().pop() {
            Some(link) => Ok(Leg {
                link,
                late: Some(cluster.late()),
            }),
            None => own,
        }
    }

    /// The ways of several keys. A node of a cluster takes keys of one slot in
    /// one command. Keys that nobody serves are left out, and said.
    pub(crate) fn groups<K: AsRef<[u8]>>(&self, keys: &[K]) -> (Vec<Group>, Option<Error>) {
        let cluster = match self {
            Self::One(link) => {
                let leg = Leg {
                    link: Arc::clone(link),
                    late: None,
                };
                let commands = vec![(0..keys.len()).collect()];
                return (vec![Group { leg, commands }], None);
            }
            Self::Cluster(cluster) => cluster,
        };
        let mut slots: HashMap<u16, Vec<usize>> = HashMap::new();
        for (number, key) in keys.iter().enumerate() {
            slots.entry(slot(key.as_ref())).or_default().push(number);
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut failed = None;
        for numbers in slots.into_values() {
            let link = match cluster.of(keys[numbers[0]].as_ref()) {
                Ok(link) => link,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let mut known = groups.iter_mut();
            if let Some(group) = known.find(|group| Arc::ptr_eq(&group.leg.link, &link)) {
                group.commands.push(numbers);
            } else {
                groups.push(Group {
                    leg: Leg {
                        link,
                        late: Some(cluster.late()),
                    },
                    commands: vec![numbers],
                });
            }
        }
        (groups, failed)
    }

    /// The server over which to listen to a topic. `now`: who carries it, which
    /// stays so for as long as that one can.
    pub(super) fn place_of(&self, topic: &Topic, now: Option<&str>) -> Result<Address, Error> {
        match self {
            Self::One(link) => Ok(link.address().clone()),
            Self::Cluster(cluster) => {
                let own = cluster.of(&topic.name);
                if topic.kind == Kind::Sharded {
                    return Ok(own?.address().clone());
                }
                // Every node tells of it.
                let links = cluster.topology().links_up();
                let mut links = links.iter();
                let stays = links.clone().find(|link| Some(link.server()) == now);
                let own = own.ok().filter(|own| own.trouble().is_none());
                match stays.or(own.as_ref()).or_else(|| links.next()) {
                    Some(link) => Ok(link.address().clone()),
                    None => Ok(cluster.of(&topic.name)?.address().clone()),
                }
            }
        }
    }

    /// Something is served elsewhere than was thought.
    pub(super) fn is_outdated(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.is_outdated();
        }
    }

    /// Whether it is the nodes of a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// The ways to every server, also to those that are away.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        match self {
            Self::One(link) => vec![Arc::clone(link)],
            Self::Cluster(cluster) => cluster.topology().all_links(),
        }
    }

    /// The address, without its secrets.
    pub(crate) fn server(&self) -> String {
        match self {
            Self::One(link) => link.server().to_owned(),
            Self::Cluster(cluster) => cluster.server(),
        }
    }

    /// Why some keys cannot be reached now, if so.
    pub(crate) fn trouble(&self) -> Option<Error> {
        match self {
            Self::One(link) => link.trouble(),
            Self::Cluster(cluster) => cluster.trouble(),
        }
    }

    /// Why no keys can be reached now, if so.
    pub(crate) fn outage(&self) -> Option<Error> {
        match self {
            Self::One(link) => link.trouble(),
            Self::Cluster(cluster) => cluster.outage(),
        }
    }

    /// A command was not answered in the time that its caller had for it. In a
    /// cluster the [`Leg`] knows which.
    pub(crate) fn overdue(&self) {
        if let Self::One(link) = self {
            link.overdue();
        }
    }

    /// Closes all connections for good.
    pub(crate) async fn close(&self) {
        match self {
            Self::One(link) => link.close().await,
            Self::Cluster(cluster) => cluster.close().await,
        }
    }
}

impl Leg {
    /// For steps whose time is kept by who takes them.
    pub(crate) fn over(link: Arc<Link>) -> Self {
        Self { link, late: None }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.link, &other.link)
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// To be held while an answer is awaited. A guard, and no future around the
    /// other, which would be moved into it and take its room twice.
    fn waiting(&self) -> Waiting<'_> {
        Waiting {
            link: &self.link,
            limit: self.late.map(|late| (Instant::now(), late)),
        }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let waiting = self.waiting();
        waiting.over(self.link.get(key, None).await)
    }

    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        lane: Lane,
        command: &Cmd,
    ) -> Result<T, Error> {
        let waiting = self.waiting();
        waiting.over(self.link.query(lane, command).await)
    }

    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        lane: Lane,
        commands: &Pipeline,
    ) -> Result<T, Error> {
        let waiting = self.waiting();
        waiting.over(self.link.pipeline(lane, commands).await)
    }

    pub(crate) async fn script<T: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let waiting = self.waiting();
        waiting.over(self.link.script(lane, script, keys, arguments).await)
    }

    pub(crate) async fn with_script<T: FromRedisValue, U: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        command: &Cmd,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<(T, U), Error> {
        let waiting = self.waiting();
        let link = &self.link;
        waiting.over(
            link.with_script(lane, command, script, keys, arguments)
                .await,
        )
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "the server did not answer in time")
}

/// A command that is under way. Dropped before its answer, it was given up:
/// its caller's time was over, or, seldom, its caller is gone.
struct Waiting<'a> {
    link: &'a Link,
    /// Since when, and how long it may take. `None`: it is answered, or another
    /// looks at the time.
    limit: Option<(Instant, Duration)>,
}

impl Waiting<'_> {
    fn over<T>(mut self, answer: T) -> T {
        self.limit = None;
        answer
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self
            .limit
            .is_some_and(|(began, late)| began.elapsed() >= late)
        {
            self.link.overdue();
        }
    }
}
