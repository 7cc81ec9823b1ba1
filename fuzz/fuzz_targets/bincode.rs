#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cacheable_runtime::__fuzz::bincode(data));
