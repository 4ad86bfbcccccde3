//! Who is not counted.

use crate::{World, route, sha256};

#[tokio::test]
async fn networks_keys_and_subjects_can_be_exempt() {
    let keys: String = ["alice", "probe"]
        .map(|id| format!("[[keys]]\nid = \"{id}\"\nsha256 = \"{}\"\n", sha256(id)))
        .concat();
    let text = format!(
        "[auth.keys]\napi_keys = {{ file = \"DIR/keys\" }}\n\
         [limits.each]\ncapacity = 1\nrefill = \"1/1h\"\nkey = \"header:x-tenant\"\nexempt = {{ addresses = [\"192.0.2.0/24\"], keys = [\"internal\"], subjects = [\"probe\"] }}\n\
         [limits.all]\ncapacity = 100\nrefill = \"1/1h\"\nkey = \"global\"\n{}",
        route("\"keys\"", "\"each\", \"all\"")
    );
    let world = World::start(&[("keys", &keys)], &text).await;
    let plain = [("x-api-key", "alice"), ("x-tenant", "one")];
    assert_eq!(world.status(&plain).await, 200);
    assert_eq!(world.status(&plain).await, 429);
    for exempt in [
        [("x-api-key", "alice"), ("x-forwarded-for", "192.0.2.7")],
        [("x-api-key", "alice"), ("x-tenant", "internal")],
        [("x-api-key", "probe"), ("x-tenant", "one")],
    ] {
        for _ in 0..3 {
            let answer = world.get("/a", &exempt).await;
            assert_eq!(answer.status, 200, "{exempt:?}");
            let announced = answer.header("ratelimit-policy").unwrap();
            assert!(
                !announced.contains("each") && announced.contains("all"),
                "{announced}"
            );
        }
    }
}
