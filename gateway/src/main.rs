//! The `gateway` program: arguments in, exit code out. Must not: do anything itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gateway::app::{demo, hash_key, health, run, top};
use gateway::config::Source;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A reverse-proxy API gateway whose replicas share limits and circuit breakers.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    file: File,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT, then let requests in flight finish. SIGHUP reads the configuration again; SIGUSR2 starts the program
    /// again on the same sockets. The default.
    Run(File),
    /// Validate the configuration and print what it comes to, or every mistake in it.
    Check(File),
    /// A mock upstream and gateways that share an embedded store, in one process.
    Demo {
        /// How many gateways.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
        replicas: u8,
    },
    /// Ask the gateway on this machine whether it is ready: exit code 0 if so, else 1.
    Health(File),
    /// Show the fleet in this terminal, each second.
    Top(top::Options),
    /// Read an API key, a line on standard input, and print the SHA-256 by which the gateway knows it.
    HashKey {
        /// Make a new key and print it first.
        #[arg(long)]
        new: bool,
    },
    /// Print the JSON Schema of the configuration file.
    Schema {
        /// A table of every key instead, in Markdown.
        #[arg(long)]
        markdown: bool,
    },
}

#[derive(Args)]
struct File {
    /// The configuration file: TOML, or YAML by extension. Default: GATEWAY_CONFIG.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                run::BAD_CONFIGURATION
            } else {
                0
            });
        }
    };
    match cli.command {
        None => run::run(&Source::from_process(cli.file.config)),
        Some(Command::Run(file)) => run::run(&Source::from_process(file.config)),
        Some(Command::Check(file)) => run::check(&Source::from_process(file.config)),
        Some(Command::Demo { replicas }) => demo::demo(usize::from(replicas)),
        Some(Command::Health(file)) => health::health(&Source::from_process(file.config)),
        Some(Command::HashKey { new }) => hash_key::hash_key(new),
        Some(Command::Top(options)) => top::top(&options),
        Some(Command::Schema { markdown }) => run::schema(markdown),
    }
}
