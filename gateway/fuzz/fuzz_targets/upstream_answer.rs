//! `gateway::fuzzing::upstream_answer` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::upstream_answer(data));
