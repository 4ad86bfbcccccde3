//! SIGUSR2: the program again, on the same sockets, while clients are using them.

use upstream_mock::{Mock, Settings};

use crate::load::Load;
use crate::support::client::get;
use crate::support::eventually;
use crate::{File, gateway};

const PROXY: &str = "[[routes]]\nname = \"proxy\"\npath = \"/proxy/{*path}\"\nrewrite = \"/{path}\"\nupstream = \"default\"\n";

/// A process that nobody waits for, ended with the test.
struct Orphan(u64);

impl Orphan {
    fn signal(&self, name: &str) -> bool {
        let kill = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.0.to_string()])
            .stderr(std::process::Stdio::null())
            .status();
        kill.unwrap().success()
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}

#[tokio::test]
async fn a_new_process_takes_over_under_load_and_no_request_is_lost() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let file = File::new(&mock.url(), PROXY);
    let first = gateway(&file, &[]).await;
    let (proxy, admin) = (first.proxy, first.admin);
    let load = Load::start(proxy, 6, 3);
    load.more(200).await;
    // What the new process is told when it starts is what stands in the file by then.
    file.write(&format!(
        "{PROXY}[server]\nhealth = {{ body = \"second\" }}\n"
    ));
    first.signal("USR2");
    let pid = first.event("upgraded").await["pid"].as_u64().unwrap();
    let second = Orphan(pid);
    assert_eq!(first.exit().await, Some(0), "the first drained");
    load.more(200).await;
    let failures = load.stop().await;
    assert!(
        failures.is_empty(),
        "{}: {:?}",
        failures.len(),
        failures.first()
    );
    assert_eq!(&get(proxy, "/health").await.body[..], b"second");
    assert_eq!(get(admin, "/readyz").await.status, 200);
    assert!(second.signal("TERM"));
    eventually("it stops", || async { !second.signal("0") }).await;
}

#[tokio::test]
async fn a_program_that_does_not_start_changes_nothing() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[]).await;
    file.write("[[routes]]\n");
    gateway.signal("USR2");
    gateway.event("upgrade_failed").await;
    assert_eq!(get(gateway.proxy, "/proxy/echo").await.status, 200);
    assert_eq!(get(gateway.admin, "/readyz").await.status, 200);
    gateway.signal("TERM");
    assert_eq!(gateway.exit().await, Some(0));
}
