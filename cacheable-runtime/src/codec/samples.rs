//! What a traced type is fed in place of real data.
//!
//! Many types read a plain string or number and then insist on its form: a
//! date, an address, a number that is not zero. When the first sample is
//! rejected the tracer goes on to the next one. The order is part of nothing:
//! a value of another form leaves the same shape.

/// Strings, the ones that most types take first.
pub(super) const STRINGS: &[&str] = &[
    "a",
    "",
    "1",
    "0",
    "1.5",
    "true",
    "2000-01-01T00:00:00Z",
    "2000-01-01T00:00:00",
    "2000-01-01",
    "00:00:00",
    "2000-01-01 00:00:00",
    "2000-01-01T00:00:00+00:00[UTC]",
    "00000000-0000-4000-8000-000000000000",
    "http://a.example/",
    "a@a.example",
    "a.example",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "[::1]:80",
    "10.0.0.0/8",
    "1.0.0",
    "en",
    "en-US",
    "US",
    "USD",
    "UTC",
    "Europe/Paris",
    "+00:00",
    "P1D",
    "PT1S",
    "1s",
    "/a",
    "#000000",
    "text/plain",
    "GET",
    "+12025550123",
    "AAAA",
    "00",
    "000000000000000000000000",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "00000000000000000000000000000000",
    "0000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0x0000000000000000000000000000000000000000",
    "A1",
    "abcdefgh",
];

/// Integers; one that does not fit a type is tried as 1 again.
pub(super) const INTEGERS: &[i64] = &[
    1,
    0,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    12,
    16,
    20,
    24,
    31,
    32,
    50,
    64,
    100,
    127,
    -1,
    200,
    255,
    256,
    1000,
    1024,
    1970,
    2000,
    8080,
    65535,
    1_000_000,
    1_600_000_000,
    1_600_000_000_000,
];

pub(super) const FLOATS: &[f64] = &[0.5, 0.0, 1.0, 2.0, 10.0, 100.0, 1000.0, -1.0];

pub(super) const CHARS: &[char] = &['a', 'A', '0', '1', ' ', '/'];

/// Lengths of byte strings, all zeros; none longer than [`ZEROS`].
pub(super) const BYTE_LENGTHS: &[usize] =
    &[0, 16, 32, 4, 8, 12, 20, 24, 28, 48, 64, 6, 33, 1, 2, 3];

const ZEROS: &[u8] = &[0; 64];

/// Lengths of sequences and maps.
pub(super) const LENGTHS: &[usize] = &[1, 0, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 64];

/// What `deserialize_any` is answered with.
#[derive(Clone, Copy)]
pub(super) enum Any {
    Str(&'static str),
    U64(u64),
    I64(i64),
    F64(f64),
    Bool(bool),
    Unit,
    Seq,
    Map,
}

pub(super) const ANYTHING: &[Any] = &[
    Any::Str("a"),
    Any::U64(1),
    Any::Map,
    Any::Seq,
    Any::Bool(true),
    Any::F64(0.5),
    Any::I64(-1),
    Any::Unit,
    Any::Str(""),
    Any::Str("1"),
    Any::Str("2000-01-01T00:00:00Z"),
    Any::Str("2000-01-01"),
    Any::Str("127.0.0.1"),
    Any::Str("00000000-0000-4000-8000-000000000000"),
    Any::Str("http://a.example/"),
];

pub(super) fn bytes(sample: usize) -> &'static [u8] {
    &ZEROS[..BYTE_LENGTHS[sample]]
}
