//! `gateway top`: the fleet in a terminal, as any admin listener shows it.
//!
//! Guarantees: what is shown fits the terminal, those in trouble first, and says what it leaves out; `--once` prints one picture without control codes, for scripts, and exits 1 when there is none. Must not: need a
//! configuration, or trust what it prints: the API refuses control characters in what operators say.

mod draw;
mod paint;
mod screen;

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::Uri;

use super::pause;
use super::run::{complain, say};
use crate::admin::fleet::Fleet;
use paint::Paint;
use screen::Size;

const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
const EVERY: Duration = Duration::from_secs(1);

/// What may be said to `gateway top`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// An admin listener of any replica.
    #[arg(long, default_value = "http://127.0.0.1:9900")]
    url: Uri,
    /// A file with the token of `admin.token`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print once, and end.
    #[arg(long)]
    once: bool,
}

/// Shows until it is interrupted, or once.
#[must_use]
pub fn top(options: &Options) -> ExitCode {
    let paint = Paint {
        colours: io::stdout().is_terminal(),
    };
    if options.once {
        return match read(options) {
            Ok(fleet) => {
                say(&draw::picture(&fleet, &paint, Size::UNBOUNDED));
                ExitCode::SUCCESS
            }
            Err(error) => complain(1, &error),
        };
    }
    say("\x1b[2J");
    loop {
        let size = Size::of_terminal();
        let picture = match read(options) {
            Ok(fleet) => draw::picture(&fleet, &paint, size),
            Err(error) => screen::clip(&format!("{}: {error}", options.url), size.columns),
        };
        // Over what stands there, line by line: to clear the screen first would flicker.
        say(&format!(
            "\x1b[H{}\x1b[K\x1b[J",
            picture.trim_end().replace('\n', "\x1b[K\n")
        ));
        let _ = io::stdout().flush();
        pause(EVERY);
    }
}

fn read(options: &Options) -> io::Result<Fleet> {
    let url = &options.url;
    let host = url.host().ok_or_else(|| invalid("the URL names no host"))?;
    if url.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err(invalid("an admin listener speaks http"));
    }
    let bare = host.trim_matches(['[', ']']);
    let address = (bare, url.port_u16().unwrap_or(80))
        .to_socket_addrs()?
        .next();
    let address = address.ok_or_else(|| invalid("the host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let authority = url.authority().map_or(host, |one| one.as_str());
    let token = match &options.token_file {
        Some(file) => format!(
            "Authorization: Bearer {}\r\n",
            std::fs::read_to_string(file)?.trim()
        ),
        None => String::new(),
    };
    let head = format!(
        "GET /api/v1/fleet HTTP/1.1\r\nHost: {authority}\r\n{token}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(invalid(&format!("{status} {body}")));
    }
    serde_json::from_str(body).map_err(|error| invalid(&error.to_string()))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
