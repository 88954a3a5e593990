//! Where names of code stand in a tree: one pass over its files for all names that anybody asks about. A file that holds
//! one is then parsed, if there is a grammar for it: only what stands in code counts.
//!
//! It answers "is it there", not "what is it". It must not know tasks or specs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::Place;
use super::lines::{defines_by_words, how, is_comment, next_word};
use super::syntax::{Budget, Language, Name, Stand, stands};
use super::tree::Tree;
use crate::domain::claim::lookup::Means;
use crate::domain::spec::{self, is_test_path};

/// What the pass saw.
#[derive(Debug, Default)]
pub struct Sights<'t> {
    /// Every sighting of each wanted word, files in order of path.
    words: HashMap<String, Vec<Sight<'t>>>,
    /// Where requirement ids stand in code, by [`id_key`].
    ids: BTreeMap<String, Vec<Sight<'t>>>,
    /// Stems of code files: `limiter` for `src/limiter.rs`, and of folders that hold a `mod.rs` or `__init__.py`.
    stems: BTreeMap<&'t str, Vec<&'t str>>,
    /// Whether any program was read as text, so that what is absent may only be unseen.
    reads_text: bool,
}

/// One place where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight<'t> {
    /// The file.
    pub file: &'t str,
    /// The line, from 1.
    pub line: u32,
    /// How it stands there.
    pub how: How,
    /// How that is known.
    pub by: Means,
    /// The line's text, or the whole statement if it imports.
    pub text: &'t str,
    /// The type or module around a definition, where a parser told.
    pub owner: Option<&'t str>,
    /// Whether the place is test code.
    pub in_test: bool,
    /// Whether what stands here can be a test.
    pub can_test: bool,
    /// Whether it names a type that has more members than stand in it.
    pub is_heir: bool,
    /// Whether what is defined here does nothing.
    pub is_hollow: bool,
}

/// How a word stands in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Defined: after `fn`, `class`, …, or anywhere in a language without such words.
    Defined,
    /// Given a value or a type: before `=` or `:`.
    Assigned,
    /// A string of its own: a header, a route, the name of a test.
    Quoted,
    /// Mentioned, not called.
    Mentioned,
    /// Called.
    Called,
}

/// The answer about one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting<'t> {
    /// It is there.
    Seen(Sight<'t>),
    /// Nothing defines it; where it is at least written, if anywhere.
    Absent(Option<Place>),
}

/// Most places kept of one word: enough to find a definition behind its callers.
const SIGHTS_MAX: usize = 400;

/// What is looked for, in the form that the pass needs.
struct Wanted<'w> {
    words: HashSet<&'w str>,
    /// Names of tests that are phrases: `it("refuses an empty key")`.
    phrases: Vec<&'w str>,
    /// Headers, in each spelling of code.
    odd: Vec<[String; 3]>,
}

/// A wanted word found in a file.
struct Hit<'t> {
    range: Range<usize>,
    /// The line, its number and where it starts.
    line: &'t str,
    number: u32,
    start: usize,
    in_test: bool,
    is_comment: bool,
}

impl<'t> Sights<'t> {
    /// Looks for words in all code of a tree outside the folders in `apart` (specs, which name what they ask for).
    pub fn of(tree: &'t Tree, wanted: &BTreeSet<String>, apart: &[String]) -> Self {
        let mut sights = Self::default();
        let (phrases, names): (Vec<&str>, Vec<&str>) =
            wanted.iter().map(String::as_str).partition(|name| last_phrase(name).contains(' '));
        let words: HashSet<&str> = names.into_iter().flat_map(segments).collect();
        let odd = words.iter().filter(|s| s.contains('-')).map(|s| header_spellings(s)).collect();
        let wanted = Wanted { words, phrases: phrases.into_iter().map(last_phrase).collect(), odd };
        let mut budget = Budget::default();
        for (path, file) in &tree.files {
            let Some(text) = file.as_text() else { continue };
            if !is_code(path) || apart.iter().any(|dir| is_under(path, dir)) {
                continue;
            }
            sights.stems.entry(stem_of(path)).or_default().push(path);
            let hits = sights.read(path, text, &wanted);
            sights.judge(path, text, &hits, &mut budget);
        }
        sights
    }

    /// Reads the requirement ids and headers of a file, and returns where wanted words stand, in order.
    fn read(&mut self, path: &'t str, text: &'t str, wanted: &Wanted<'_>) -> Vec<Hit<'t>> {
        let mut hits = Vec::new();
        let mut in_test = is_test_path(path);
        let mut start = 0;
        for (number, whole) in (1u32..).zip(text.split_inclusive('\n')) {
            let line = whole.trim_end_matches(['\n', '\r']);
            in_test |= line.trim_start().starts_with("#[cfg(test)]");
            // A comment may speak of what is gone; but it is where tests name their requirement.
            let is_comment = is_comment(line.trim_start());
            let hit = |range: Range<usize>| {
                let range = start + range.start..start + range.end;
                Hit { range, line, number, start, in_test, is_comment }
            };
            let mention = |how| Sight { how, ..Sight::by_text(path, number, line, in_test) };
            let first = hits.len();
            let mut at = 0;
            while let Some((from, to)) = next_word(line, at) {
                at = to;
                let word = &line[from..to];
                if wanted.words.contains(word) {
                    hits.push(hit(from..to));
                }
                let short = || if is_comment { spec::short_id(word).and_then(|id| id_key(&id)) } else { None };
                if let Some(key) = id_at(line, from, word).or_else(short) {
                    self.ids.entry(key).or_default().push(mention(How::Mentioned));
                }
            }
            for phrase in &wanted.phrases {
                hits.extend(line.find(phrase).map(|at| hit(at..at + phrase.len())));
            }
            hits[first..].sort_by_key(|hit| hit.range.start);
            for [name, others @ ..] in wanted.odd.iter().filter(|_| !is_comment) {
                if line.contains(name.as_str()) || others.iter().any(|o| line.contains(o.as_str())) {
                    self.keep(name, mention(How::Defined));
                }
            }
            start += whole.len();
        }
        hits
    }

    /// Keeps the hits that stand in code.
    fn judge(&mut self, path: &'t str, text: &'t str, hits: &[Hit<'t>], budget: &mut Budget) {
        let has_words = defines_by_words(path);
        let language = Language::of(path);
        if hits.is_empty() {
            self.reads_text |= has_words && language.is_none();
            return;
        }
        let ranges: Vec<Range<usize>> = hits.iter().map(|hit| hit.range.clone()).collect();
        let parsed = language.and_then(|language| stands((language, path), text, &ranges, budget));
        self.reads_text |= has_words && parsed.is_none();
        let parsed = parsed.unwrap_or_else(|| vec![Stand::Unclear; hits.len()]);
        for (hit, stand) in hits.iter().zip(parsed) {
            let sight = Sight::by_text(path, hit.number, hit.line, hit.in_test);
            let (from, to) = (hit.range.start - hit.start, hit.range.end - hit.start);
            let sight = match stand {
                Stand::Code(name) => sight.parsed(&name),
                Stand::Unclear if hit.is_comment => continue,
                Stand::Unclear if has_words => Sight { how: how(hit.line, from, to), ..sight },
                Stand::Unclear => Sight { how: How::Defined, ..sight },
                Stand::Apart => continue,
            };
            self.keep(&hit.line[from..to], sight);
        }
    }

    fn keep(&mut self, word: &str, sight: Sight<'t>) {
        let kept = self.words.entry(word.to_owned()).or_default();
        if kept.len() < SIGHTS_MAX || sight.how <= How::Assigned {
            kept.push(sight);
        }
    }

    fn all(&self, word: &str) -> &[Sight<'t>] {
        self.words.get(word).map_or(&[], Vec::as_slice)
    }

    /// Returns how it is known that something is nowhere: by parsers alone, or also by reading text.
    pub fn absent_by(&self) -> Means {
        if self.reads_text { Means::Text } else { Means::Parsed }
    }

    /// Tells whether a symbol is there. `named` are the files that are said to hold it: in them a mention is enough,
    /// because what comes from a library is defined nowhere here.
    pub fn symbol(&self, name: &str, named: &[String]) -> Sighting<'t> {
        let segments: Vec<&str> = segments(name).collect();
        let Some((last, owners)) = segments.split_last() else { return Sighting::Absent(None) };
        match owners.last() {
            None => self.plain(last, named),
            Some(owner) => self.owned(name, owner, last),
        }
    }

    fn plain(&self, word: &str, named: &[String]) -> Sighting<'t> {
        let sights = self.all(word);
        if let Some(defined) = fullest(sights, |s| s.how <= How::Assigned) {
            return Sighting::Seen(defined);
        }
        // What our own files import from one another must be defined here.
        if sights.iter().any(|s| self.is_own_import(word, s.text)) {
            return Sighting::Absent(sights.first().map(Sight::place));
        }
        let is_type = word.starts_with(|c: char| c.is_ascii_uppercase());
        let is_named = |s: &&Sight<'_>| named.is_empty() || named.iter().any(|n| n == s.file);
        // A function that is only called is not there any more, or never was; a type may come from elsewhere.
        let enough = sights.iter().filter(is_named).find(|s| is_type || s.how != How::Called);
        match enough {
            Some(sight) => Sighting::Seen(*sight),
            None => Sighting::Absent(sights.first().map(Sight::place)),
        }
    }

    fn is_own_import(&self, name: &str, line: &str) -> bool {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let imports = ["use ", "import ", "from ", "export {", "#include \""].iter().any(|word| line.starts_with(word));
        if !imports {
            return false;
        }
        let by_mark = ["crate::", "super::", "self::", "from .", "'./", "\"./", "'../", "\"../", "'@/", "\"@/"];
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        by_mark.iter().any(|mark| line.contains(mark)) || words.any(|w| w != name && self.stems.contains_key(w))
    }

    fn owned(&self, name: &str, owner: &str, last: &str) -> Sighting<'t> {
        let (owners, lasts) = (self.all(owner), self.all(last));
        let around: BTreeSet<&str> = owners.iter().map(|s| s.file).collect();
        let of_module = |s: &Sight<'t>| self.stems.get(owner).is_some_and(|files| files.contains(&s.file));
        // Where a parser says whose member it is, that decides, but for what the owner may have from elsewhere.
        let is_told = owners.iter().any(|s| s.how == How::Defined && s.by == Means::Parsed);
        let may_inherit = !is_told || owners.iter().any(|s| s.is_heir);
        let is_members = |s: &Sight<'t>| match s.by {
            Means::Parsed => s.owner == Some(owner) || (may_inherit && around.contains(s.file)),
            Means::Text | Means::Hunk => around.contains(s.file),
        };
        if let Some(sight) = fullest(lasts, |s| s.how <= How::Assigned && (is_members(s) || of_module(s))) {
            return Sighting::Seen(sight);
        }
        let homes: BTreeSet<&str> = owners.iter().filter(|s| s.how == How::Defined).map(|s| s.file).collect();
        // `process.env.HOME` as it stands, of an owner that no line here defines.
        let whole = lasts.iter().find(|s| homes.is_empty() && s.how == How::Mentioned && s.text.contains(name));
        if let Some(sight) = whole {
            return Sighting::Seen(*sight);
        }
        let in_home = |s: &&Sight<'t>| s.by == Means::Text && s.how == How::Mentioned && homes.contains(s.file);
        if homes.is_empty() && !self.stems.contains_key(owner) {
            // Not ours: a library's. Both words in one file are all there can be.
            if let Some(sight) = lasts.iter().find(|s| around.contains(s.file)) {
                return Sighting::Seen(*sight);
            }
        } else if let Some(sight) = lasts.iter().find(in_home) {
            // A variant or a field stands in its type's file without a word before it.
            return Sighting::Seen(*sight);
        } else if DERIVED.contains(&last)
            && let Some(home) = owners.iter().find(|s| s.how == How::Defined)
        {
            return Sighting::Seen(*home);
        }
        Sighting::Absent(lasts.first().map(Sight::place))
    }

    /// Returns where one file holds a symbol, its definition first: the last part stands there, and what owns it too or
    /// is the file itself.
    pub fn in_file(&self, name: &str, file: &str) -> Option<Sight<'t>> {
        let segments: Vec<&str> = segments(name).collect();
        let (last, owners) = segments.split_last()?;
        let is_here = |s: &&Sight<'t>| s.file == file;
        let owned = owners.iter().all(|owner| {
            self.all(owner).iter().any(|s| is_here(&s))
                || self.stems.get(owner).is_some_and(|files| files.contains(&file))
        });
        self.all(last).iter().filter(is_here).min_by_key(|s| s.how).filter(|_| owned).copied()
    }

    /// Returns where a test is defined: its last segment, defined as a test anywhere in code.
    pub fn test(&self, id: &str) -> Option<Sight<'t>> {
        let phrase = last_phrase(id);
        let last = if phrase.contains(' ') { phrase } else { segments(id).next_back()? };
        let sights = self.all(last);
        let fits = |s: &Sight<'t>| s.can_test && matches!(s.how, How::Defined | How::Quoted);
        let in_test = fullest(sights, |s| s.in_test && fits(s));
        in_test.or_else(|| fullest(sights, |s| s.how == How::Defined && fits(s)))
    }

    /// Returns where code names a requirement id.
    pub fn requirement(&self, id: &str) -> &[Sight<'t>] {
        id_key(id).and_then(|key| self.ids.get(&key)).map_or(&[], Vec::as_slice)
    }
}

impl<'t> Sight<'t> {
    /// Makes what the text alone shows: where, and in what code.
    fn by_text(file: &'t str, line: u32, text: &'t str, in_test: bool) -> Self {
        let (how, by) = (How::Mentioned, Means::Text);
        Self { file, line, how, by, text, owner: None, in_test, can_test: true, is_heir: false, is_hollow: false }
    }

    /// Adds what the parser says of it.
    fn parsed(self, name: &Name<'t>) -> Self {
        Self {
            how: name.how,
            by: Means::Parsed,
            text: name.import.unwrap_or(self.text),
            owner: name.owner,
            can_test: name.is_test,
            is_heir: name.is_heir,
            is_hollow: name.is_hollow,
            ..self
        }
    }

    /// Returns the place.
    pub fn place(&self) -> Place {
        Place { file: self.file.to_owned(), line: self.line }
    }
}

/// Returns the first that fits, one that does something before one that does not: a default may be empty.
fn fullest<'t>(sights: &[Sight<'t>], fits: impl Fn(&Sight<'t>) -> bool) -> Option<Sight<'t>> {
    let fitting = || sights.iter().filter(|s| fits(s));
    fitting().find(|s| !s.is_hollow).or_else(|| fitting().next()).copied()
}

/// Returns how code writes a header: `Retry-After`, `retry-after`, `RETRY_AFTER`.
fn header_spellings(name: &str) -> [String; 3] {
    [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase().replace('-', "_")]
}

/// What Rust derives: a type has it without anybody writing it.
const DERIVED: [&str; 9] = ["default", "clone", "fmt", "from", "into", "eq", "hash", "serialize", "deserialize"];

/// Returns the last part of a test's id that may be a phrase: `pool > refuses an empty key`.
fn last_phrase(id: &str) -> &str {
    id.rsplit(" > ").next().unwrap_or(id).trim()
}

fn segments(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split([':', '.', '#']).filter(|s| !s.is_empty())
}

/// Reads a requirement id that stands at a word: `FR-001`, or inside a name: `test_fr_001_limits`.
fn id_at(line: &str, start: usize, word: &str) -> Option<String> {
    if matches!(word, "FR" | "NFR" | "R") && line[start + word.len()..].starts_with('-') {
        let id = crate::domain::spec::requirement_ids(&line[start..line.len().min(floor(line, start + 40))])
            .into_iter()
            .next()?;
        return id_key(&id);
    }
    if word.len() < 4 || !word.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let mut parts = lower.split('_').peekable();
    while let Some(part) = parts.next() {
        let (prefix, digits) = part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len()));
        if !matches!(prefix, "fr" | "nfr") {
            continue;
        }
        let number = if digits.is_empty() { parts.peek().copied().unwrap_or("") } else { digits };
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            return id_key(&format!("{}-{number}", prefix.to_uppercase()));
        }
    }
    None
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns what two spellings of one requirement id share: `FR-1` and `FR-001` are one. `None` for what is no
/// requirement id (stories, criteria).
fn id_key(id: &str) -> Option<String> {
    let (prefix, number) = id.split_once('-')?;
    if !matches!(prefix, "FR" | "NFR" | "R") {
        return None;
    }
    if number.bytes().all(|b| b.is_ascii_digit()) {
        let short = number.trim_start_matches('0');
        return Some(format!("{prefix}-{}", if short.is_empty() { "0" } else { short }));
    }
    Some(id.to_owned())
}

fn is_under(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

/// Tells whether a file can hold code or settings: prose names everything, so it shows nothing.
pub fn is_code(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
    let is_prose =
        ["md", "mdx", "mdc", "txt", "rst", "adoc", "lock", "log", "svg", "csv", "snap"].contains(&ending.as_str());
    let is_ours = path.starts_with(".dicast/") || path.starts_with(".specify/");
    !(is_prose || is_ours || name == "package-lock.json")
}

fn stem_of(path: &str) -> &str {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.split('.').next().unwrap_or(name);
    if matches!(stem, "mod" | "__init__" | "index") { dir.rsplit('/').next().unwrap_or(dir) } else { stem }
}
