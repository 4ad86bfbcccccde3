//! A client and an upstream that allocate nothing while they talk and parse next to nothing, so that what is measured around them
//! is the gateway.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

const REQUEST: &[u8] = b"GET /proxy/thing HTTP/1.1\r\nHost: api.example\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

/// Answers every request that fits one read.
pub fn upstream() -> SocketAddr {
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

/// A connection to a gateway.
pub struct Wire(TcpStream);

impl Wire {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// One request; its answer must have `status`.
    pub fn ask(&mut self, status: &[u8]) {
        let mut buffer = [0; 4096];
        self.0.write_all(REQUEST).unwrap();
        let mut length = 0;
        while !is_whole(&buffer[..length]) {
            let read = self.0.read(&mut buffer[length..]).unwrap();
            assert_ne!(read, 0, "the gateway closed the connection");
            length += read;
        }
        assert_eq!(&buffer[9..12], status);
    }
}

/// Whether the answer's body is there: the upstream's, or the end of a refusal's JSON.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"hello") || answer.ends_with(b"}")
}
