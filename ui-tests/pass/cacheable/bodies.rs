//! Bodies: early returns, `?`, loops, nested async blocks, closures, attributes inside.

#![deny(warnings)]

use std::cell::Cell;
use std::rc::Rc;

use cacheable_runtime::{Runtime, cacheable};

#[cacheable(ttl = 60, key_prefix = "body")]
async fn early(text: &str) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    #![allow(clippy::needless_return)]
    if text == "zero" {
        return Ok(0);
    }
    for word in text.split(' ') {
        if word == "stop" {
            return Err("stopped".into());
        }
        tokio::task::yield_now().await;
    }
    let inner = async { text.trim().parse::<u64>() };
    let number = inner.await?;
    return Ok(number + (|| 1)());
}

#[cacheable(ttl = 60, key_prefix = "body")]
async fn owned(list: Vec<String>, mut extra: String) -> String {
    extra.push('!');
    let joined = list.into_iter().collect::<Vec<_>>().join("-");
    drop(tokio::spawn(async {}));
    joined + &extra
}

// Not `Send`, and cached all the same.
#[cacheable(ttl = 60, key_prefix = "body")]
async fn local(id: u64) -> u64 {
    let cell = Rc::new(Cell::new(id));
    tokio::task::yield_now().await;
    cell.set(cell.get() + 1);
    cell.get()
}

#[cacheable(ttl = 60, key_prefix = "body")]
async fn diverges(id: u64) -> u64 {
    if id == 0 {
        panic!("zero");
    }
    loop {
        tokio::task::yield_now().await;
        break id;
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    assert_eq!(is_send(early("zero")).await.unwrap(), 0);
    assert_eq!(early("7").await.unwrap(), 8);
    assert_eq!(early("go stop").await.unwrap_err().to_string(), "stopped");
    assert!(early("seven").await.is_err());
    let list = || vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(is_send(owned(list(), "c".to_owned())).await, "a-bc!");
    assert_eq!(owned(list(), "c".to_owned()).await, "a-bc!");
    assert_eq!(local(1).await, 2);
    assert_eq!(local(1).await, 2);
    assert_eq!(is_send(diverges(3)).await, 3);
    tokio::task::spawn(diverges(0)).await.unwrap_err();
}
