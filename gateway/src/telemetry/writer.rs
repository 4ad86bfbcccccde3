//! The way from a log line to standard output: a bounded queue and a thread of its own.
//!
//! Guarantees: a recording thread never waits for the reader of the log; lines that do not fit are dropped and counted; what
//! was queued is written before [`Flush`] is dropped, if somebody reads it. Must not: format anything.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::series::Counter;

/// Chunks that may wait for the reader; at the access log's 16 KiB each 16 MiB.
const QUEUE: usize = 1_024;
/// The longest that the end waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the end looks whether all is written.
const STEP: Duration = Duration::from_millis(10);

/// A handle that takes whole lines.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: SyncSender<Vec<u8>>,
    dropped: Arc<Counter>,
}

/// Waits, when dropped, until everything queued is written, but no longer than [`PATIENCE`] for a reader that stands still. Drop every [`Writer`] first or it returns at once.
#[derive(Debug)]
pub struct Flush {
    queue: SyncSender<Vec<u8>>,
    /// Disconnected once the writing thread has ended.
    ended: Receiver<()>,
    patience: Duration,
}

impl Writer {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        dropped: Arc<Counter>,
    ) -> io::Result<(Self, Flush)> {
        let (queue, lines) = sync_channel(QUEUE);
        let (ending, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                drain(&lines, output);
                drop(ending);
            })?;
        let flush = Flush {
            queue: queue.clone(),
            ended,
            patience: PATIENCE,
        };
        Ok((Self { queue, dropped }, flush))
    }

    /// Queues `lines`, each ended by a newline.
    pub fn send(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) =
            self.queue.try_send(lines)
        {
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            self.dropped.add(count as u64);
        }
    }
}

/// An empty chunk is the end: handles may outlive the process's wish to stop.
fn drain(lines: &Receiver<Vec<u8>>, mut output: impl Write) {
    while let Ok(chunk) = lines.recv() {
        if chunk.is_empty()
            || output
                .write_all(&chunk)
                .and_then(|()| output.flush())
                .is_err()
        {
            return;
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut is_told = false;
        for _ in 0..self.patience.as_millis() / STEP.as_millis() {
            // There is no room for the word while the queue is full.
            is_told = is_told || self.queue.try_send(Vec::new()).is_ok();
            if self.ended.recv_timeout(STEP) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }
}

/// Collects one event of the `tracing` formatter and queues it whole.
#[derive(Debug)]
pub struct Line {
    text: Vec<u8>,
    writer: Writer,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.writer.send(std::mem::take(&mut self.text));
        }
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            text: Vec::with_capacity(256),
            writer: self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_queued_is_written_before_the_end() {
        let output = Shared::default();
        let (writer, flush) = Writer::start(output.clone(), Arc::default()).unwrap();
        for line in 0..100 {
            writer.send(format!("{line}\n").into_bytes());
        }
        drop(flush);
        assert_eq!(
            output
                .0
                .lock()
                .unwrap()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
            100
        );
    }

    #[test]
    fn a_slow_reader_costs_lines_and_never_time() {
        struct Stuck(Arc<Mutex<()>>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                drop(self.0.lock());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (gate, dropped) = (Arc::new(Mutex::new(())), Arc::new(Counter::default()));
        let held = gate.lock().unwrap();
        let (writer, mut flush) =
            Writer::start(Stuck(Arc::clone(&gate)), Arc::clone(&dropped)).unwrap();
        flush.patience = STEP;
        for _ in 0..QUEUE + 50 {
            writer.send(b"line\n".to_vec());
        }
        assert!(dropped.get() >= 49);
        // It ends although nobody reads.
        drop(flush);
        drop(held);
    }
}
