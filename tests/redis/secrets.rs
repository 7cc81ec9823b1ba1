//! What is said, where it may be read by anybody: no password, no argument, no value.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use cacheable_runtime::{Error, Runtime, cache_invalidate, cacheable};
use cacheable_tests::{Log, RedisServer, eventually};

use crate::service::{PATIENCE, Service, level_two};

const PASSWORD: &str = "hunter2";
const ARGUMENT: &str = "argument-of-a-call";

/// The helper process, with nothing in its environment but `variables`.
fn child(variables: &[(&str, &OsStr)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_child"));
    command.args(["from-env", ARGUMENT]).env_clear();
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

/// Everything that the process said.
#[track_caller]
fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    for secret in [PASSWORD, ARGUMENT] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

#[test]
fn a_variable_that_cannot_be_used_ends_the_start_and_is_named() {
    let bad: &[(&str, &[u8])] = &[
        ("REDIS_URL", b"hunter2"),
        ("REDIS_URL", b"127.0.0.1:6379"),
        ("REDIS_URL", b"http://user:hunter2@127.0.0.1"),
        ("REDIS_URL", b"hunter2://127.0.0.1"),
        ("REDIS_URL", b"redis://:hunter2@"),
        ("REDIS_URL", b"redis://:hun#hunter2@127.0.0.1"),
        ("REDIS_URL", b"redis://:hunter2@127.0.0.1/hunter2"),
        ("REDIS_URL", b"redis://:hunter2@127.0.0.1/-1"),
        ("REDIS_URL", b"redis://:hunter2@127.0.0.1:hunter2"),
        ("REDIS_URL", b"redis://:hunter2@0.0.0.0"),
        ("REDIS_URL", b"redis+cluster://:hunter2@127.0.0.1/hunter2"),
        ("REDIS_URL", b"redis+cluster://:hunter2@127.0.0.1,,"),
        ("REDIS_URL", b"redis+sentinel://:hunter2@127.0.0.1"),
        (
            "REDIS_URL",
            b"redis+sentinel://127.0.0.1/s?sentinel_user=hunter2",
        ),
        ("REDIS_URL", b"redis://:hunter2\xff@127.0.0.1"),
        ("REDIS_CONNECTION_TIMEOUT", b"5s"),
        ("REDIS_CONNECTION_TIMEOUT", b"0"),
        ("REDIS_COMMAND_TIMEOUT", b"-1"),
        ("REDIS_COMMAND_TIMEOUT", b"1.5"),
        ("REDIS_COMMAND_TIMEOUT", b"99999999999999999999"),
        ("REDIS_POOL_SIZE", b"many"),
        ("REDIS_POOL_SIZE", b"0"),
        ("REDIS_POOL_SIZE", b"redis://:hunter2@127.0.0.1"),
        ("REDIS_POOL_SIZE", b"\xff"),
    ];
    for (name, value) in bad {
        let shown = value.escape_ascii();
        let began = Instant::now();
        let output = child(&[(name, OsStr::from_bytes(value))]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{name}={shown}: {said}");
        assert!(said.starts_with(name), "{name}={shown}: {said}");
        // Nothing was waited for.
        assert!(began.elapsed() < PATIENCE / 2, "{name}={shown}");
    }
}

#[test]
fn a_start_by_the_environment_says_no_secret() {
    let server = RedisServer::start();
    let good = server.url();
    server.command::<()>(&["CONFIG", "SET", "requirepass", PASSWORD]);
    let with_password = format!("redis://:{PASSWORD}@127.0.0.1:{}/", server.port());
    let wrong = format!("redis://:{PASSWORD}x@127.0.0.1:{}/", server.port());
    let nobody = format!("redis://user:{PASSWORD}@127.0.0.1:1/");
    let timeout = ("REDIS_CONNECTION_TIMEOUT", OsStr::new("2000"));
    for (url, connects) in [
        (&with_password, true),
        (&good, false),
        (&wrong, false),
        (&nobody, false),
    ] {
        let output = child(&[("REDIS_URL", OsStr::new(url)), timeout]);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("loaded 27 bytes"), "{said}");
        // What went wrong is said, and nothing else.
        assert_eq!(!said.contains("cannot connect"), connects, "{said}");
        // Without the server, too: for a moment values are kept all the same.
        assert!(said.contains("loads: 1,"), "{said}");
    }
    let embedded = child(&[]);
    assert!(said(&embedded).contains("loads: 1,"));
}

#[cacheable(ttl = 600, key_prefix = "secret", skip(runtime), key_fn, runtime = runtime)]
async fn answer(runtime: &Runtime, question: &str) -> String {
    format!("value of {question}")
}

#[cache_invalidate(method(answer(question)), on_failure = "error", runtime = runtime)]
async fn forget(runtime: &Runtime, question: &str) -> Result<(), Error> {
    let _ = question;
    Ok(())
}

/// A server that repeats the arguments of commands it does not know.
fn server_that_repeats() -> RedisServer {
    RedisServer::start_with(&[
        "--rename-command",
        "SET",
        "",
        "--rename-command",
        "UNLINK",
        "",
    ])
}

#[tokio::test]
async fn a_server_that_repeats_arguments_is_not_quoted() {
    let server = server_that_repeats();
    // The control: it does repeat them.
    let mut connection = server.connect();
    let repeated = redis::cmd("SET").arg(ARGUMENT).arg(1).exec(&mut connection);
    assert!(repeated.unwrap_err().to_string().contains(ARGUMENT));

    let (log, guard) = Log::of_this_thread();
    let service = Service::on(&server).await;
    let runtime = &service.runtime;
    assert_eq!(answer(runtime, ARGUMENT).await.len(), 27);
    let life = Duration::from_secs(60);
    let errors = [
        forget(runtime, ARGUMENT).await.unwrap_err(),
        runtime
            .cache()
            .set("key", ARGUMENT, life)
            .await
            .unwrap_err(),
        runtime.cache().remove(ARGUMENT).await.unwrap_err(),
    ];
    drop(guard);
    let mut said = log.text();
    assert!(said.contains("did not reach the store"), "{said}");
    assert!(said.contains("goes on without it"), "{said}");
    for error in errors {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            writeln!(said, "{error} {error:?}").unwrap();
            cause = error.source();
        }
    }
    assert!(!said.contains(ARGUMENT), "{said}");
}

#[tokio::test]
async fn the_log_of_an_outage_names_the_server_without_its_password() {
    let server = RedisServer::start();
    server.command::<()>(&["CONFIG", "SET", "requirepass", PASSWORD]);
    let url = format!("redis://default:{PASSWORD}@127.0.0.1:{}/", server.port());
    let (log, guard) = Log::of_this_thread();
    let builder = level_two().redis(&url);
    let shown = format!("{builder:?}");
    let service = Service::with(builder).await;
    service.heals(1).await;
    server.kill();
    eventually("the loss is logged", PATIENCE, async || {
        answer(&service.runtime, ARGUMENT).await;
        log.text().contains("the connection was lost")
    })
    .await;
    eventually("the attempts are logged", PATIENCE, async || {
        log.text().contains("cannot connect")
    })
    .await;
    drop(guard);
    let said = log.text() + &shown + &format!("{:?}", service.runtime);
    let address = format!("redis://127.0.0.1:{}/", server.port());
    assert!(said.contains(&address), "{said}");
    for secret in [PASSWORD, ARGUMENT] {
        assert!(!said.contains(secret), "{said}");
    }
}
