//! Keys that an issuer publishes: from a file, from a URL, and when they change.

use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::service::{Service, answer};
use crate::support::eventually;
use crate::tokens::{bearer, jwks};
use crate::{World, route};

fn published(keys: &[(&str, Algorithm)]) -> String {
    answer("200 OK", "Content-Type: application/json\r\n", &jwks(keys))
}

fn from(source: &str) -> String {
    format!(
        "[auth.tokens]\njwt = {{ {source}, algorithms = [\"RS256\", \"ES256\"], audience = \"api\" }}\n{}",
        route("\"tokens\"", "")
    )
}

#[tokio::test]
async fn a_file_may_hold_keys_of_several_kinds() {
    let set = jwks(&[
        ("r", Algorithm::RS256),
        ("e", Algorithm::ES256),
        ("d", Algorithm::EdDSA),
    ]);
    let world = World::start(&[("jwks", &set)], &from("jwks_file = \"DIR/jwks\"")).await;
    for (algorithm, kid, status) in [
        (Algorithm::RS256, Some("r"), 200),
        (Algorithm::ES256, Some("e"), 200),
        (Algorithm::ES256, None, 200),
        (Algorithm::RS256, Some("e"), 401),
        (Algorithm::RS256, Some("unknown"), 401),
        (Algorithm::EdDSA, Some("d"), 401),
    ] {
        let token = bearer(algorithm, kid, &json!({}));
        let said = world.status(&[("authorization", &token)]).await;
        assert_eq!(said, status, "{algorithm:?} {kid:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_when_it_is_first_seen_and_an_old_one_ends() {
    let issuer = Service::start(published(&[("old", Algorithm::RS256)])).await;
    let source = format!("jwks_url = \"{}/keys\", refresh = \"10s\"", issuer.url());
    let world = World::start(&[], &from(&source)).await;
    let old = bearer(Algorithm::RS256, Some("old"), &json!({}));
    let new = bearer(Algorithm::ES256, Some("new"), &json!({}));
    eventually("the keys are here", || async {
        world.status(&[("authorization", &old)]).await == 200
    })
    .await;
    issuer.says(published(&[("new", Algorithm::ES256)]));
    eventually("the new key is believed", || async {
        world.status(&[("authorization", &new)]).await == 200
    })
    .await;
    assert_eq!(
        world.status(&[("authorization", &old)]).await,
        401,
        "also what was remembered ends"
    );
    assert!(issuer.asked() <= 4, "asked {} times", issuer.asked());
    // The last good keys stay, whatever the issuer says.
    issuer.says(answer("500 Oops", "", ""));
    let foreign = bearer(Algorithm::RS256, Some("foreign"), &json!({}));
    assert_eq!(world.status(&[("authorization", &foreign)]).await, 401);
    assert_eq!(world.status(&[("authorization", &new)]).await, 200);
}

#[tokio::test]
async fn without_any_keys_nobody_can_say() {
    let issuer = Service::start(answer("200 OK", "", "not keys")).await;
    let source = format!("jwks_url = \"{}/keys\"", issuer.url());
    let world = World::start(&[], &from(&source)).await;
    let token = bearer(Algorithm::RS256, Some("r"), &json!({}));
    let refused = world.get("/a", &[("authorization", &token)]).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        world.status(&[]).await,
        401,
        "that nothing was shown can be said"
    );
    issuer.says(published(&[("r", Algorithm::RS256)]));
    eventually("the keys came", || async {
        world.status(&[("authorization", &token)]).await == 200
    })
    .await;
}
