//! `gateway health`: asks the process on this machine whether it is ready, for container runtimes that can only run a command.
//!
//! Guarantees: ends within a few seconds; exit code 0 for ready, 1 for anything else. Must not: need a shell or curl.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::run::{BAD_CONFIGURATION, complain, say};
use crate::config::{self, Source};

const PATIENCE: Duration = Duration::from_secs(3);
/// Far beyond what `/readyz` says.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Asks `/readyz` of the admin listener that this configuration describes.
#[must_use]
pub fn health(source: &Source) -> ExitCode {
    let config = match config::load(source) {
        Ok(config) => config,
        Err(problems) => return complain(BAD_CONFIGURATION, &problems),
    };
    match ask(reachable(config.admin.listen)) {
        Ok(answer) => {
            say(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body));
            let ready = answer.starts_with("HTTP/1.1 200 ");
            if ready {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => complain(1, &error),
    }
}

/// Listening everywhere, it is reached through loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    };
    SocketAddr::new(address, listen.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}
