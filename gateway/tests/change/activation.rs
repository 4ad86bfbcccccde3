//! Sockets that somebody else opened, as systemd does: `sd_listen_fds(3)`.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use upstream_mock::{Mock, Settings};

use crate::support::client::get;
use crate::support::eventually;

#[tokio::test]
async fn who_connects_before_the_gateway_runs_is_answered_when_it_does() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let early = tokio::spawn(async move { get(address, "/proxy/echo").await.status });
    // The shell puts the socket where systemd would, and becomes the gateway, whose number it knows.
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=proxy exec \"$0\" run 3<&0 </dev/null";
    let mut gateway = tokio::process::Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_gateway")])
        .env_clear()
        .env("UPSTREAM_URL", mock.url())
        // Taken, so that it would not start if it did not use what it is given.
        .env("GATEWAY__SERVER__LISTEN", mock.addr().to_string())
        .env("GATEWAY__SERVER__WORKERS", "3")
        .env("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    assert_eq!(early.await.unwrap(), 200);
    for _ in 0..20 {
        assert_eq!(get(address, "/proxy/echo").await.status, 200);
    }
    gateway.start_kill().unwrap();
    gateway.wait().await.unwrap();
    eventually("the socket is closed with its last process", || async {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
}
