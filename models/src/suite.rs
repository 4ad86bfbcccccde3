//! What is checked: the same models, in the sizes for `make prove` and in those for every test run.
//!
//! Must not: say that something holds; that is for [`explore`](crate::explore) to find out.

use std::fmt;

use crate::{circuit, lease};

/// How much is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds.
    Smoke,
    /// Minutes.
    Full,
}

/// The lease protocol, each time with another emphasis.
#[must_use]
pub fn leases(size: Size) -> Vec<(&'static str, lease::Rules)> {
    let base = lease::Rules::small();
    let mut all = vec![
        ("crashes, delays, losses of messages", base.clone()),
        (
            "the store loses everything, once",
            lease::Rules {
                losses: 1,
                lifetime: 1,
                grace: 2,
                ..base.clone()
            },
        ),
        (
            "counted when the answer arrives",
            lease::Rules {
                counted: lease::Counted::WhenAnswered,
                ..base.clone()
            },
        ),
    ];
    if size == Size::Full {
        all.extend(large_leases(&base));
    }
    all
}

fn large_leases(base: &lease::Rules) -> Vec<(&'static str, lease::Rules)> {
    vec![
        (
            "a longer lifetime",
            lease::Rules {
                lifetime: 3,
                spendable: 2,
                ..base.clone()
            },
        ),
        (
            "a fast refill",
            lease::Rules {
                token: 1,
                ..base.clone()
            },
        ),
        (
            "a larger bucket",
            lease::Rules {
                capacity: 3,
                batch: 3,
                ..base.clone()
            },
        ),
        (
            "three replicas",
            lease::Rules {
                replicas: 3,
                ..base.clone()
            },
        ),
        (
            "the store loses everything, once",
            lease::Rules {
                losses: 1,
                ..base.clone()
            },
        ),
        (
            "clocks at half their speed",
            lease::Rules {
                batch: 1,
                drift: Some(2),
                ..base.clone()
            },
        ),
    ]
}

/// The circuit protocol, each time with another emphasis.
#[must_use]
pub fn circuits(size: Size) -> Vec<(&'static str, circuit::Rules)> {
    let alone = circuit::Rules {
        replicas: 1,
        ..circuit::Rules::small()
    };
    let mut all = vec![
        (
            "one replica, the record is lost, an operator",
            circuit::Rules {
                losses: 1,
                operator: true,
                ..alone.clone()
            },
        ),
        (
            "one replica, slow exchanges",
            circuit::Rules {
                exchange: 1,
                lease: 4,
                recovery: 10,
                ..alone
            },
        ),
    ];
    if size == Size::Full {
        all.extend(large_circuits(&circuit::Rules::small()));
    }
    all
}

fn large_circuits(base: &circuit::Rules) -> Vec<(&'static str, circuit::Rules)> {
    vec![
        ("crashes, delays, losses of messages", base.clone()),
        (
            "the record is lost, once; no events",
            circuit::Rules {
                losses: 1,
                events: false,
                ..base.clone()
            },
        ),
        (
            "an operator; no events",
            circuit::Rules {
                operator: true,
                events: false,
                ..base.clone()
            },
        ),
        (
            "two probes; no events",
            circuit::Rules {
                probes: 2,
                events: false,
                ..base.clone()
            },
        ),
    ]
}

/// The lease protocol with one rule broken: in each case a promise is broken too.
#[must_use]
pub fn broken_leases(size: Size) -> Vec<lease::Rules> {
    let slow = lease::Rules {
        token: 4,
        ..lease::Rules::small()
    };
    let broken = |flaw| lease::Rules {
        flaw: Some(flaw),
        ..slow.clone()
    };
    let mut all = vec![
        broken(lease::Flaw::SpendsForEver),
        broken(lease::Flaw::AcceptsLateReturns),
        broken(lease::Flaw::ReturnsTwice),
        broken(lease::Flaw::Hoards),
        broken(lease::Flaw::KeepsWhatItReturns),
    ];
    if size == Size::Full {
        // The shortest way to it is over a hundred steps long.
        all.push(lease::Rules {
            token: 1,
            batch: 1,
            ..broken(lease::Flaw::SizesTwice)
        });
    }
    all
}

/// The circuit protocol with one rule broken, and the promise that breaks with it.
#[must_use]
pub fn broken_circuits() -> Vec<(circuit::Rules, &'static str)> {
    use circuit::Flaw;
    let alone = circuit::Rules {
        replicas: 1,
        losses: 1,
        ..circuit::Rules::small()
    };
    let quiet = circuit::Rules {
        events: false,
        recovers: false,
        ..circuit::Rules::small()
    };
    let broken = |rules: &circuit::Rules, flaw| circuit::Rules {
        flaw: Some(flaw),
        ..rules.clone()
    };
    let forgetful = circuit::Rules {
        losses: 1,
        events: false,
        recovers: false,
        ..circuit::Rules::small()
    };
    vec![
        (broken(&quiet, Flaw::NoEpochs), circuit::NO_STALE_EPOCH),
        (broken(&quiet, Flaw::OneProbeTooMany), circuit::ONE_PROBE),
        (broken(&forgetful, Flaw::CountedEpochs), circuit::ONE_PROBE),
        (
            broken(&alone, Flaw::ProbesNeverExpire),
            circuit::NEVER_STUCK,
        ),
        (broken(&alone, Flaw::HighestEpochWins), circuit::NEVER_STUCK),
    ]
}

impl lease::Rules {
    /// Two replicas, two tokens, and the shortest lifetime in which a lease can be spent, returned and late.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            replicas: 2,
            capacity: 2,
            token: 2,
            lifetime: 2,
            spendable: 1,
            deadline: 1,
            cost: 1,
            batch: 2,
            drift: None,
            losses: 0,
            grace: 4, // 2τ
            counted: lease::Counted::WhenDecided,
            flaw: None,
        }
    }
}

impl circuit::Rules {
    /// Two replicas, one probe, and the shortest times in which a probe can be in time and late.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            replicas: 2,
            probes: 1,
            reset: 1,
            lease: 2,
            call: 1,
            exchange: 0,
            poll: 2,
            losses: 0,
            operator: false,
            events: true,
            recovers: true,
            recovery: 7,
            even_unmoved: false,
            flaw: None,
        }
    }
}

impl fmt::Display for lease::Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} replicas, C = {}, a token in {} ticks, τ = {}, spent for {}, deadline {}, {} requests a debit, {} losses",
            self.replicas,
            self.capacity,
            self.token,
            self.lifetime,
            self.spendable,
            self.deadline,
            self.batch,
            self.losses
        )?;
        match self.drift {
            Some(every) => write!(f, ", clocks miss a tick in {every}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for circuit::Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} replicas, {} probes, reset {}, lease {}, call {}, exchange {}, poll {}, {} losses, closed again within {}",
            self.replicas,
            self.probes,
            self.reset,
            self.lease,
            self.call,
            self.exchange,
            self.poll,
            self.losses,
            self.recovery
        )
    }
}
