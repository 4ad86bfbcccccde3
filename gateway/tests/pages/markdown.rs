//! As much of Markdown as the pages use: headings, links, code in a line, fenced blocks.
//!
//! Guarantees: whatever is found is found with its page and line. Must not: judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) struct Page {
    /// Relative to the repository's root.
    pub name: String,
    lines: Vec<String>,
}

/// A fenced block without its indentation.
pub(crate) struct Block {
    pub place: String,
    pub language: String,
    pub lines: Vec<String>,
}

impl Page {
    pub(crate) fn read(root: &Path, name: String) -> Self {
        let text = std::fs::read_to_string(root.join(&name)).expect(&name);
        let lines = text.lines().map(str::to_owned).collect();
        Self { name, lines }
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{}", self.name, line + 1)
    }

    /// Each line outside blocks, and the blocks.
    fn parts(&self) -> (Vec<(usize, &str)>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in self.lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, None) => prose.push((number, line.as_str())),
                (None, Some(language)) => {
                    let block = Block {
                        place: self.place(number),
                        language: language.trim().to_owned(),
                        lines: Vec::new(),
                    };
                    open = Some((indent, block));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, block)), None) => {
                    let text = line.get(*indent..).unwrap_or_else(|| line.trim_start());
                    block.lines.push(text.to_owned());
                }
            }
        }
        assert!(open.is_none(), "{}: a block without an end", self.name);
        (prose, blocks)
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        self.parts().1
    }

    /// Blocks by indentation: lines four deep after an empty one, where no list is being continued.
    pub(crate) fn indented(&self) -> Vec<String> {
        let (prose, _) = self.parts();
        let (mut found, mut list, mut empty) = (Vec::new(), false, true);
        for (number, line) in prose {
            let text = line.trim_start();
            if empty && line.starts_with("    ") && !text.is_empty() && !list {
                found.push(self.place(number));
            }
            empty = text.is_empty();
            if !empty && !line.starts_with(' ') {
                let numbered = text.trim_start_matches(|c: char| c.is_ascii_digit());
                list = text.starts_with("- ") || (numbered != text && numbered.starts_with(". "));
            }
        }
        found
    }

    /// Paragraphs, rows and headings, each with its first line.
    fn paragraphs(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut going = false;
        for (number, line) in self.parts().0 {
            let own = line.trim().is_empty() || line.starts_with(['|', '#']);
            match found.last_mut() {
                Some((_, text)) if going && !own => {
                    text.push(' ');
                    text.push_str(line.trim());
                }
                _ => found.push((number, line.to_owned())),
            }
            going = !own;
        }
        found
    }

    /// Code in a line, with its place.
    pub(crate) fn spans(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (number, text) in self.paragraphs() {
            let parts: Vec<&str> = text.split('`').collect();
            assert!(
                parts.len() % 2 == 1,
                "{}: a backtick without its other",
                self.place(number)
            );
            let odd = parts.iter().skip(1).step_by(2);
            found.extend(odd.map(|code| (self.place(number), (*code).to_owned())));
        }
        found
    }

    /// Where links and images lead, with their place.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (number, text) in self.paragraphs() {
            let outside: String = text.split('`').step_by(2).collect();
            for rest in outside.split("](").skip(1) {
                let target = rest.split(')').next().unwrap_or_default();
                found.push((self.place(number), target.to_owned()));
            }
        }
        found
    }

    /// What `#…` may say: headings as GitHub writes them.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut found = BTreeSet::new();
        for (_, line) in self.parts().0 {
            let Some(heading) = line
                .strip_prefix('#')
                .map(|rest| rest.trim_start_matches('#'))
            else {
                continue;
            };
            let slug = slug(heading.trim());
            let times = seen.entry(slug.clone()).or_default();
            found.insert(if *times == 0 {
                slug
            } else {
                format!("{slug}-{times}")
            });
            *times += 1;
        }
        found
    }
}

fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}
