//! `make prove`: goes through every model in full, and says what was gone through.
//!
//! Guarantees: exits with 1 when a promise is broken, and prints the steps to it. Must not: take minutes without a sign of life.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use models::circuit::Circuit;
use models::explore::{Outcome, explore};
use models::lease::{BOUND, Lease, Rules};
use models::suite::{self, Size};

fn main() -> io::Result<ExitCode> {
    let mut proof = Proof {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        states: 0,
        all_hold: true,
    };
    let start = now();
    for (name, rules) in suite::leases(Size::Full) {
        let bounds = rules.to_string();
        let lease = lease(rules)?;
        proof.run("lease", name, &bounds, |threads| explore(lease, threads))?;
    }
    for (name, rules) in suite::circuits(Size::Full) {
        let bounds = rules.to_string();
        let circuit = Circuit::new(rules);
        proof.run("circuit", name, &bounds, |threads| {
            explore(circuit, threads)
        })?;
    }
    proof.find_flaws()?;
    let verdict = if proof.all_hold {
        "every promise holds in"
    } else {
        "BROKEN promises among"
    };
    writeln!(
        io::stdout(),
        "{verdict} {} states, {:.0?}",
        proof.states,
        now().duration_since(start).max(Duration::from_secs(1))
    )?;
    Ok(ExitCode::from(u8::from(!proof.all_hold)))
}

/// With one thread the first promise found broken is always the same one.
const ALONE: usize = 1;

struct Proof {
    threads: usize,
    states: usize,
    all_hold: bool,
}

impl Proof {
    fn run(
        &mut self,
        model: &str,
        name: &str,
        bounds: &impl Display,
        explore: impl FnOnce(usize) -> Outcome,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{model}: {name}\n    {bounds}")?;
        out.flush()?;
        let start = now();
        let outcome = explore(self.threads);
        self.states += outcome.states;
        let took = now().duration_since(start);
        let Outcome { states, depth, .. } = outcome;
        writeln!(out, "    {states} states, {depth} deep, {took:.1?}")?;
        if let Some(broken) = outcome.broken {
            self.all_hold = false;
            writeln!(out, "    BROKEN: {}\n{}", broken.promise, broken.steps)?;
        }
        Ok(())
    }

    /// Each model, broken on purpose, has to be found out.
    fn find_flaws(&mut self) -> io::Result<()> {
        for rules in suite::broken_leases(Size::Full) {
            let name = format!("lease: {:?}", rules.flaw);
            let outcome = explore(lease(rules)?, ALONE);
            self.found(&name, BOUND, &outcome)?;
        }
        for (rules, promise) in suite::broken_circuits() {
            let name = format!("circuit: {:?}", rules.flaw);
            let outcome = explore(Circuit::new(rules), ALONE);
            self.found(&name, promise, &outcome)?;
        }
        Ok(())
    }

    fn found(&mut self, name: &str, promise: &str, outcome: &Outcome) -> io::Result<()> {
        let broken = outcome.broken.as_ref().map(|broken| broken.promise);
        self.states += outcome.states;
        self.all_hold &= broken == Some(promise);
        let verdict = broken.unwrap_or("NOT FOUND OUT");
        let states = outcome.states;
        writeln!(io::stdout(), "broken {name}: {verdict} ({states} states)")
    }
}

fn lease(rules: Rules) -> io::Result<Lease> {
    Lease::new(rules).map_err(|error| io::Error::other(format!("{error:?}")))
}

#[allow(
    clippy::disallowed_methods,
    reason = "a stopwatch for whoever waits; nothing decides by it"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
