//! What is fuzzed of this floor. Must not: be compiled into the program.

pub use super::line::fuzzing::upstream_answer;
