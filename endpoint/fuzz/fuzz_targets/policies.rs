#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| decouple_endpoint::fuzz::policies(input));
