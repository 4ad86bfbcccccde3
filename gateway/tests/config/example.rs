//! One configuration in both forms.

/// The shape of the file, with something in every section.
pub(crate) const EXAMPLE: &str = r#"
[server]
listen = "127.0.0.1:6000"
workers = 2
trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
metrics = false
name = "edge"
[admin]
listen = "127.0.0.1:9901"
[store]
url = "redis://127.0.0.1:6379"
prefix = "edge"
timeout = "20ms"
[log]
level = "gateway=debug,warn"
format = "text"
[upstreams.default]
endpoints = ["http://127.0.0.1:5001", "http://[::1]:5001"]
timeout = "10s"
circuit = { failures = 5, window = "60s", reset = "60s", probes = 1, quorum = 3, ratio = { threshold = 0.5, minimum = 20 }, slow = { duration = "2s", threshold = 1, minimum = 10 } }
[limits.per-client]
algorithm = "token_bucket"
key = "client"
capacity = 100
refill = "10/1m"
leases = true
on_store_failure = "deny"
[[routes]]
name = "proxy"
path = "/proxy/{*path}"
rewrite = "/{path}"
methods = ["GET", "POST"]
upstream = "default"
limits = ["per-client"]
retry = { attempts = 1 }
"#;

/// The same in YAML.
pub(crate) const EXAMPLE_YAML: &str = r#"
server:
  listen: 127.0.0.1:6000
  workers: 2
  trusted_proxies: [10.0.0.0/8, 192.0.2.1]
  metrics: false
  name: edge
admin:
  listen: "127.0.0.1:9901"
store:
  url: redis://127.0.0.1:6379
  url_file:
  prefix: edge
  timeout: 20ms
log: { level: "gateway=debug,warn", format: text }
upstreams:
  default:
    endpoints:
      - http://127.0.0.1:5001
      - "http://[::1]:5001"
    timeout: 10s
    circuit:
      failures: 5
      window: 60s
      reset: 60s
      probes: 1
      quorum: 3
      ratio: { threshold: 0.5, minimum: 20 }
      slow: { duration: 2s, threshold: 1, minimum: 10 }
limits:
  per-client:
    algorithm: token_bucket
    key: client
    capacity: 100
    refill: 10/1m
    leases: true
    on_store_failure: deny
routes:
  - name: proxy
    path: /proxy/{*path}
    rewrite: /{path}
    methods: [GET, POST]
    upstream: default
    limits: [per-client]
    retry: { attempts: 1 }
"#;
