//! What users of bigger gateways expect: `api-keys-and-plans`, `jwt`, `canary` and `websocket-grpc`; and that each file is short.

use futures_util::{SinkExt, StreamExt};
use http::Method;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use upstream_mock::{Mock, Settings};

use crate::stage::{Stage, StoreKind, on_both_stores, root};
use crate::support::client;

on_both_stores!(
    a_key_is_limited_by_its_plan,
    a_token_says_who_asks,
    a_canary_gets_its_share_and_its_testers,
    websockets_and_grpc_share_a_port,
);

async fn a_key_is_limited_by_its_plan(kind: StoreKind) {
    let stage = Stage::set("api-keys-and-plans", kind, &[]).await;
    let anonymous = stage.get("/hello").await;
    assert_eq!(anonymous.status, 401);
    assert!(anonymous.header("www-authenticate").is_some());
    let with = |key: &'static str| [("x-api-key", key)];
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let key = with("free-key-of-the-example");
        statuses.push(stage.ask(Method::GET, "/hello", &key).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    let pro = stage
        .ask(Method::GET, "/hello", &with("pro-key-of-the-example"))
        .await;
    assert_eq!(pro.status, 200);
    assert_eq!(pro.header("x-ratelimit-limit"), Some("1000"));
    assert_eq!(
        stage
            .ask(Method::GET, "/hello", &with("made up"))
            .await
            .status,
        401
    );
}

async fn a_token_says_who_asks(kind: StoreKind) {
    let stage = Stage::set("jwt", kind, &[]).await;
    assert_eq!(stage.get("/echo").await.status, 401);
    let secret = std::fs::read(root().join("examples/secrets/jwt-secret")).unwrap();
    let ends = gateway::telemetry::logs::unix_millis() / 1_000 + 600;
    let token = |audience: &str| {
        let claims = json!({
            "iss": "https://issuer.example", "aud": audience, "sub": "user-7", "exp": ends,
            "email": "user-7@example.org",
        });
        encode(
            &Header::default(),
            &claims,
            &EncodingKey::from_secret(&secret),
        )
        .unwrap()
    };
    let bearer = format!("Bearer {}", token("orders"));
    let headers = [
        ("authorization", &*bearer),
        ("x-user-email", "made@up.example"),
    ];
    for _ in 0..5 {
        let answer = stage.ask(Method::GET, "/echo", &headers).await;
        assert_eq!(answer.status, 200);
        let told = answer.json()["headers"].to_string();
        assert!(
            told.contains("user-7@example.org") && !told.contains("made@up"),
            "{told}"
        );
    }
    assert_eq!(stage.ask(Method::GET, "/echo", &headers).await.status, 429);
    let elsewhere = format!("Bearer {}", token("elsewhere"));
    let wrong = stage
        .ask(Method::GET, "/echo", &[("authorization", &elsewhere)])
        .await;
    assert_eq!(wrong.status, 401);
}

async fn a_canary_gets_its_share_and_its_testers(kind: StoreKind) {
    let canary = Mock::start(Settings::default()).await.unwrap();
    let more = [("GATEWAY__UPSTREAMS__CANARY__ENDPOINTS", canary.url())];
    let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
    let stage = Stage::set("canary", kind, &more).await;
    stage
        .ask(Method::GET, "/tester", &[("x-canary", "always")])
        .await;
    assert_eq!(canary.recorder().count(), 1);
    for user in 0..200 {
        let user = user.to_string();
        for _ in 0..2 {
            let path = format!("/user/{user}");
            stage.ask(Method::GET, &path, &[("x-user", &user)]).await;
        }
    }
    // Each stays with its own: whoever was seen here, was seen here twice.
    let share = canary.recorder().count() - 1;
    assert!(share > 0 && share < 80 && share % 2 == 0, "{share} of 400");
}

async fn websockets_and_grpc_share_a_port(kind: StoreKind) {
    // Both of the mock's protocols are at one address; the file names it as one of HTTP/2.
    let mock = Mock::start(Settings::default()).await.unwrap();
    let endpoint = mock.url().replacen("http", "h2c", 1);
    let stage = Stage::set("websocket-grpc", kind, &[("UPSTREAM_URL", &endpoint)]).await;
    let url = format!("ws://{}/ws", stage.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("hello")
    );
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let call = stage
        .call("/echo.Echo/Call", &headers, b"\0\0\0\0\x02hi")
        .await;
    assert_eq!((call.status, &call.body[..]), (200, &b"\0\0\0\0\x02hi"[..]));
    assert_eq!(client::get(stage.admin, "/readyz").await.status, 200);
}

#[test]
fn an_example_fits_on_a_page() {
    for file in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.lines().count() < 60, "{} is too long", path.display());
            let index = std::fs::read_to_string(root().join("examples/README.md")).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(index.contains(name), "examples/README.md lacks {name}");
        }
    }
}
