//! The ways to write how long a value lives.

#![deny(warnings)]

use std::time::Duration;

use cacheable_runtime::{Runtime, cacheable};

const LIFE: Duration = Duration::from_secs(90);

struct Settings {
    life: Duration,
}

#[cacheable(ttl = 3600, key_prefix = "life")]
async fn seconds(id: u64) -> u64 {
    id
}

#[cacheable(ttl = 60 * 60, key_prefix = "life")]
async fn arithmetic(id: u64) -> u64 {
    id
}

#[cacheable(ttl = "1h 30m", key_prefix = "life", local_ttl = "10s", none_ttl = "250ms")]
async fn text(id: u64) -> Option<u64> {
    Some(id)
}

#[cacheable(ttl = LIFE, key_prefix = "life")]
async fn constant(id: u64) -> u64 {
    id
}

#[cacheable(
    ttl = if id > 10 { Duration::from_millis(5) } else { LIFE },
    none_ttl = Duration::from_millis(id),
    local_ttl = LIFE,
    key_prefix = "life",
)]
pub async fn by_argument(id: u64, name: String) -> Option<String> {
    (id > 0).then_some(name)
}

impl Settings {
    #[cacheable(ttl = self.life, key_prefix = "life")]
    pub async fn by_field(&self, id: u64) -> u64 {
        id
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let runtime = Runtime::embedded();
    runtime.install().unwrap();
    let settings = Settings { life: LIFE };
    for _ in 0..2 {
        assert_eq!(seconds(1).await, 1);
        assert_eq!(arithmetic(1).await, 1);
        assert_eq!(text(1).await, Some(1));
        assert_eq!(constant(1).await, 1);
        assert_eq!(by_argument(1, "a".to_owned()).await.unwrap(), "a");
        assert_eq!(by_argument(0, "a".to_owned()).await, None);
        assert_eq!(settings.by_field(1).await, 1);
    }
    let left = async |key: &str| {
        let cache = Runtime::global().unwrap().cache();
        let inspection = cache.inspect(key).await.unwrap().expect(key);
        inspection.ttl
    };
    let near = |left: Duration, seconds: u64| {
        let life = Duration::from_secs(seconds);
        // The default jitter takes up to a twentieth away.
        assert!(left <= life && left >= life.mul_f64(0.94), "{left:?} of {life:?}");
    };
    near(left("cache:life:seconds:1").await, 3600);
    near(left("cache:life:arithmetic:1").await, 3600);
    near(left("cache:life:text:1").await, 5400);
    near(left("cache:life:constant:1").await, 90);
    near(left("cache:life:by_argument:1:a").await, 90);
    near(left("cache:life:by_field:1").await, 90);
    let _ = (by_argument_key(1, String::new()), settings.by_field_key(1));
}
