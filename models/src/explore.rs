//! Goes through every state of a model. Must not: stop before the last one, unless a promise is broken.

use std::fmt::{Debug, Write as _};
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Different states.
    pub states: usize,
    /// The longest shortest way to a state.
    pub depth: usize,
    /// The first promise that was found broken, and the steps to it.
    pub broken: Option<Broken>,
}

/// A promise, broken.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which.
    pub promise: &'static str,
    /// How: a step a line.
    pub steps: String,
}

/// Goes through every state, breadth first; ends early where a promise is broken.
pub fn explore<M>(model: M, threads: usize) -> Outcome
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let checker = model
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let broken = checker
        .discoveries()
        .into_iter()
        .next()
        .map(|(promise, path)| {
            let mut steps = String::new();
            for (number, action) in path.into_actions().iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = writeln!(steps, "{:>4}. {action:?}", number + 1);
            }
            Broken { promise, steps }
        });
    Outcome {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken,
    }
}
