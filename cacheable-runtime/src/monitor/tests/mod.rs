//! What needs no server: texts, differences, numbers of a log, sentences.

mod changes;
mod findings;
mod info;
mod largest;
#[cfg(feature = "metrics")]
mod series;
mod slow;
mod stream;

/// What real servers said, after a few commands.
const TEXTS: [(&str, &str); 5] = [
    ("redis 6.2.14", include_str!("info/redis-6.2.14.txt")),
    ("redis 7.0.15", include_str!("info/redis-7.0.15.txt")),
    ("redis 8.2.3", include_str!("info/redis-8.2.3.txt")),
    ("valkey 8.1.8", include_str!("info/valkey-8.1.8.txt")),
    ("valkey 9.1.2", include_str!("info/valkey-9.1.2.txt")),
];
