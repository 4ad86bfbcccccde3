//! Every listener of a gateway, bound before anything runs. Must not: accept.

use std::io;
use std::net::SocketAddr;

use super::StartError;
use crate::config::Config;
use crate::server::{Bound, Door, bind, bind_alone};

/// What is bound.
pub(super) struct Listeners {
    /// Where clients connect.
    pub(super) proxy: SocketAddr,
    /// Where they speak TLS, if anywhere.
    pub(super) tls: Option<SocketAddr>,
    /// Where operators connect.
    pub(super) admin: Bound,
    /// The doors of each worker.
    pub(super) doors: Vec<Vec<Door>>,
}

/// Binds everything `config` asks for.
pub(super) fn listen(config: &Config) -> Result<Listeners, StartError> {
    let (server, admin) = (&config.server, &config.admin);
    // The admin address first: it is nobody else's, so that a second start is refused before it takes connections.
    let admin = bound("admin.listen", admin.listen, bind_alone(admin.listen))?;
    let many = |what, address| bound(what, address, bind(address, server));
    let proxy = many("server.listen", server.listen)?;
    let own = server.tls.as_ref().map(|tls| tls.listen);
    let tls = match own.flatten() {
        Some(address) => Some(many("server.tls.listen", address)?),
        None => None,
    };
    let is_secure = matches!(own, Some(None));
    let address = proxy.address;
    let door = |is_secure| move |socket| vec![Door { socket, is_secure }];
    let mut doors: Vec<_> = proxy.sockets.into_iter().map(door(is_secure)).collect();
    let second = tls.as_ref().map(|tls| tls.address);
    let more = tls.into_iter().flat_map(|tls| tls.sockets).map(door(true));
    doors
        .iter_mut()
        .zip(more)
        .for_each(|(doors, more)| doors.extend(more));
    Ok(Listeners {
        proxy: address,
        tls: second.or(is_secure.then_some(address)),
        admin,
        doors,
    })
}

fn bound(
    what: &'static str,
    address: SocketAddr,
    outcome: io::Result<Bound>,
) -> Result<Bound, StartError> {
    outcome.map_err(|error| StartError::Bind {
        what,
        address,
        error,
    })
}
