//! `gateway::fuzzing::guard` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::guard(data));
