//! Floor 0: pure decisions. Every function here takes `now` as an argument and returns a value.
//!
//! Guarantees: the same inputs give the same decision, on any replica, in any test. Must not: read a clock, await,
//! touch a socket, a file, a metric or a log. The Lua scripts under `store/redis/` are the same decisions for Redis;
//! property tests hold the two together.

pub mod chunked;
pub mod units;
pub mod grpc;
pub mod ids;
pub mod token_bucket;
pub mod cacheability;
pub mod window;
pub mod concurrency;
pub mod limit;
pub mod circuit;
pub mod retry;
pub mod gradient;
pub mod balance;
