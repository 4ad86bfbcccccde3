//! A route to several upstreams: by weight, and the same one again for whoever is recognised.

use http::Method;

use crate::origin::{Origin, ok};
use crate::support::client::{Answer, Client, request};
use crate::support::gateway::Gateway;

async fn origins() -> (Origin, Origin) {
    let named = |name: &'static str| Origin::start(move |_| ok(&[("x-upstream", name)], name));
    (named("stable").await, named("canary").await)
}

fn split(stable: &Origin, canary: &Origin, weights: [u32; 2], more: &str) -> Gateway {
    let [one, other] = weights;
    let text = format!(
        r#"
[upstreams.stable]
endpoints = ["{}"]
[upstreams.canary]
endpoints = ["{}"]
[[routes]]
name = "api"
path = "/{{*rest}}"
split = [{{ upstream = "stable", weight = {one} }}, {{ upstream = "canary", weight = {other} }}]
{more}
"#,
        stable.url(),
        canary.url()
    );
    Gateway::from_file("", &text)
}

async fn ask(client: &mut Client, headers: &[(&str, &str)]) -> Answer {
    Answer::read(client.send(request(Method::GET, "/x", headers)).await).await
}

#[tokio::test]
async fn requests_are_divided_by_weight() {
    let (stable, canary) = origins().await;
    let gateway = split(&stable, &canary, [3, 1], "");
    let mut client = Client::connect(gateway.proxy()).await;
    for _ in 0..400 {
        assert_eq!(ask(&mut client, &[]).await.status, 200);
    }
    // 100 are expected: this misses once in 10^9 runs or so.
    assert!((45..=160).contains(&canary.count()), "{}", canary.count());
    assert_eq!(stable.count() + canary.count(), 400);
    let counted = gateway.metric("gateway_split_requests_total{route=\"api\",upstream=\"canary\"}");
    assert_eq!(counted.await as usize, canary.count());
    let none = split(&stable, &canary, [1, 0], "");
    let before = canary.count();
    let mut client = Client::connect(none.proxy()).await;
    for _ in 0..50 {
        ask(&mut client, &[]).await;
    }
    assert_eq!(canary.count(), before);
}

#[tokio::test]
async fn a_cookie_keeps_a_client_where_it_was_first_sent() {
    let (stable, canary) = origins().await;
    let sticky = "sticky = \"cookie:gw\"";
    let gateways = [
        split(&stable, &canary, [1, 1], sticky),
        split(&stable, &canary, [1, 1], sticky),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let mut client = Client::connect(gateways[0].proxy()).await;
        let first = ask(&mut client, &[]).await;
        let set = first.header("set-cookie").unwrap().to_owned();
        assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
        let pair = set.split(';').next().unwrap();
        assert!(pair.starts_with("gw="), "{pair}");
        let upstream = first.header("x-upstream").unwrap().to_owned();
        let jar = format!("a=1; {pair}; gwx=2");
        // Every replica chooses alike: nothing but the cookie decides.
        for gateway in &gateways {
            let mut client = Client::connect(gateway.proxy()).await;
            for _ in 0..3 {
                let again = ask(&mut client, &[("cookie", &jar)]).await;
                assert_eq!(again.header("x-upstream"), Some(&*upstream));
                assert_eq!(again.header("set-cookie"), None);
            }
        }
        seen.insert(upstream);
    }
    assert_eq!(seen.len(), 2, "both upstreams were chosen");
}

#[tokio::test]
async fn a_header_or_the_address_keeps_a_client_too() {
    let (stable, canary) = origins().await;
    let by_header = split(&stable, &canary, [1, 1], "sticky = \"header:x-tenant\"");
    let mut client = Client::connect(by_header.proxy()).await;
    let mut seen = std::collections::BTreeSet::new();
    for tenant in 0..30 {
        let tenant = tenant.to_string();
        let headers = [("x-tenant", &*tenant)];
        let first = ask(&mut client, &headers).await.body;
        for _ in 0..3 {
            assert_eq!(ask(&mut client, &headers).await.body, first);
        }
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2);
    let by_address = split(&stable, &canary, [1, 1], "sticky = \"client\"");
    let mut client = Client::connect(by_address.proxy()).await;
    let first = ask(&mut client, &[]).await.body;
    for _ in 0..20 {
        assert_eq!(ask(&mut client, &[]).await.body, first);
    }
}
