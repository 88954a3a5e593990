//! The boxes of tasks: which of them a hand ticked or unticked, and where those tasks are now.
//!
//! It must not know how lines are merged.

use std::collections::BTreeMap;

/// A line with a box.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Boxed<'t> {
    /// What is before the box.
    head: &'t str,
    /// The box.
    mark: &'t str,
    /// What is behind it.
    rest: &'t str,
}

impl<'t> Boxed<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let indent = line.len() - line.trim_start().len();
        let item = line[indent..].strip_prefix(['-', '*', '+'])?;
        let at = line.len() - item.trim_start_matches(' ').len();
        let mark = ["[ ]", "[x]", "[X]"].into_iter().find(|mark| line[at..].starts_with(mark))?;
        let (head, behind) = line.split_at(at);
        let (mark, rest) = behind.split_at(mark.len());
        Some(Self { head, mark, rest })
    }

    /// What the task is, without the number and the mark that only its place in the list gives it.
    fn words(&self) -> String {
        let is_number = |word: &str| {
            let word = word.trim_matches(['*', ':']);
            let digits = word.strip_prefix('T').unwrap_or(word);
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        let words = self.rest.split_whitespace().enumerate();
        words
            .filter(|(n, word)| *word != "[P]" && !(*n == 0 && is_number(word)))
            .map(|(_, word)| word)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The boxes that a hand changed, and nothing else of their lines, by the words of their tasks. A task is among them if
/// each of the three texts has just one of these words: any other box is merged with its line.
pub(super) struct Ticks<'t> {
    changed: BTreeMap<String, Changed<'t>>,
}

struct Changed<'t> {
    /// The line as we wrote it.
    was: &'t str,
    /// The box as the hand left it.
    mark: &'t str,
}

impl<'t> Ticks<'t> {
    pub(super) fn of(base: &[&'t str], ours: &[&'t str], hand: &[&'t str]) -> Self {
        let (base, ours, hand) = (only(base), only(ours), only(hand));
        let mut changed = BTreeMap::new();
        for (words, by_hand) in hand {
            let (Some(Some((was, there))), Some(Some(_)), Some((_, now))) =
                (base.get(&words), ours.get(&words), by_hand)
            else {
                continue;
            };
            if (there.head, there.rest) == (now.head, now.rest) && there.mark != now.mark {
                changed.insert(words, Changed { was, mark: now.mark });
            }
        }
        Self { changed }
    }

    /// Returns the hand's lines with those boxes as they were.
    pub(super) fn taken_back(&self, hand: &[&'t str]) -> Vec<&'t str> {
        let back = |line: &&'t str| self.find(line).map_or(*line, |(_, changed)| changed.was);
        hand.iter().map(back).collect()
    }

    /// Returns a text with those boxes as the hand left them, and how many they are.
    pub(super) fn put_back(&self, lines: &[&str]) -> (String, usize) {
        let (mut text, mut count) = (String::new(), 0);
        for line in lines {
            match self.find(line) {
                Some((Boxed { head, rest, .. }, changed)) => {
                    count += 1;
                    text.extend([head, changed.mark, rest]);
                }
                None => text.push_str(line),
            }
        }
        (text, count)
    }

    fn find<'l>(&self, line: &'l str) -> Option<(Boxed<'l>, &Changed<'t>)> {
        let boxed = Boxed::of(line).filter(|_| !self.changed.is_empty())?;
        Some((boxed, self.changed.get(&boxed.words())?))
    }
}

/// The lines with a box by the words of their tasks; nothing for words that more than one has.
fn only<'t>(lines: &[&'t str]) -> BTreeMap<String, Option<(&'t str, Boxed<'t>)>> {
    let mut found = BTreeMap::new();
    for line in lines {
        if let Some(boxed) = Boxed::of(line) {
            found.entry(boxed.words()).and_modify(|there| *there = None).or_insert(Some((*line, boxed)));
        }
    }
    found
}

/// Returns the words of a line's task, if it has a box.
#[cfg(test)]
pub(super) fn words(line: &str) -> Option<String> {
    Boxed::of(line).map(|boxed| boxed.words())
}
