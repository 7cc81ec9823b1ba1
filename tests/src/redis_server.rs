//! A Redis server of the test's own.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;
use redis::{Connection, FromRedisValue, RedisError, Value};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::wait_until;

/// How long a server may take to answer, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `redis-server` process, empty and without persistence, in a directory of
/// its own, which ends with this value or with the test's process.
///
/// The program is `CACHEABLE_REDIS_SERVER`, else `redis-server` or
/// `valkey-server` from the `PATH`.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    arguments: Vec<String>,
    /// What stands in a file of its own, for a server that writes to it.
    config: Option<String>,
    port: u16,
    directory: TempDir,
    process: Mutex<Option<Process>>,
    /// What a node that was killed knew of its cluster.
    memory: Mutex<Option<Vec<u8>>>,
}

/// Where the node of a cluster keeps what it knows of it.
pub(crate) const NODES: &str = "nodes.conf";

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further arguments, such as `&["--maxmemory", "1mb"]`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_program(program(), arguments)
    }

    /// Starts a program that becomes a server.
    pub(crate) fn start_program(program: PathBuf, arguments: &[&str]) -> Self {
        Self::launch(program, arguments, None)
    }

    /// Starts a sentinel with what its file says.
    pub(crate) fn start_sentinel(config: String) -> Self {
        Self::launch(program(), &["--sentinel"], Some(config))
    }

    fn launch(program: PathBuf, arguments: &[&str], config: Option<String>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let cluster = arguments
            .iter()
            .any(|argument| argument == "--cluster-enabled");
        for _ in 0..20 {
            // Another process can take the port before the server does; then
            // the server says so and ends, and the next port is tried.
            let port = free_port();
            // Where it talks to other nodes, which is said in another way when
            // it is taken.
            if cluster && TcpListener::bind(("127.0.0.1", port + 10_000)).is_err() {
                continue;
            }
            let started = Process::start(
                &program,
                &arguments,
                config.as_deref(),
                port,
                directory.path(),
            );
            if let Some(process) = started {
                return Self {
                    program,
                    arguments,
                    config,
                    port,
                    directory,
                    process: Mutex::new(Some(process)),
                    memory: Mutex::default(),
                };
            }
        }
        panic!("no port could be bound in twenty attempts");
    }

    /// Starts a server that takes `DEBUG`.
    pub fn start_with_debug_commands() -> Self {
        let version = Command::new(program()).arg("--version").output();
        let version = version.expect("the server tells its version").stdout;
        // The server takes it anyway before there is a setting for it.
        if String::from_utf8_lossy(&version).contains("v=6.") {
            return Self::start();
        }
        Self::start_with(&["--enable-debug-command", "yes"])
    }

    /// The server that all tests of this binary share; each uses its own [`namespace`](Self::namespace).
    pub fn shared() -> &'static Self {
        static SHARED: OnceCell<RedisServer> = OnceCell::new();
        SHARED.get_or_init(Self::start)
    }

    /// A name that no other test on this server uses.
    pub fn namespace(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Where the server listens, on the address of this machine alone.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of database 0.
    pub fn url(&self) -> String {
        self.database_url(0)
    }

    /// The address of a database of its own, for tests that look at all of its keys.
    pub fn database_url(&self, database: u8) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// A blocking connection to database 0.
    pub fn connect(&self) -> Connection {
        connect(&self.url()).expect("the server accepts a connection")
    }

    /// Sends one command as `redis-cli` would, on a connection of its own.
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut answer = try_command(&self.url(), words);
        // A server that is made a replica hangs up on everybody, and whoever
        // only looks may look again.
        let looks = matches!(words, ["INFO", ..] | ["CLIENT", "LIST", ..]);
        if looks && answer.as_ref().is_err_and(RedisError::is_io_error) {
            answer = try_command(&self.url(), words);
        }
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&self) {
        *self.memory.lock().expect("no test panics in here") =
            fs::read(self.directory.path().join(NODES)).ok();
        let process = self.process.lock().expect("no test panics in here").take();
        drop(process.expect("the server runs"));
    }

    /// Starts the server again on the same port, empty; kills it first if it
    /// still runs. A node that was killed before finds its cluster again.
    pub fn restart(&self) {
        let mut process = self.process.lock().expect("no test panics in here");
        *process = None;
        let mut started = None;
        wait_until("the old port is free again", PATIENCE, || {
            let directory = self.directory.path();
            if let Some(nodes) = &*self.memory.lock().expect("no test panics in here") {
                // It went with the process.
                fs::create_dir_all(directory).expect("the temporary directory can be made");
                fs::write(directory.join(NODES), nodes).expect("it can be written");
            }
            started = Process::start(
                &self.program,
                &self.arguments,
                self.config.as_deref(),
                self.port,
                directory,
            );
            started.is_some()
        });
        *process = started;
    }

    /// Takes away the directory that the server writes its snapshots to.
    pub fn lose_directory(&self) {
        fs::remove_dir_all(self.directory.path()).expect("it is there");
    }

    /// Stops the server in its tracks, connections open, until the returned value is dropped.
    pub fn pause(&self) -> Paused<'_> {
        self.signal(Signal::STOP);
        Paused(self)
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &*self.process.lock().expect("no test panics in here") {
            process.signal(signal);
        }
    }
}

/// A server that does not move; see [`RedisServer::pause`].
#[derive(Debug)]
#[must_use = "the server goes on as soon as this is dropped"]
pub struct Paused<'a>(&'a RedisServer);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// A shell with the server as its only child.
///
/// The shell waits for its input to end, which it does when this value is
/// dropped, and also when the test's process dies in any other way or keeps
/// the server in a static that is never dropped. It kills the server then and
/// removes the directory. Until it has reaped its child nobody else gets the
/// child's id.
#[derive(Debug)]
struct Process {
    shell: Child,
    server: Pid,
}

const SHELL: &str = r#"directory=$1; shift
"$@" >"$directory/log" 2>&1 </dev/null &
echo $!
read -r _
kill -9 $!
wait 2>/dev/null
rm -rf "$directory""#;

impl Process {
    /// `None` if the port is taken.
    fn start(
        program: &Path,
        arguments: &[String],
        config: Option<&str>,
        port: u16,
        directory: &Path,
    ) -> Option<Self> {
        let log = directory.join("log");
        // The server before this one took it along.
        fs::create_dir_all(directory).expect("the temporary directory can be made");
        File::create(&log).expect("the temporary directory can be written");
        let file = config.map(|config| {
            let file = directory.join("server.conf");
            fs::write(&file, config).expect("the temporary directory can be written");
            file
        });
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(directory)
            .arg(program)
            .args(file)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut id = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped"))
            .read_line(&mut id)
            .expect("the shell tells the server's process id");
        let server = id.trim().parse().ok().and_then(Pid::from_raw);
        let process = Self {
            shell,
            server: server.unwrap_or_else(|| panic!("`{id}` is not a process id")),
        };
        let mut taken = false;
        wait_until("the server answers", PATIENCE, || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            taken = said.contains("Address already in use");
            assert!(taken || !said.contains("FATAL"), "{said}");
            taken || process.answers_on(port)
        });
        (!taken).then_some(process)
    }

    /// Another server could be the one that answers, so it is asked for its process id.
    fn answers_on(&self, port: u16) -> bool {
        let url = format!("redis://127.0.0.1:{port}/");
        let info: Result<String, _> = try_command(&url, &["INFO", "server"]);
        let mine = format!("process_id:{}\r", self.server.as_raw_nonzero());
        info.is_ok_and(|info| info.contains(&mine))
    }

    fn signal(&self, signal: Signal) {
        // A server that has ended by itself needs no signal.
        let _ = kill_process(self.server, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn try_command<T: FromRedisValue>(url: &str, words: &[&str]) -> redis::RedisResult<T> {
    let (name, arguments) = words.split_first().expect("a command has a name");
    let value: Value = redis::cmd(name).arg(arguments).query(&mut connect(url)?)?;
    Ok(redis::from_redis_value(value)?)
}

fn connect(url: &str) -> redis::RedisResult<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
    // A paused server fails the test instead of holding it up for ever.
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

pub(crate) fn program() -> PathBuf {
    if let Some(program) = env::var_os("CACHEABLE_REDIS_SERVER") {
        return program.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .expect("`redis-server` is not on the PATH: install it, or run `./test`, which does")
}

/// A port that nobody listens on now.
///
/// It lies below what Linux and macOS hand out to connecting clients: a client
/// that tries again and again to reach a port of that range can be given this
/// very port as its own, and then holds the port of the server that is away.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
