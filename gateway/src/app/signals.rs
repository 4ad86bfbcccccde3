//! What is asked of the process from outside.
//!
//! Guarantees: a signal that comes while another is obeyed is obeyed after it. Must not: obey.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR2.
    Upgrade,
}

/// The signals this process listens for.
#[derive(Debug)]
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    successor: Signal,
}

impl Signals {
    /// From now on none of them ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        let successor = signal(SignalKind::user_defined2())?;
        drop(entered);
        Ok(Self {
            runtime,
            terminate,
            interrupt,
            hangup,
            successor,
        })
    }

    /// Blocks until something is asked for.
    pub(super) fn next(&mut self) -> Wanted {
        let Self {
            runtime,
            terminate,
            interrupt,
            hangup,
            successor,
        } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = terminate.recv() => Wanted::Stop,
                _ = interrupt.recv() => Wanted::Stop,
                _ = hangup.recv() => Wanted::Reload,
                _ = successor.recv() => Wanted::Upgrade,
            }
        })
    }

    /// Blocks until `work` is done.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// Blocks until the process is asked to stop. Where signals cannot be heard it is time to.
pub(super) fn wait_for_stop() {
    let Ok(mut signals) = Signals::listen() else {
        return;
    };
    while signals.next() != Wanted::Stop {}
}
