//! Much, both ways, in every version of HTTP, and little memory.

use crate::curl::{House, curl};
use crate::measure;

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn whatever_streams_through_takes_little_memory() {
    let size = measure(48 * MIB, 1 << 30);
    let house = House::new(&[]).await;
    let root = house.root();
    let down = format!("/proxy/bytes/{size}");
    for flag in ["--http1.1", "--http2-prior-knowledge", "--http2"] {
        let (from, to) = match flag {
            "--http2" => (
                house.encrypted(&down).await,
                house.encrypted("/proxy/sink").await,
            ),
            _ => (house.clear(&down), house.clear("/proxy/sink")),
        };
        let said = curl(&[flag, "--cacert", &root, "-o", "/dev/null", &from], "").await;
        let (status, _, received, _) = said.last();
        assert_eq!((status, received), (200, size), "{flag} {said:?}");
        let input = format!("head -c {size} /dev/zero |");
        let said = curl(
            &[flag, "--cacert", &root, "-H", "Expect:", "-T", "-", &to],
            &input,
        )
        .await;
        assert_eq!(said.last().0, 200, "{flag} {said:?}");
        let upstream = house.mock.recorder().last().unwrap();
        assert_eq!(upstream.body_length, size, "{flag}");
        let peak = house.gateway.peak_memory();
        println!("{size} bytes each way, {flag}: at most {} MiB", peak / MIB);
        assert!(peak < 64 * MIB, "{flag}: {} MiB", peak / MIB);
    }
}
