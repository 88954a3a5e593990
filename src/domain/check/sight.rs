//! Where names of code stand in a tree: one pass over its files for all names that anybody asks about.
//!
//! It reads text by words and a few patterns of definition, not by grammars: it answers "is it there", not "what is it".
//! It must not know tasks or specs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Place;
use super::tree::Tree;
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
    /// The line's text.
    pub text: &'t str,
    /// Whether the place is test code.
    pub in_test: bool,
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
pub enum Sighting {
    /// It is there.
    Seen(Place),
    /// Nothing defines it; where it is at least written, if anywhere.
    Absent(Option<Place>),
}

/// Most places kept of one word: enough to find a definition behind its callers.
const SIGHTS_MAX: usize = 400;

impl<'t> Sights<'t> {
    /// Looks for words in all code of a tree outside the folders in `apart` (specs, which name what they ask for).
    pub fn of(tree: &'t Tree, wanted: &BTreeSet<String>, apart: &[String]) -> Self {
        let mut sights = Self::default();
        let segments: HashSet<&str> = wanted.iter().flat_map(|name| segments(name)).collect();
        let odd: Vec<[String; 3]> = segments.iter().filter(|s| s.contains('-')).map(|s| header_spellings(s)).collect();
        for (path, file) in &tree.files {
            let Some(text) = file.as_text() else { continue };
            if !is_code(path) || apart.iter().any(|dir| is_under(path, dir)) {
                continue;
            }
            sights.stems.entry(stem_of(path)).or_default().push(path);
            sights.read(path, text, &segments, &odd);
        }
        sights
    }

    fn read(&mut self, path: &'t str, text: &'t str, wanted: &HashSet<&str>, odd: &[[String; 3]]) {
        let has_words = defines_by_words(path);
        let mut in_test = is_test_path(path);
        for (number, line) in (1u32..).zip(text.lines()) {
            in_test |= line.trim_start().starts_with("#[cfg(test)]");
            // A comment may speak of what is gone; but it is where tests name their requirement.
            let is_comment = is_comment(line.trim_start());
            let mut at = 0;
            while let Some((start, end)) = next_word(line, at) {
                at = end;
                let word = &line[start..end];
                if !is_comment && wanted.contains(word) {
                    let how = if has_words { how(line, start, end) } else { How::Defined };
                    self.keep(word, Sight { file: path, line: number, how, text: line, in_test });
                }
                let short = || if is_comment { spec::short_id(word).and_then(|id| id_key(&id)) } else { None };
                if let Some(key) = id_at(line, start, word).or_else(short) {
                    let sight = Sight { file: path, line: number, how: How::Mentioned, text: line, in_test };
                    self.ids.entry(key).or_default().push(sight);
                }
            }
            for [name, others @ ..] in odd.iter().filter(|_| !is_comment) {
                if line.contains(name.as_str()) || others.iter().any(|o| line.contains(o.as_str())) {
                    self.keep(name, Sight { file: path, line: number, how: How::Defined, text: line, in_test });
                }
            }
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

    /// Tells whether a symbol is there. `named` are the files that are said to hold it: in them a mention is enough,
    /// because what comes from a library is defined nowhere here.
    pub fn symbol(&self, name: &str, named: &[String]) -> Sighting {
        let segments: Vec<&str> = segments(name).collect();
        let Some((last, owners)) = segments.split_last() else { return Sighting::Absent(None) };
        match owners.last() {
            None => self.plain(last, named),
            Some(owner) => self.owned(name, owner, last),
        }
    }

    fn plain(&self, word: &str, named: &[String]) -> Sighting {
        let sights = self.all(word);
        if let Some(defined) = sights.iter().find(|s| s.how <= How::Assigned) {
            return Sighting::Seen(defined.place());
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
            Some(sight) => Sighting::Seen(sight.place()),
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

    fn owned(&self, name: &str, owner: &str, last: &str) -> Sighting {
        let (owners, lasts) = (self.all(owner), self.all(last));
        let files = |sights: &[Sight<'t>]| sights.iter().map(|s| s.file).collect::<BTreeSet<_>>();
        let around = files(owners);
        let of_module = |s: &&Sight<'t>| self.stems.get(owner).is_some_and(|files| files.contains(&s.file));
        let defined = |s: &&Sight<'t>| s.how <= How::Assigned && (around.contains(s.file) || of_module(s));
        if let Some(sight) = lasts.iter().find(defined) {
            return Sighting::Seen(sight.place());
        }
        let homes: BTreeSet<&str> = owners.iter().filter(|s| s.how == How::Defined).map(|s| s.file).collect();
        // `process.env.HOME` as it stands, of an owner that no line here defines.
        let whole = lasts.iter().find(|s| homes.is_empty() && s.how == How::Mentioned && s.text.contains(name));
        if let Some(sight) = whole {
            return Sighting::Seen(sight.place());
        }
        if homes.is_empty() && !self.stems.contains_key(owner) {
            // Not ours: a library's. Both words in one file are all there can be.
            if let Some(sight) = lasts.iter().find(|s| around.contains(s.file)) {
                return Sighting::Seen(sight.place());
            }
        } else if let Some(sight) = lasts.iter().find(|s| s.how == How::Mentioned && homes.contains(s.file)) {
            // A variant or a field stands in its type's file without a word before it.
            return Sighting::Seen(sight.place());
        } else if DERIVED.contains(&last)
            && let Some(home) = owners.iter().find(|s| s.how == How::Defined)
        {
            return Sighting::Seen(home.place());
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

    /// Returns where a test is defined: its last segment, defined anywhere in code.
    pub fn test(&self, id: &str) -> Option<Sight<'t>> {
        let last = segments(id).next_back()?;
        let sights = self.all(last);
        let in_test = sights.iter().find(|s| s.in_test && matches!(s.how, How::Defined | How::Quoted));
        in_test.or_else(|| sights.iter().find(|s| s.how == How::Defined)).copied()
    }

    /// Returns where code names a requirement id.
    pub fn requirement(&self, id: &str) -> &[Sight<'t>] {
        id_key(id).and_then(|key| self.ids.get(&key)).map_or(&[], Vec::as_slice)
    }
}

impl Sight<'_> {
    /// Returns the place.
    pub fn place(&self) -> Place {
        Place { file: self.file.to_owned(), line: self.line }
    }
}

/// Returns how code writes a header: `Retry-After`, `retry-after`, `RETRY_AFTER`.
fn header_spellings(name: &str) -> [String; 3] {
    [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase().replace('-', "_")]
}

/// What Rust derives: a type has it without anybody writing it.
const DERIVED: [&str; 9] = ["default", "clone", "fmt", "from", "into", "eq", "hash", "serialize", "deserialize"];

fn segments(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split([':', '.', '#']).filter(|s| !s.is_empty())
}

/// Words after which a name is defined, in any of the languages that have such words.
const DEFINING: [&str; 38] = [
    "fn",
    "def",
    "func",
    "function",
    "fun",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "type",
    "const",
    "let",
    "var",
    "val",
    "static",
    "mod",
    "module",
    "macro_rules",
    "record",
    "object",
    "protocol",
    "table",
    "union",
    "namespace",
    "message",
    "service",
    "rpc",
    "defmodule",
    "defp",
    "sub",
    "proc",
    "alias",
    "extension",
    "actor",
    "component",
    "view",
    "TABLE",
];

/// Words that start a line which calls and does not define.
const CALLING: [&str; 14] = [
    "if", "while", "for", "return", "await", "else", "match", "switch", "when", "assert", "throw", "yield", "case",
    "new",
];

fn how(line: &str, start: usize, end: usize) -> How {
    let (before, after) = (line[..start].trim_end(), &line[end..]);
    let previous = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
    // Go: `func (l *Limiter) Allow(`; JavaScript: `function* walk(`.
    let receiver = before.ends_with(')') && before.trim_start().starts_with("func ");
    if DEFINING.contains(&previous) || receiver || before.ends_with("function*") || before.ends_with("macro_rules!") {
        return How::Defined;
    }
    if before.ends_with(['"', '\'', '`']) && after.starts_with(['"', '\'', '`']) {
        return How::Quoted;
    }
    let next = after.trim_start();
    let is_member = before.ends_with(['.', ':', '>'])
        && (before.ends_with('.') || before.ends_with("::") || before.ends_with("->"));
    if !is_member {
        let assigned = next.starts_with('=') && !next.starts_with("==");
        let typed = (next.starts_with(':') && !next.starts_with("::")) || next.starts_with("?:");
        if assigned || typed {
            return How::Assigned;
        }
        let first = before.split_whitespace().next().unwrap_or("");
        let opens = line.trim_end().ends_with(['{', ':']) || line.trim_end().ends_with("=>");
        let calls =
            CALLING.contains(&first) || before.contains('=') || before.ends_with(['(', ',', '!', '&', '|', '?']);
        if next.starts_with('(') && opens && !calls {
            return How::Defined;
        }
    }
    if next.starts_with('(') || next.starts_with("!(") { How::Called } else { How::Mentioned }
}

fn is_comment(line: &str) -> bool {
    ["//", "/*", "* ", "# ", "<!--", "-- ", "; "].iter().any(|mark| line.starts_with(mark))
}

fn next_word(line: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80;
    let start = from + bytes.get(from..)?.iter().position(|b| is_word(*b))?;
    let end = bytes[start..].iter().position(|b| !is_word(*b)).map_or(bytes.len(), |n| start + n);
    Some((start, end))
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

/// Tells whether a language defines names by words that [`how`] knows.
fn defines_by_words(path: &str) -> bool {
    const WORDS: [&str; 30] = [
        "rs", "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "vue", "svelte", "go", "java", "kt", "kts",
        "scala", "swift", "c", "h", "cc", "cpp", "hpp", "cs", "rb", "php", "dart", "ex", "exs", "lua",
    ];
    path.rsplit_once('.').is_some_and(|(_, ending)| WORDS.contains(&ending))
}

fn stem_of(path: &str) -> &str {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.split('.').next().unwrap_or(name);
    if matches!(stem, "mod" | "__init__" | "index") { dir.rsplit('/').next().unwrap_or(dir) } else { stem }
}
