//! The keys of issuers that publish them: fetched beside the requests, in time and again.
//!
//! Guarantees: whatever goes wrong, the last good keys stay; an issuer is asked at most once in [`REST`], however many tokens with unknown
//! keys there are. Must not: believe keys that could not be read.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::proxy::settings::AuthKind;
use crate::proxy::{KeySource, Remote};
use crate::upstream::fetch::fetch;

/// The least between two looks at the same issuer, since the first that worked.
const REST: Duration = Duration::from_secs(10);
/// The same while nothing is known of it.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// The longest one look may take.
const LONGEST: Duration = Duration::from_secs(5);
/// The largest set of keys.
const LARGEST: usize = 256 * 1024;

/// Looks after every issuer of `config`. Never ends.
pub(super) async fn look_after(config: &Config) {
    let sources = config
        .proxy
        .auth
        .iter()
        .filter_map(|auth| match &auth.kind {
            AuthKind::Jwt(jwt) => {
                let place = jwt.keys.place()?;
                Some(follow(&auth.name, &jwt.keys, place))
            }
            _ => None,
        });
    join_all(sources).await;
    std::future::pending().await
}

/// Has `new` know the keys that `running` knows, where both fetch them in the same way: a reload must not make tokens unknown.
pub(super) fn keep_keys(running: &Config, new: &mut Config) {
    for auth in &mut new.proxy.auth {
        let known = running.proxy.auth.iter().find(|one| one.name == auth.name);
        if let (Some(AuthKind::Jwt(known)), AuthKind::Jwt(jwt)) =
            (known.map(|one| &one.kind), &mut auth.kind)
            && jwt.keys.place().is_some()
            && jwt.keys.place() == known.keys.place()
        {
            jwt.keys = Arc::clone(&known.keys);
        }
    }
}

async fn follow(name: &str, source: &Arc<KeySource>, place: &Remote) {
    let mut known = false;
    loop {
        known |= look(name, source, place).await;
        source.rest();
        let rest = if known { REST } else { IMPATIENCE };
        sleep(rest).await;
        source.rested();
        if known {
            let left = place.refresh.saturating_sub(rest);
            let _ = timeout(left, source.wanted()).await;
        }
    }
}

/// Whether the issuer's keys could be had.
async fn look(name: &str, source: &KeySource, place: &Remote) -> bool {
    let url = &place.url;
    let problem = match fetch(url, LARGEST, LONGEST).await {
        Ok(json) => match source.fetched(&json) {
            Ok(()) => return true,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(event = "jwks_not_fetched", auth = name, %url, %problem);
    false
}
