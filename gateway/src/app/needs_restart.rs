//! What cannot change while the process runs: its sockets, its threads, its store and where it writes.
//!
//! Guarantees: such a key keeps its old value and is named; everything else of the new configuration is left as it is. Must not: apply
//! anything.

use crate::config::Config;

/// Puts the values in force back where they cannot be exchanged. Returns the keys whose new value waits for a restart.
pub(super) fn keep(running: &Config, new: &mut Config) -> Vec<&'static str> {
    let mut waiting = Vec::new();
    let mut note = |key, differs: bool| {
        if differs {
            waiting.push(key);
        }
    };
    macro_rules! kept {
        ($($key:literal: $($field:ident).+;)*) => {$(
            note($key, running.$($field).+ != new.$($field).+);
            new.$($field).+.clone_from(&running.$($field).+);
        )*};
    }
    kept! {
        "server.listen": server.listen;
        "server.workers": server.workers;
        "server.backlog": server.backlog;
        "server.tcp_keepalive": server.tcp_keepalive;
        "admin.listen": admin.listen;
        "admin.token": admin.token;
        "store": store;
        "cache.memory": cache.memory;
        "cache.max_object": cache.max_object;
        "log.format": log.format;
        "traces": traces.export;
    }
    // Certificates and versions may change; whether TLS is spoken, and where, is a matter of sockets.
    let place = |config: &Config| config.server.tls.as_ref().map(|tls| tls.listen);
    if place(running) != place(new) {
        note("server.tls", true);
        new.server.tls.clone_from(&running.server.tls);
    }
    waiting
}
