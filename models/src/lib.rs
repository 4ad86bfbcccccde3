//! The lease protocol and the circuit protocol as models, checked by going through every state they can reach.
//!
//! `docs/guarantees.md` says what is promised; here is why it may be believed: [`lease`] and [`circuit`] take every step that replicas,
//! messages, crashes and clocks allow, in every order, and no state they come to breaks a promise. All times are relative, so the
//! states are finitely many for runs of any length; what is bounded is the number of replicas, tokens and messages ([`suite`]).
//! Each model can also be broken on purpose, one rule at a time, and then has to be found out: a check that cannot fail proves
//! nothing. `make prove` runs all of it; a smaller part runs with the tests.
//!
//! Must not: be part of what is shipped.

pub mod circuit;
pub mod explore;
pub mod lease;
pub mod suite;
