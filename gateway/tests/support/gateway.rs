//! Gateways in this process.

use std::net::SocketAddr;

use gateway::app::{App, Given};
use gateway::config::{Source, load};
use gateway::store::Store;

use super::client::{self, Answer};

/// Variables for a gateway on free ports with one worker.
pub fn variables(upstream: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [
        ("UPSTREAM_URL", upstream),
        ("GATEWAY__SERVER__LISTEN", "127.0.0.1:0"),
        ("GATEWAY__SERVER__WORKERS", "1"),
        ("GATEWAY__SERVER__NAME", "edge"),
        ("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0"),
        ("RATE_LIMIT_CAPACITY", "100000"),
    ];
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut all: Vec<_> = base.iter().map(own).collect();
    all.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    all.extend(more.iter().map(own));
    all
}

/// A gateway that stops when it is dropped.
pub struct Gateway(Option<App>);

impl Gateway {
    pub fn start(upstream: &str, more: &[(&str, &str)]) -> Self {
        Self::with(upstream, more, &Given::default())
    }

    pub fn sharing(store: &Store, upstream: &str, more: &[(&str, &str)]) -> Self {
        Self::with(
            upstream,
            more,
            &Given {
                embedded: Some(store.clone()),
                ..Given::default()
            },
        )
    }

    /// The same, with what only a program can give.
    pub fn with(upstream: &str, more: &[(&str, &str)], given: &Given) -> Self {
        let config = load(&Source::new(None, variables(upstream, more)));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        Self(Some(
            App::start(config, given).unwrap_or_else(|error| panic!("{error}")),
        ))
    }

    /// A gateway as a file describes it; `UPSTREAM` in it stands for the upstream's URL.
    pub fn from_file(upstream: &str, text: &str) -> Self {
        Self::from_file_with(upstream, text, &Given::default())
    }

    /// The same, with what only a program can give.
    pub fn from_file_with(upstream: &str, text: &str, given: &Given) -> Self {
        let file = tempfile::Builder::new()
            .suffix(".toml")
            .tempfile()
            .expect("a file");
        std::fs::write(file.path(), text.replace("UPSTREAM", upstream)).expect("writing it");
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let variables = [
            ("GATEWAY__SERVER__LISTEN", "127.0.0.1:0"),
            ("GATEWAY__SERVER__WORKERS", "1"),
            ("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0"),
        ];
        let config = load(&Source::new(
            Some(file.path().to_owned()),
            variables.map(own),
        ));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let app = App::start(config, given);
        Self(Some(app.unwrap_or_else(|error| panic!("{error}"))))
    }

    fn app(&self) -> &App {
        self.0.as_ref().expect("running")
    }

    pub fn proxy(&self) -> SocketAddr {
        self.app().proxy_address()
    }

    /// Where TLS is spoken.
    pub fn tls(&self) -> SocketAddr {
        self.app().tls_address().expect("TLS")
    }

    pub fn admin(&self) -> SocketAddr {
        self.app().admin_address()
    }

    pub async fn get(&self, path: &str) -> Answer {
        client::get(self.proxy(), path).await
    }

    /// The value of a metric's sample, by the exact text of its name and labels; 0 when it is not there.
    pub async fn metric(&self, sample: &str) -> f64 {
        let exposition = client::get(self.admin(), "/metrics").await;
        let text = String::from_utf8(exposition.body.to_vec()).expect("text");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(app) = self.0.take() {
            // On a thread of its own: a drain waits for clients whose tasks run on this one.
            std::thread::spawn(move || app.stop());
        }
    }
}
