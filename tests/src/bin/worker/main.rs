//! One of several processes that share a server: `worker <url> <namespace>`.
//!
//! It takes commands from its input and answers each with one line:
//!
//! - `stampede <key> <callers> <milliseconds>`: so many tasks ask for one key
//!   whose load takes so long.
//! - `race <way> <ledger> <database> <readers> <writers> <seconds>`: tasks read
//!   and write versions of a few values, `cached` or `aside`, which is the
//!   control.
//! - `settle <way> <ledger> <database>`: how many values are old now.

mod race;
mod stampede;

use std::env;
use std::error::Error;

use cacheable_runtime::Runtime;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, namespace] = &arguments[..] else {
        return Err("usage: worker <url> <namespace>".into());
    };
    let runtime = Runtime::builder()
        .redis(url)
        .namespace(namespace)
        // Several of these share the cores with a server and other tests.
        .budget(std::time::Duration::from_secs(5))
        .require_connection()
        .build()
        .await?;
    println!("ready=1");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["stampede", key, callers, pause] => {
                stampede::run(&runtime, key, callers.parse()?, pause.parse()?).await?
            }
            ["race", way, ledger, database, readers, writers, seconds] => {
                let race = race::Race::start(&runtime, way, ledger, database).await?;
                let counts = [readers.parse()?, writers.parse()?];
                race.run(counts, seconds.parse()?).await?
            }
            ["settle", way, ledger, database] => {
                let race = race::Race::start(&runtime, way, ledger, database).await?;
                race.settle().await?
            }
            _ => return Err(format!("`{line}` is no command").into()),
        };
        println!("{answer}");
    }
    Ok(())
}
