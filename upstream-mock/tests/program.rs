//! The mock as a program: where it listens, what it refuses, how it stops, what it needs.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;

use support::{get, json, request, send, soon};

/// A running program, ended when dropped.
struct Program {
    child: Child,
    addr: SocketAddr,
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upstream-mock"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .stderr(Stdio::piped());
    command
}

impl Program {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(variables).args(arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, addr) = line
            .trim()
            .rsplit_once("http://")
            .expect("a line with its address");
        Self {
            addr: addr.parse().unwrap(),
            child,
        }
    }

    fn local(variables: &[(&str, &str)]) -> Self {
        Self::start(&["--listen", "127.0.0.1:0"], variables)
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The most memory it ever held, in KiB.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_stops_with_success_when_told_to() {
    for signal in ["TERM", "INT"] {
        let program = Program::local(&[]);
        assert_eq!(get(program.addr, "/health").await.0, StatusCode::OK);
        program.signal(signal);
        assert_eq!(program.end().code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn the_environment_sets_how_it_fails() {
    let program = Program::local(&[("EXTERNAL_SERVICE_FAILURE_RATE", "1")]);
    assert_eq!(
        get(program.addr, "/ok").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn port_replaces_the_port_unless_an_address_is_given() {
    let program = Program::start(&[], &[("PORT", "0")]);
    assert!(program.addr.ip().is_unspecified());
    assert_ne!(program.addr.port(), 5001);
    assert!(Program::local(&[("PORT", "1")]).addr.ip().is_loopback());
}

#[test]
fn bad_settings_and_taken_addresses_have_their_exit_codes() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let exit = |command: &mut Command| command.output().unwrap().status.code();
    assert_eq!(
        exit(command(&[("EXTERNAL_FAIL_RATE", "2")]).args(["--listen", "127.0.0.1:0"])),
        Some(64)
    );
    assert_eq!(exit(command(&[]).args(["--listen", "nowhere"])), Some(64));
    assert_eq!(
        exit(command(&[]).arg("--version").stdout(Stdio::null())),
        Some(0)
    );
    assert_eq!(exit(command(&[]).args(["--listen", &taken])), Some(69));
}

#[tokio::test]
async fn memory_stays_flat_however_long_a_body_is() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 128;
    let program = Program::local(&[]);

    let (mut chunks, body) = Channel::<Bytes>::new(1);
    let answer = tokio::spawn(send(
        program.addr,
        Request::post("/sink").body(body).unwrap(),
    ));
    let chunk = Bytes::from(vec![0; CHUNK]);
    for _ in 0..CHUNKS {
        soon(chunks.send_data(chunk.clone())).await.unwrap();
    }
    drop(chunks);
    let answer = json(answer.await.unwrap().unwrap()).await;
    assert_eq!(answer["body_length"], CHUNK * CHUNKS);

    let target = format!("/bytes/{}", CHUNK * CHUNKS);
    let mut body = send(program.addr, request(Method::GET, &target, ""))
        .await
        .unwrap()
        .into_body();
    let mut received = 0;
    while let Some(frame) = soon(body.frame()).await {
        received += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, CHUNK * CHUNKS);

    let peak = program.peak_memory();
    assert!(peak < 32 * 1024, "{peak} KiB for bodies of {CHUNKS} MiB");
}
