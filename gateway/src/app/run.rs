//! The commands: what each prints, and with which code the process ends.

use std::io;
use std::process::ExitCode;

use sd_notify::NotifyState;

use super::signals::{Signals, Wanted};
use super::upgrade::{Predecessor, Program};
use super::{App, Given, Inherited, StartError};
use crate::config::{self, Source};
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;

/// `EX_USAGE` of BSD's sysexits: the configuration cannot be used.
pub const BAD_CONFIGURATION: u8 = 64;
/// `EX_UNAVAILABLE`: a listener's address cannot be had.
pub const CANNOT_BIND: u8 = 69;
/// `EX_SOFTWARE`: the system refused something else.
pub const CANNOT_START: u8 = 70;

/// `gateway run`: serves until SIGTERM or SIGINT, then drains. SIGHUP reads the configuration again, SIGUSR2 starts the program again on the
/// same sockets.
#[must_use]
pub fn run(source: &Source) -> ExitCode {
    // First of all: it looks at the environment, and there is one thread yet.
    let inherited = Inherited::take();
    let config = match config::load(source) {
        Ok(config) => config,
        Err(problems) => return complain(BAD_CONFIGURATION, &problems),
    };
    let metrics = Metrics::new();
    let logs = match logs::init(&config.log, metrics.process.log_lines_dropped.clone()) {
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
    let mut inherited = match inherited {
        Ok(inherited) => inherited,
        Err(error) => return complain(CANNOT_BIND, &format!("inherited sockets: {error}")),
    };
    let outcome = App::start_with(config, &given, &mut inherited);
    let served = outcome.map(|app| serve(app, inherited.predecessor()));
    drop(logs.flush);
    match served {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => complain(CANNOT_START, &error),
        Err(error @ StartError::Bind { .. }) => complain(CANNOT_BIND, &error),
        Err(error @ (StartError::Store(_) | StartError::Tls(_))) => {
            complain(BAD_CONFIGURATION, &error)
        }
        Err(error @ StartError::Thread(_)) => complain(CANNOT_START, &error),
    }
}

/// Serves until it is over: a signal, or a successor.
fn serve(app: App, predecessor: Option<Predecessor>) -> io::Result<()> {
    // Before anybody hears that this process is ready: a signal would end it until then.
    let mut signals = Signals::listen()?;
    let program = Program::own()?;
    if let Some(predecessor) = predecessor
        && let Err(error) = predecessor.relieve()
    {
        app.stop();
        return Err(error);
    }
    tell_supervisor(&[NotifyState::Ready]);
    loop {
        match signals.next() {
            Wanted::Stop => {
                tell_supervisor(&[NotifyState::Stopping]);
                app.stop();
                return Ok(());
            }
            Wanted::Reload => reload(&app, &signals),
            Wanted::Upgrade => match app.succeed(&program) {
                Ok(successor) => {
                    let pid = successor.id();
                    tracing::info!(event = "upgraded", pid);
                    tell_supervisor(&[NotifyState::MainPid(pid)]);
                    app.yield_to(successor);
                    return Ok(());
                }
                Err(error) => tracing::error!(event = "upgrade_failed", %error),
            },
        }
    }
}

fn reload(app: &App, signals: &Signals) {
    // systemd's `Type=notify-reload` takes the next READY for the end of this reload, by the clock.
    let now = NotifyState::monotonic_usec_now().ok();
    let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(now).collect();
    tell_supervisor(&states);
    // What came of it is in the log, the metrics and the API.
    let _ = signals.wait_for(app.reloads().ask("signal"));
    tell_supervisor(&[NotifyState::Ready]);
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

/// Prints what a command was asked for. A reader that has gone wants nothing more.
pub(super) fn say(text: &str) {
    use std::io::Write as _;
    let _ = io::stdout().write_all(text.as_bytes());
}

pub(super) fn complain(code: u8, problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(code)
}
