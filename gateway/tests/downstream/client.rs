//! A client of HTTP/2 that sends what it is told to and hears everything, trailers and resets too.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A connection.
pub(crate) struct Client {
    pub(crate) sender: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }

    pub(crate) async fn read(response: Response<RecvStream>) -> Result<Self, h2::Error> {
        let (head, mut stream) = response.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        Ok(Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            trailers: stream.trailers().await?,
        })
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    pub(crate) async fn over<T>(stream: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        Self {
            sender: sender.ready().await.unwrap(),
            connection: tokio::spawn(connection),
        }
    }

    /// A request with a body, if any, and trailers, if any.
    pub(crate) async fn send(
        &self,
        request: Request<()>,
        body: &[&[u8]],
        trailers: Option<HeaderMap>,
    ) -> Result<Answer, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let ends = body.is_empty() && trailers.is_none();
        let (response, mut stream) = sender.send_request(request, ends)?;
        for (place, piece) in body.iter().enumerate() {
            let last = place + 1 == body.len() && trailers.is_none();
            // What is refused early need not be sent.
            if stream
                .send_data(Bytes::copy_from_slice(piece), last)
                .is_err()
            {
                break;
            }
        }
        if let Some(trailers) = trailers {
            stream.send_trailers(trailers)?;
        }
        Answer::read(response.await?).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, h2::Error> {
        self.send(request(Method::GET, path, &[]), &[], None).await
    }
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let uri = format!("http://api.example{path}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}
