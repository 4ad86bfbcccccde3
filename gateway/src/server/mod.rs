//! Floor 3: from a socket to [`Proxy::handle`]. One thread per worker, each with its own listener, runtime and proxy: a request
//! never changes thread.
//!
//! Guarantees: every worker listens on the same address (`SO_REUSEPORT`); a stop lets requests in flight finish. Must not: know
//! a policy, a route or the store.

pub mod settings;
mod listener;
mod connection;
mod caps;
mod guard;
mod http1;
mod http2;
mod opening;
mod proxy_protocol;
mod quiet;
mod relay;
mod stage;
mod tls;
mod worker;
pub mod drain;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use caps::Caps;
pub use listener::{Bound, adopt, bind, bind_alone};
pub use stage::{Build, Change, Hand, Orders, Staged, Undo, hand};
pub use tls::{CertificateFiles, ClientAuth, Tls, TlsError, TlsSettings, TlsVersion};
pub use worker::{Door, Entrance, Worker, spawn};

#[cfg(doc)]
use crate::proxy::Proxy;
