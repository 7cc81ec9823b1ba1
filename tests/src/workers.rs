//! Processes that share a server, told what to do line by line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::redis_server::RedisServer;

/// A process with a runtime of its own on a server; see the binary `worker`
/// for what it can be told. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// How long a process may take to do at once what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

impl Worker {
    /// Starts `program`, which is the binary `worker`, and waits until it is
    /// connected.
    pub fn spawn(program: impl AsRef<Path>, server: &RedisServer, namespace: &str) -> Self {
        let mut process = Command::new(program.as_ref())
            .args([&server.url(), namespace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let input = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let (to_test, lines) = channel();
        // A thread, so that a test gives up on a process that hangs.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if to_test.send(line).is_err() {
                    break;
                }
            }
        });
        let worker = Self {
            process,
            input,
            lines,
        };
        worker.answer_within(PATIENCE);
        worker
    }

    /// Tells it to do something, and does not wait until it has.
    pub fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the process lives");
    }

    /// Waits for its answer to one command, for so long beyond what a machine
    /// that is busy may need.
    #[track_caller]
    pub fn answer_within(&self, duration: Duration) -> Answer {
        let line = self.lines.recv_timeout(duration + PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("a worker does not answer: {error}"));
        Answer::of(&line)
    }

    /// Stops it in its tracks, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        let id = id.expect("it has an id");
        kill_process(id, signal).expect("the process lives");
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        // One that has ended by itself needs no killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a worker reports: `name=value` pairs.
#[derive(Clone, Debug, Default)]
pub struct Answer(BTreeMap<String, String>);

impl Answer {
    fn of(line: &str) -> Self {
        let pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// What is reported under this name.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        let value = self.0.get(name);
        value.unwrap_or_else(|| panic!("`{name}` is not in {self:?}"))
    }

    /// What is reported under this name, as a number.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        text.parse()
            .unwrap_or_else(|_| panic!("`{name}={text}` is no number"))
    }
}
