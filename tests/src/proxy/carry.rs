//! One connection on its way through.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frames::{Frames, is_invalidation, is_text, keys_asked, words};
use super::rules::{Held, Pushes, Rules};
use super::{Shared, lock};

/// Carries both directions until one side closes or the rules end it. `number`:
/// which connection of the proxy's this is.
pub(super) async fn carry(
    number: u64,
    mut client: TcpStream,
    mut server: TcpStream,
    shared: &Shared,
) {
    // Small messages are held back by the kernel otherwise.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let way = Way {
        number,
        shared,
        tracked: AtomicBool::new(false),
        lossy: AtomicBool::new(false),
        answered: AtomicBool::new(true),
    };
    let closed = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            // What is cut and let go at once is cut.
            biased;
            () = way.ended() => false,
            _ = way.requests(from_client, to_server) => true,
            _ = way.replies(from_server, to_client) => true,
        }
    };
    if !closed {
        // Both see a reset instead of an orderly end.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

struct Way<'a> {
    number: u64,
    shared: &'a Shared,
    tracked: AtomicBool,
    /// Something was swallowed. Replies can no longer be matched with their
    /// requests, so this connection cannot be used again.
    lossy: AtomicBool,
    /// The client has got an answer, or none is due, since it asked last.
    answered: AtomicBool,
}

impl Way<'_> {
    fn tracked(&self) -> bool {
        self.tracked.load(Ordering::Relaxed)
    }

    fn rules(&self) -> watch::Receiver<Rules> {
        self.shared.rules.subscribe()
    }

    async fn ended(&self) {
        let mut rules = self.rules();
        let eras = [false, true].map(|tracked| rules.borrow_and_update().lane(tracked).era);
        let over = |rules: &Rules| {
            let lane = rules.lane(self.tracked());
            let recalled = self.lossy.load(Ordering::Relaxed) && !lane.swallows;
            rules.stopped || recalled || lane.era != eras[usize::from(self.tracked())]
        };
        // The sender lives as long as the proxy.
        let _ = rules.wait_for(over).await;
    }

    async fn requests(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut rules = self.rules();
        let mut frames = Frames::default();
        let mut waiting = VecDeque::new();
        let mut bytes = vec![0; 64 << 10];
        let mut ended = false;
        loop {
            let lane = *rules.borrow_and_update().lane(self.tracked());
            if lane.swallows {
                self.swallow(&mut waiting);
            } else if !lane.holds_requests_of(self.number) && !waiting.is_empty() {
                to.write_all(&waiting.drain(..).flatten().collect::<Vec<u8>>())
                    .await?;
            }
            if ended && waiting.is_empty() {
                return Ok(());
            }
            tokio::select! {
                length = from.read(&mut bytes), if !ended => {
                    // A reset is an end, too.
                    let length = length.unwrap_or(0);
                    ended = length == 0;
                    frames.add(&bytes[..length]);
                    let mut seen = lock(&self.shared.seen);
                    seen.bytes_sent += length as u64;
                    while let Some(frame) = frames.next()? {
                        let begins = self.answered.swap(false, Ordering::Relaxed);
                        seen.round_trips += u64::from(begins);
                        let words = words(&frame, 3);
                        seen.count(&words);
                        seen.keys_asked += keys_asked(&frame);
                        if words == ["CLIENT", "TRACKING", "ON"] {
                            self.tracked.store(true, Ordering::Relaxed);
                        }
                        waiting.push_back(frame);
                    }
                }
                _ = rules.changed() => {}
            }
        }
    }

    async fn replies(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut rules = self.rules();
        let mut frames = Frames::default();
        let mut waiting = VecDeque::new();
        let mut bytes = vec![0; 64 << 10];
        loop {
            let (lane, pushes) = {
                let rules = rules.borrow_and_update();
                (*rules.lane(self.tracked()), rules.pushes)
            };
            let mut next = None;
            if lane.swallows {
                self.swallow(&mut waiting);
            } else {
                let mut ready = Vec::new();
                let now = Instant::now();
                let mut holds = lane.held_replies == Held::All;
                // Each kind keeps its order; what is held lets the other kind pass.
                waiting.retain(|Reply { came, push, frame }| {
                    let held = if *push {
                        pushes == Pushes::Hold
                    } else {
                        holds |= lane.held_replies == Held::Texts && is_text(frame);
                        holds
                    };
                    let due = *came + lane.delay;
                    if !held && due > now {
                        next.get_or_insert(due);
                    }
                    let stays = held || due > now;
                    if !(stays || *push && pushes == Pushes::Drop) {
                        self.answered.fetch_or(!*push, Ordering::Relaxed);
                        ready.extend_from_slice(frame);
                    }
                    stays
                });
                if to.write_all(&ready).await.is_err() {
                    // The client is gone. What it sent goes on its way.
                    std::future::pending::<()>().await;
                }
            }
            tokio::select! {
                length = from.read(&mut bytes) => {
                    let length = length?;
                    if length == 0 {
                        return Ok(());
                    }
                    frames.add(&bytes[..length]);
                    let mut seen = lock(&self.shared.seen);
                    seen.bytes_received += length as u64;
                    let came = Instant::now();
                    while let Some(frame) = frames.next()? {
                        let push = is_invalidation(&frame);
                        seen.invalidations += u64::from(push);
                        seen.replies += u64::from(!frame.starts_with(b">"));
                        waiting.push_back(Reply { came, push, frame });
                    }
                }
                _ = rules.changed() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    fn swallow<T>(&self, waiting: &mut VecDeque<T>) {
        if !waiting.is_empty() {
            self.lossy.store(true, Ordering::Relaxed);
            waiting.clear();
        }
    }
}

struct Reply {
    came: Instant,
    push: bool,
    frame: Vec<u8>,
}
