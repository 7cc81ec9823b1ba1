//! One of several processes that want the same lock: `locker <url> <namespace>`.
//!
//! It takes commands from its input and answers each with one line:
//!
//! - `count <way> <who> <tasks> <rounds> <file>`: tasks add lines to a file,
//!   each with the number after that of the last one; `locked`, or `unlocked`,
//!   which is the control.
//! - `work <name> <milliseconds> <file>`: adds lines to a file under a lock
//!   of that life, until it is lost.

use std::env;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cacheable_runtime::{HeldLock, Runtime};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::{JoinSet, yield_now};

/// How long a killed process is waited for.
const TTL: Duration = Duration::from_secs(3);

/// On a machine that is busy with other tests.
const WAIT: Duration = Duration::from_secs(60);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, namespace] = &arguments[..] else {
        return Err("usage: locker <url> <namespace>".into());
    };
    let runtime = Runtime::builder()
        .redis(url)
        .namespace(namespace)
        .budget(Duration::from_secs(5))
        .require_connection()
        .build()
        .await?;
    println!("ready=1");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["count", way, who, tasks, rounds, file] => {
                let counter = Counter {
                    runtime: runtime.clone(),
                    locked: way == "locked",
                    who: who.parse()?,
                    file: file.into(),
                };
                counter.run(tasks.parse()?, rounds.parse()?).await?
            }
            ["work", name, ttl, file] => {
                let ttl = Duration::from_millis(ttl.parse()?);
                work(&runtime, name, ttl, Path::new(file)).await
            }
            _ => return Err(format!("`{line}` is no command").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

#[derive(Clone)]
struct Counter {
    runtime: Runtime,
    locked: bool,
    who: u64,
    file: PathBuf,
}

impl Counter {
    async fn run(&self, tasks: u64, rounds: u64) -> Result<String, Box<dyn Error>> {
        let mut all = JoinSet::new();
        for _ in 0..tasks {
            let this = self.clone();
            all.spawn(async move {
                let (mut counted, mut lost) = (0_u64, 0_u64);
                for _ in 0..rounds {
                    if this.once().await {
                        counted += 1;
                    } else {
                        lost += 1;
                    }
                }
                (counted, lost)
            });
        }
        let (mut counted, mut lost) = (0, 0);
        while let Some(one) = all.join_next().await {
            let one = one?;
            (counted, lost) = (counted + one.0, lost + one.1);
        }
        Ok(format!("counted={counted} lost={lost}"))
    }

    /// `false`: the lock was lost.
    async fn once(&self) -> bool {
        if !self.locked {
            self.count(0).await;
            return true;
        }
        let locks = self.runtime.locks();
        let request = locks.lock("counter").ttl(TTL).wait(WAIT);
        let outcome = request.run(|held| self.count(held.fence())).await;
        match outcome {
            Ok(()) => true,
            Err(error) if error.is_lock_lost() => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn count(&self, fence: u64) {
        let text = fs::read_to_string(&self.file).expect("the file is there");
        let last = text.lines().last();
        let last: u64 = last.map_or(0, |line| {
            let number = line.split(' ').next().and_then(|word| word.parse().ok());
            number.expect("a line begins with its number")
        });
        // Whoever is not kept out comes now.
        yield_now().await;
        add(&self.file, last + 1, fence, self.who);
    }
}

/// Takes steps until it is told that it must not.
async fn work(runtime: &Runtime, name: &str, ttl: Duration, file: &Path) -> String {
    let mut fence = 0;
    let body = async |held: HeldLock| {
        fence = held.fence();
        for number in 1.. {
            add(file, number, held.fence(), 0);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = runtime.locks().with_lock(name, ttl, body).await;
    let lost = ended.is_err_and(|error| error.is_lock_lost());
    format!("lost={} fence={fence}", u8::from(lost))
}

/// In one piece, which a reader sees whole or not at all.
fn add(file: &Path, number: u64, fence: u64, who: u64) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(file)
        .expect("it is there");
    let line = format!("{number} {fence} {who}\n");
    file.write_all(line.as_bytes()).expect("it can be written");
}
