//! How much of a terminal there is, and what of a picture fits in. Must not: know what the lines say.

use std::io;

use super::paint::Paint;

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// A file, or a pipe.
    pub(super) const UNBOUNDED: Self = Self {
        rows: usize::MAX,
        columns: usize::MAX,
    };

    /// That of the terminal on standard output; without one, no bound.
    pub(super) fn of_terminal() -> Self {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => Self {
                rows: size.ws_row.into(),
                columns: size.ws_col.into(),
            },
            _ => Self::UNBOUNDED,
        }
    }
}

/// One kind of thing: a heading, and a line or more for each.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) heading: String,
    /// The first are the last to be left out. An entry's further lines go before any other entry does.
    pub(super) entries: Vec<Vec<String>>,
}

impl Section {
    fn lines(&self) -> usize {
        self.entries.iter().map(Vec::len).sum()
    }

    /// At most `room` lines, one at least; the last says how many entries are not there.
    fn fit(&self, room: usize) -> (Vec<&str>, usize) {
        let room = room.max(1);
        let mut shown: Vec<&[String]> = self.entries.iter().map(Vec::as_slice).collect();
        let mut excess = self.lines().saturating_sub(room);
        for entry in shown.iter_mut().rev().filter(|entry| entry.len() > 1) {
            let kept = entry.len() - excess.min(entry.len() - 1);
            excess -= entry.len() - kept;
            *entry = &entry[..kept];
        }
        // What is still too much are whole entries, which by now have a line each; one line goes to the word about them.
        let kept = if excess == 0 { shown.len() } else { room - 1 };
        let lines = shown.iter().take(kept).copied().flatten();
        (lines.map(String::as_str).collect(), shown.len() - kept)
    }
}

/// The picture of `head` and `sections`, as much of it as fits.
pub(super) fn compose(head: &[String], sections: &[Section], paint: &Paint, size: Size) -> String {
    let sections: Vec<_> = sections
        .iter()
        .filter(|one| !one.entries.is_empty())
        .collect();
    // A heading each, and an empty line before it where there is room for that.
    let bare = head.len() + sections.len();
    let wanted: Vec<_> = sections.iter().map(|one| one.lines()).collect();
    let enough = wanted.iter().sum::<usize>().min(3 * sections.len());
    let is_airy = size.rows >= bare + sections.len() + enough;
    let fixed = bare + if is_airy { sections.len() } else { 0 };
    let rooms = share_out(&wanted, size.rows.saturating_sub(fixed));
    let mut lines: Vec<String> = head.to_vec();
    for (section, room) in sections.iter().zip(rooms) {
        if is_airy {
            lines.push(String::new());
        }
        lines.push(paint.soft(&section.heading));
        let (shown, left_out) = section.fit(room);
        lines.extend(shown.iter().map(|line| (*line).to_owned()));
        if left_out > 0 {
            lines.push(paint.soft(&format!("  and {left_out} more")));
        }
    }
    lines.truncate(size.rows);
    let lines: Vec<_> = lines.iter().map(|line| clip(line, size.columns)).collect();
    lines.join("\n") + "\n"
}

/// Shares `room` out so that whoever wants little gets it all, and the others as much as each other.
fn share_out(wanted: &[usize], mut room: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by_key(|place| wanted[*place]);
    let mut rooms = vec![0; wanted.len()];
    for (done, place) in order.iter().enumerate() {
        let fair = room / (wanted.len() - done);
        rooms[*place] = wanted[*place].min(fair);
        room -= rooms[*place];
    }
    rooms
}

/// The first `columns` of a line. Colours take no column, and none lasts beyond the line.
pub(super) fn clip(line: &str, columns: usize) -> String {
    let (mut text, mut column, mut is_code) = (String::new(), 0, false);
    for char in line.chars() {
        if char == '\x1b' {
            is_code = true;
        } else if !is_code {
            column += 1;
            if column > columns {
                continue;
            }
        }
        text.push(char);
        // A code is `ESC [ … m`.
        is_code &= char != 'm';
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(heading: &str, entries: usize, further: usize) -> Section {
        let entry = |number| {
            let mut lines = vec![format!("{heading} {number}")];
            lines.extend((0..further).map(|line| format!("  {line}")));
            lines
        };
        Section {
            heading: heading.to_uppercase(),
            entries: (0..entries).map(entry).collect(),
        }
    }

    fn lines(sections: &[Section], rows: usize) -> Vec<String> {
        let paint = Paint { colours: false };
        let size = Size { rows, columns: 80 };
        let picture = compose(&["head".to_owned()], sections, &paint, size);
        picture.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_picture_is_never_higher_than_the_terminal_and_says_what_is_missing() {
        let sections = [section("a", 30, 0), section("b", 2, 0), section("c", 9, 2)];
        for rows in 1..80 {
            assert!(lines(&sections, rows).len() <= rows, "{rows}");
        }
        let shown = lines(&sections, 24);
        for line in ["A", "a 0", "b 0", "b 1", "c 0"] {
            assert!(shown.iter().any(|one| one == line), "{line}: {shown:#?}");
        }
        let told = shown.iter().filter_map(|line| line.strip_prefix("  and "));
        let left_out: usize = told
            .map(|rest| rest.trim_end_matches(" more").parse::<usize>().unwrap())
            .sum();
        let named = shown
            .iter()
            .filter(|line| line.starts_with(['a', 'b', 'c']));
        assert_eq!(named.count() + left_out, 41, "{shown:#?}");
    }

    #[test]
    fn what_is_told_further_of_an_entry_goes_before_the_entry() {
        let section = section("c", 4, 2);
        let (shown, left_out) = section.fit(5);
        assert_eq!(shown, ["c 0", "  0", "c 1", "c 2", "c 3"]);
        assert_eq!(left_out, 0);
        let (shown, left_out) = section.fit(3);
        assert_eq!((shown, left_out), (vec!["c 0", "c 1"], 2));
    }

    #[test]
    fn a_clipped_line_ends_its_colours() {
        assert_eq!(clip("\x1b[31mred\x1b[0m plain", 2), "\x1b[31mre\x1b[0m");
        assert_eq!(clip("short", 80), "short");
    }
}
