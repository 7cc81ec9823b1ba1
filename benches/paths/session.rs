//! A session is read and written.

use std::time::Duration;

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::{SessionToken, Sessions};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

use crate::wire::{self, Server};

const TASKS: [u64; 2] = [1, 64];
const TTL: Duration = Duration::from_hours(1);
const SESSIONS: u64 = 1_000;

/// What a service knows of who is logged in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Data {
    name: String,
    roles: Vec<String>,
    visits: u64,
}

impl Data {
    fn new(number: u64) -> Self {
        Self {
            name: format!("user {number}"),
            roles: vec!["reader".to_owned(), "writer".to_owned()],
            visits: number,
        }
    }
}

/// Reads of live sessions.
pub(crate) fn get(bench: &mut Bench, server: &Server) {
    let path = Path::new("session/get").tasks(&TASKS).timed().on(server);
    bench.path(&path, async || {
        let world = World::on(server).await;
        Field {
            note: format!("{SESSIONS} sessions"),
            contenders: vec![
                Contender::new("redis GET", move |n| async move {
                    let key = format!("hand:session:{}", n % SESSIONS);
                    wire::get(&world.connection, &key).await.expect(THERE)
                }),
                Contender::new("tower-sessions-redis-store", move |n| async move {
                    let found = world.tower.load(world.id(n)).await;
                    found.expect("the server answers").expect(THERE)
                })
                .against("redis GET"),
                Contender::new("sessions", move |n| async move {
                    let found = world.sessions.get::<Data>(world.token(n)).await;
                    found.expect("the server answers").expect(THERE)
                })
                .against("redis GET"),
            ],
        }
    });
}

/// Writes to live sessions.
pub(crate) fn set(bench: &mut Bench, server: &Server) {
    let path = Path::new("session/set").tasks(&TASKS).timed().on(server);
    bench.path(&path, async || {
        let world = World::on(server).await;
        Field {
            note: format!("{SESSIONS} sessions"),
            contenders: vec![
                Contender::new("redis SET", move |n| async move {
                    let key = format!("hand:session:{}", n % SESSIONS);
                    let bytes = rmp_serde::to_vec_named(&Data::new(n)).expect("it can be");
                    wire::set(&world.connection, &key, &bytes).await;
                }),
                Contender::new("tower-sessions-redis-store", move |n| async move {
                    let saved = world.tower.save(&record(*world.id(n), n)).await;
                    saved.expect("the server answers");
                })
                .against("redis SET"),
                Contender::new("sessions", move |n| async move {
                    let saved = world.sessions.set(world.token(n), &Data::new(n), TTL).await;
                    saved.expect("it is there");
                })
                .against("redis SET"),
            ],
        }
    });
}

const THERE: &str = "it is there";

struct World {
    connection: MultiplexedConnection,
    tower: RedisStore<Pool>,
    ids: Vec<Id>,
    sessions: Sessions,
    tokens: Vec<SessionToken>,
}

impl World {
    async fn on(server: &Server) -> &'static Self {
        let connection = server.connect().await;
        let config = Config::from_url(&server.url()).expect("it is an address");
        let pool = Pool::new(config, None, None, None, 2).expect("it can be built");
        pool.init().await.expect("the server was just started");
        let tower = RedisStore::new(pool);
        let sessions = server.runtime().await.sessions();
        let (mut ids, mut tokens) = (Vec::new(), Vec::new());
        for number in 0..SESSIONS {
            let bytes = rmp_serde::to_vec_named(&Data::new(number)).expect("it can be");
            wire::set(&connection, &format!("hand:session:{number}"), &bytes).await;
            let mut record = record(Id::default(), number);
            tower.create(&mut record).await.expect("the server answers");
            ids.push(record.id);
            let user = format!("user-{number}");
            let session = sessions.create(&user, &Data::new(number), TTL).await;
            tokens.push(session.expect("the server answers").token.clone());
        }
        Box::leak(Box::new(Self {
            connection,
            tower,
            ids,
            sessions,
            tokens,
        }))
    }

    fn id(&self, number: u64) -> &Id {
        &self.ids[(number % SESSIONS) as usize]
    }

    fn token(&self, number: u64) -> &SessionToken {
        &self.tokens[(number % SESSIONS) as usize]
    }
}

fn record(id: Id, number: u64) -> Record {
    let data = serde_json::to_value(Data::new(number)).expect("it can be");
    Record {
        id,
        data: [("data".to_owned(), data)].into(),
        expiry_date: OffsetDateTime::now_utc() + TTL,
    }
}
