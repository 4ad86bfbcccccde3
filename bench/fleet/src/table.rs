//! The printed table: what was asked, what was measured.
//!
//! Guarantees: each row is printed as soon as it is known, so that an interrupted run shows what it had. Must not: round in favour.

use std::io::Write as _;

/// Rows on standard output, as Markdown.
pub(crate) struct Table {
    missed: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let table = Self { missed: 0 };
        table.line("| figure | asked | measured | |");
        table.line("|---|---|---|---|");
        table
    }

    /// A figure; `kept` says whether it is what was asked.
    pub(crate) fn row(&mut self, figure: &str, asked: &str, measured: &str, kept: bool) {
        self.missed += usize::from(!kept);
        let verdict = if kept { "kept" } else { "**missed**" };
        self.line(&format!("| {figure} | {asked} | {measured} | {verdict} |"));
    }

    /// Whether every figure so far is what was asked.
    pub(crate) const fn all_kept(&self) -> bool {
        self.missed == 0
    }

    /// Something to know beside the figures.
    pub(crate) fn note(&mut self, figure: &str, measured: &str) {
        self.line(&format!("| {figure} | | {measured} | |"));
    }

    #[expect(
        clippy::unused_self,
        reason = "a table is one writer of standard output"
    )]
    fn line(&self, text: &str) {
        // A reader that has gone wants nothing more.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// The value below which `part` (0 to 1) of the sorted values lie: the nearest rank.
pub(crate) fn percentile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    let place = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!(percentile(&values, 0.5), 100);
        assert_eq!(percentile(&values, 0.99), 198);
        assert_eq!(percentile(&values, 1.0), 200);
        assert_eq!(percentile::<u32>(&[], 0.5), 0);
    }
}
