//! The commands: what each prints, and with which code the process ends.

use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::{App, Given, StartError};
use crate::config::{self, Source};
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;

/// `EX_USAGE` of BSD's sysexits: the configuration cannot be used.
pub const BAD_CONFIGURATION: u8 = 64;
/// `EX_UNAVAILABLE`: a listener's address cannot be had.
pub const CANNOT_BIND: u8 = 69;
/// `EX_SOFTWARE`: the system refused something else.
pub const CANNOT_START: u8 = 70;

/// `gateway run`: serves until SIGTERM or SIGINT, then drains.
#[must_use]
pub fn run(source: &Source) -> ExitCode {
    let config = match config::load(source) {
        Ok(config) => config,
        Err(problems) => return complain(BAD_CONFIGURATION, &problems),
    };
    let metrics = Metrics::new();
    let logs = match logs::init(&config.log, metrics.log_lines_dropped.clone()) {
        Ok(logs) => logs,
        Err(error) => return complain(BAD_CONFIGURATION, &error),
    };
    for warning in &config.warnings {
        tracing::warn!(event = "configuration", "{warning}");
    }
    let given = Given {
        access: Some((logs.writer.clone(), logs.format)),
        source: Some(source.clone()),
        embedded: None,
        metrics: Some(metrics),
        level: Some(logs.level.clone()),
    };
    match App::start(config, &given) {
        Ok(app) => {
            tell_supervisor(&[NotifyState::Ready]);
            serve_until_stop(&app);
            tell_supervisor(&[NotifyState::Stopping]);
            app.stop();
            drop(logs.flush);
            ExitCode::SUCCESS
        }
        Err(error @ StartError::Bind { .. }) => complain(CANNOT_BIND, &error),
        Err(error @ (StartError::Store(_) | StartError::Tls(_))) => {
            complain(BAD_CONFIGURATION, &error)
        }
        Err(error @ StartError::Thread(_)) => complain(CANNOT_START, &error),
    }
}

/// Tells systemd, where it listens (`NOTIFY_SOCKET`); elsewhere nothing happens.
fn tell_supervisor(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(event = "supervisor_unreachable", %error);
    }
}

/// `gateway check`: every problem, or the effective configuration.
#[must_use]
pub fn check(source: &Source) -> ExitCode {
    match config::load(source) {
        Ok(config) => {
            for warning in &config.warnings {
                eprintln!("warning: {warning}");
            }
            say(config.effective());
            ExitCode::SUCCESS
        }
        Err(problems) => complain(BAD_CONFIGURATION, &problems),
    }
}

/// `gateway schema`: the JSON Schema of the configuration, or a table of its keys.
#[must_use]
pub fn schema(markdown: bool) -> ExitCode {
    if !markdown {
        say(&format!("{:#}\n", config::schema()));
        return ExitCode::SUCCESS;
    }
    match config::reference() {
        Ok(page) => {
            say(&page);
            ExitCode::SUCCESS
        }
        Err(problems) => complain(BAD_CONFIGURATION, &problems),
    }
}

/// Blocks until the process is asked to stop, and reloads when it is asked for that.
fn serve_until_stop(app: &App) {
    let reloads = app.reloads().clone();
    wait(async move || {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            return std::future::pending().await;
        };
        while hangup.recv().await.is_some() {
            // systemd's `Type=notify-reload` takes the next READY for the end of this reload, by the clock.
            let now = NotifyState::monotonic_usec_now().ok();
            let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(now).collect();
            tell_supervisor(&states);
            // What came of it is in the log, the metrics and the API.
            let _ = reloads.ask("signal").await;
            tell_supervisor(&[NotifyState::Ready]);
        }
    });
}

/// Blocks until the process is asked to stop. A signal that cannot be listened for leaves the others.
pub(super) fn wait_for_stop() {
    wait(async || std::future::pending().await);
}

/// Blocks until the process is asked to stop, doing `work` meanwhile.
fn wait(work: impl AsyncFnOnce()) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = work() => {}
        }
    });
}

/// Prints what a command was asked for. A reader that has gone wants nothing more.
pub(super) fn say(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

pub(super) fn complain(code: u8, problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(code)
}
