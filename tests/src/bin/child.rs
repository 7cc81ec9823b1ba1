//! A process of its own, for what only a process can show.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use cacheable_runtime::{Error, Policy, Runtime, cacheable};
use tracing_subscriber::filter::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["from-env", argument] => from_env(argument).await,
        ["hold", key] => hold(key).await,
        ["limit", url, namespace] => limit(url, namespace).await,
        _ => {
            eprintln!(
                "usage: child from-env <argument> | child hold <key> | child limit <url> <namespace>"
            );
            ExitCode::from(2)
        }
    }
}

/// Starts as a service does, says all that it can say, and makes one call.
async fn from_env(argument: &str) -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .init();
    match started(argument).await {
        Ok(value) => {
            println!("loaded {} bytes", value.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn started(argument: &str) -> Result<String, Error> {
    let runtime = Runtime::from_env().await?;
    println!("{runtime:?} {:?}", runtime.cache());
    runtime.install()?;
    let value = echo(argument).await;
    assert_eq!(echo(argument).await, value);
    println!("{:?}", runtime.observe());
    runtime.shutdown(Duration::from_secs(5)).await;
    Ok(value)
}

/// A value that holds its argument.
#[cacheable(ttl = 60, key_prefix = "child")]
async fn echo(argument: &str) -> String {
    format!("value of {argument}")
}

/// Loads what is under `key` and never comes to an end.
async fn hold(key: &str) -> ! {
    let url = env::var("REDIS_URL").expect("REDIS_URL names the server");
    let runtime = Runtime::builder()
        .redis(url)
        .lease(Duration::from_millis(500))
        .require_connection()
        .build()
        .await
        .expect("the server is up");
    let policy = Policy::new(Duration::from_secs(60));
    let never = async || {
        println!("begun");
        std::future::pending::<Result<u64, ()>>().await
    };
    // Its parent ends it.
    let ended = runtime.cache().get_or_load(key, policy, never).await;
    panic!("a load that never ends has ended: {ended:?}");
}

/// Makes twenty calls under a limit of ten a minute, and says how many were
/// allowed, when there will be more, and what time it is here.
async fn limit(url: &str, namespace: &str) -> ExitCode {
    let builder = Runtime::builder().redis(url).namespace(namespace);
    let builder = builder.budget(Duration::from_secs(30));
    let runtime = builder.build().await.expect("the address is right");
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.expect("it is later than 1970").as_secs()
    };
    let (mut allowed, mut reset) = (0, 0);
    for _ in 0..20 {
        let limiter = runtime.rate_limiter();
        let decision = limiter.check("shared", 10, Duration::from_secs(60)).await;
        let decision = decision.expect("the server is there");
        allowed += u64::from(decision.allowed);
        reset = seconds(decision.reset_at);
    }
    println!("{allowed} {reset} {}", seconds(SystemTime::now()));
    ExitCode::SUCCESS
}
