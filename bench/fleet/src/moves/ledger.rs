//! What became of every request, by chapter of the story. Must not: decide what counts as lost; the clients do.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::table::Table;

/// What became of a request.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// It had an answer; whether it was let through, and whether it had to be sent again on a new connection.
    Answered { admitted: bool, again: bool },
    /// It had none, or a server's error.
    Lost,
}

#[derive(Default)]
struct Chapter {
    name: &'static str,
    requests: u64,
    again: u64,
    lost: u64,
}

#[derive(Default)]
struct Pages {
    chapters: Vec<Chapter>,
    admitted: BTreeMap<u32, u64>,
}

/// The record of a story.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Pages>);

impl Ledger {
    /// What follows belongs to this chapter.
    pub(super) fn enter(&self, name: &'static str) {
        self.pages().chapters.push(Chapter {
            name,
            ..Chapter::default()
        });
    }

    pub(super) fn enter_fate(&self, client: u32, fate: Fate) {
        let mut pages = self.pages();
        let (mut again, mut lost) = (0, 0);
        match fate {
            Fate::Answered {
                admitted,
                again: repeated,
            } => {
                again = u64::from(repeated);
                *pages.admitted.entry(client).or_default() += u64::from(admitted);
            }
            Fate::Lost => lost = 1,
        }
        if let Some(chapter) = pages.chapters.last_mut() {
            chapter.requests += 1;
            chapter.again += again;
            chapter.lost += lost;
        }
    }

    /// A row for each chapter: in an orderly move nothing is lost.
    pub(super) fn report(&self, table: &mut Table) {
        for chapter in &self.pages().chapters {
            let measured = format!(
                "{} lost of {}; {} sent again on a new connection",
                chapter.lost, chapter.requests, chapter.again
            );
            if chapter.name.contains("SIGKILL") {
                table.note(chapter.name, &measured);
            } else {
                table.row(chapter.name, "0 lost", &measured, chapter.lost == 0);
            }
        }
    }

    /// What each client was admitted, beside what the limit allows.
    pub(super) fn limits(&self, table: &mut Table, bound: f64, took: Duration) {
        let admitted = &self.pages().admitted;
        let most = admitted.values().copied().max().unwrap_or_default();
        let least = admitted.values().copied().min().unwrap_or_default();
        let clients = admitted.len();
        let seconds = took.as_secs();
        let figure =
            format!("admitted to each of {clients} clients over the whole story, {seconds} s");
        let measured = format!("{least} to {most}");
        let asked = format!("at most {bound:.0}");
        table.row(&figure, &asked, &measured, most as f64 <= bound);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
