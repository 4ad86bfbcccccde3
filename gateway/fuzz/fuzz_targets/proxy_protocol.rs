//! `gateway::fuzzing::proxy_protocol` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::proxy_protocol(data));
