//! Listening sockets that were there before this process: systemd's (socket activation, `sd_listen_fds(3)`) or another gateway's, which
//! hands over (`upgrade.rs`).
//!
//! Guarantees: what is inherited is found by its name — `proxy`, `tls`, `admin` — and is closed in programs this process starts. Must
//! not: be called when other threads run: the environment is read and cleaned here.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

use super::upgrade::{Named, Predecessor};

/// The name of the variable in which systemd names what it passes.
const NAMES: &str = "LISTEN_FDNAMES";
/// The clients' listener, and what any socket is that has no name of ours.
pub(super) const PROXY: &str = "proxy";
/// The clients' listener for TLS, where it is one of its own.
pub(super) const TLS: &str = "tls";
/// The operators' listener.
pub(super) const ADMIN: &str = "admin";

/// Sockets by name, and who they are from.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Named>,
    predecessor: Option<Predecessor>,
}

impl Inherited {
    /// Takes what this process was started with; nothing, mostly.
    ///
    /// # Errors
    /// A socket that is none for TCP, or a hand-over that broke off.
    pub fn take() -> io::Result<Self> {
        if let Some((predecessor, sockets)) = Predecessor::find()? {
            return Ok(Self {
                sockets,
                predecessor: Some(predecessor),
            });
        }
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(passed.len());
        for place in 0..passed.len() {
            let name = names.next().filter(|name| name == TLS || name == ADMIN);
            if let Some(socket) = passed.take_tcp_listener(place)? {
                sockets.push((name.unwrap_or_else(|| PROXY.to_owned()), socket));
            }
        }
        Ok(Self {
            sockets,
            predecessor: None,
        })
    }

    /// The sockets of that name, ready for a runtime.
    ///
    /// # Errors
    /// The system refuses to make one non-blocking.
    pub(super) fn named(&mut self, name: &str) -> io::Result<Vec<TcpListener>> {
        let is_it = |(own, _): &mut Named| own == name;
        let sockets = self.sockets.extract_if(.., is_it);
        let ready = |(_, socket): Named| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        sockets.map(ready).collect()
    }

    /// The gateway that waits to hear that this one listens, if there is one.
    pub(super) fn predecessor(&mut self) -> Option<Predecessor> {
        self.predecessor.take()
    }
}
