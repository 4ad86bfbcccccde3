//! One WebSocket, very many messages.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use upstream_mock::{Mock, Settings};

use crate::measure;
use crate::support::process::Process;

/// Messages under way at once.
const WINDOW: usize = 256;

#[tokio::test]
async fn every_message_of_very_many_comes_back_in_order() {
    let count = measure(10_000, 1_000_000);
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[]).await;
    let stream = TcpStream::connect(gateway.proxy).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let url = format!("ws://{}/proxy/ws", gateway.proxy);
    let (socket, _) = client_async(url, stream).await.unwrap();
    let (mut sink, mut source) = socket.split();
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(WINDOW));
    let free = std::sync::Arc::clone(&places);
    let sending = tokio::spawn(async move {
        for number in 0..count {
            free.acquire().await.unwrap().forget();
            let message = Message::text(number.to_string());
            // What is under way goes out at the latest when there is no place for more.
            sink.feed(message).await.unwrap();
            if free.available_permits() == 0 || number + 1 == count {
                sink.flush().await.unwrap();
            }
        }
        sink
    });
    for number in 0..count {
        let message = source.next().await.unwrap().unwrap();
        assert_eq!(message.to_text().unwrap(), number.to_string());
        places.add_permits(1);
    }
    let mut sink = sending.await.unwrap();
    sink.close().await.unwrap();
    assert!(source.next().await.unwrap().unwrap().is_close());
}
