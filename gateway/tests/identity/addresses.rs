//! Where requests are from.

use crate::{World, route};

#[tokio::test]
async fn who_is_not_on_the_list_stays_out_before_anything_else_is_asked() {
    let text = format!(
        "[auth.office]\naddresses = {{ allow = [\"192.0.2.0/24\", \"2001:db8::/32\"], deny = [\"192.0.2.66\"] }}\n[limits.each]\ncapacity = 1\nrefill = \"1/1h\"\nkey = \"global\"\n{}",
        route("\"office\"", "\"each\"")
    );
    let world = World::start(&[], &text).await;
    for stranger in ["203.0.113.9", "192.0.2.66", "2001:db9::1"] {
        let answer = world.get("/a", &[("x-forwarded-for", stranger)]).await;
        assert_eq!(answer.status, 403, "{stranger}");
        assert_eq!(answer.json()["title"], "Forbidden");
        assert_eq!(
            answer.header("ratelimit"),
            None,
            "refused before the limits"
        );
    }
    assert_eq!(
        world.status(&[("x-forwarded-for", "2001:db8::1")]).await,
        200,
        "no token was spent"
    );
    assert!((world.decisions("office", "denied").await - 3.0).abs() < 0.1);
}
