//! A name is all its addresses, as long as it says so.

use std::net::{Ipv4Addr, SocketAddr};

use upstream_mock::{Mock, Settings};

use crate::dns::{Server, Zone};
use crate::support::eventually;
use crate::{Gateway, ask_often, counts, file, member};

const NAME: &str = "service.gateway.test";

fn loopback(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, number)
}

/// Mocks on one port and addresses of their own, as pods have them.
async fn pods(count: u8) -> (u16, Vec<Mock>) {
    'port: loop {
        let first: SocketAddr = (loopback(1), 0).into();
        let first = Mock::bind(first, Settings::default()).await.unwrap();
        let port = first.addr().port();
        let mut pods = vec![first];
        for number in 2..=count {
            let address = (loopback(number), port).into();
            match Mock::bind(address, Settings::default()).await {
                Ok(mock) => pods.push(mock),
                Err(_) => continue 'port,
            }
        }
        return (port, pods);
    }
}

fn gateway(port: u16, dns: &Server, more: &str) -> Gateway {
    file(&format!(
        r#"
        endpoints = ["http://{NAME}:{port}"]
        dns = {{ servers = ["{}"], timeout = "20s" }}
        {more}
        "#,
        dns.address
    ))
}

async fn knows(gateway: &Gateway, address: Ipv4Addr, port: u16) -> bool {
    member(gateway, (address, port).into()).await != serde_json::Value::Null
}

#[tokio::test]
async fn every_address_is_an_endpoint_and_changes_are_followed() {
    let (port, pods) = pods(3).await;
    let dns = Server::start(Zone::Addresses(vec![loopback(1), loopback(2)], 1)).await;
    let gateway = gateway(port, &dns, "");
    eventually("it is resolved", async || {
        knows(&gateway, loopback(2), port).await
    })
    .await;
    assert_eq!(ask_often(&gateway, 20).await, 20);
    assert_eq!(counts(&pods), [10, 10, 0]);
    // The host is the name's, whatever the address.
    let seen = pods[0].recorder().last().unwrap();
    assert_eq!(seen.headers["host"], format!("{NAME}:{port}"));

    dns.set(Zone::Addresses(vec![loopback(2), loopback(3)], 1));
    eventually("the third is known", async || {
        knows(&gateway, loopback(3), port).await
    })
    .await;
    assert_eq!(ask_often(&gateway, 20).await, 20);
    assert_eq!(counts(&pods), [10, 20, 10]);
    assert!(!knows(&gateway, loopback(1), port).await);
    let exposition = crate::support::client::get(gateway.admin(), "/metrics").await;
    let text = String::from_utf8(exposition.body.to_vec()).unwrap();
    assert!(
        !text.contains(&format!("endpoint=\"127.0.0.1:{port}\"")),
        "its series are gone"
    );
    assert!(text.contains(&format!("endpoint=\"127.0.0.3:{port}\"")));
}

#[tokio::test]
async fn a_name_that_is_lost_keeps_its_last_addresses() {
    let (port, pods) = pods(2).await;
    let dns = Server::start(Zone::Addresses(vec![loopback(1), loopback(2)], 1)).await;
    let gateway = gateway(port, &dns, "");
    eventually("it is resolved", async || {
        knows(&gateway, loopback(2), port).await
    })
    .await;
    dns.set(Zone::Nothing);
    let asked = dns.asked();
    eventually("it is asked again", async || dns.asked() >= asked + 2).await;
    assert_eq!(ask_often(&gateway, 20).await, 20);
    assert_eq!(counts(&pods), [10, 10]);
}

#[tokio::test]
async fn a_name_that_is_not_there_yet_is_no_reason_not_to_start() {
    let (port, pods) = pods(1).await;
    let dns = Server::start(Zone::Nothing).await;
    let gateway = gateway(port, &dns, "");
    eventually("it is asked", async || dns.asked() > 0).await;
    assert_eq!(gateway.get("/ok").await.status, 502);
    dns.set(Zone::Addresses(vec![loopback(1)], 60));
    eventually("it is there", async || ask_often(&gateway, 1).await == 1).await;
    assert_eq!(counts(&pods), [1]);
}

#[tokio::test]
async fn a_long_time_to_live_is_bounded_by_the_refresh() {
    let (port, _pods) = pods(2).await;
    let dns = Server::start(Zone::Addresses(vec![loopback(1)], 3_600)).await;
    let text = format!(
        "endpoints = [\"http://{NAME}:{port}\"]\ndns = {{ refresh = \"1s\", timeout = \"20s\", servers = [\"{}\"] }}",
        dns.address
    );
    let gateway = file(&text);
    eventually("it is resolved", async || {
        knows(&gateway, loopback(1), port).await
    })
    .await;
    dns.set(Zone::Addresses(vec![loopback(2)], 3_600));
    eventually("it is looked up again", async || {
        knows(&gateway, loopback(2), port).await
    })
    .await;
}
