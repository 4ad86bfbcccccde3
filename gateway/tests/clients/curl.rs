//! curl, in every version of HTTP it speaks.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use upstream_mock::{Mock, Settings};

use crate::pki::Authority;
use crate::support::process::Process;

/// What curl said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) output: String,
    /// Its own report: `-w`, and what `-v` told.
    pub(crate) report: String,
}

impl Said {
    /// The status and the version of the last answer, and how many bytes went each way.
    pub(crate) fn last(&self) -> (u16, &str, u64, u64) {
        let line = self
            .report
            .lines()
            .rev()
            .find(|line| line.starts_with("= "));
        let words: Vec<_> = line.expect("a report").split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        (words[1].parse().unwrap(), words[2], number(3), number(4))
    }
}

/// Runs curl; it must not fail. `input` is a shell command whose output it uploads.
pub(crate) async fn curl(arguments: &[&str], input: &str) -> Said {
    let report = "%{stderr}= %{http_code} %{http_version} %{size_download} %{size_upload}\n";
    let output = Command::new("sh")
        .args(["-c", &format!("{input} curl \"$@\""), "curl"])
        .args(["-sS", "--max-time", "300", "-w", report])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("curl is installed");
    let said = Said {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        report: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(output.status.success(), "curl {arguments:?}: {said:?}");
    said
}

/// A gateway that also speaks TLS, and the authority that vouches for it.
pub(crate) struct House {
    pub(crate) mock: Mock,
    pub(crate) gateway: Process,
    authority: Authority,
}

impl House {
    pub(crate) async fn new(more: &[(&str, &str)]) -> Self {
        let mock = Mock::start(Settings::default()).await.unwrap();
        let authority = Authority::new();
        authority.issue("localhost", &["localhost"]);
        let certificates = authority.variables(&["localhost"]);
        let mut all = vec![
            ("GATEWAY__SERVER__TLS__LISTEN", "127.0.0.1:0"),
            ("UPSTREAM_TIMEOUT", "120"),
        ];
        all.extend(
            certificates
                .iter()
                .map(|(name, value)| (&name[..], &value[..])),
        );
        all.extend_from_slice(more);
        let gateway = Process::start(&mock.url(), &all).await;
        Self {
            mock,
            gateway,
            authority,
        }
    }

    pub(crate) fn clear(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.proxy)
    }

    pub(crate) async fn encrypted(&self, path: &str) -> String {
        let started = self.gateway.event("started").await;
        let port = started["tls"].as_str().unwrap().rsplit(':').next().unwrap();
        format!("https://localhost:{port}{path}")
    }

    pub(crate) fn root(&self) -> String {
        self.authority.file("ca.pem")
    }
}

#[tokio::test]
async fn every_version_is_spoken_and_reads_the_same_upstream() {
    let house = House::new(&[]).await;
    let path = "/proxy/echo?a=%2F";
    let clear = house.clear(path);
    let encrypted = house.encrypted(path).await;
    let root = house.root();
    for (flag, url, version) in [
        ("--http1.0", &clear, "1.0"),
        ("--http1.1", &clear, "1.1"),
        ("--http2-prior-knowledge", &clear, "2"),
        // An upgrade to h2c is not taken up: the answer comes in the version that was asked in.
        ("--http2", &clear, "1.1"),
        ("--http1.1", &encrypted, "1.1"),
        ("--http2", &encrypted, "2"),
        ("--tlsv1.3", &encrypted, "2"),
        ("--tls-max=1.2", &encrypted, "2"),
    ] {
        let (flag, value) = flag.split_once('=').unwrap_or((flag, "--compressed"));
        let said = curl(
            &[flag, value, "--cacert", &root, "-d", "some text", url],
            "",
        )
        .await;
        let (status, spoken, ..) = said.last();
        // A client of HTTP/1.0 is answered in 1.1, as RFC 9110, section 2.5, has it.
        assert!(
            spoken == version || version == "1.0",
            "{flag} {url}: {said:?}"
        );
        assert_eq!(status, 200, "{flag} {url}: {said:?}");
        let seen: Value = serde_json::from_str(&said.output).unwrap();
        assert_eq!(seen["method"], "POST", "{seen}");
        assert!(seen.to_string().contains("some text"), "{seen}");
        assert!(seen.to_string().contains("a=%2F"), "{seen}");
    }
}

#[tokio::test]
async fn a_body_waits_for_its_100_and_is_spared_where_nobody_wants_it() {
    let house = House::new(&[("GATEWAY__SERVER__MAX_BODY_BYTES", "4194304")]).await;
    let url = house.clear("/proxy/sink");
    let expecting = [
        "-v",
        "--http1.1",
        "-H",
        "Expect: 100-continue",
        "-H",
        "Transfer-Encoding:",
    ];
    for (size, status) in [(3 << 20, 200), (5 << 20, 413)] {
        let length = format!("Content-Length: {size}");
        let arguments = [&expecting[..], &["-H", &length, "-T", "-", &url]].concat();
        let said = curl(&arguments, &format!("head -c {size} /dev/zero |")).await;
        let (answered, _, _, uploaded) = said.last();
        assert_eq!(answered, status, "{said:?}");
        assert_eq!(
            said.report.contains("100 Continue"),
            status == 200,
            "{said:?}"
        );
        assert_eq!(uploaded, if status == 200 { size } else { 0 }, "{said:?}");
    }
}

#[tokio::test]
async fn connections_are_kept_and_trailers_arrive() {
    let house = House::new(&[]).await;
    let root = house.root();
    // By ALPN, because the curl of Debian 12 cannot use a connection twice that it began by prior knowledge.
    let urls = [
        ("--http1.1", house.clear("/proxy/ok")),
        ("--http2", house.encrypted("/proxy/ok").await),
    ];
    for (flag, url) in urls {
        let report = ["-w", "%{stderr}+%{num_connects}\n", "--cacert", &root];
        let twice = ["-o", "/dev/null", &url, "-o", "/dev/null", &url];
        let said = curl(&[&[flag][..], &report, &twice].concat(), "").await;
        assert_eq!(said.report, "+1\n+0\n", "{flag}");
    }
    let upstream = house.mock.url().replace("http:", "h2c:");
    let gateway = Process::start(&upstream, &[]).await;
    let url = format!("http://{}/proxy/some.Service/Call", gateway.proxy);
    let call = [
        "-D",
        "-",
        "-o",
        "/dev/null",
        "-H",
        "TE: trailers",
        "--http2-prior-knowledge",
    ];
    let grpc = [
        "-H",
        "Content-Type: application/grpc",
        "--data-raw",
        "x",
        &url,
    ];
    let said = curl(&[&call[..], &grpc].concat(), "").await;
    assert!(said.output.contains("grpc-status: "), "{said:?}");
}
