//! A network that fails as it is told.

mod carry;
mod frames;
mod rules;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::redis_server::{RedisServer, free_port};
use crate::wait::wait_until;
use carry::carry;
use rules::{Held, Pushes, Rules};
pub use rules::{Of, Seen};

/// A port of its own that leads to a [`RedisServer`], and does to the
/// connections what a bad network does. It reads the protocol, so it can tell
/// pushes from replies and count commands. It works in a thread of its own;
/// what is told holds for whatever arrives after the call has returned.
/// Dropped, it closes everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    rules: watch::Sender<Rules>,
    listens: watch::Sender<bool>,
    seen: Mutex<Seen>,
}

/// How long the thread of a proxy may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

impl Proxy {
    /// A proxy that forwards everything.
    pub fn to(server: &RedisServer) -> Self {
        let (port, listener) = listener();
        let shared = Arc::new(Shared {
            rules: watch::Sender::new(Rules::default()),
            listens: watch::Sender::new(true),
            seen: Mutex::default(),
        });
        let thread = thread::spawn({
            let (shared, server) = (Arc::clone(&shared), server.port());
            move || run(listener, server, &shared)
        });
        Self {
            port,
            shared,
            thread: Some(thread),
        }
    }

    /// The address of database 0, through this proxy.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        lock(&self.shared.seen).clone()
    }

    /// Forwards everything again. What was held goes on its way; connections
    /// of which something was swallowed are reset.
    pub fn forward(&self) {
        self.change(Rules::forward);
        self.await_listener(true);
    }

    /// Resets connections, with what is held of them; new ones are accepted.
    pub fn cut(&self, of: Of) {
        self.change(|rules| rules.each(of, |lane| lane.era += 1));
    }

    /// Resets all connections and refuses new ones, as a machine without the
    /// server does, until [`forward`](Self::forward).
    pub fn refuse(&self) {
        self.change(|rules| {
            rules.refuses = true;
            rules.each(Of::All, |lane| lane.era += 1);
        });
        self.await_listener(false);
    }

    /// Accepts connections and bytes, and lets none of them out on the other side.
    pub fn black_hole(&self, of: Of) {
        self.change(|rules| rules.each(of, |lane| lane.swallows = true));
    }

    /// Brings what the server sends so much later.
    pub fn delay(&self, of: Of, delay: Duration) {
        self.change(|rules| rules.each(of, |lane| lane.delay = delay));
    }

    /// Keeps what clients send, until [`release`](Self::release).
    pub fn hold_requests(&self, of: Of) {
        self.change(|rules| rules.each(of, |lane| lane.holds_requests = true));
    }

    /// As [`hold_requests`](Self::hold_requests), of the connections that there are
    /// now: those that come pass. What a client sent before it closed goes on its
    /// way, too, as it does from the memory of a kernel.
    pub fn strand(&self, of: Of) {
        let last = lock(&self.shared.seen).connections;
        self.change(|rules| rules.each(of, |lane| lane.stranded = last));
    }

    /// Keeps replies, and lets pushes pass, until [`release`](Self::release).
    pub fn hold_replies(&self, of: Of) {
        self.change(|rules| rules.each(of, |lane| lane.held_replies = Held::All));
    }

    /// As [`hold_replies`](Self::hold_replies), from the next one on that is a text:
    /// that there is none still passes.
    pub fn hold_texts(&self, of: Of) {
        self.change(|rules| rules.each(of, |lane| lane.held_replies = Held::Texts));
    }

    /// Sends requests and replies that were held, in their order.
    pub fn release(&self) {
        self.change(|rules| {
            rules.each(Of::All, |lane| {
                (lane.holds_requests, lane.stranded) = (false, 0);
                lane.held_replies = Held::None;
            });
        });
    }

    /// Takes invalidations out of what the server sends, until
    /// [`release_pushes`](Self::release_pushes).
    pub fn drop_pushes(&self) {
        self.change(|rules| rules.pushes = Pushes::Drop);
    }

    /// Keeps invalidations, and lets replies pass, until
    /// [`release_pushes`](Self::release_pushes).
    pub fn hold_pushes(&self) {
        self.change(|rules| rules.pushes = Pushes::Hold);
    }

    /// Sends the invalidations that were held, and those that come.
    pub fn release_pushes(&self) {
        self.change(|rules| rules.pushes = Pushes::Pass);
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        self.shared.rules.send_modify(change);
    }

    fn await_listener(&self, listens: bool) {
        wait_until("the proxy opens or closes its port", PATIENCE, || {
            *self.shared.listens.borrow() == listens
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|rules| rules.stopped = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listener() -> (u16, std::net::TcpListener) {
    loop {
        // Another process can take the port meanwhile.
        let port = free_port();
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return (port, listener);
        }
    }
}

fn run(listener: std::net::TcpListener, server: u16, shared: &Arc<Shared>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the proxy can have a thread of its own");
    // Whatever it carries ends with it.
    let outcome = runtime.block_on(accept(listener, server, shared));
    outcome.expect("the proxy can listen on its port");
}

async fn accept(
    listener: std::net::TcpListener,
    server: u16,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let mut listener = Some(TcpListener::from_std(listener)?);
    let mut rules = shared.rules.subscribe();
    loop {
        let (stopped, refuses) = {
            let rules = rules.borrow_and_update();
            (rules.stopped, rules.refuses)
        };
        if stopped {
            return Ok(());
        }
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await?);
        }
        shared.listens.send_replace(listener.is_some());
        let Some(listening) = &listener else {
            let _ = rules.changed().await;
            continue;
        };
        tokio::select! {
            accepted = listening.accept() => {
                let (client, _) = accepted?;
                let number = {
                    let mut seen = lock(&shared.seen);
                    seen.connections += 1;
                    seen.connections
                };
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    // Without its server the client's connection just ends.
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                        carry(number, client, server, &shared).await;
                    }
                });
            }
            _ = rules.changed() => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
