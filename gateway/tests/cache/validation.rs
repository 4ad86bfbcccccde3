//! Asking whether what is kept still holds, and answering who asks: RFC 9111, section 4.3.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_it_is_told_so() {
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    let origin = Origin::start(move |_, _| {
        says("max-age=3600")
            .with("etag", "\"a\"")
            .with("last-modified", modified)
            .with("x-own", "1")
    })
    .await;
    let gateway = gateway(&origin, "", "");
    // The first to ask has it already: told so, and the whole is kept for the others.
    let first = get(&gateway, "/x", &[("if-none-match", "\"a\"")]).await;
    assert_eq!((first.status, first.body.len()), (304, 0));
    assert!(!origin.last().headers.contains_key("if-none-match"));
    support::eventually("it is kept", || async {
        is_hit(&get(&gateway, "/x", &[]).await)
    })
    .await;
    for (condition, status) in [
        (("if-none-match", "W/\"a\""), 304),
        (("if-none-match", "\"b\", \"a\""), 304),
        (("if-none-match", "\"b\""), 200),
        (("if-modified-since", modified), 304),
        (("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT"), 200),
    ] {
        let answer = get(&gateway, "/x", &[condition]).await;
        assert_eq!(answer.status, status, "{condition:?}");
        assert_eq!(answer.header("etag"), Some("\"a\""));
        assert_eq!(answer.headers.contains_key("x-own"), status == 200);
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_holds_is_used_and_brought_up_to_date() {
    let origin = Origin::start(|request, before| {
        let asked = request
            .headers
            .get("if-none-match")
            .is_some_and(|tag| tag == "\"a\"");
        let reply = if asked {
            Reply::status(304)
        } else {
            Reply::new("body")
        };
        reply
            .with("cache-control", "no-cache")
            .with("etag", "\"a\"")
            .with("x-turn", &before.to_string())
    })
    .await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    for turn in ["1", "2"] {
        let answer = get(&gateway, "/x", &[]).await;
        assert_eq!(
            (answer.status, text(&answer), answer.header("x-turn")),
            (200, "body", Some(turn))
        );
        assert!(
            did(&answer).contains("; fwd=stale; fwd-status=304"),
            "{}",
            did(&answer)
        );
        assert_eq!(answer.header("content-length"), Some("4"));
    }
}

/// An origin whose answer to the first request is kept, and who answers 304 with `fields` to all others.
async fn origin_that_answers_304_with(fields: &'static [(&str, &str)]) -> Origin {
    Origin::start(move |_, before| {
        if before == 0 {
            let reply = Reply::new("body").with("etag", "\"a\"").with("x-turn", "0");
            return reply.with("cache-control", "max-age=0, stale-if-error=60");
        }
        let reply = Reply::status(304).with("cache-control", "max-age=3600");
        fields
            .iter()
            .fold(reply, |reply, (name, value)| reply.with(name, value))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_of_something_else_changes_nothing() {
    let origin = origin_that_answers_304_with(&[("etag", "\"b\""), ("x-turn", "1")]).await;
    let gateway = gateway(&origin, "", "");
    for _ in 0..3 {
        let answer = get(&gateway, "/x", &[]).await;
        assert_eq!((answer.status, text(&answer)), (200, "body"));
        assert_eq!(answer.header("etag"), Some("\"a\""));
        assert_eq!(answer.header("x-turn"), Some("0"));
    }
    assert_eq!(
        origin.count(),
        3,
        "what the 304 did not speak of is not fresh"
    );
    assert_eq!(origin.last().headers["if-none-match"], "\"a\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_a_304_sets_is_its_clients_alone() {
    let cookie = "session=of-one";
    let origin = origin_that_answers_304_with(&[("set-cookie", "session=of-one")]).await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    let whole = get(&gateway, "/x", &[]).await;
    assert_eq!((whole.status, text(&whole)), (200, "body"));
    assert_eq!(whole.header("set-cookie"), Some(cookie));
    let nothing = get(&gateway, "/x", &[("if-none-match", "\"a\"")]).await;
    assert_eq!(nothing.status, 304);
    assert_eq!(nothing.header("set-cookie"), Some(cookie));
    assert_eq!(origin.count(), 3);
    // Whom the origin did not answer gets none.
    origin.answer(|_, _| Reply::status(503));
    let stale = get(&gateway, "/x", &[]).await;
    assert_eq!((stale.status, text(&stale)), (200, "body"));
    assert_eq!(stale.header("set-cookie"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_when_it_came_is_told_that_it_has_it() {
    let origin = Origin::start(|_, _| says("max-age=3600")).await;
    let gateway = gateway(&origin, "", "");
    let date = get(&gateway, "/x", &[]).await;
    let date = date.header("date").unwrap().to_owned();
    for (since, status) in [(&*date, 304), ("Sun, 06 Nov 1994 08:49:36 GMT", 200)] {
        let answer = get(&gateway, "/x", &[("if-modified-since", since)]).await;
        assert_eq!(answer.status, status, "{since}");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_holds_is_replaced() {
    let origin = Origin::start(|_, before| {
        Reply::new(before.to_string())
            .with("cache-control", "max-age=0")
            .with("etag", &format!("\"{before}\""))
    })
    .await;
    let gateway = gateway(&origin, "", "");
    for body in ["0", "1", "2"] {
        assert_eq!(text(&get(&gateway, "/x", &[]).await), body);
    }
    assert_eq!(origin.last().headers["if-none-match"], "\"1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_is_asked_for_where_there_is_no_tag() {
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    let origin = Origin::start(
        move |request, _| match request.headers.get("if-modified-since") {
            Some(_) => Reply::status(304).with("cache-control", "max-age=3600"),
            None => says("max-age=0").with("last-modified", modified),
        },
    )
    .await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    let second = get(&gateway, "/x", &[]).await;
    assert_eq!((second.status, text(&second)), (200, "body"));
    assert_eq!(origin.last().headers["if-modified-since"], modified);
    // The 304 made it fresh.
    assert!(is_hit(&get(&gateway, "/x", &[]).await));
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_must_ask_do_not_wait_for_each_other() {
    let slow = Duration::from_millis(200);
    let origin =
        Origin::start(move |_, _| says("no-cache").with("etag", "\"a\"").after(slow)).await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    let all = (0..20).map(|_| get(&gateway, "/x", &[]));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status, 200);
    }
    // One after another there would never be more than one.
    assert!(origin.busiest() > 1, "{}", origin.busiest());
}
