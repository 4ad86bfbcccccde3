//! A Lua script and one call of it.
//!
//! Guarantees: sent by its hash first and by its text only when the server does not know it, so that a restarted or flushed server
//! costs one more round trip and no failure. Must not: touch more than one key, or a cluster could not run it.

use std::sync::LazyLock;

use deadpool_redis::redis::{Arg, Cmd, Script as Hashed, ToRedisArgs};

/// A script, known to its server by the hash of its text.
pub(super) struct Script {
    source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($file:literal) => {
        $crate::store::redis::script::Script::new(include_str!($file), || {
            $crate::store::redis::script::hash_of(include_str!($file))
        })
    };
}
pub(super) use script;

pub(super) fn hash_of(source: &str) -> String {
    Hashed::new(source).get_hash().to_owned()
}

impl Script {
    pub(super) const fn new(source: &'static str, hash: fn() -> String) -> Self {
        Self {
            source,
            hash: LazyLock::new(hash),
        }
    }

    /// Begins a call on `key`.
    pub(super) fn on(&'static self, key: &str) -> Invocation {
        let mut command = Cmd::new();
        command
            .arg("EVALSHA")
            .arg(self.hash.as_str())
            .arg(1)
            .arg(key);
        Invocation {
            script: self,
            command,
        }
    }
}

/// One call of a script, with its arguments.
pub(super) struct Invocation {
    script: &'static Script,
    command: Cmd,
}

impl Invocation {
    /// Adds an argument.
    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    /// The call by hash.
    pub(super) const fn by_hash(&self) -> &Cmd {
        &self.command
    }

    /// The same call with the script's text, after which the server knows the hash.
    pub(super) fn by_text(&self) -> Cmd {
        let mut command = Cmd::new();
        command.arg("EVAL").arg(self.script.source);
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_carry_the_same_arguments() {
        static TAKE: Script = script!("take.lua");
        let call = TAKE.on("key").arg(7_u64).arg("text");
        let words = |command: &Cmd| -> Vec<Vec<u8>> {
            command
                .args_iter()
                .map(|argument| match argument {
                    Arg::Simple(bytes) => bytes.to_vec(),
                    _ => Vec::new(),
                })
                .collect()
        };
        let (hash, text) = (words(call.by_hash()), words(&call.by_text()));
        assert_eq!(hash[0], b"EVALSHA");
        assert_eq!(hash[1].len(), 40);
        assert_eq!(text[0], b"EVAL");
        assert_eq!(hash[2..], text[2..]);
        assert_eq!(text[2..], [&b"1"[..], b"key", b"7", b"text"]);
    }
}
