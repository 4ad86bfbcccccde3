//! What the pages tell a reader to type, typed: against a real gateway, a real Redis and an upstream where it speaks to
//! one, as a dry run where it would change a machine, and by name and reason where it cannot be done here at all.
//!
//! Must not: let a new kind of command through unread.

use super::markdown::Block;
use super::shell::World;
use super::{none, pages};

/// What cannot be run by a test, by how it begins, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "kubectl ",
        "needs a cluster; what it applies is held by `make validate`",
    ),
    (
        "helm ",
        "needs a cluster and the internet; the chart is held by `make validate`",
    ),
    ("docker ", "needs a container engine"),
    ("kind ", "needs a container engine"),
    ("apt ", "needs root"),
    ("editor ", "needs a person"),
    ("journalctl ", "needs systemd"),
    (
        "bench/run",
        "needs the peers that `make bench` installs, and a quiet machine",
    ),
    ("systemctl ", "needs root and systemd"),
    ("cargo ", "needs the build that this test is a part of"),
    ("openssl s_client ", "needs a public address"),
    ("openssl x509 ", "needs the reader's certificate"),
    (
        "deploy/test-endpoints.sh https://",
        "needs a public address; over a loopback one it is run below",
    ),
];

/// What a command needs to have happened before it shows what the page says.
const BEFORE: &[(&str, &str)] = &[(
    "grep -i '^proxy-status'",
    r#"curl -s -o /dev/null -H 'Content-Type: application/json' -d '{"reason": "a page"}' localhost:9900/api/v1/circuits/default/open"#,
)];

/// How a command is held to its page.
#[derive(Debug, PartialEq, Eq)]
enum How {
    /// In a shell, beside a gateway.
    Run,
    /// As what it would do.
    Dry(String),
    /// It is a gateway: it has to start.
    Start,
    /// Not at all, for one of the reasons above.
    Elsewhere,
}

/// The commands of a block: `$ ` for anybody, `# ` for root, a backslash at the end continues.
fn commands(block: &Block) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.lines.iter().filter(|line| !line.trim().is_empty()) {
        let begun = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# "));
        match (open, begun) {
            (false, Some(command)) => found.push(command.to_owned()),
            (true, _) => {
                let last = found.last_mut().unwrap();
                last.push('\n');
                last.push_str(line);
            }
            (false, None) => return Err(format!("{}: no prompt: {line}", block.place)),
        }
        open = line.ends_with('\\');
    }
    Ok(found)
}

/// A command without the variables before it.
fn program(command: &str) -> &str {
    let mut rest = command.trim_start();
    while let Some((word, after)) = rest.split_once(' ') {
        let name = word.split('=').next().unwrap();
        let variable =
            word.contains('=') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if !variable {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

fn how(command: &str) -> Option<How> {
    let bare = program(command);
    let words: Vec<&str> = bare
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect();
    let beyond =
        bare.starts_with("curl") && !(bare.contains("127.0.0.1") || bare.contains("localhost"));
    if beyond || ELSEWHERE.iter().any(|(start, _)| bare.starts_with(start)) {
        return Some(How::Elsewhere);
    }
    match words.as_slice() {
        ["make", ..] => Some(How::Dry(command.replacen("make", "make --dry-run", 1))),
        ["deploy/deploy.sh", "acl"]
        | [
            "order" | "order()" | "curl" | "redis-cli" | "jq" | "openssl",
            ..,
        ] => Some(How::Run),
        ["deploy/deploy.sh", ..] => Some(How::Dry(
            command.replace("deploy.sh ", "deploy.sh --dry-run "),
        )),
        ["gateway" | "target/release/gateway"] => Some(How::Start),
        ["gateway" | "target/release/gateway", "--config", _] => Some(How::Start),
        [
            "gateway" | "target/release/gateway" | "deploy/test-endpoints.sh",
            ..,
        ] => Some(How::Run),
        _ => None,
    }
}

#[tokio::test]
async fn every_command_does_what_the_page_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for page in pages() {
        let mut defined = String::new();
        for block in page.blocks() {
            if block.language == "console" {
                follow(&world, &block, &mut defined, &mut wrong).await;
            }
        }
    }
    none("commands that fail, or that nothing holds", &wrong);
}

/// A block is one session; the functions that a page defines are there in its later blocks too.
async fn follow(world: &World, block: &Block, defined: &mut String, wrong: &mut Vec<String>) {
    let commands = commands(block).unwrap_or_else(|problem| {
        wrong.push(problem);
        Vec::new()
    });
    let mut script = String::new();
    for command in &commands {
        match how(command) {
            None => wrong.push(format!(
                "{}: neither run nor listed: {command}",
                block.place
            )),
            Some(How::Elsewhere) => {}
            Some(How::Dry(dry)) => script.push_str(&format!("{dry} >/dev/null\n")),
            Some(How::Start) => wrong.extend(world.starts(command).await.err()),
            Some(How::Run) => {
                let before = BEFORE.iter().filter(|(part, _)| command.contains(part));
                before.for_each(|(_, first)| script.push_str(&format!("{first}\n")));
                script.push_str(&format!("{command}\n"));
                if command.contains("() {") {
                    defined.push_str(&format!("{command}\n"));
                }
            }
        }
    }
    let session = format!("{defined}{script}");
    if !script.is_empty()
        && let Err(problem) = world.run(&session).await
    {
        wrong.push(format!("{}: {problem}", block.place));
    }
}

/// The deployment's own questions, put to a gateway with an upstream behind it.
#[tokio::test]
async fn a_deployment_is_asked_what_it_should_answer() {
    let world = World::new().await;
    let asked = world
        .run("deploy/test-endpoints.sh --no-load --admin http://127.0.0.1:9900 http://127.0.0.1:5000\n")
        .await;
    assert_eq!(asked, Ok(()));
}
