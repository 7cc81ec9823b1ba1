//! Sentinels: processes that watch the servers of a service, choose a new
//! primary when the old one is gone, and say which one it is.
//!
//! All that the address names are asked at once, over connections that are
//! kept. Each answer comes with the epoch of the failover that it is the
//! outcome of, and the greatest one counts: a sentinel that is cut off together
//! with the primary of before goes on naming that one.

mod url;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind as RedisKind, RedisError,
    RedisResult, Value,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::fault::code;
use super::stream::{Connection, Tls, sentence};
use crate::error::{Error, ErrorKind};
use crate::sync::lock;
pub(super) use url::parse;

/// The sentinels of one service.
pub(super) struct Sentinels {
    service: String,
    asked: Vec<Sentinel>,
    known: watch::Sender<Option<Known>>,
    /// No connection is kept any more.
    closed: AtomicBool,
}

struct Sentinel {
    info: ConnectionInfo,
    tls: Option<Tls>,
    /// Taken out by who asks, and put back after the answer.
    connection: Mutex<Option<Connection>>,
}

/// The server that was named as the primary, and by the failover of which
/// epoch it became that.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Primary {
    epoch: u64,
    host: String,
    port: u16,
}

struct Known {
    primary: Primary,
    /// When the sentinels were asked for it.
    asked: Instant,
    /// When most of them named it last.
    sure: Instant,
    /// The same of the one before it.
    before: Option<Instant>,
}

/// Why a sentinel named nobody.
enum Silence {
    /// It does not know the service.
    Unknown,
    /// It does not let us ask, or is none.
    Refused(Error),
    /// It did not answer.
    Away,
}

/// How long the other sentinels have after the first that names a primary.
const GRACE: Duration = Duration::from_millis(500);

/// How long a sentinel may not know of a failover that another one has led:
/// they tell one another every two seconds.
const HEARSAY: Duration = Duration::from_secs(2);

/// How long after an answer the sentinels are asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl Sentinels {
    fn new(service: String, sentinels: Vec<ConnectionInfo>) -> Self {
        let sentinel = |info| Sentinel {
            info,
            tls: None,
            connection: Mutex::default(),
        };
        Self {
            service,
            asked: sentinels.into_iter().map(sentinel).collect(),
            known: watch::channel(None).0,
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn secure(&mut self, tls: &Tls) {
        for sentinel in &mut self.asked {
            sentinel.tls = Some(tls.clone());
        }
    }

    /// The host and port of the primary. `patience`: how long an answer is
    /// waited for. Once most have answered it is settled, or a moment after
    /// the first.
    pub(super) async fn locate(
        self: &Arc<Self>,
        patience: Duration,
    ) -> Result<(String, u16), Error> {
        let began = Instant::now();
        let mut asked = JoinSet::new();
        for number in 0..self.asked.len() {
            let all = Arc::clone(self);
            asked.spawn(async move {
                let sentinel = &all.asked[number];
                let answer = timeout(patience, sentinel.ask(&all.service, patience)).await;
                if all.closed.load(Ordering::SeqCst) {
                    sentinel.part();
                }
                answer.unwrap_or(Err(Silence::Away))
            });
        }
        let (mut named, mut silent) = (Vec::new(), Vec::new());
        let mut end = began + patience;
        while let Ok(Some(answer)) = timeout_at(end.into(), asked.join_next()).await {
            match answer {
                Ok(Ok(primary)) => {
                    named.push(primary);
                    end = end.min(Instant::now() + GRACE);
                }
                Ok(Err(silence)) => silent.push(silence),
                Err(_) => silent.push(Silence::Away),
            }
            if is_most(named.len(), self.asked.len()) {
                break;
            }
        }
        // The rest end by themselves soon, and keep their connections.
        asked.detach_all();
        if named.is_empty() {
            return Err(self.nobody(silent));
        }
        Ok(self.settle(&named, began))
    }

    /// What is held for true after some answers to what was asked at `asked`.
    fn settle(&self, named: &[Primary], asked: Instant) -> (String, u16) {
        let mut place = None;
        self.known.send_if_modified(|known| {
            let before = known.as_ref().map(|known| &known.primary);
            // Somebody who asked later has settled it.
            let late = known.as_ref().is_some_and(|known| known.asked > asked);
            let primary = match before {
                Some(before) if late => before.clone(),
                _ => judge(named, self.asked.len(), before),
            };
            let moved = before.is_none_or(|before| !before.is_at(&primary.host, primary.port));
            place = Some((primary.host.clone(), primary.port));
            if moved {
                tracing::info!(
                    service = self.service,
                    host = primary.host,
                    port = primary.port,
                    "the sentinels name the primary"
                );
            }
            if late {
                return false;
            }
            let all_agree = named
                .iter()
                .all(|one| one.is_at(&primary.host, primary.port));
            let is_sure = all_agree && is_most(named.len(), self.asked.len());
            let (sure, before) = match known.take() {
                Some(known) if moved => (asked, Some(known.sure)),
                Some(known) if is_sure => (asked, known.before),
                Some(known) => (known.sure, known.before),
                None => (asked, None),
            };
            *known = Some(Known {
                primary,
                asked,
                sure,
                before,
            });
            moved
        });
        place.expect("it was just settled")
    }

    /// Asks again and again, so that a primary that is reached by us and not by
    /// the sentinels is left, too.
    pub(super) async fn follow(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Err(error) = self.locate(PAUSE).await {
                tracing::debug!(service = self.service, %error, "no sentinel names the primary");
            }
        }
    }

    /// Ends when the primary is known to be elsewhere.
    pub(super) async fn left(&self, at: &ConnectionAddr) -> Error {
        let (here, on) = match at {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                (host, *port)
            }
            _ => return std::future::pending().await,
        };
        let is_elsewhere = |known: &Option<Known>| {
            let known = known.as_ref();
            known.is_some_and(|known| !known.primary.is_at(here, on))
        };
        // The sender is here, so it cannot be gone.
        drop(self.known.subscribe().wait_for(is_elsewhere).await);
        Error::new(
            ErrorKind::Topology,
            "the sentinels name another server as the primary",
        )
    }

    /// Until when a server was the primary for sure.
    pub(super) fn named(&self, at: &ConnectionAddr) -> Option<Instant> {
        let known = self.known.borrow();
        let known = known.as_ref()?;
        let is_it = match at {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                known.primary.is_at(host, *port)
            }
            _ => false,
        };
        let named = if is_it {
            known.sure
        } else {
            known.before.unwrap_or(known.sure)
        };
        Some(named.checked_sub(HEARSAY).unwrap_or(named))
    }

    /// Nobody follows them any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for sentinel in &self.asked {
            sentinel.part();
        }
    }

    /// Why there is no primary.
    fn nobody(&self, silent: Vec<Silence>) -> Error {
        let mut unknown = false;
        for silence in silent {
            match silence {
                Silence::Refused(why) => return why,
                Silence::Unknown => unknown = true,
                Silence::Away => {}
            }
        }
        let service = &self.service;
        if unknown {
            return Error::new(
                ErrorKind::Server,
                format!(
                    "no sentinel knows the service `{service}`: write the name that `sentinel monitor` gives it, \
                     as in redis+sentinel://host:26379/name"
                ),
            );
        }
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "no sentinel of the service `{service}` answers: check their hosts and ports (26379 unless it is said)"
            ),
        )
    }
}

impl Sentinel {
    async fn ask(&self, service: &str, patience: Duration) -> Result<Primary, Silence> {
        let kept = lock(&self.connection).take();
        if let Some(mut connection) = kept {
            match exchange(&mut connection, service).await {
                Ok(answers) => return self.keep(connection, answers),
                // It was closed since. Over a new one it may answer.
                Err(error) if error.is_connection_dropped() => {}
                Err(error) => return Err(silence(&error)),
            }
        }
        let open = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(Some(patience));
            let mut connection = Connection::open(&self.info, self.tls.as_ref(), config).await?;
            let answers = exchange(&mut connection, service).await?;
            RedisResult::Ok((connection, answers))
        };
        let (connection, answers) = open.await.map_err(|error| silence(&error))?;
        self.keep(connection, answers)
    }

    /// Keeps no connection until it is asked again.
    fn part(&self) {
        drop(lock(&self.connection).take());
    }

    fn keep(&self, connection: Connection, answers: Answers) -> Result<Primary, Silence> {
        *lock(&self.connection) = Some(connection);
        read(answers)
    }
}

type Answers = Vec<RedisResult<Value>>;

async fn exchange(connection: &mut Connection, service: &str) -> RedisResult<Answers> {
    let mut both = redis::pipe();
    // The epoch first: should a failover end between the two, the new address
    // has the old epoch, which is put right with the next answer. The other
    // way round an old address would win.
    both.cmd("SENTINEL").arg("MASTER").arg(service);
    // During a failover this one knows sooner.
    both.cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(service);
    both.ignore_errors();
    both.query_async(connection).await
}

fn read(answers: Answers) -> Result<Primary, Silence> {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().expect("each command is answered");
    // Its user may not be allowed to ask for it; then the most count.
    let epoch = next().ok().and_then(|about| epoch(&about));
    let place =
        next().and_then(|place| Ok(redis::from_redis_value::<Option<(String, u16)>>(place)?));
    match place {
        Ok(Some((host, port))) => Ok(Primary {
            epoch: epoch.unwrap_or(0),
            host,
            port,
        }),
        Ok(None) => Err(Silence::Unknown),
        Err(error) => Err(silence(&error)),
    }
}

/// Of what a sentinel says about a primary: names and values in turn.
fn epoch(about: &Value) -> Option<u64> {
    let about: Vec<String> = redis::from_redis_value_ref(about).ok()?;
    let mut pairs = about.chunks_exact(2);
    let pair = pairs.find(|pair| pair[0] == "config-epoch")?;
    pair[1].parse().ok()
}

fn silence(error: &RedisError) -> Silence {
    if let Some(why) = sentence(error) {
        return Silence::Refused(Error::new(ErrorKind::Unavailable, why.to_owned()));
    }
    let why = match code(error) {
        _ if error.kind() == RedisKind::AuthenticationFailed => WRONG,
        Some("WRONGPASS") => WRONG,
        Some("NOAUTH") => {
            "NOAUTH: a sentinel wants a password: write ?sentinel_password=… behind the address in REDIS_URL"
        }
        Some("NOPERM") => {
            "NOPERM: a sentinel does not tell its user: allow +sentinel|get-master-addr-by-name and +sentinel|master"
        }
        Some("ERR") => {
            "what answers is no sentinel: write the hosts and ports of the sentinels (26379), not of the servers"
        }
        _ => return Silence::Away,
    };
    Silence::Refused(Error::new(ErrorKind::Server, why))
}

const WRONG: &str = "a sentinel refuses its password or user: check sentinel_password and sentinel_user \
                     behind the `?` of REDIS_URL; those before the `@` are the server's";

/// Which one counts of those that were named by some of `all` sentinels.
fn judge(named: &[Primary], all: usize, before: Option<&Primary>) -> Primary {
    let weight = |primary: &Primary| {
        let same = |other: &&Primary| other.is_at(&primary.host, primary.port);
        let votes = named.iter().filter(same).count();
        let stays = before.is_some_and(|before| same(&before));
        (primary.epoch, votes, stays)
    };
    let best = named.iter().max_by_key(|primary| weight(primary));
    let best = best.expect("somebody was named");
    match before {
        // The few who answer may be cut off from the others. What most say
        // holds: the sentinels may have been set up anew, and count from 0.
        Some(before) if before.epoch > best.epoch && !is_most(named.len(), all) => before.clone(),
        _ => best.clone(),
    }
}

fn is_most(some: usize, all: usize) -> bool {
    some > all / 2
}

impl Primary {
    fn is_at(&self, host: &str, port: u16) -> bool {
        self.host == host && self.port == port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(host: &str, epoch: u64) -> Primary {
        Primary {
            epoch,
            host: host.to_owned(),
            port: 6379,
        }
    }

    #[track_caller]
    fn check(named: &[Primary], all: usize, before: Option<&Primary>, expected: &str) {
        assert_eq!(judge(named, all, before).host, expected);
    }

    #[test]
    fn the_last_failover_counts_whoever_tells_of_it() {
        let (old, new) = (named("old", 4), named("new", 5));
        check(&[old.clone(), new.clone()], 3, None, "new");
        check(&[new.clone(), old.clone(), old.clone()], 3, None, "new");
        check(&[new.clone(), old.clone()], 3, Some(&old), "new");
        check(std::slice::from_ref(&new), 3, Some(&old), "new");
    }

    #[test]
    fn a_few_that_are_behind_do_not_bring_back_the_old_primary() {
        let (old, new) = (named("old", 4), named("new", 5));
        check(std::slice::from_ref(&old), 3, Some(&new), "new");
        check(&[old.clone(), old.clone()], 4, Some(&new), "new");
        // Without the rule they do.
        check(std::slice::from_ref(&old), 3, None, "old");
    }

    #[test]
    fn most_that_begin_to_count_anew_are_believed() {
        let (old, new) = (named("old", 7), named("new", 0));
        check(&[new.clone(), new.clone()], 3, Some(&old), "new");
        check(std::slice::from_ref(&new), 1, Some(&old), "new");
    }

    #[test]
    fn where_nobody_tells_the_epoch_the_most_count_and_then_who_it_was() {
        let (a, b) = (named("a", 0), named("b", 0));
        check(&[a.clone(), b.clone(), b.clone()], 3, Some(&a), "b");
        check(&[a.clone(), b.clone()], 3, Some(&a), "a");
        check(&[a.clone(), b.clone()], 3, Some(&b), "b");
    }

    #[test]
    fn an_answer_that_is_older_than_what_is_known_says_nothing() {
        let sentinels = Sentinels::new("service".to_owned(), Vec::new());
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        assert_eq!(sentinels.settle(&[named("new", 5)], late).0, "new");
        assert_eq!(sentinels.settle(&[named("old", 4)], early).0, "new");
        let later = late + Duration::from_secs(1);
        assert_eq!(sentinels.settle(&[named("third", 4)], later).0, "third");
    }

    #[tokio::test]
    async fn a_primary_is_left_when_another_one_is_named() {
        let sentinels = Sentinels::new("service".to_owned(), Vec::new());
        let at = ConnectionAddr::Tcp("old".to_owned(), 6379);
        sentinels.settle(&[named("old", 4)], Instant::now());
        let mut left = std::pin::pin!(sentinels.left(&at));
        let early = timeout(Duration::from_millis(20), left.as_mut()).await;
        assert!(early.is_err(), "it is the primary still");
        sentinels.settle(&[named("new", 5)], Instant::now());
        assert_eq!(left.await.kind(), ErrorKind::Topology);
    }
}
