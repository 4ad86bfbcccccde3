//! Every listener of a gateway, inherited or bound before anything runs. Must not: accept.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::StartError;
use super::inherited::{ADMIN, Inherited, PROXY, TLS};
use crate::config::Config;
use crate::server::{Bound, Door, adopt, bind, bind_alone};

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
    /// The same sockets, for whoever comes after this process.
    pub(super) kept: Vec<Kept>,
}

/// A socket and its name.
pub(super) type Kept = (&'static str, TcpListener);

/// Takes what is inherited, and binds whatever else `config` asks for.
pub(super) fn listen(config: &Config, inherited: &mut Inherited) -> Result<Listeners, StartError> {
    let (server, admin) = (&config.server, &config.admin);
    let mut had = |what, name, address, fresh: &dyn Fn() -> io::Result<Bound>| {
        let known = inherited.named(name);
        let outcome = known.and_then(|known| match known.is_empty() {
            true => fresh(),
            false => adopt(known),
        });
        bound(what, address, outcome)
    };
    // The admin address first: it is nobody else's, so that a second start is refused before it takes connections.
    let alone = || bind_alone(admin.listen);
    let admin = had("admin.listen", ADMIN, admin.listen, &alone)?;
    let many = || bind(server.listen, server);
    let proxy = had("server.listen", PROXY, server.listen, &many)?;
    let own = server.tls.as_ref().map(|tls| tls.listen);
    let tls = match own.flatten() {
        Some(address) => {
            let many = || bind(address, server);
            Some(had("server.tls.listen", TLS, address, &many)?)
        }
        None => None,
    };
    let is_secure = matches!(own, Some(None));
    let (proxy_at, tls_at) = (proxy.address, tls.as_ref().map(|tls| tls.address));
    let kept = kept(&admin, &proxy, tls.as_ref())?;
    let mut doors: Vec<Vec<Door>> = (0..server.workers.max(1)).map(|_| Vec::new()).collect();
    spread(&mut doors, proxy.sockets, is_secure)?;
    spread(
        &mut doors,
        tls.map(|tls| tls.sockets).unwrap_or_default(),
        true,
    )?;
    Ok(Listeners {
        proxy: proxy_at,
        tls: tls_at.or(is_secure.then_some(proxy_at)),
        admin,
        doors,
        kept,
    })
}

/// Every socket once more, to hand over.
fn kept(admin: &Bound, proxy: &Bound, tls: Option<&Bound>) -> io::Result<Vec<Kept>> {
    let all = [(ADMIN, Some(admin)), (PROXY, Some(proxy)), (TLS, tls)];
    let all = all.into_iter().flat_map(|(name, bound)| {
        let sockets = bound.into_iter().flat_map(|bound| &bound.sockets);
        sockets.map(move |socket| (name, socket))
    });
    all.map(|(name, socket)| Ok((name, socket.try_clone()?)))
        .collect()
}

/// Gives every socket to a worker, or a connection in its queue would never be accepted, and every worker a socket: one of systemd's
/// or of a process with fewer workers is shared.
fn spread(
    doors: &mut [Vec<Door>],
    mut sockets: Vec<TcpListener>,
    is_secure: bool,
) -> io::Result<()> {
    let missing = doors.len().saturating_sub(sockets.len());
    let shared = sockets.iter().cycle().take(missing);
    let shared: Vec<_> = shared
        .map(TcpListener::try_clone)
        .collect::<io::Result<_>>()?;
    sockets.extend(shared);
    let mut sockets = sockets.into_iter().peekable();
    while sockets.peek().is_some() {
        for (doors, socket) in doors.iter_mut().zip(&mut sockets) {
            doors.push(Door { socket, is_secure });
        }
    }
    Ok(())
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
