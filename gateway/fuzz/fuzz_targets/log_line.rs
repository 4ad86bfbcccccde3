//! `gateway::fuzzing::log_line` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::log_line(data));
