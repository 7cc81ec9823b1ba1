//! Sentinels say which server is the primary; when it is another one, all goes
//! on there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheable_runtime::{Builder, Cache, ErrorKind, Event, Policy, Runtime, Subscription};
use cacheable_tests::{RedisSentinels, RedisServer, eventually};

use crate::service::{Service, level_two};

/// Sentinels do nothing for half a minute when the machine stood still.
const PATIENCE: Duration = Duration::from_secs(90);

const LONG: Duration = Duration::from_secs(600);

/// What is cached, read by two runtimes that share nothing but the service.
struct Scene {
    here: Runtime,
    there: Runtime,
    version: Arc<AtomicU64>,
}

/// As many entries as are read at a time.
const MANY: u64 = 8;

impl Scene {
    async fn over(service: &RedisSentinels) -> Self {
        let build = async || {
            let builder = Runtime::builder().redis(service.url()).budget(PATIENCE);
            builder.require_connection().build().await.unwrap()
        };
        let scene = Self {
            here: build().await,
            there: build().await,
            version: Arc::default(),
        };
        scene.settles(&scene.here).await;
        scene.settles(&scene.there).await;
        scene
    }

    async fn read(&self, runtime: &Runtime, id: u64) -> u64 {
        read(&runtime.cache(), &self.version, id).await
    }

    /// Waits until level 1 answers: the process hears of what changes.
    async fn settles(&self, runtime: &Runtime) {
        eventually("level 1 answers", PATIENCE, async || {
            for id in 0..MANY {
                self.read(runtime, id).await;
            }
            let counts = || runtime.observe().method("cache");
            let before = counts().hits_local;
            for id in 0..MANY {
                self.read(runtime, id).await;
            }
            runtime.health().is_ok() && counts().hits_local - before == MANY
        })
        .await;
    }

    /// A change that one tells is seen by both, and cached by both.
    async fn is_coherent(&self) {
        self.settles(&self.here).await;
        self.settles(&self.there).await;
        for (writer, reader) in [(&self.here, &self.there), (&self.there, &self.here)] {
            for id in 0..MANY {
                let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
                writer.cache().remove(&key(id)).await.unwrap();
                assert!(self.read(writer, id).await >= version, "it is read again");
                // It is told over another connection than the one that answered.
                eventually("the other one hears of it", PATIENCE, async || {
                    self.read(reader, id).await >= version
                })
                .await;
            }
        }
        self.settles(&self.here).await;
        self.settles(&self.there).await;
    }

    /// Reads all the time, and counts, until it is told to end.
    fn callers(&self) -> Callers {
        let (ends, calls) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let spawn = |runtime: &Runtime| {
            let (cache, version) = (runtime.cache(), Arc::clone(&self.version));
            let (ends, calls) = (Arc::clone(&ends), Arc::<AtomicU64>::clone(&calls));
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    for id in 0..MANY {
                        read(&cache, &version, id).await;
                        calls.fetch_add(1, Ordering::SeqCst);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        };
        let tasks = vec![spawn(&self.here), spawn(&self.there)];
        Callers { ends, calls, tasks }
    }
}

fn key(id: u64) -> String {
    format!("sentinel:{id}")
}

/// No call fails, whatever happens to the server.
async fn read(cache: &Cache, version: &AtomicU64, id: u64) -> u64 {
    let load = async || Ok::<_, ()>(version.load(Ordering::SeqCst));
    let read = cache.get_or_load(key(id), Policy::new(LONG), load).await;
    read.expect("no call fails")
}

struct Callers {
    ends: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Callers {
    async fn end(self) {
        let before = self.calls.load(Ordering::SeqCst);
        eventually("they go on", PATIENCE, async || {
            self.calls.load(Ordering::SeqCst) > before + 4 * MANY
        })
        .await;
        self.ends.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("no call fails");
        }
    }
}

async fn fails_over(service: &Arc<RedisSentinels>, sentinel: usize) -> usize {
    let service = Arc::clone(service);
    let elected = tokio::task::spawn_blocking(move || service.fails_over(sentinel));
    elected.await.unwrap()
}

/// Entries of the scene that a server has.
fn entries(server: &RedisServer) -> usize {
    let keys: Vec<String> = server.command(&["KEYS", "*sentinel:*"]);
    keys.len()
}

/// Connections of this library to a server.
fn connections(server: &RedisServer) -> usize {
    let clients: String = server.command(&["CLIENT", "LIST", "TYPE", "normal"]);
    // Followed is the one that reads, and only in this library.
    let follows = |client: &&str| client.contains(" flags=t") && client.contains(" resp=3");
    let follows_in_6 = |client: &&str| client.contains(" flags=t") && !client.contains("resp=");
    let mut count = 0;
    for client in clients.lines() {
        count += usize::from(follows(&client) || follows_in_6(&client));
    }
    count
}

/// Connections that listen to a channel.
fn listeners(server: &RedisServer, channel: &str) -> u64 {
    let (_, count): (String, u64) = server.command(&["PUBSUB", "NUMSUB", channel]);
    count
}

async fn required(url: String) -> cacheable_runtime::Error {
    let builder: Builder = level_two().redis(url).require_connection();
    builder.build().await.unwrap_err()
}

#[tokio::test]
async fn reads_and_writes_go_to_the_primary() {
    let service = RedisSentinels::start(1, 1);
    let built = level_two().redis(service.url_with("", "/3"));
    let user = Service::with(built.budget(PATIENCE).require_connection()).await;
    user.loaded(1).await;
    user.heals(1).await;
    let [primary, replica] = service.servers() else {
        panic!("there are two");
    };
    let stored = primary.database_url(3);
    let mut connection = redis::Client::open(stored).unwrap();
    let size: u64 = redis::cmd("DBSIZE").query(&mut connection).unwrap();
    assert!(size > 0, "it is stored in its database");
    assert_eq!(connections(primary), 1);
    assert_eq!(connections(replica), 0);
    let shown = format!("{:?}", user.runtime);
    assert!(shown.contains(&service.url()), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_is_replaced_and_no_call_fails() {
    let service = Arc::new(RedisSentinels::start(2, 3));
    let scene = Scene::over(&service).await;
    // The control: it knows the server and no sentinel.
    let plain = Runtime::builder().redis(service.servers()[0].url());
    let plain = plain.require_connection().build().await.unwrap();
    let callers = scene.callers();
    service.servers()[0].kill();
    let began = Instant::now();
    let elected = fails_over(&service, 0).await;
    let took = began.elapsed();
    scene.settles(&scene.here).await;
    scene.settles(&scene.there).await;
    println!(
        "a new primary after {took:?}, cached again after {:?}",
        began.elapsed()
    );
    callers.end().await;
    scene.is_coherent().await;
    let server = &service.servers()[elected];
    assert_eq!(entries(server), usize::try_from(MANY).unwrap());
    assert_eq!(connections(server), 2);
    assert!(plain.health().is_err(), "nobody told it where to go");
}

/// The primary of before is there all the time, and becomes a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_on_command_takes_everything_along() {
    let service = Arc::new(RedisSentinels::start(1, 1));
    let scene = Scene::over(&service).await;
    let callers = scene.callers();
    service.begin_failover();
    let elected = fails_over(&service, 0).await;
    let (old, new) = (&service.servers()[0], &service.servers()[elected]);
    eventually("both have gone there", PATIENCE, async || {
        connections(new) == 2 && connections(old) == 0
    })
    .await;
    callers.end().await;
    scene.is_coherent().await;
    eventually("the old one is a replica", PATIENCE, async || {
        let info: String = old.command(&["INFO", "replication"]);
        info.contains("role:slave")
    })
    .await;
    scene.is_coherent().await;
    assert_eq!(connections(old), 0);
}

/// Until the sentinels have told it, the old primary takes writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_comes_back_from_a_pause_is_not_used() {
    let service = Arc::new(RedisSentinels::start(1, 3));
    let scene = Scene::over(&service).await;
    let callers = scene.callers();
    let old = &service.servers()[0];
    let paused = old.pause();
    let elected = fails_over(&service, 0).await;
    scene.settles(&scene.here).await;
    scene.settles(&scene.there).await;
    drop(paused);
    for _ in 0..3 {
        scene.is_coherent().await;
    }
    eventually("all of it has left the old one", PATIENCE, async || {
        connections(old) == 0
    })
    .await;
    callers.end().await;
    scene.is_coherent().await;
    assert_eq!(connections(&service.servers()[elected]), 2);
}

/// As one that is cut off from the sentinels alone: it answers us, says that
/// it is a primary, and nothing breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_only_we_can_reach_is_left() {
    let service = RedisSentinels::start(0, 1);
    let scene = Scene::over(&service).await;
    let callers = scene.callers();
    let (old, new) = (&service.servers()[0], RedisServer::start());
    assert_eq!(connections(old), 2);
    service.names_nobody();
    // All stay where they are.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(connections(old), 2);
    service.names(&new);
    eventually("both have gone there", PATIENCE, async || {
        connections(&new) == 2 && connections(old) == 0
    })
    .await;
    let role: Vec<redis::Value> = old.command(&["ROLE"]);
    assert_eq!(role[0], redis::Value::BulkString(b"master".to_vec()));
    callers.end().await;
    scene.is_coherent().await;
}

/// With nothing lost on the way: no connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_heard_on_the_new_primary() {
    let service = RedisSentinels::start(0, 1);
    let scene = Scene::over(&service).await;
    let mut heard = scene.here.pubsub().subscribe::<u32>("news").await.unwrap();
    let publisher = scene.there.pubsub();
    publisher.publish("news", &1).await.unwrap();
    let next = async |heard: &mut Subscription<u32>| {
        let next = tokio::time::timeout(PATIENCE, heard.next()).await;
        next.expect("it comes in time").expect("it goes on")
    };
    match next(&mut heard).await {
        Event::Message { message, .. } => assert_eq!(message, 1),
        other => panic!("{other:?} instead of a message"),
    }
    // Longer than what is said of a gap may be too early by.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (old, new) = (&service.servers()[0], RedisServer::start());
    let moved = Instant::now();
    service.names(&new);
    eventually("all have gone there", PATIENCE, async || {
        connections(&new) == 2 && listeners(&new, "news") == 1 && listeners(old, "news") == 0
    })
    .await;
    match next(&mut heard).await {
        Event::Gap { since, .. } => assert!(since <= moved, "{:?}", since - moved),
        other => panic!("{other:?} instead of a gap"),
    }
    scene.settles(&scene.there).await;
    assert_eq!(publisher.publish("news", &2).await.unwrap(), 1);
    match next(&mut heard).await {
        Event::Message { message, .. } => assert_eq!(message, 2),
        other => panic!("{other:?} instead of a message"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_taken_from_the_new_primary() {
    let service = Arc::new(RedisSentinels::start(2, 1));
    let scene = Scene::over(&service).await;
    service.begin_failover();
    let elected = fails_over(&service, 0).await;
    scene.settles(&scene.here).await;
    // Replicas are asked for over a connection for this alone.
    let locks = scene.here.locks();
    let lock = locks.lock("stock").wait_replicas(1, PATIENCE);
    let held = lock.acquire().await.unwrap();
    let server = &service.servers()[elected];
    let keys: Vec<String> = server.command(&["KEYS", "*lock:*"]);
    assert!(!keys.is_empty(), "it is there");
    held.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sentinel_of_three_may_be_away() {
    let service = Arc::new(RedisSentinels::start(1, 3));
    service.sentinels()[0].kill();
    let began = Instant::now();
    let scene = Scene::over(&service).await;
    println!("without one: ready after {:?}", began.elapsed());
    service.servers()[0].kill();
    let elected = fails_over(&service, 1).await;
    scene.is_coherent().await;
    assert_eq!(connections(&service.servers()[elected]), 2);
}

/// They take a connection and say nothing.
#[tokio::test]
async fn sentinels_that_are_stuck_are_done_without() {
    let service = RedisSentinels::start(0, 3);
    let mut paused = Vec::new();
    for stuck in 0..2 {
        paused.push(service.sentinels()[stuck].pause());
        let began = Instant::now();
        let builder = level_two().redis(service.url()).budget(PATIENCE);
        let user = Service::with(builder.require_connection()).await;
        user.heals(1).await;
        println!("without {}: ready after {:?}", stuck + 1, began.elapsed());
    }
}

#[tokio::test]
async fn a_runtime_that_has_ended_leaves_the_sentinels_alone() {
    let service = RedisSentinels::start(0, 1);
    let sentinel = &service.sentinels()[0];
    let clients = || {
        let clients: String = sentinel.command(&["CLIENT", "LIST", "TYPE", "normal"]);
        // One of them asks.
        clients.lines().count() - 1
    };
    for shut_down in [true, false] {
        let builder = level_two().redis(service.url()).budget(PATIENCE);
        let user = Service::with(builder.require_connection()).await;
        assert_eq!(clients(), 1, "it keeps a connection");
        if shut_down {
            user.runtime.shutdown(PATIENCE).await;
            let gone = eventually("it is gone", PATIENCE, async || clients() == 0);
            gone.await;
        }
        drop(user);
        eventually("it is gone", PATIENCE, async || clients() == 0).await;
    }
}

/// Who is connected needs no sentinel.
#[tokio::test]
async fn sentinels_that_go_away_are_asked_again_when_they_come() {
    let service = RedisSentinels::start(0, 1);
    let user = Service::with(level_two().redis(service.url()).budget(PATIENCE)).await;
    user.heals(1).await;
    service.sentinels()[0].kill();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(user.runtime.health().is_ok());
    user.heals(1).await;
    let late = Service::with(level_two().redis(service.url()).budget(PATIENCE)).await;
    late.loaded(2).await;
    let error = late.runtime.health().unwrap_err().to_string();
    assert!(error.contains("no sentinel"), "{error}");
    service.servers()[0].command::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually("the link is down", PATIENCE, async || {
        user.runtime.health().is_err()
    })
    .await;
    user.loaded(3).await;
    service.sentinels()[0].restart();
    user.heals(1).await;
    late.heals(2).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_said() {
    let service = RedisSentinels::start(0, 1);
    let sentinel = service.sentinels()[0].port();
    let error = required(format!("redis+sentinel://127.0.0.1:{sentinel}/other")).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    let text = error.to_string();
    assert!(text.contains("knows the service `other`"), "{text}");
    assert!(text.contains("`sentinel monitor`"), "{text}");

    let nobody = RedisServer::start();
    let gone = nobody.port();
    nobody.kill();
    let error = required(format!("redis+sentinel://127.0.0.1:{gone}/other")).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no sentinel"), "{error}");
    assert!(error.is_unavailable());

    let server = service.servers()[0].port();
    let error = required(format!("redis+sentinel://127.0.0.1:{server}/other")).await;
    assert!(error.to_string().contains("is no sentinel"), "{error}");
}

#[tokio::test]
async fn sentinels_and_servers_have_passwords_of_their_own() {
    let service = RedisSentinels::start(0, 1);
    let check = async |user: &str, more: &str, expected: &str| {
        let error = required(service.url_with(user, more)).await;
        let said = format!("{error} {error:?}");
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("REDIS_URL"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    };
    let set = |who: &RedisServer, user: &str, password: &str| {
        let password = format!(">{password}");
        let rights = ["on", "resetpass", &password, "~*", "&*", "+@all"];
        who.command::<()>(&[&["ACL", "SETUSER", user][..], &rights].concat());
    };
    let sentinel = &service.sentinels()[0];
    set(sentinel, "guard", "inside");
    // From here on the harness cannot ask it any more.
    set(sentinel, "default", "outside");
    check("", "", "a sentinel wants a password").await;
    check(":outside@", "", "a sentinel wants a password").await;
    let refuses = "a sentinel refuses its password";
    check("", "?sentinel_password=hunter2", refuses).await;
    let wrong = "?sentinel_user=guard&sentinel_password=hunter2";
    check("", wrong, refuses).await;
    let right = "?sentinel_user=guard&sentinel_password=inside";
    for more in ["?sentinel_password=outside", right] {
        let builder = level_two().redis(service.url_with("", more));
        builder.require_connection().build().await.unwrap();
    }
    let server = &service.servers()[0];
    set(server, "me", "mine");
    check("me:hunter2@", right, "the server refuses the password").await;
    let builder = level_two().redis(service.url_with("me:mine@", right));
    let user = Service::with(builder.budget(PATIENCE).require_connection()).await;
    user.heals(1).await;
}

/// A user that may ask for the address alone.
#[tokio::test]
async fn a_sentinel_need_not_tell_more_than_the_address() {
    let service = RedisSentinels::start(0, 1);
    let sentinel = &service.sentinels()[0];
    let version: String = sentinel.command(&["INFO", "server"]);
    // Redis 6.2 can allow the whole command alone.
    let only = if version.contains("redis_version:6.") {
        "+sentinel"
    } else {
        "+sentinel|get-master-addr-by-name"
    };
    let user = ["ACL", "SETUSER", "asker", "on", ">asker", "-@all", only];
    sentinel.command::<()>(&user);
    let url = service.url_with("", "?sentinel_user=asker&sentinel_password=asker");
    let builder = level_two().redis(url).budget(PATIENCE);
    let user = Service::with(builder.require_connection()).await;
    user.heals(1).await;
}
