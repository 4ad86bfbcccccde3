//! Who is let in, and whom limits count, through whole gateways: keys, tokens, passwords, addresses, other services.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod api_keys;
mod basic;
mod configured;
mod exempt;
mod external;
mod jwks;
mod jwt;
mod keys;
mod plans;
mod service;
mod tokens;

use http::Method;
use sha2::{Digest as _, Sha256};
use support::client::{Answer, request, send};
use support::gateway::Gateway;
use tempfile::TempDir;
use upstream_mock::{Mock, Settings};

const UPSTREAM: &str = r#"
[server]
trusted_proxies = ["127.0.0.0/8"]
[upstreams.default]
endpoints = ["UPSTREAM"]
"#;

/// A gateway, what is behind it, and the files it was given.
pub(crate) struct World {
    pub(crate) mock: Mock,
    pub(crate) gateway: Gateway,
    files: TempDir,
}

impl World {
    /// A gateway with these files, in a directory for which `DIR` stands in `text`.
    pub(crate) async fn start(files: &[(&str, &str)], text: &str) -> Self {
        let mock = Mock::start(Settings::default()).await.unwrap();
        let dir = TempDir::new().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let text = format!("{UPSTREAM}{text}").replace("DIR", dir.path().to_str().unwrap());
        Self {
            gateway: Gateway::from_file(&mock.url(), &text),
            mock,
            files: dir,
        }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.gateway.proxy(), request(Method::GET, path, headers)).await
    }

    pub(crate) async fn status(&self, headers: &[(&str, &str)]) -> u16 {
        self.get("/a", headers).await.status
    }

    /// A header as the upstream last got it.
    pub(crate) fn told(&self, name: &str) -> Option<String> {
        let last = self.mock.recorder().last().expect("a request upstream");
        let value = last.headers.get(name)?;
        Some(value.to_str().expect("a text").to_owned())
    }

    pub(crate) async fn decisions(&self, auth: &str, result: &str) -> f64 {
        let sample = format!("gateway_auth_decisions_total{{auth=\"{auth}\",result=\"{result}\"}}");
        self.gateway.metric(&sample).await
    }

    /// Where the files are, so that they live as long as the gateway.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.files.path()
    }
}

/// A route `/a` with these guards and limits.
pub(crate) fn route(auth: &str, limits: &str) -> String {
    format!(
        "[[routes]]\nname = \"a\"\npath = \"/a\"\nupstream = \"default\"\nauth = [{auth}]\nlimits = [{limits}]\n"
    )
}

pub(crate) fn sha256(key: &str) -> String {
    let hash = Sha256::digest(key);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
