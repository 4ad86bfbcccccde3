//! What is fuzzed: every function from a stranger's bytes to a decision, with what must hold of its result.
//!
//! Guarantees: each target takes any bytes, does no I/O, and panics only where something that should always hold does not. `fuzz/` runs
//! them under libFuzzer; the test below runs them over the same corpus, whole and mutated, wherever the other tests run. Must not: be
//! compiled into the program.

pub use crate::config::fuzzing::config;
pub use crate::proxy::fuzzing::{answers, cacheability, forwarded, path};
pub use crate::server::fuzzing::{guard, proxy_protocol};
pub use crate::telemetry::fuzzing::{log_line, traceparent};
pub use crate::upstream::fuzzing::upstream_answer;

/// A function that holds something to its promises, given any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 10] = [
    ("answers", answers),
    ("cacheability", cacheability),
    ("config", config),
    ("forwarded", forwarded),
    ("guard", guard),
    ("log_line", log_line),
    ("path", path),
    ("proxy_protocol", proxy_protocol),
    ("traceparent", traceparent),
    ("upstream_answer", upstream_answer),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    /// Mutations of each target's corpus.
    const MUTATIONS: u32 = 1_500;

    /// Bytes that are shown as text where a test fails.
    struct Input(Vec<u8>);

    impl std::fmt::Debug for Input {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "b\"{}\"", self.0.escape_ascii())
        }
    }

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut seeds: Vec<_> = files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{folder:?} is empty");
        seeds
    }

    /// One seed with a few pieces of it exchanged for others: of any bytes, or of another seed.
    fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Input> {
        let other = prop::sample::select(seeds.clone());
        let bytes = prop::collection::vec(any::<u8>(), 0..4);
        let edit = (any::<Index>(), any::<Index>(), other, bytes, any::<bool>());
        let edits = prop::collection::vec(edit, 1..6);
        (prop::sample::select(seeds), edits).prop_map(|(mut text, edits)| {
            for (from, length, other, bytes, splices) in edits {
                let from = from.index(text.len() + 1);
                let to = (from + length.index(8)).min(text.len());
                let piece = if splices {
                    &other[length.index(other.len() + 1)..]
                } else {
                    &bytes[..]
                };
                text.splice(from..to, piece.iter().copied());
                text.truncate(4_096);
            }
            Input(text)
        })
    }

    fn smoke(name: &str, mutations: u32) {
        let (_, target) = TARGETS.iter().find(|(one, _)| *one == name).unwrap();
        let seeds = corpus(name);
        for seed in &seeds {
            target(seed);
        }
        let config = Config {
            cases: mutations,
            failure_persistence: None,
            ..Config::default()
        };
        let run = TestRunner::new(config).run(&mutated(seeds), |bytes| {
            target(&bytes.0);
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    macro_rules! smoke {
        ($($name:ident: $mutations:expr),* $(,)?) => {
            /// Those that have a test below.
            const SMOKED: &[&str] = &[$(stringify!($name)),*];
            $(#[test] fn $name() { smoke(stringify!($name), $mutations); })*
        };
    }

    smoke! {
        answers: MUTATIONS,
        cacheability: MUTATIONS,
        config: MUTATIONS / 15,
        forwarded: MUTATIONS,
        guard: MUTATIONS,
        log_line: MUTATIONS,
        path: MUTATIONS,
        proxy_protocol: MUTATIONS,
        traceparent: MUTATIONS,
        upstream_answer: MUTATIONS,
    }

    #[test]
    fn every_target_has_its_test_and_its_program() {
        let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let smoked = SMOKED.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names, smoked);
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let programs = std::fs::read_dir(programs).unwrap().map(|file| {
            let path = file.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        });
        assert_eq!(names, programs.collect());
    }
}
