//! Names and passwords.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{World, route};

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test]
async fn a_user_comes_in_with_the_right_password() {
    let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
    let users = format!(
        "# people\nalice:{}\n\nbob:{}\n",
        hash("open: sesame"),
        hash("b")
    );
    let text = format!(
        "[auth.door]\nbasic = {{ file = \"DIR/users\" }}\n{}",
        route("\"door\"", "")
    );
    let world = World::start(&[("users", &users)], &text).await;
    for _ in 0..3 {
        let good = basic("alice:open: sesame");
        assert_eq!(world.status(&[("authorization", &good)]).await, 200);
        assert_eq!(
            world.told("x-authenticated-subject").as_deref(),
            Some("alice")
        );
        assert_eq!(world.told("authorization"), None);
    }
    let long = format!("bob:b{}", "\0".repeat(100));
    for bad in ["alice:wrong", "alice:b", "carol:b", "alice", ":", &long] {
        let answer = world.get("/a", &[("authorization", &basic(bad))]).await;
        assert_eq!(answer.status, 401, "{bad}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some("Basic realm=\"door\", charset=\"UTF-8\""));
    }
    assert_eq!(world.status(&[("authorization", "Basic ???")]).await, 401);
    assert_eq!(world.mock.recorder().count(), 3);
}
