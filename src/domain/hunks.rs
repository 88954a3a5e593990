//! A diff as hunks that can be taken one by one: which there are, which of them may be taken together, and what is to be
//! told to git so that a tree has the ones that were taken and nothing else.
//!
//! It must not run git, and does not know what a hunk is worth.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check::{Hunk as Shown, unquoted};
use super::hash::Sha;
use super::ids::AgentName;

/// How many digits of a hash name a hunk: enough that two of one change are never the same.
const DIGITS: usize = 12;

/// Names a hunk of a change: the same change has the same one on every machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HunkId(String);

impl fmt::Display for HunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of a unified diff (three lines of context, renames not looked for) with its hunks.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    text: Arc<str>,
    hunks: Arc<Vec<Hunk>>,
}

/// One part of a change that is taken or left as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Its name.
    pub id: HunkId,
    /// Its file, relative to the repository.
    pub file: String,
    /// The first line that it changes, from 1, in the file after the change; 0 for a whole file that has no lines.
    pub line: u32,
    /// How many lines it has there.
    pub lines: u32,
    /// Lines that are new.
    pub added: u32,
    /// Lines that are gone.
    pub removed: u32,
    /// How it is taken.
    pub kind: Kind,
    /// Where it stands in the diff, in bytes: with the heading of its file if it is the first.
    pub at: Range<usize>,
    /// Where its `@@` line begins, in bytes.
    body: usize,
    /// What it replaces in the file before the change.
    edits: Vec<Edit>,
}

/// How a hunk is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Line by line, beside other hunks of its file.
    Lines,
    /// As the whole file: it is new or gone, binary, its mode changes, or its bytes are no text.
    File,
}

/// Lines of the file before the change that others stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    /// How many lines stand before them.
    before: u32,
    /// How many they are.
    removed: u32,
    /// How many stand for them.
    added: u32,
    /// The lines with their signs, in bytes of the diff; other lines are not among them.
    text: Range<usize>,
}

impl Edit {
    /// Tells whether two may not be made in one file: they change the same line, or nobody can say which comes first.
    fn meets(&self, other: &Edit) -> bool {
        self.before <= other.before + other.removed && other.before <= self.before + self.removed
    }
}

impl PartialEq for Diff {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Diff {}

impl From<&str> for Diff {
    fn from(text: &str) -> Self {
        Self { hunks: Arc::new(parse(text)), text: text.into() }
    }
}

impl From<String> for Diff {
    fn from(text: String) -> Self {
        Self { hunks: Arc::new(parse(&text)), text: text.into() }
    }
}

impl Serialize for Diff {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Diff {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Diff {
    /// Returns its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns its hunks, in its order.
    pub fn hunks(&self) -> &[Hunk] {
        &self.hunks
    }

    /// Returns a hunk.
    pub fn hunk(&self, id: &HunkId) -> Option<&Hunk> {
        self.hunks.iter().find(|hunk| &hunk.id == id)
    }

    /// Returns a hunk as the rules about changes see it: its changed lines, and the words after its `@@`.
    pub fn shown(&self, hunk: &Hunk) -> Shown {
        let heading = self.text[hunk.body..hunk.at.end].lines().next().unwrap_or_default();
        let heading =
            heading.strip_prefix("@@ ").and_then(|rest| rest.split_once(" @@")).map_or("", |(_, words)| words);
        let mut text = format!("{}\n", heading.trim());
        for line in hunk.edits.iter().flat_map(|edit| self.text[edit.text.clone()].lines()) {
            text.push_str(line.get(1..).unwrap_or_default());
            text.push('\n');
        }
        Shown { file: hunk.file.clone(), line: hunk.line.max(1), lines: hunk.lines, text }
    }
}

impl Hunk {
    /// Tells whether two hunks of different changes cannot both be taken.
    pub fn meets(&self, other: &Hunk) -> bool {
        let is_whole = self.kind == Kind::File || other.kind == Kind::File;
        self.file == other.file && (is_whole || self.edits.iter().any(|a| other.edits.iter().any(|b| a.meets(b))))
    }

    /// Returns its place: file and line, or the file where it is one.
    pub fn place(&self) -> String {
        match self.kind {
            Kind::Lines => format!("{}:{}", self.file, self.line),
            Kind::File => self.file.clone(),
        }
    }
}

/// What is taken of the changes of several agents, which all start from one commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Picks(pub BTreeMap<AgentName, BTreeSet<HunkId>>);

impl Picks {
    /// Tells whether a hunk of an agent is among them.
    pub fn has(&self, agent: &AgentName, id: &HunkId) -> bool {
        self.0.get(agent).is_some_and(|taken| taken.contains(id))
    }

    /// Takes a hunk, or leaves it.
    ///
    /// # Errors
    /// The hunk of another agent that is taken, and that it cannot be taken beside.
    pub fn toggle<'d>(
        &mut self,
        agent: &AgentName,
        id: &HunkId,
        diffs: &BTreeMap<&AgentName, &'d Diff>,
    ) -> Result<(), (AgentName, &'d Hunk)> {
        if self.has(agent, id) {
            self.0.entry(agent.clone()).or_default().remove(id);
            return Ok(());
        }
        if let Some(hunk) = diffs.get(agent).and_then(|diff| diff.hunk(id)) {
            for (other, taken) in self.0.iter().filter(|(other, _)| *other != agent) {
                let of_other = diffs.get(other).map(|diff| diff.hunks()).unwrap_or_default();
                if let Some(met) = of_other.iter().find(|met| taken.contains(&met.id) && met.meets(hunk)) {
                    return Err((other.clone(), met));
                }
            }
            self.0.entry(agent.clone()).or_default().insert(id.clone());
        }
        Ok(())
    }

    /// Tells whether nothing is taken.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }
}

/// How the tree with the hunks that were taken is made from the base.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    /// Files that are as an agent has them: all of its hunks of them are taken.
    pub whole: BTreeMap<AgentName, BTreeSet<String>>,
    /// What is changed in the other files: a diff without context, for `git apply --unidiff-zero`.
    pub patch: String,
}

/// Says how a tree is made that has what was taken and nothing else.
pub fn recipe(diffs: &BTreeMap<&AgentName, &Diff>, picks: &Picks) -> Recipe {
    let mut out = Recipe::default();
    let mut files: BTreeMap<&str, Vec<(&AgentName, &Diff, &Hunk)>> = BTreeMap::new();
    for (agent, diff) in diffs {
        for hunk in diff.hunks().iter().filter(|hunk| picks.has(agent, &hunk.id)) {
            files.entry(&hunk.file).or_default().push((agent, diff, hunk));
        }
    }
    for (file, taken) in files {
        let Some((agent, diff, first)) = taken.first() else { continue };
        let of_file = diff.hunks().iter().filter(|hunk| hunk.file == file).count();
        if taken.iter().all(|(other, ..)| other == agent) && taken.len() == of_file {
            out.whole.entry((*agent).clone()).or_default().insert(file.to_owned());
            continue;
        }
        let names = names(diff, first);
        out.patch.push_str(&names);
        let mut edits: Vec<(&Edit, &Diff)> =
            taken.iter().flat_map(|(_, diff, hunk)| hunk.edits.iter().map(|edit| (edit, *diff))).collect();
        edits.sort_by_key(|(edit, _)| edit.before);
        let mut grown = 0i64;
        for (edit, diff) in edits {
            // Git names the line before, where a side has none.
            let start = |count: u32, shift: i64| i64::from(edit.before) + shift + i64::from(count > 0);
            let (old, new) = (start(edit.removed, 0), start(edit.added, grown));
            out.patch.push_str(&format!("@@ -{old},{} +{new},{} @@\n", edit.removed, edit.added));
            out.patch.push_str(&diff.text[edit.text.clone()]);
            grown += i64::from(edit.added) - i64::from(edit.removed);
        }
    }
    out
}

/// The lines that name a hunk's file, as git wrote them.
fn names(diff: &Diff, hunk: &Hunk) -> String {
    let first = diff.hunks().iter().find(|other| other.file == hunk.file).unwrap_or(hunk);
    let heading = diff.text[first.at.start..first.body].split_inclusive('\n');
    let is_name = |line: &&str| ["diff --git ", "--- ", "+++ "].iter().any(|start| line.starts_with(start));
    heading.filter(is_name).collect()
}

/// Reads a diff. Nothing of it is lost: what cannot be taken apart is one hunk.
fn parse(text: &str) -> Vec<Hunk> {
    let mut starts: Vec<usize> = Vec::new();
    let mut reader = Reader { text, at: 0 };
    let mut bodies: Vec<(usize, Range<usize>, Body)> = Vec::new();
    while let Some((at, line)) = reader.line() {
        if line.starts_with("diff --git ") {
            starts.push(at);
        } else if let Some(sides) = sides(line).filter(|_| !starts.is_empty()) {
            let body = reader.body(sides);
            bodies.push((starts.len() - 1, at..reader.at, body));
        }
    }
    let mut out = Vec::new();
    let mut bodies = bodies.into_iter().peekable();
    for (nth, start) in starts.iter().enumerate() {
        let end = starts.get(nth + 1).copied().unwrap_or(text.len());
        let mut own = Vec::new();
        while let Some((_, at, body)) = bodies.next_if(|(of, ..)| *of == nth) {
            own.push((at, body));
        }
        hunks_of_file((text, *start..end), own, &mut out);
    }
    out
}

/// Makes the hunks of one file: one each, or all of them one.
fn hunks_of_file((text, at): (&str, Range<usize>), bodies: Vec<(Range<usize>, Body)>, out: &mut Vec<Hunk>) {
    let section = &text[at.clone()];
    let heading = &text[at.start..bodies.first().map_or(at.end, |(body, _)| body.start)];
    let Some(file) = name(heading) else { return };
    let ways = ["new file mode ", "deleted file mode ", "old mode ", "Binary files ", "GIT binary patch"];
    let is_whole = bodies.is_empty()
        || heading.lines().any(|line| ways.iter().any(|way| line.starts_with(way)))
        // Its bytes are no text, and git gave us what stands for them.
        || section.contains(char::REPLACEMENT_CHARACTER);
    let sum = |of: fn(&Edit) -> u32, edits: &[Edit]| edits.iter().map(of).fold(0u32, u32::saturating_add);
    let id = |edits: &[Edit]| {
        let mut named = file.clone();
        for edit in edits {
            named.push_str(&format!("\0{}\0{}\0{}", edit.before, edit.removed, &text[edit.text.clone()]));
        }
        if edits.is_empty() {
            named.push_str(section);
        }
        HunkId(Sha::of(named).as_str().chars().take(DIGITS).collect())
    };
    let mut make = |kind, (line, lines), at: Range<usize>, body, edits: Vec<Edit>| {
        let (added, removed) = (sum(|edit| edit.added, &edits), sum(|edit| edit.removed, &edits));
        let (id, file) = (id(&edits), file.clone());
        out.push(Hunk { id, file, line, lines, added, removed, kind, at, body, edits });
    };
    if is_whole {
        let first = bodies.first().map(|(at, _)| at.start).unwrap_or(at.end);
        let line = bodies.first().map_or(0, |(_, body)| body.line);
        let lines = bodies.iter().map(|(_, body)| body.lines).fold(0, u32::saturating_add);
        let edits = bodies.into_iter().flat_map(|(_, body)| body.edits).collect();
        make(Kind::File, (line, lines), at, first, edits);
        return;
    }
    for (nth, (body_at, body)) in bodies.into_iter().enumerate() {
        let start = if nth == 0 { at.start } else { body_at.start };
        make(Kind::Lines, (body.line, body.lines), start..body_at.end, body_at.start, body.edits);
    }
}

/// Reads the name of a file from its heading; where git has no line for each side, both halves of the first are it.
fn name(heading: &str) -> Option<String> {
    let side = |start: &str| heading.split('\n').find_map(|line| line.strip_prefix(start));
    match (side("--- "), side("+++ ")) {
        (Some(old), Some("/dev/null")) => Some(unquoted(old, "a/")),
        (_, Some(new)) => Some(unquoted(new, "b/")),
        (_, None) => {
            let both = heading.split('\n').next()?.strip_prefix("diff --git ")?;
            both.get(both.len() / 2 + 1..).map(|second| unquoted(second, "b/"))
        }
    }
}

/// How many lines a hunk has before and after, and where they start.
#[derive(Debug, Clone, Copy)]
struct Sides {
    old: (u32, u32),
    new: (u32, u32),
}

fn sides(line: &str) -> Option<Sides> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let side = |text: &str| match text.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    };
    Some(Sides { old: side(old)?, new: side(new)? })
}

/// What stands below an `@@` line.
struct Body {
    /// First changed line after the change.
    line: u32,
    /// From there to the last changed one.
    lines: u32,
    edits: Vec<Edit>,
}

/// Goes through a text line by line; a carriage return is part of its line.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn line(&mut self) -> Option<(usize, &'t str)> {
        let at = self.at;
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split('\n').next().unwrap_or(rest);
        self.at = (at + line.len() + 1).min(self.text.len());
        Some((at, line))
    }

    /// Reads the lines of a hunk: a changed line may itself look like a heading.
    fn body(&mut self, Sides { old, new }: Sides) -> Body {
        // Where a side has no line, git names the one before.
        let first = |(start, count): (u32, u32)| if count == 0 { start.saturating_add(1) } else { start };
        let (mut old_at, mut new_at) = (first(old), first(new));
        let (old_end, new_end) = (old_at.saturating_add(old.1), new_at.saturating_add(new.1));
        let (mut edits, mut is_open) = (Vec::<Edit>::new(), false);
        let mut span: Option<(u32, u32)> = None;
        while let Some((at, line)) = self.line() {
            let is_more = old_at < old_end || new_at < new_end || line.starts_with('\\');
            let sign = line.as_bytes().first().copied().unwrap_or(b' ');
            if !is_more || !matches!(sign, b' ' | b'+' | b'-' | b'\\') {
                self.at = at;
                break;
            }
            let end = self.at;
            match sign {
                // That a line has no end belongs to the line.
                b'\\' => {
                    if let Some(edit) = edits.last_mut().filter(|_| is_open) {
                        edit.text.end = end;
                    }
                    continue;
                }
                b' ' => {
                    (old_at, new_at, is_open) = (old_at.saturating_add(1), new_at.saturating_add(1), false);
                    continue;
                }
                _ if !is_open => {
                    edits.push(Edit { before: old_at.saturating_sub(1), removed: 0, added: 0, text: at..end });
                    is_open = true;
                }
                _ => {}
            }
            let Some(edit) = edits.last_mut() else { continue };
            edit.text.end = end;
            span = Some(span.map_or((new_at, new_at), |(from, _)| (from, new_at)));
            if sign == b'+' {
                edit.added += 1;
                new_at = new_at.saturating_add(1);
            } else {
                edit.removed += 1;
                old_at = old_at.saturating_add(1);
            }
        }
        let (line, last) = span.unwrap_or((new_at, new_at));
        Body { line, lines: last.saturating_sub(line).saturating_add(1), edits }
    }
}

#[cfg(test)]
mod tests;
