//! What a shared cache may keep, for how long, and when it may use what it kept: RFC 9111, RFC 5861, and what a route adds.
//!
//! Guarantees: nothing that names one user is kept for all — `Set-Cookie`, `private`, an answer to `Authorization` without leave; where
//! a directive cannot be read, the stricter meaning holds. Must not: know where anything is kept, or what time it is.

mod conditional;
mod dates;
mod directives;
mod key;
mod range;
mod terms;

pub use conditional::{Condition, concerns, freshen, is_not_modified, validators};
pub use directives::Directives;
pub use key::{Digest, KeySpec, MAX_VARY, Query, Target, variant, vary_names};
pub use range::{ByteRange, Ranged, ranged};
pub use terms::{Asked, Reason, Rules, Terms, Use, initial_age, judge};
