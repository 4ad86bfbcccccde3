//! Floor 4: provisional.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
use crate::policy::circuit::{CircuitSpec, Quorum};
use crate::policy::token_bucket::BucketSpec;
use crate::policy::units::Micros;
use crate::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub struct Config {
    pub server: server::settings::Settings,
    pub admin: admin::settings::Settings,
    pub store: store::settings::Settings,
    pub log: telemetry::settings::Settings,
    pub upstreams: Vec<upstream::settings::Settings>,
    pub limits: Vec<limiter::settings::PolicySettings>,
    pub proxy: proxy::settings::Settings,
    pub warnings: Vec<String>,
}
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Config")
    }
}
impl Config {
    pub fn effective(&self) -> String {
        String::new()
    }
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problems(String);
pub struct Source(BTreeMap<String, String>);
impl Source {
    pub fn new(_: Option<PathBuf>, v: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(v.into_iter().collect())
    }
    pub fn from_process(p: Option<PathBuf>) -> Self {
        Self::new(p, std::env::vars())
    }
}
pub fn schema() -> serde_json::Value {
    serde_json::json!({})
}
pub fn load(s: &Source) -> Result<Config, Problems> {
    let get = |n: &str, d: &str| s.0.get(n).cloned().unwrap_or(d.to_owned());
    let up = s.0.get("UPSTREAM_URL").ok_or_else(|| Problems("UPSTREAM_URL".into()))?;
    let rate = format!("{}/{}s", get("RATE_LIMIT_REFILL_RATE", "10"), get("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "60"));
    let trusted: Vec<String> = serde_json::from_str(&get("GATEWAY__SERVER__TRUSTED_PROXIES", "[]")).unwrap();
    Ok(Config {
        server: server::settings::Settings {
            listen: get("GATEWAY__SERVER__LISTEN", "0.0.0.0:5000").parse().unwrap(),
            workers: get("GATEWAY__SERVER__WORKERS", "2").parse().unwrap(),
            metrics: get("GATEWAY__SERVER__METRICS", "true").parse().unwrap(),
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
        },
        admin: admin::settings::Settings { listen: get("GATEWAY__ADMIN__LISTEN", "127.0.0.1:9900").parse().unwrap() },
        store: store::settings::Settings {
            url: s.0.get("REDIS_URL").map(|u| store::settings::StoreUrl::parse(u).unwrap()),
            ..Default::default()
        },
        log: telemetry::settings::Settings { level: "info".into(), format: None, access: true },
        upstreams: vec![upstream::settings::Settings {
            name: "default".into(),
            endpoints: up
                .split(',')
                .map(|u| upstream::settings::EndpointSettings {
                    scheme: http::uri::Scheme::HTTP,
                    authority: u.trim_start_matches("http://").parse().unwrap(),
                })
                .collect(),
            timeout: Duration::from_secs_f64(get("UPSTREAM_TIMEOUT", "10").parse().unwrap()),
            connect_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(60),
            idle_connections: 128,
            keepalive: Duration::from_secs(60),
            circuit: CircuitSpec {
                failures: get("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "5").parse().unwrap(),
                window: Micros::from_secs(60),
                reset: Micros::from_secs(get("CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS", "60").parse().unwrap()),
                probes: 1,
                quorum: Quorum::Auto,
                ratio: None,
                slow: None,
            },
            failure_statuses: vec![500, 502, 503, 504],
        }],
        limits: vec![limiter::settings::PolicySettings {
            name: "per-client".into(),
            key: limiter::settings::KeySettings::Client,
            bucket: BucketSpec::new(get("RATE_LIMIT_CAPACITY", "100").parse().unwrap(), rate.parse().unwrap()).unwrap(),
            leases: true,
            lease_lifetime: Duration::from_millis(50),
            on_store_failure: limiter::settings::OnStoreFailure::Degrade,
            shadow: false,
        }],
        proxy: proxy::settings::Settings {
            routes: vec![proxy::settings::RouteSettings {
                name: "proxy".into(),
                path: "/proxy/{*path}".into(),
                rewrite: Some("/{path}".into()),
                methods: vec![],
                upstream: "default".into(),
                limits: vec!["per-client".into()],
                cost: 1,
                retry: proxy::settings::RetrySettings {
                    attempts: get("RETRY_MAX_ATTEMPTS", "1").parse().unwrap(),
                    initial_delay: Duration::from_millis(get("RETRY_INITIAL_DELAY_MS", "100").parse().unwrap()),
                    ..Default::default()
                },
            }],
            identity: proxy::settings::IdentitySettings {
                trusted_proxies: trusted.iter().map(|t| t.parse().unwrap()).collect(),
                ipv6_prefix: 64,
            },
            hop: get("GATEWAY__SERVER__NAME", "gateway"),
        },
        warnings: vec![],
    })
}
