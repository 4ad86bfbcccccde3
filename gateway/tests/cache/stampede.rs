//! Many who miss at once: one asks, in the process and in the fleet.

use super::*;

/// Connections to each replica, all at once: a thousand and two on three replicas.
const CONNECTIONS: usize = 334;
/// Requests on all of a replica's: each connection carries three, one after another.
const EACH: usize = 3 * CONNECTIONS;

async fn rush(gateway: &Gateway, path: &str, each: usize) -> Vec<Answer> {
    let count = CONNECTIONS.min(each);
    let connections = (0..count).map(|_| async {
        let mut client = client::Client::connect(gateway.proxy()).await;
        let mut answers = Vec::new();
        for _ in 0..each / count {
            answers.push(client.get(path).await);
        }
        answers
    });
    let answers = futures_util::future::join_all(connections).await;
    answers.into_iter().flatten().collect()
}

async fn one_asks(world: World) {
    let slow = Duration::from_millis(500);
    let origin = Origin::start(move |_, _| says("max-age=3600").after(slow)).await;
    let [a, b, c] = world
        .replicas(&origin, "", "[cache]\nfill_timeout = \"30s\"\n")
        .await;
    let all = tokio::join!(
        rush(&a, "/x", EACH),
        rush(&b, "/x", EACH),
        rush(&c, "/x", EACH)
    );
    for answers in [all.0, all.1, all.2] {
        assert_eq!(answers.len(), EACH);
        assert!(answers.iter().all(|answer| text(answer) == "body"));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_on_three_replicas_one_asks() {
    one_asks(World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_on_three_embedded_replicas_one_asks() {
    one_asks(World::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_kept_hold_up_nobody() {
    let slow = Duration::from_millis(200);
    let origin = Origin::start(move |_, _| says("no-store").after(slow)).await;
    let world = World::redis().await;
    let [a, b] = world.replicas(&origin, "", "").await;
    let all = tokio::join!(rush(&a, "/x", 100), rush(&b, "/x", 100));
    assert_eq!(all.0.len() + all.1.len(), 200);
    assert_eq!(origin.count(), 200);
    // One after another there would never be more than two, one of each replica.
    assert!(origin.busiest() > 2, "{}", origin.busiest());
}

/// Who asks for all goes away before there is an answer: another asks, and nobody waits out a deadline.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_hands_the_turn_on() {
    let origin = Origin::start(|_, before| {
        let delay = if before == 0 {
            Duration::from_secs(60)
        } else {
            Duration::ZERO
        };
        says("max-age=3600").after(delay)
    })
    .await;
    let world = World::redis().await;
    let [a, b] = world
        .replicas(&origin, "", "[cache]\nfill_timeout = \"30s\"\n")
        .await;
    let first = tokio::spawn(client::get(a.proxy(), "/x"));
    support::eventually("it is asked", || async { origin.count() == 1 }).await;
    let begun = tokio::time::Instant::now();
    let others = [&a, &b].map(|one| tokio::spawn(client::get(one.proxy(), "/x")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(origin.count(), 1);
    first.abort();
    for other in others {
        assert_eq!(text(&other.await.unwrap()), "body");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(origin.count(), 2);
}

/// A client that reads slowly, or not at all, does not hold up those who wait for the same answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_nobody() {
    let body = vec![b'x'; 900_000];
    let origin =
        Origin::start(move |_, _| Reply::new(body.clone()).with("cache-control", "max-age=3600"))
            .await;
    let gateway = gateway(&origin, "", "[cache]\nfill_timeout = \"30s\"\n");
    let mut slow = client::Client::connect(gateway.proxy()).await;
    let unread = slow.send(client::request(Method::GET, "/x", &[])).await;
    let begun = tokio::time::Instant::now();
    let answer = get(&gateway, "/x", &[]).await;
    assert_eq!(answer.body.len(), 900_000);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(origin.count(), 1);
    assert_eq!(Answer::read(unread).await.body.len(), 900_000);
}
