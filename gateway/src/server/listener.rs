//! Binding: one socket per worker on one address. Must not: accept.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel may hold for a worker that is busy.
const BACKLOG: i32 = 4096;

/// The sockets of a listener, bound and not yet accepting: tests and socket hand-over learn the port here.
#[derive(Debug)]
pub struct Bound {
    /// One for each worker.
    pub sockets: Vec<TcpListener>,
    /// Where they listen.
    pub address: SocketAddr,
}

/// Binds `count` sockets to `address`; port 0 picks one free port for all. The address is shared with whoever asks for sharing
/// too: with the next process of a rolling upgrade, and with a second one started by mistake.
///
/// # Errors
/// Whatever the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Bound> {
    let first = one(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count.max(1) {
        sockets.push(one(address, true)?);
    }
    Ok(Bound { sockets, address })
}

/// Binds one socket to `address` that is shared with nobody: this is how a second process started by mistake is found out.
///
/// # Errors
/// As [`bind`].
pub fn bind_alone(address: SocketAddr) -> io::Result<Bound> {
    let only = one(address, false)?;
    let address = only.local_addr()?;
    Ok(Bound {
        sockets: vec![only],
        address,
    })
}

fn one(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
