//! Clients near or over their limit: what replicas tell of them, put together.
//!
//! Guarantees: bounded; who is refused comes first, then who has least left. Must not: leave the API: these are people's addresses.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

/// Clients shown of each limit.
pub const SHOWN: usize = 10;

/// One client under one limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientView {
    /// Who, as buckets are asked for.
    pub client: String,
    /// What it may still have, as the replica knows it that asked the store last.
    pub remaining: u64,
    /// Milliseconds until it has all of it again.
    pub full_after: u64,
    /// Milliseconds until it is no longer refused; 0 when it is not.
    pub retry_after: u64,
    /// Requests per second under the limit.
    pub requests: f64,
}

impl ClientView {
    /// The hotter is less.
    fn order(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (Reverse(one.retry_after > 0), one.remaining);
        let by_rate = other.requests.total_cmp(&self.requests);
        key(self).cmp(&key(other)).then(by_rate)
    }

    /// Of two replicas that know the same client, the one knows better that will see its bucket full later.
    fn add(&mut self, other: &Self) {
        let requests = self.requests + other.requests;
        if other.full_after > self.full_after {
            *self = other.clone();
        }
        self.requests = requests;
    }
}

/// Adds what another replica tells.
pub(super) fn merge(known: &mut Vec<ClientView>, others: &[ClientView]) {
    for other in others.iter().take(SHOWN) {
        match known.iter_mut().find(|one| one.client == other.client) {
            Some(same) => same.add(other),
            None => known.push(other.clone()),
        }
    }
    known.sort_by(ClientView::order);
    known.truncate(SHOWN);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, remaining: u64, full_after: u64, retry_after: u64) -> ClientView {
        ClientView {
            client: name.to_owned(),
            remaining,
            full_after,
            retry_after,
            requests: 1.0,
        }
    }

    #[test]
    fn the_refused_come_first_and_each_client_once() {
        let mut known = vec![client("a", 50, 100, 0), client("b", 2, 900, 0)];
        merge(&mut known, &[client("c", 9, 10, 5), client("a", 1, 700, 0)]);
        let told: Vec<_> = known
            .iter()
            .map(|one| (&*one.client, one.remaining))
            .collect();
        assert_eq!(told, [("c", 9), ("a", 1), ("b", 2)]);
        assert!((known[1].requests - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_flood_of_clients_stays_bounded() {
        let many: Vec<_> = (0..100).map(|n| client(&n.to_string(), n, 1, 0)).collect();
        let mut known = Vec::new();
        for part in many.chunks(7) {
            merge(&mut known, part);
        }
        assert_eq!((known.len(), known[0].remaining), (SHOWN, 0));
    }
}
