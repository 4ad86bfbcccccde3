//! `gateway hash-key`: what is kept of an API key in a file or in the store.
//!
//! Guarantees: the key is read from standard input, so that it is in no list of processes and no shell's history; a new one has 256 random
//! bits. Must not: keep it.

use std::io::BufRead as _;
use std::process::ExitCode;

use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};

use super::run::{BAD_CONFIGURATION, CANNOT_START, complain, say};
use crate::store::api_key::hexadecimal;

/// Prints the hash of the key that is read; with `new`, a new key and its hash.
#[must_use]
pub fn hash_key(new: bool) -> ExitCode {
    if new {
        let mut bits = [0; 32];
        if ring::default_provider()
            .secure_random
            .fill(&mut bits)
            .is_err()
        {
            return complain(CANNOT_START, &"the system has no random numbers to give");
        }
        let key = hexadecimal(&bits);
        say(&format!("{key}\n{}\n", hashed(&key)));
        return ExitCode::SUCCESS;
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let key = line.trim_end_matches(['\r', '\n']);
    if read.is_err() || key.is_empty() {
        return complain(
            BAD_CONFIGURATION,
            &"write the key as a line on standard input",
        );
    }
    say(&format!("{}\n", hashed(key)));
    ExitCode::SUCCESS
}

fn hashed(key: &str) -> String {
    hexadecimal(&Sha256::digest(key).into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let hash = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        assert_eq!(super::hashed("key"), hash);
    }
}
