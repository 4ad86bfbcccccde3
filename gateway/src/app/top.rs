//! `gateway top`: the fleet in a terminal, as any admin listener shows it.
//!
//! Guarantees: `--once` prints one picture without control codes, for scripts, and exits 1 when there is none. Must not: need a
//! configuration, or trust what it prints: the API refuses control characters in what operators say.

mod paint;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::Uri;

use super::pause;
use super::run::{complain, say};
use crate::admin::fleet::{Fleet, FleetCircuit};
use crate::admin::report::{LimitView, UpstreamView};
use paint::{Paint, millis, share};

const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
const EVERY: Duration = Duration::from_secs(1);
const TRANSITIONS: usize = 6;
/// Clients shown of one limit.
const HOT: usize = 3;
/// More healthy endpoints of one upstream than this are a number.
const FEW_ENDPOINTS: usize = 4;

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
    let is_terminal = io::stdout().is_terminal();
    loop {
        let picture = read(options).map(|fleet| draw(&fleet, is_terminal));
        if options.once {
            return match picture {
                Ok(picture) => {
                    say(&picture);
                    ExitCode::SUCCESS
                }
                Err(error) => complain(1, &error),
            };
        }
        let picture = picture.unwrap_or_else(|error| format!("{}: {error}\n", options.url));
        say(&format!("\x1b[H\x1b[J{picture}"));
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

/// The picture as text. Writing to a string cannot fail.
fn draw(fleet: &Fleet, colours: bool) -> String {
    let paint = Paint { colours };
    let traffic = &fleet.traffic;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}  {} replicas, store {}  (shown by {}{})",
        paint.bold("gateway"),
        fleet.replicas.len(),
        if fleet.store.up {
            paint.good("up")
        } else {
            paint.bad("DOWN")
        },
        fleet.shown_by,
        if fleet.whole { "" } else { ", alone" },
    );
    let _ = writeln!(
        text,
        "{:.0} requests/s   errors {:.1} %   refused {:.1} %   in flight {}   p50 {}  p95 {}  p99 {} ms\n",
        traffic.requests,
        share(traffic.errors, traffic.requests),
        share(traffic.refusals, traffic.requests),
        traffic.in_flight,
        millis(traffic.latency.p50),
        millis(traffic.latency.p95),
        millis(traffic.latency.p99),
    );
    replicas(&mut text, fleet, &paint);
    circuits(&mut text, &fleet.circuits, &paint);
    upstreams(&mut text, fleet, &paint);
    limits(&mut text, &fleet.limits, &paint);
    transitions(&mut text, fleet, &paint);
    text
}

fn replicas(text: &mut String, fleet: &Fleet, paint: &Paint) {
    let head = format!(
        "{:<32} {:<9} {:>8} {:>9} {:>8}",
        "REPLICA", "STATE", "REQ/S", "P95 MS", "MEM MIB"
    );
    let _ = writeln!(text, "{}", paint.soft(&head));
    for one in &fleet.replicas {
        let _ = writeln!(
            text,
            "{:<32} {:<9} {:>8.0} {:>9} {:>8}",
            one.replica.id,
            one.replica.phase,
            one.traffic.requests,
            millis(one.traffic.latency.p95),
            one.replica.memory / (1024 * 1024),
        );
    }
}

fn circuits(text: &mut String, circuits: &[FleetCircuit], paint: &Paint) {
    let head = format!(
        "\n{:<32} {:<9} {:>8} {:>9}",
        "CIRCUIT", "STATE", "REF/S", "FAILURES"
    );
    let _ = writeln!(text, "{}", paint.soft(&head));
    for FleetCircuit { circuit, .. } in circuits {
        let state = format!("{:<9}", circuit.state.replace('_', "-"));
        let state = if circuit.state == "closed" {
            paint.good(&state)
        } else {
            paint.bad(&state)
        };
        let held = circuit
            .forced
            .as_ref()
            .map(|forced| format!("  held by {}: {}", forced.by, forced.reason));
        let _ = writeln!(
            text,
            "{:<32} {state} {:>8.0} {:>9}{}",
            circuit.upstream,
            circuit.rejections,
            format!("{}/{}", circuit.failures, circuit.threshold),
            held.unwrap_or_default(),
        );
    }
}

fn upstreams(text: &mut String, fleet: &Fleet, paint: &Paint) {
    let head = format!(
        "\n{:<32} {:>9} {:>8} {:>9}  ENDPOINTS",
        "UPSTREAM", "ATT/S", "FAILED", "P95 MS"
    );
    let _ = writeln!(text, "{}", paint.soft(&head));
    for one in &fleet.upstreams {
        let _ = writeln!(
            text,
            "{:<32} {:>9.0} {:>6.1} % {:>9}  {}",
            one.name,
            one.attempts,
            share(one.failures, one.attempts),
            millis(one.latency.p95),
            endpoints(one, paint),
        );
    }
}

/// Those in trouble by name; of the others how many there are where they are not a few.
fn endpoints(upstream: &UpstreamView, paint: &Paint) -> String {
    let (well, ill): (Vec<_>, Vec<_>) = upstream
        .members
        .iter()
        .partition(|one| one.state == "healthy");
    let ill = ill
        .iter()
        .map(|one| paint.bad(&format!("{} {}", one.url, one.state)));
    let few = well.len() <= FEW_ENDPOINTS;
    let well: Vec<String> = match few {
        true => well.iter().map(|one| one.url.clone()).collect(),
        false => vec![format!("{} healthy", well.len())],
    };
    ill.chain(well).collect::<Vec<_>>().join(" ")
}

fn limits(text: &mut String, limits: &[LimitView], paint: &Paint) {
    let head = format!(
        "\n{:<32} {:>9} {:>8} {:>9}  STORE/S",
        "LIMIT", "GRANT/S", "DENY/S", "LOCAL"
    );
    let _ = writeln!(text, "{}", paint.soft(&head));
    for one in limits {
        let _ = writeln!(
            text,
            "{:<32} {:>9.0} {:>8.0} {:>7.0} %  {:.0}",
            one.name,
            one.granted,
            one.denied,
            share(one.local, one.granted + one.denied),
            one.asked,
        );
        hottest(text, one, paint);
    }
}

/// Who is refused, or has least left.
fn hottest(text: &mut String, limit: &LimitView, paint: &Paint) {
    for one in limit.clients.iter().take(HOT) {
        let left = if one.retry_after > 0 {
            paint.bad(&format!("refused, {} s", one.retry_after.div_ceil(1_000)))
        } else {
            format!("{} of {} left", one.remaining, limit.capacity)
        };
        let _ = writeln!(text, "  {:<30} {left}, {:.0}/s", one.client, one.requests);
    }
}

fn transitions(text: &mut String, fleet: &Fleet, paint: &Paint) {
    let _ = writeln!(text, "{}", paint.soft("\nLAST TRANSITIONS"));
    for one in fleet.transitions.iter().take(TRANSITIONS) {
        let ago = one.at.map_or(0, |at| fleet.at.saturating_sub(at) / 1_000);
        let _ = writeln!(
            text,
            "{ago:>6} s ago  {}: {} -> {} ({}, by {})",
            one.upstream, one.from, one.to, one.cause, one.by
        );
    }
}
