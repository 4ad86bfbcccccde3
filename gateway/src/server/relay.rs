//! Connections that a balancer passes on: whose they are stands before their first byte (the PROXY protocol).
//!
//! Guarantees: only trusted peers are asked, and they must say it, whole and in time; not a byte behind the header is read. Must
//! not: understand the header; that is [`proxy_protocol`]'s part.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::proxy_protocol::{self, Malformed};

/// Why a balancer's connection is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unannounced {
    /// The network's, or it said nothing at all.
    #[error(transparent)]
    Network(#[from] io::Error),
    /// It did not speak the protocol.
    #[error("no header of the PROXY protocol: {0}")]
    Malformed(#[from] Malformed),
}

/// Who must announce clients.
#[derive(Debug)]
pub(super) struct Relays(Vec<IpNet>);

impl Relays {
    pub(super) const fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }

    /// Whether `peer` is one of them.
    pub(super) fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// Reads the header off `stream`: the client it names, if it names one.
pub(super) async fn announced(stream: &mut TcpStream) -> Result<Option<IpAddr>, Unannounced> {
    let mut seen = Vec::with_capacity(proxy_protocol::MOST);
    let mut window = [0; proxy_protocol::MOST];
    loop {
        let count = stream.peek(&mut window).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let known = seen.len();
        seen.extend_from_slice(window.get(..count).unwrap_or_default());
        let header = proxy_protocol::parse(&seen)?;
        // What is only a beginning belongs to the header as a whole.
        let length = header.map_or(seen.len(), |header| header.length);
        let fresh = window.get_mut(..length - known).unwrap_or_default();
        stream.read_exact(fresh).await?;
        match header {
            Some(header) => return Ok(header.source),
            None if seen.len() >= proxy_protocol::MOST => return Err(Malformed::TooLong.into()),
            None => {}
        }
    }
}
