//! Who comes in: connections, TLS, authentication. Must not: know who records.

use prometheus::Registry;

use crate::telemetry::declare::family;
use crate::telemetry::family::Family;
use crate::telemetry::series::{Counter, Gauge};

/// Who comes in: connections, TLS, authentication.
#[derive(Debug)]
pub struct Entrance {
    /// `gateway_client_connections_ended_total{reason}`
    pub connections_ended: Family<Counter>,
    /// `gateway_tls_handshakes_total{result}`
    pub tls_handshakes: Family<Counter>,
    /// `gateway_tls_reloads_total{result}`
    pub tls_reloads: Family<Counter>,
    /// `gateway_tls_certificate_expiry_timestamp_seconds{name}`
    pub tls_expiry: Family<Gauge>,
    /// `gateway_auth_decisions_total{auth,result}`
    pub auth_decisions: Family<Counter>,
}

impl Entrance {
    /// All at zero.
    pub(super) fn declare(registry: &Registry) -> Self {
        Self {
            connections_ended: family(
                registry,
                "gateway_client_connections_ended_total",
                "Connections of clients that the gateway ended in self-defence, by why.",
                &["reason"],
            ),
            tls_handshakes: family(
                registry,
                "gateway_tls_handshakes_total",
                "TLS handshakes with clients, by result.",
                &["result"],
            ),
            tls_reloads: family(
                registry,
                "gateway_tls_reloads_total",
                "Readings of changed certificates, by result.",
                &["result"],
            ),
            tls_expiry: family(
                registry,
                "gateway_tls_certificate_expiry_timestamp_seconds",
                "When a certificate shown to clients ends, in seconds since 1970.",
                &["name"],
            ),
            auth_decisions: family(
                registry,
                "gateway_auth_decisions_total",
                "What a way to let requests in found out about them.",
                &["auth", "result"],
            ),
        }
    }
}
