//! A gateway that runs an example beside a mock, with a store of one kind or the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use http::Method;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use upstream_mock::{Mock, Settings};

use crate::support::PATIENCE;
use crate::support::client::{Answer, build, post, request, send};
use crate::support::redis::Server;

/// Where limits and circuits are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StoreKind {
    Embedded,
    Redis,
}

/// An example at work.
pub(crate) struct Stage {
    pub(crate) mock: Mock,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    _gateway: Child,
    _redis: Option<Server>,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Stage {
    pub(crate) async fn set(example: &str, kind: StoreKind, more: &[(&str, &str)]) -> Self {
        let mock = Mock::start(Settings::default()).await.unwrap();
        let redis = match kind {
            StoreKind::Redis => Some(Server::start().await),
            StoreKind::Embedded => None,
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command
            .current_dir(root())
            .args(["run", "--config", &format!("examples/{example}.toml")])
            .env_clear()
            .env("UPSTREAM_URL", mock.url())
            .env("GATEWAY__SERVER__LISTEN", "127.0.0.1:0")
            .env("GATEWAY__SERVER__WORKERS", "1")
            .env("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0")
            .env("GATEWAY__STORE__TIMEOUT", "5s")
            .env("LOG_FORMAT", "json")
            .envs(more.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(redis) = &redis {
            command.env("REDIS_URL", redis.url());
        }
        let mut gateway = command.spawn().expect("the gateway's binary");
        let (address, admin) = listening(&mut gateway).await;
        Self {
            mock,
            address,
            admin,
            _gateway: gateway,
            _redis: redis,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.address, request(method, path, headers)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        send(self.address, post(path, body.to_owned())).await
    }

    /// A body with headers.
    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        use http_body_util::{BodyExt as _, Full};
        let body = Full::new(bytes::Bytes::copy_from_slice(body)).boxed();
        send(self.address, build(Method::POST, path, headers, body)).await
    }

    /// How often the mock was asked for a path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let requests = self.mock.recorder().requests().into_iter();
        requests
            .filter(|request| request.uri.path() == path)
            .count()
    }
}

/// Where it listens, by its log, which is read to the end so that it never waits for a reader.
async fn listening(gateway: &mut Child) -> (SocketAddr, SocketAddr) {
    let mut lines = BufReader::new(gateway.stdout.take().expect("its output")).lines();
    let found = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it ended");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["event"] == "started" {
                let address = |key: &str| line[key].as_str().unwrap().parse().unwrap();
                return (address("proxy"), address("admin"));
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found)
        .await
        .expect("it starts");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    found
}

/// The minute it is: a fixed window may end in the middle of a test.
pub(crate) fn minute() -> u64 {
    gateway::telemetry::logs::unix_millis() / 60_000
}

/// Plays a story on both stores.
macro_rules! on_both_stores {
    ($($story:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test] async fn $story() { super::$story(crate::stage::StoreKind::Embedded).await; })+
        }
        mod redis {
            $(#[tokio::test] async fn $story() { super::$story(crate::stage::StoreKind::Redis).await; })+
        }
    };
}
pub(crate) use on_both_stores;
