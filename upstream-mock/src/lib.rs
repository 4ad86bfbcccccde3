//! An upstream that misbehaves on request: for tests, demos and load.
//!
//! Guarantees: real sockets, real HTTP/1.1 and HTTP/2 without TLS; flat memory however large a body is, in either direction; every wait
//! ends within [`LONGEST_WAIT`], apart from `/hang`, which is there to never end; a dropped [`Mock`] takes its
//! listener and its connections with it. Must not: know anything about the gateway in front of it.
//!
//! | asked for | answered |
//! |---|---|
//! | `GET /health` | 200 `{"status":"healthy"}`, whatever else is failing |
//! | `POST /simulate-failure`, `POST /simulate-recovery` | from then on everything but these three answers 500, or normally again |
//! | `/ok` | 200 `{"status":"ok"}` |
//! | `/echo` | 200 with the request as it arrived: method, path, query, headers, body |
//! | `/status/{code}` | that status, 200 to 599 |
//! | `/slow?ms=1000` | 200, its head only after so long |
//! | `/hang` | nothing, ever |
//! | `/cut?bytes=2048&ms=20` | a head declaring so many bytes, half of them, and after a pause a TCP reset |
//! | `/reset` | a TCP reset instead of a response |
//! | `/early` | 413 before a byte of the request's body was read |
//! | `/flaky?rate=0.5` | 500 at that rate, else 200 |
//! | `/stream?chunks=10&ms=100` | a chunked body, a line every so often, the first at once |
//! | `/bytes/{n}` | exactly n bytes, at most 16 GiB |
//! | `/events?count=10&ms=100` | server-sent events, one every so often |
//! | `/ws` | a WebSocket that tells every message back |
//! | `content-type: application/grpc` | a gRPC call of any method that tells every message back; while failing, `UNAVAILABLE` |
//! | `POST /api/metrics` `{timestamp,value,type}` | 201, or 422 with the field at fault |
//! | `/api/metrics/summary?type=&period=` | `{type,period,count,average_value,average}` of what was stored; `metric_type` is `type` too |
//! | `POST /data` `{message}` | 200 with the message |
//! | `/api/external-data`, `/external`, `/downstream`, `/users` | a fixed JSON |
//! | `/sink` | 200 with the length of the body that was sent |
//! | anything else | 200 with what was asked: method, path, query, body length |
//!
//! Apart from `/early`, a request's body is read to its end before anything is answered. A parameter that makes no
//! sense is answered with 400 and its name; times and counts beyond their bound are cut down to it.

mod analytics;
mod behaviour;
mod body;
mod connection;
mod mock;
mod parameters;
mod recorder;
mod respond;
mod settings;
mod websocket;

pub use mock::{Mock, listen, serve};
pub use parameters::LONGEST_WAIT;
pub use recorder::{BODY_PREFIX, KEPT_REQUESTS, RecordedRequest, Recorder};
pub use settings::{Settings, SettingsError};
