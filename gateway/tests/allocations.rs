//! How often a request makes the allocator work: an upper bound, so that a change that adds to it is noticed.
//!
//! Client and upstream are threads of this process that allocate nothing while they talk, so what is counted is the gateway's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::gateway::Gateway;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUEST: &[u8] = b"GET /proxy/thing HTTP/1.1\r\nHost: api.example\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const WARM_UP: usize = 200;
const COUNTED: usize = 2_000;

/// Answers every request that fits one read, on one connection at a time.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        if stream.write_all(ANSWER).is_err() {
            return;
        }
    }
}

fn ask(stream: &mut TcpStream, status: &[u8]) {
    let mut buffer = [0; 4096];
    stream.write_all(REQUEST).unwrap();
    let mut length = 0;
    while !is_whole(&buffer[..length]) {
        let read = stream.read(&mut buffer[length..]).unwrap();
        assert_ne!(read, 0, "the gateway closed the connection");
        length += read;
    }
    assert_eq!(&buffer[9..12], status);
}

/// Whether the answer's body is there: the upstream's, or the end of a refusal's JSON.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"hello") || answer.ends_with(b"}")
}

/// Allocations of one request in the steady state: the mean of many, with what else the process does in that time.
fn allocations(more: &[(&str, &str)], status: &[u8]) -> f64 {
    let gateway = Gateway::start(&format!("http://{}", upstream()), more);
    let mut stream = TcpStream::connect(gateway.proxy()).unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..WARM_UP {
        ask(&mut stream, b"200");
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..COUNTED {
        ask(&mut stream, status);
    }
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / COUNTED as f64
}

/// One test, because the count is of the whole process.
#[test]
fn a_request_stays_within_its_allocations() {
    let plenty = [("RATE_LIMIT_CAPACITY", "1000000")];
    let enough_to_warm_up = WARM_UP.to_string();
    let scarce = [("RATE_LIMIT_CAPACITY", enough_to_warm_up.as_str())];
    let forwarded = allocations(&plenty, b"200");
    let refused = allocations(&scarce, b"429");
    // Every one of the first is named in docs/performance.md.
    assert!(forwarded <= 21.0, "forwarded: {forwarded}");
    assert!(refused <= 29.0, "refused: {refused}");
    eprintln!("allocations a request: forwarded {forwarded:.2}, refused {refused:.2}");
}
