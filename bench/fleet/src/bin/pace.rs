//! `pace`: asks one server at a fixed rate, and prints how long the answers took.
//!
//!     pace ADDRESS PATH RATE CONNECTIONS SECONDS
//!
//! Guarantees: a request's time counts from when it was due, sent or not, so that a stall is not hidden by what was not sent during it
//! (coordinated omission). Each connection has a thread that sleeps to the microsecond, which a runtime's timers do not. Must not: ask
//! anything but loopback.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program whose output is its result; real time, and threads that may block, are what it is made of"
)]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

/// What is asked of whom, and how often.
#[derive(Clone)]
struct Pace {
    address: SocketAddr,
    request: String,
    /// Between two requests of one connection.
    beat: Duration,
    /// Requests of one connection.
    count: u32,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Some(Ok(summary)) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            eprintln!("pace: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("usage: pace ADDRESS PATH RATE CONNECTIONS SECONDS");
            ExitCode::FAILURE
        }
    }
}

/// The summary as JSON, times in microseconds. None when the arguments make no sense.
fn run(arguments: &[String]) -> Option<io::Result<String>> {
    let [address, path, rate, connections, seconds] = arguments else {
        return None;
    };
    let address: SocketAddr = address.parse().ok()?;
    let [rate, connections, seconds]: [u32; 3] =
        [whole(rate)?, whole(connections)?, whole(seconds)?];
    let pace = Pace {
        address,
        request: format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n"),
        beat: Duration::from_secs(1) * connections / rate,
        count: rate * seconds / connections,
    };
    address.ip().is_loopback().then(|| all(&pace, connections))
}

fn whole(text: &str) -> Option<u32> {
    u32::from_str(text).ok().filter(|number| *number > 0)
}

fn all(pace: &Pace, connections: u32) -> io::Result<String> {
    let begin = Instant::now() + Duration::from_millis(100);
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let pace = pace.clone();
            // Spread over a beat, so that they do not all ask at once.
            let first = begin + pace.beat * number / connections;
            thread::spawn(move || one(&pace, first))
        })
        .collect();
    let mut took = Vec::new();
    for thread in threads {
        let own = thread
            .join()
            .map_err(|_| io::Error::other("a thread panicked"))?;
        took.extend(own?);
    }
    took.sort_unstable();
    let due = u64::from(pace.count) * u64::from(connections);
    let part = |share: f64| {
        let at = (took.len() as f64 * share) as usize;
        took.get(at.min(took.len().saturating_sub(1)))
            .map_or(0, Duration::as_micros)
    };
    Ok(format!(
        r#"{{"due": {due}, "answered": {}, "p50": {}, "p99": {}, "p999": {}, "longest": {}}}"#,
        took.len(),
        part(0.5),
        part(0.99),
        part(0.999),
        part(1.0),
    ))
}

/// One connection's requests; ends early when it falls behind by more than a second.
fn one(pace: &Pace, first: Instant) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(pace.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut took = Vec::new();
    for number in 0..pace.count {
        let due = first + pace.beat * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if due.elapsed() > Duration::from_secs(1) {
            break;
        }
        stream.write_all(pace.request.as_bytes())?;
        answer(&mut stream)?;
        took.push(due.elapsed());
    }
    Ok(took)
}

/// Reads one answer with a declared length.
fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut space = [0; 4096];
    let mut filled = 0;
    loop {
        let Some(rest @ [_, ..]) = space.get_mut(filled..) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match stream.read(rest)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
        let text =
            String::from_utf8_lossy(space.get(..filled).unwrap_or_default()).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let is_good = head.starts_with("http/1.1 200");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok());
        match length.filter(|_| is_good) {
            Some(length) if body.len() >= length => return Ok(()),
            Some(_) => {}
            None => return Err(io::Error::other(format!("a wrong answer: {head}"))),
        }
    }
}
