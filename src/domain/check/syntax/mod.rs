//! How names stand in source text, by a real parser (tree-sitter) for the languages that have a grammar here.
//!
//! Pure, and bounded by counts instead of a clock, so that it says the same everywhere: a hostile file ends the parse,
//! never the program. It must not know who asks, nor search for names: it is given where they stand.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use super::sight::How;
use grammar::{CALLS, Grammar, IMPORTS, TESTING, is_around, is_string};

mod grammar;
#[cfg(test)]
mod tests;

pub(super) use grammar::Language;

/// Largest file that is parsed, in bytes: what is larger was generated, and is searched as text.
const FILE_MAX: usize = 512 << 10;

/// Most bytes that are parsed in one check: at the 10 MB a second that the slowest grammar does, half a second's work.
const TOTAL_MAX: usize = 6 << 20;

/// Bytes handed to the parser at a time. It asks again for what it scans again, so that the requests measure its work.
const CHUNK: usize = 1 << 10;

/// How often each chunk of a file may be asked for, on average: sound code needs fewer than four.
const CHUNK_READS: usize = 24;

/// Parse steps allowed for each byte (sound code takes less than two), and for any file, however small.
const STEPS_PER_BYTE: usize = 8;
const STEPS_MIN: usize = 20_000;

/// Steps between two calls of the parser's progress callback.
const STEPS_PER_CALL: usize = 100;

/// Longest import statement that is handed out, in bytes.
const IMPORT_MAX: usize = 4 << 10;

/// How a name stands in a file that was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stand<'t> {
    /// In code.
    Code(Name<'t>),
    /// In a comment, or inside a longer text.
    Apart,
    /// Where the parser cannot tell: in a macro's tokens, in what is no sound code, in SQL inside a text.
    Unclear,
}

/// A name in code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name<'t> {
    /// How it stands there.
    pub how: How,
    /// The type or module around its definition.
    pub owner: Option<&'t str>,
    /// The import statement it stands in.
    pub import: Option<&'t str>,
    /// Whether what it defines can be a test.
    pub is_test: bool,
    /// Whether it names a type that has more members than stand here: it inherits or implements something.
    pub is_heir: bool,
    /// Whether what it defines does nothing: its body is empty, or says that it is still to be written.
    pub is_hollow: bool,
}

/// What is left to spend in one check.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: TOTAL_MAX }
    }
}

/// Tells how the names at `hits` (byte ranges in ascending order) stand in a file; `None` if it was not parsed: too
/// large, too costly, or nothing is left of the budget.
pub(super) fn stands<'t>(
    (language, path): (Language, &str),
    text: &'t str,
    hits: &[Range<usize>],
    budget: &mut Budget,
) -> Option<Vec<Stand<'t>>> {
    if text.len() > FILE_MAX {
        return None;
    }
    budget.bytes = budget.bytes.checked_sub(text.len())?;
    let tree = parse(language, text)?;
    let mut walk = Walk { language, grammar: language.grammar(), path, text, hits, out: Vec::new() };
    walk.run(&tree);
    Some(walk.out)
}

fn parse(language: Language, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.tables()).ok()?;
    let bytes = text.as_bytes();
    let reads = Cell::new((bytes.len() / CHUNK + 8) * CHUNK_READS);
    let calls = Cell::new((bytes.len() * STEPS_PER_BYTE + STEPS_MIN) / STEPS_PER_CALL);
    let spend = |left: &Cell<usize>| left.get().checked_sub(1).inspect(|rest| left.set(*rest)).is_some();
    // Once all is spent the text ends here, so that even one long scan does.
    let mut read = |at: usize, _| match spend(&reads) {
        true => bytes.get(at..bytes.len().min(at + CHUNK)).unwrap_or_default(),
        false => &[],
    };
    let mut go_on = |_: &_| match reads.get() > 0 && spend(&calls) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut go_on);
    parser.parse_with_options(&mut read, None, Some(options)).filter(|_| reads.get() > 0)
}

/// What a stretch of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Code,
    Comment,
    Text { range: Range<usize>, names_test: bool, is_hollow: bool },
    Tokens,
    Broken,
}

/// A node on the way from the root to a name.
#[derive(Debug, Clone)]
struct Level<'t, 'n> {
    kind: &'n str,
    field: &'n str,
    end: usize,
    state: State,
    owner: Option<&'t str>,
    import: Option<&'t str>,
    /// It is marked as a test, or calls something that opens one.
    is_test: bool,
    is_heir: bool,
    /// A type of C that is only named.
    is_named_only: bool,
    is_hollow: bool,
}

struct Walk<'t, 'h> {
    language: Language,
    grammar: &'static Grammar,
    path: &'h str,
    text: &'t str,
    hits: &'h [Range<usize>],
    out: Vec<Stand<'t>>,
}

impl<'t> Walk<'t, '_> {
    /// Goes once through the tree, only into nodes that hold a name.
    fn run<'n>(&mut self, tree: &'n Tree) {
        let mut cursor = tree.walk();
        let mut above: Vec<Level<'t, 'n>> = Vec::new();
        // Of each open node: whether the attributes before its next child mark a test.
        let mut marks = vec![false];
        while let Some(hit) = self.hits.get(self.out.len()).cloned() {
            let node = cursor.node();
            if hit.start < node.start_byte() {
                // Between two nodes: what the node around them is.
                self.out.push(above.last().map_or(Stand::Unclear, |level| self.between(level, &hit)));
                continue;
            }
            let mark = self.mark(node, &mut marks);
            if hit.start < node.end_byte() {
                let level = self.level(node, cursor.field_name().unwrap_or(""), &above, mark);
                if cursor.goto_first_child() {
                    above.push(level);
                    marks.push(false);
                    continue;
                }
                above.push(level);
                while let Some(hit) = self.hits.get(self.out.len()).filter(|hit| hit.start < node.end_byte()) {
                    let stand = self.judge(&above, hit);
                    self.out.push(stand);
                }
                above.pop();
            }
            while !cursor.goto_next_sibling() {
                let Some(level) = above.pop() else { break };
                marks.pop();
                while let Some(hit) = self.hits.get(self.out.len()).filter(|hit| hit.start < level.end) {
                    let stand = self.between(&level, hit);
                    self.out.push(stand);
                }
                cursor.goto_parent();
            }
            if above.is_empty() && cursor.node().end_byte() <= hit.start {
                break;
            }
        }
        self.out.resize(self.hits.len(), Stand::Unclear);
    }

    /// Returns whether the attributes before a node mark it as a test, and remembers the node if it is one.
    fn mark(&self, node: Node<'_>, marks: &mut [bool]) -> bool {
        let Some(mark) = marks.last_mut() else { return false };
        match node.kind() {
            "attribute_item" => *mark |= marks_test(self.slice(node)),
            kind if kind.contains("comment") => {}
            _ => return std::mem::take(mark),
        }
        false
    }

    fn slice(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn level<'n>(&self, node: Node<'n>, field: &'n str, above: &[Level<'t, 'n>], mark: bool) -> Level<'t, 'n> {
        let kind = node.kind();
        let parent = above.last();
        let owned = self.grammar.owns.iter().find(|(owner, _)| *owner == kind);
        let owner = owned.and_then(|(_, field)| last_word(self.slice(node.child_by_field_name(field)?)));
        let is_heir = owned.is_some() && self.is_heir(node);
        let import = IMPORTS.contains(&kind).then(|| self.slice(node)).filter(|text| text.len() <= IMPORT_MAX);
        Level {
            kind,
            field,
            end: node.end_byte(),
            state: state(node, above),
            owner: owner.or(parent.and_then(|p| p.owner)),
            import: import.or(parent.and_then(|p| p.import)),
            is_test: mark || self.is_marked(node),
            is_heir,
            // `struct pool *next` names a type of C, `struct pool { … }` defines it.
            is_hollow: self.is_hollow(node),
            is_named_only: self.language == Language::C
                && kind.ends_with("_specifier")
                && node.child_by_field_name("body").is_none(),
        }
    }

    fn is_heir(&self, node: Node<'_>) -> bool {
        if self.language == Language::Go {
            return embeds(node);
        }
        let by_field = |name: &&&str| node.child_by_field_name(name).is_some();
        let by_kind = |child: Node<'_>| self.grammar.heirs.contains(&child.kind());
        self.grammar.heirs.iter().any(|name| by_field(&name)) || node.named_children(&mut node.walk()).any(by_kind)
    }

    /// Tells whether a node is a test by what stands in it: an annotation of Java, a call that opens a test.
    fn is_marked(&self, node: Node<'_>) -> bool {
        match node.kind() {
            "method_declaration" if self.language == Language::Java => node
                .named_child(0)
                .is_some_and(|first| first.kind() == "modifiers" && self.slice(first).contains("Test")),
            "call_expression" => {
                let called = node.child_by_field_name("function").map(|f| self.slice(f)).unwrap_or_default();
                let mut words = called.split(|c: char| !(c.is_alphanumeric() || c == '_'));
                let (first, second) = (words.next(), words.next());
                let opens = |word: Option<&str>| word.is_some_and(|word| TESTING.contains(&word));
                opens(first) || (self.language == Language::Go && opens(second))
            }
            _ => false,
        }
    }

    /// Tells whether a function does nothing, or a call that opens a test is given one that does nothing.
    fn is_hollow(&self, node: Node<'_>) -> bool {
        let kind = node.kind();
        if kind == "call_expression" {
            let handed =
                node.child_by_field_name("arguments").and_then(|all| all.named_children(&mut all.walk()).last());
            return handed.is_some_and(|f| f.kind().contains("function") && self.is_hollow(f));
        }
        // What another class must write is empty here.
        let is_abstract = node.prev_named_sibling().is_some_and(|n| n.kind() == "decorator");
        let Some(body) = node.child_by_field_name("body").filter(|_| !is_abstract && is_function(kind)) else {
            return false;
        };
        let mut cursor = body.walk();
        let mut statements = body.named_children(&mut cursor).filter(|n| !n.kind().contains("comment"));
        let is_block = matches!(body.kind(), "block" | "statement_block" | "compound_statement" | "function_body");
        is_block
            && statements.all(|statement| {
                let text = self.slice(statement).trim_end_matches(';');
                let is_doc = statement.kind() == "expression_statement" && text.starts_with(['"', '\'']);
                is_doc || matches!(text, "pass" | "...") || UNWRITTEN.iter().any(|words| text.starts_with(words))
            })
    }

    fn between(&self, level: &Level<'t, '_>, hit: &Range<usize>) -> Stand<'t> {
        match &level.state {
            State::Comment => Stand::Apart,
            State::Text { range, names_test, is_hollow } => self.in_text(range, (*names_test, *is_hollow), hit),
            State::Code | State::Tokens | State::Broken => Stand::Unclear,
        }
    }

    /// Judges a name in a leaf: the last of `chain`.
    fn judge(&self, chain: &[Level<'t, '_>], hit: &Range<usize>) -> Stand<'t> {
        let Some(leaf) = chain.last() else { return Stand::Unclear };
        if leaf.state != State::Code {
            return self.between(leaf, hit);
        }
        let slot = |at: usize| (at.checked_sub(1).and_then(|up| chain.get(up)).map_or("", |l| l.kind), chain[at].field);
        let mut at = chain.len() - 1;
        let is_defined = |at: usize| self.grammar.defines.contains(&slot(at));
        while at > 0 && !is_defined(at) && is_around(slot(at).0, slot(at).1) {
            at -= 1;
        }
        let here = slot(at);
        let node = at.checked_sub(1).and_then(|up| chain.get(up));
        let how = if is_defined(at) && node.is_none_or(|n| !n.is_named_only) {
            How::Defined
        } else if self.grammar.gives.contains(&here) {
            How::Assigned
        } else if CALLS.contains(&here) {
            How::Called
        } else {
            How::Mentioned
        };
        let is_own = self.grammar.owns.contains(&here);
        let around = if is_own { at.checked_sub(2).and_then(|up| chain.get(up)) } else { node };
        let word = self.text.get(hit.clone()).unwrap_or_default();
        Stand::Code(Name {
            how,
            owner: around.and_then(|level| level.owner).filter(|_| how <= How::Assigned),
            import: leaf.import,
            is_test: how == How::Defined && self.can_be_test(word, node),
            is_heir: is_own && node.is_some_and(|n| n.is_heir),
            is_hollow: how == How::Defined && node.is_some_and(|n| n.is_hollow),
        })
    }

    /// Tells whether a definition can be a test by its marks or its name.
    fn can_be_test(&self, word: &str, node: Option<&Level<'t, '_>>) -> bool {
        let lower = word.to_ascii_lowercase();
        let is_marked = node.is_some_and(|n| n.is_test);
        match self.language {
            Language::Rust => is_marked,
            Language::Python => lower.starts_with("test") || lower.ends_with("_test"),
            Language::Go => {
                let opens = ["Test", "Benchmark", "Fuzz", "Example"].iter().any(|start| word.starts_with(start));
                opens && self.path.ends_with("_test.go")
            }
            Language::Java => is_marked || lower.starts_with("test") || lower.ends_with("test"),
            // Any function may be handed to the runner.
            Language::JavaScript | Language::TypeScript | Language::Tsx | Language::C => true,
        }
    }

    /// Judges a name inside a text: it counts if it is all of it; SQL is read as such.
    fn in_text(&self, range: &Range<usize>, (names_test, is_hollow): (bool, bool), hit: &Range<usize>) -> Stand<'t> {
        const QUOTES: [char; 3] = ['"', '\'', '`'];
        let whole = self.text.get(range.clone()).unwrap_or_default();
        let inner = whole.find(QUOTES).map_or(whole, |at| &whole[at..]).trim_matches(QUOTES);
        if self.text.get(hit.clone()) == Some(inner) {
            let is_test = names_test && !matches!(self.language, Language::Rust | Language::C);
            let name = Name { how: How::Quoted, owner: None, import: None, is_test, is_heir: false, is_hollow };
            return Stand::Code(name);
        }
        let start = inner.trim_start_matches(|c: char| !c.is_alphabetic()).to_ascii_uppercase();
        let is_ddl = ["CREATE ", "ALTER "].iter().any(|verb| start.starts_with(verb));
        if is_ddl { Stand::Unclear } else { Stand::Apart }
    }
}

fn state(node: Node<'_>, above: &[Level<'_, '_>]) -> State {
    let kind = node.kind();
    let around = above.last().map_or(State::Code, |level| level.state.clone());
    if kind.contains("comment") {
        return State::Comment;
    }
    if matches!(around, State::Comment) {
        return around;
    }
    if matches!(kind, "interpolation" | "template_substitution") {
        return State::Code;
    }
    if matches!(around, State::Text { .. }) {
        return around;
    }
    if is_string(kind) {
        let mut up = above.iter().rev();
        let is_argument = up.next().is_some_and(|l| matches!(l.kind, "arguments" | "argument_list"));
        // Elsewhere it may be the name of a case in a table of tests.
        let call = up.next().filter(|_| is_argument);
        let names_test = !is_argument || call.is_some_and(|l| l.is_test);
        let is_hollow = call.is_some_and(|l| l.is_hollow);
        return State::Text { range: node.byte_range(), names_test, is_hollow };
    }
    if node.is_error() || node.is_missing() {
        return State::Broken;
    }
    if kind == "token_tree" { State::Tokens } else { around }
}

/// How a body says that it is still to be written.
const UNWRITTEN: [&str; 6] = [
    "todo!(",
    "unimplemented!(",
    "raise NotImplementedError",
    "throw new Error(\"not implemented",
    "throw new Error('not implemented",
    "panic(\"not implemented",
];

fn is_function(kind: &str) -> bool {
    kind.contains("function") || kind.contains("method")
}

/// Tells whether a type of Go has an embedded field or interface, whose methods it has too.
fn embeds(spec: Node<'_>) -> bool {
    let Some(body) = spec.child_by_field_name("type") else { return false };
    let is_nameless = |n: Node<'_>| n.kind() == "field_declaration" && n.child_by_field_name("name").is_none();
    let holds = |n: Node<'_>| n.kind() == "type_elem" || is_nameless(n);
    body.named_children(&mut body.walk()).any(|n| holds(n) || n.named_children(&mut n.walk()).any(holds))
}

/// Tells whether an attribute of Rust marks a test: `#[test]`, `#[tokio::test]`, `#[rstest]`, `#[case(…)]`.
fn marks_test(attribute: &str) -> bool {
    let path = attribute.trim_start_matches(['#', '[', ' ']);
    let path = path.split(['(', ']', ' ', '=']).next().unwrap_or(path);
    path.contains("test") || ["case", "quickcheck", "bench"].iter().any(|name| path.ends_with(name))
}

/// Returns the name that a type's text ends in: `Pool` of `(p *Pool[T])`, `&'a crate::Pool<T>`.
fn last_word(text: &str) -> Option<&str> {
    let text = text.split(['<', '[']).next().unwrap_or(text);
    text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).find(|word| !word.is_empty())
}
