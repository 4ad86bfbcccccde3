//! What systemd is told (`sd_notify(3)`): a unit of `Type=notify` is started, reloaded, alive and stopped when the gateway says so.

use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::{File, gateway};

/// The socket that systemd would listen on.
struct Supervisor {
    socket: UnixDatagram,
}

impl Supervisor {
    /// The next message but for signs of life, which come whenever they are due.
    async fn hears(&self) -> String {
        loop {
            let message = self.next().await;
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    async fn next(&self) -> String {
        let mut buffer = [0; 512];
        let length = timeout(PATIENCE, self.socket.recv(&mut buffer))
            .await
            .expect("nothing was said")
            .unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    async fn sees_life(&self) {
        while self.next().await != "WATCHDOG=1\n" {}
    }
}

#[tokio::test]
async fn systemd_is_told_of_start_life_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = Supervisor {
        socket: UnixDatagram::bind(&path).unwrap(),
    };
    let file = File::new("http://127.0.0.1:1", "");
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let gateway = gateway(&file, &variables).await;

    assert_eq!(systemd.hears().await, "READY=1\n");
    systemd.sees_life().await;
    systemd.sees_life().await;

    // With the time, so that `Type=notify-reload` knows which READY ends it.
    gateway.signal("HUP");
    let reloading = systemd.hears().await;
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(systemd.hears().await, "READY=1\n");

    gateway.signal("TERM");
    assert_eq!(systemd.hears().await, "STOPPING=1\n");
    assert_eq!(gateway.exit().await, Some(0));
}
