//! From a call to what the store has, on one screen.

use std::time::Duration;

use super::call::{Cached, ValueType};
use super::flight::{self, Boarded, Landing, Leader, Lease, Shared};
use super::load::Load;
use super::{Engine, Settings, site};
use crate::codec::envelope::{self, Header, Opened};
use crate::error::{Error, ErrorKind};

/// What a call finds.
pub(crate) enum Found {
    Value(Shared),
    /// It is known that there is nothing.
    Absent,
    /// Nothing is known: the body has to run.
    Nothing(Load),
}

/// How often a caller joins a flight that an invalidation ends before it runs
/// its body by itself. Under a hail of invalidations nobody waits for ever.
const MAX_DISPERSALS: usize = 8;

impl Cached {
    /// Joins the flight of this key, or leads it to the store.
    pub(crate) async fn find(self: Box<Self>, value: &'static ValueType) -> Found {
        // Whoever leads the flight waits for the lease of that put.
        if flight::replaces(&self.key) {
            return Found::Nothing(Load::alone(self));
        }
        for _ in 0..MAX_DISPERSALS {
            let flights = self.engine.flights();
            let boarded = flights
                .board(self.identity, &self.key, || self.counters.waited())
                .await;
            let mut leader = match boarded {
                Boarded::Lead(leader) => leader,
                Boarded::Landed(Landing::Value(value)) => return Found::Value(value),
                Boarded::Landed(Landing::Absent) => return Found::Absent,
                Boarded::Dispersed => continue,
                Boarded::RunThrough => break,
            };
            match self.ask(value, &mut leader).await {
                Ok(Asked::Value(value)) => {
                    leader.land(Landing::Value(Shared::clone(&value)));
                    return Found::Value(value);
                }
                Ok(Asked::Absent) => {
                    leader.land(Landing::Absent);
                    return Found::Absent;
                }
                // Nobody would share this load, and whoever asked again since
                // the invalidation waits for the lease.
                Ok(Asked::Leased) if leader.is_dispersed() => {}
                Ok(Asked::Leased) => return Found::Nothing(Load::new(self, leader)),
                // The body that holds the lease is waiting for this very call.
                Ok(Asked::Own) => {
                    leader.lease = None;
                    break;
                }
                Err(error) => {
                    self.remote_failed("read", &error);
                    if let Some(lease) = leader.lease.take() {
                        self.engine.remote().abandon(&self.key, &lease);
                    }
                    return Found::Nothing(Load::new(self, leader));
                }
            }
        }
        Found::Nothing(Load::alone(self))
    }

    async fn ask(&self, value: &ValueType, leader: &mut Leader) -> Result<Asked, Error> {
        let remote = self.engine.remote();
        let mut patience = Patience::new(self.engine.settings());
        loop {
            let present = match remote.get(&self.key).await? {
                Some(bytes) => bytes,
                None => match self.acquire(leader, None).await? {
                    Some(bytes) => bytes,
                    None => return Ok(Asked::Leased),
                },
            };
            match self.examine(value, &present) {
                Seen::Value(header, value) => {
                    self.counters.hit_remote();
                    leader.lease = None;
                    return Ok(if header.absent {
                        Asked::Absent
                    } else {
                        Asked::Value(value)
                    });
                }
                // Left behind by the leader before this one.
                Seen::Lease if leader.lease.as_deref() == Some(&*present) => {
                    return Ok(Asked::Leased);
                }
                Seen::Lease if flight::holds(&present) => return Ok(Asked::Own),
                Seen::Lease if patience.wait(&present).await => leader.show_life(),
                // Also a lease that was waited for long enough: its holder
                // stores nothing, and what is loaded here proves itself by a
                // lease all the same.
                Seen::Lease | Seen::Useless => {
                    if self.acquire(leader, Some(&present)).await?.is_none() {
                        return Ok(Asked::Leased);
                    }
                }
            }
        }
    }

    /// Places a lease for `leader`. `Some` is what is there instead.
    async fn acquire(
        &self,
        leader: &mut Leader,
        over: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let lease = Engine::new_lease();
        // Owned before it is sent: a caller that goes away meanwhile gives it
        // up, too. A successor loads under it only if the store has it.
        leader.lease = Some(Lease::clone(&lease));
        let remote = self.engine.remote();
        let life = self.engine.lease_life();
        match remote.acquire(&self.key, &lease, life, over).await {
            Ok(None) => Ok(None),
            Ok(present) => {
                leader.lease = None;
                Ok(present)
            }
            Err(error) => {
                // It may still be placed, even after the body has begun, so it
                // proves nothing about the time of the load: it must go.
                leader.lease = None;
                remote.abandon(&self.key, &lease);
                Err(error)
            }
        }
    }

    /// What these bytes are to this call.
    fn examine(&self, value: &ValueType, bytes: &[u8]) -> Seen {
        let (header, payload) = match envelope::open(self.key.as_bytes(), bytes) {
            Ok(Opened::Lease(_)) => return Seen::Lease,
            Ok(Opened::Value(header, payload)) => (header, payload),
            Err(error) => return self.undecodable(&error),
        };
        if header.hard_expiry_ms <= self.engine.clock().now() {
            return Seen::Useless;
        }
        if header.site != 0 && self.identity != 0 && header.site != self.identity {
            return self.claimed_by_another(header.site);
        }
        if header.absent {
            return Seen::Value(header, std::sync::Arc::new(()));
        }
        let schema = (value.schema)(self.rules.codec, self.rules.schema);
        let schema = schema.of_version(self.location.version);
        if header.fingerprint != schema.fingerprint || !self.rules.codec.accepts(header.codec) {
            return self.undecodable(&"it was written for another form of this type");
        }
        match (value.decode)(header.codec, payload) {
            Ok(value) => Seen::Value(header, value),
            Err(error) => self.undecodable(&error),
        }
    }

    fn undecodable(&self, why: &dyn std::fmt::Display) -> Seen {
        self.counters.undecodable();
        tracing::debug!(method = self.label, why = %why, "an entry is not readable and will be replaced");
        Seen::Useless
    }

    fn claimed_by_another(&self, other: u64) -> Seen {
        self.counters.undecodable();
        self.counters.clashed();
        self.engine.observe().once(self.location.path, "clash", || {
            let other = site::location_of(other);
            tracing::error!(
                method = self.label,
                at = self.location.path,
                other = other.unwrap_or("a method of another process or version"),
                "two methods keep their entries under the same keys and overwrite each other: \
                 give one of them another `key_prefix`, or name what tells them apart in `key`"
            );
        });
        Seen::Useless
    }

    pub(crate) fn remote_failed(&self, what: &'static str, error: &Error) {
        self.counters.remote_failed();
        if error.kind() == ErrorKind::Server {
            // An outage is said by the connection; a refusal only here.
            let message = error.to_string();
            self.engine.observe().once("store", &message, || {
                tracing::warn!(method = self.label, what, %error, "the server refuses; calls go on without it");
            });
        }
        tracing::debug!(method = self.label, what, %error, "the store failed; the call goes on without it");
    }
}

enum Asked {
    Value(Shared),
    Absent,
    /// The leader holds the lease.
    Leased,
    /// A body that this call is made from holds it.
    Own,
}

enum Seen {
    Value(Header, Shared),
    Lease,
    /// Expired, foreign, or of another form: to be replaced.
    Useless,
}

/// How long to wait for another process's load, and how often to look.
///
/// A load that lives is waited for, however long it takes: a dead one ends
/// with its lease, or, in a store whose leases do not end, is given up after a
/// long time. A call inside a body does not wait longer than one lease, since
/// the other load may be waiting for this very body.
struct Patience {
    left: Duration,
    pause: Duration,
    lease: Vec<u8>,
    loads: usize,
}

impl Patience {
    fn new(settings: &Settings) -> Self {
        let left = if flight::is_inside() {
            settings.lease
        } else if settings.renews {
            Duration::MAX
        } else {
            settings.lease * flight::LONGEST_WAIT
        };
        Self {
            left,
            pause: Duration::from_millis(2),
            lease: Vec::new(),
            loads: 0,
        }
    }

    /// Waits for the load under `lease`. `false`: it is used up.
    async fn wait(&mut self, lease: &[u8]) -> bool {
        const LONGEST_PAUSE: Duration = Duration::from_millis(25);
        if self.lease != lease {
            self.lease = lease.to_vec();
            self.loads += 1;
        }
        // Without a timer there is no waiting.
        let timeless = tokio::runtime::Handle::try_current().is_err();
        if self.left.is_zero() || self.loads > MAX_DISPERSALS || timeless {
            return false;
        }
        let pause = self.pause.min(self.left);
        tokio::time::sleep(pause).await;
        self.left -= pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
