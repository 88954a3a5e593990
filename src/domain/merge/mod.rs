//! Merging a document that a hand has edited since we wrote it: what we wrote, what we would write now, what the hand made
//! of it.
//!
//! Line by line, as git merges: a stretch that only one side changed is that side's, one that both changed alike is taken
//! once, and where they changed it differently, or one right beside the other, they collide. Nothing is guessed then. The
//! boxes of tasks are merged apart from their lines: a tick stays with its task, also where the task has another number now.
//!
//! It must not know files, nor what the documents say.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::journal::FileRef;

mod ticks;

use ticks::Ticks;

#[cfg(test)]
mod tests;

/// Most lines of a text that is compared line by line: far above any document of ours, and still a moment's work.
const LINES_MAX: usize = 10_000;

/// Most places that a line for people names.
const NAMED_MAX: usize = 5;

/// What merging came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// Every change of both sides is in it.
    Clean {
        /// The text.
        text: String,
        /// What of the hand is in it.
        stays: Stays,
    },
    /// Both changed the same places, differently.
    Collides(Vec<Collision>),
}

/// What of a hand's edit stands in a merged text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stays {
    /// Lines that it wrote, as they are numbered now.
    pub lines: Vec<Span>,
    /// How many lines that it took out or wrote anew stay out.
    pub removed: usize,
    /// How many boxes that it ticked or unticked stay so.
    pub ticks: usize,
}

/// Lines of a text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first; where no line is left, the one that follows.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// A place that both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collision {
    /// Its lines in the hand's text.
    pub hand: Span,
    /// Its lines in ours.
    pub ours: Span,
}

/// A document in which a hand's edit and ours were merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The document, relative to the repository, and what stands there now.
    #[serde(flatten)]
    pub file: FileRef,
    /// What of the hand stays.
    pub stays: Stays,
    /// Where the text is kept that the hand left; none if it is what stands there.
    pub backup: Option<String>,
}

/// A document that stays as a hand left it, because ours could not be merged into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// The document, relative to the repository.
    pub path: String,
    /// Ours, where it is.
    pub beside: FileRef,
    /// Why.
    pub why: Unmerged,
}

/// Why two texts were not merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmerged {
    /// Both changed the same places.
    Collides(Vec<Collision>),
    /// Nobody here has the text that the hand began with: the evidence of that run is not here, or was altered.
    NoBase,
    /// The hand's text is not UTF-8, or went on changing.
    Unreadable,
}

/// Merges what `ours` and the `hand` made of `base`.
pub fn merge(base: &str, ours: &str, hand: &str) -> Merged {
    let whole = || Collision { hand: span(&(0..lines(hand).len())), ours: span(&(0..lines(ours).len())) };
    if [base, ours, hand].iter().any(|text| lines(text).len() > LINES_MAX) {
        return match (ours == base || ours == hand, hand == base) {
            (true, _) => Merged::Clean { text: hand.to_owned(), stays: Stays::default() },
            (false, true) => Merged::Clean { text: ours.to_owned(), stays: Stays::default() },
            (false, false) => Merged::Collides(vec![whole()]),
        };
    }
    let (base, ours, hand) = (lines(base), lines(ours), lines(hand));
    let ticks = Ticks::of(&base, &ours, &hand);
    match stretches(&base, &ours, &ticks.taken_back(&hand)) {
        Ok((merged, stays)) => {
            let (text, ticks) = ticks.put_back(&merged);
            Merged::Clean { text, stays: Stays { ticks, ..stays } }
        }
        Err(collisions) => Merged::Collides(collisions),
    }
}

/// Merges lines. Ranges of the hand's are also ranges of its text with its ticks: a box is in its line.
fn stretches<'t>(
    base: &[&'t str],
    ours: &[&'t str],
    hand: &[&'t str],
) -> Result<(Vec<&'t str>, Stays), Vec<Collision>> {
    let (mut mine, mut theirs) = (Changes::of(base, ours), Changes::of(base, hand));
    let (mut merged, mut stays, mut collisions, mut at) = (Vec::new(), Stays::default(), Vec::new(), 0);
    while let Some(start) = mine.next().into_iter().chain(theirs.next()).min() {
        // A change that begins where the last one ends belongs to it: nobody can tell which is first.
        let (begin, mut end) = ((mine.place(start), theirs.place(start)), start);
        while mine.join(&mut end) || theirs.join(&mut end) {}
        let (new, by_hand) = (begin.0..mine.place(end), begin.1..theirs.place(end));
        merged.extend_from_slice(&base[at..start]);
        at = end;
        let (was_text, new_text, hand_text) = (&base[start..end], &ours[new.clone()], &hand[by_hand.clone()]);
        if hand_text == was_text || hand_text == new_text {
            merged.extend_from_slice(new_text);
        } else if new_text == was_text {
            if !hand_text.is_empty() {
                stays.lines.push(Span { first: merged.len() + 1, count: hand_text.len() });
            }
            stays.removed += was_text.iter().filter(|line| !hand_text.contains(line)).count();
            merged.extend_from_slice(hand_text);
        } else {
            collisions.push(Collision { hand: span(&by_hand), ours: span(&new) });
        }
    }
    merged.extend_from_slice(&base[at..]);
    if collisions.is_empty() { Ok((merged, stays)) } else { Err(collisions) }
}

/// What one side changed, in the order of the base.
struct Changes {
    /// Ranges of the base, and what they are in the side's text.
    all: Vec<(Range<usize>, Range<usize>)>,
    /// How many are passed.
    passed: usize,
    /// Where the last of those ends, in the base and in the side's text.
    ends: (usize, usize),
}

impl Changes {
    /// Compares two texts. What is alike in both says what is not: of that alone all diffs tell the exact places.
    fn of(base: &[&str], side: &[&str]) -> Self {
        let (mut all, mut at) = (Vec::new(), (0, 0));
        let alike = capture_diff_slices(Algorithm::Patience, base, side);
        let alike = alike.iter().filter(|op| op.tag() == DiffTag::Equal).map(|op| (op.old_range(), op.new_range()));
        for (old, new) in alike.chain([(base.len()..base.len(), side.len()..side.len())]) {
            if at != (old.start, new.start) {
                all.push((at.0..old.start, at.1..new.start));
            }
            at = (old.end, new.end);
        }
        Self { all, passed: 0, ends: (0, 0) }
    }

    /// Returns where the next change begins in the base.
    fn next(&self) -> Option<usize> {
        self.all.get(self.passed).map(|(was, _)| was.start)
    }

    /// Takes the next change into a stretch of the base, if it begins in it or right behind it.
    fn join(&mut self, end: &mut usize) -> bool {
        let Some((was, new)) = self.all.get(self.passed).filter(|(was, _)| was.start <= *end) else { return false };
        *end = was.end.max(*end);
        self.ends = (was.end, new.end);
        self.passed += 1;
        true
    }

    /// Returns where a place of the base behind all that are passed is in the side's text.
    fn place(&self, at: usize) -> usize {
        self.ends.1 + at.saturating_sub(self.ends.0)
    }
}

/// Splits into lines that keep their ends.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn span(range: &Range<usize>) -> Span {
    Span { first: range.start + 1, count: range.len() }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => write!(f, "before {}", self.first),
            1 => write!(f, "{}", self.first),
            count => write!(f, "{}-{}", self.first, self.first + count - 1),
        }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrote: usize = self.lines.iter().map(|span| span.count).sum();
        let mut parts = Vec::new();
        if wrote > 0 {
            let verb = if wrote == 1 { "1 line stays" } else { &format!("{wrote} lines stay") };
            parts.push(format!("{verb} ({})", named(self.lines.iter())));
        }
        if self.removed > 0 {
            let verb = if self.removed == 1 { "line that it took out stays" } else { "lines that it took out stay" };
            parts.push(format!("{} {verb} out", self.removed));
        }
        if self.ticks > 0 {
            parts.push(if self.ticks == 1 { "1 tick stays".into() } else { format!("{} ticks stay", self.ticks) });
        }
        f.write_str(&parts.join(", "))
    }
}

impl Merge {
    /// Says in a few words what became of the document.
    pub fn in_short(&self) -> String {
        match &self.backup {
            Some(_) => format!("merged with what a hand wrote: {}", self.stays),
            None => "as a hand left it: nothing that is new is missing there".to_owned(),
        }
    }
}

impl Aside {
    /// Says in a few words what became of the document.
    pub fn in_short(&self) -> String {
        let why = match &self.why {
            Unmerged::Collides(places) => format!(" collides at {}", named(places.iter().map(|place| &place.hand))),
            Unmerged::NoBase | Unmerged::Unreadable => String::new(),
        };
        let beside = self.beside.path.rsplit('/').next().unwrap_or_default();
        format!("it stays; ours{why}: take it from {beside}, then remove that")
    }
}

impl fmt::Display for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, stays) = (&self.file.path, &self.stays);
        match &self.backup {
            Some(backup) => write!(f, "{path}: merged with what a hand wrote there: {stays}; as it was: {backup}"),
            None => write!(f, "{path} stays as a hand left it: nothing that is new is missing there"),
        }
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.why {
            Unmerged::Collides(places) => {
                let (hand, ours) = (places.iter().map(|place| &place.hand), places.iter().map(|place| &place.ours));
                let lines = if places.len() == 1 && places[0].hand.count < 2 { "line" } else { "lines" };
                write!(f, "a hand had edited {path}, and ours collides with it at {lines} {}", named(hand))?;
                write!(f, " (in ours {})", named(ours))?;
            }
            Unmerged::NoBase => write!(
                f,
                "a hand had edited {path}, and it cannot be merged: the evidence here does not have what it began with"
            )?,
            Unmerged::Unreadable => write!(f, "a hand had edited {path}, and it is no text that can be merged")?,
        }
        let beside = &self.beside.path;
        write!(
            f,
            ": it is untouched, and the next stage reads it; ours is {beside}: take from it what you want, and remove it"
        )
    }
}

/// Names some places, and how many there are besides.
fn named<'s>(spans: impl ExactSizeIterator<Item = &'s Span>) -> String {
    let more = spans.len().saturating_sub(NAMED_MAX);
    let mut text = spans.take(NAMED_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}
