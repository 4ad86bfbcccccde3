//! Binding: one socket per worker on one address. Must not: accept.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::settings::Settings;

/// Connections the kernel may hold for an operators' listener.
const BACKLOG: i32 = 128;

/// What the system may hold of answers for one client and not have sent yet. Without a bound of our own it takes megabytes for each
/// client that does not read, out of memory that all connections share: where that runs low, every one of them is slow. What is on its
/// way does not count, so that no client that reads is sent less.
const UNSENT: u32 = 128 * 1024;

/// The sockets of a listener, bound and not yet accepting: tests and socket hand-over learn the port here.
#[derive(Debug)]
pub struct Bound {
    /// One for each worker.
    pub sockets: Vec<TcpListener>,
    /// Where they listen.
    pub address: SocketAddr,
}

/// Binds a socket for each worker to `address`; port 0 picks one free port for all. The address is shared with whoever asks for sharing
/// too: with the next process of a rolling upgrade, and with a second one started by mistake.
///
/// # Errors
/// Whatever the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr, settings: &Settings) -> io::Result<Bound> {
    let open = |address| {
        let socket = one(address, true)?;
        let backlog = i32::try_from(settings.backlog).unwrap_or(i32::MAX);
        // Set here, it holds for every connection that is accepted.
        if !settings.tcp_keepalive.is_zero() {
            let keepalive = TcpKeepalive::new().with_time(settings.tcp_keepalive);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        bound_unsent(&socket)?;
        socket.listen(backlog)?;
        Ok::<TcpListener, io::Error>(socket.into())
    };
    let first = open(address)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..settings.workers.max(1) {
        sockets.push(open(address)?);
    }
    Ok(Bound { sockets, address })
}

/// Takes sockets that listen already, of which there must be one.
///
/// # Errors
/// There is none, or the system does not say where they listen.
pub fn adopt(sockets: Vec<TcpListener>) -> io::Result<Bound> {
    let first = sockets.first().ok_or(io::ErrorKind::NotFound)?;
    let address = first.local_addr()?;
    for socket in &sockets {
        bound_unsent(&SockRef::from(socket))?;
    }
    Ok(Bound { sockets, address })
}

/// Sets [`UNSENT`] for every connection that is accepted.
fn bound_unsent(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

/// Binds one socket to `address` that is shared with nobody: this is how a second process started by mistake is found out.
///
/// # Errors
/// As [`bind`].
pub fn bind_alone(address: SocketAddr) -> io::Result<Bound> {
    let only = one(address, false)?;
    only.listen(BACKLOG)?;
    let only = TcpListener::from(only);
    let address = only.local_addr()?;
    Ok(Bound {
        sockets: vec![only],
        address,
    })
}

fn one(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
