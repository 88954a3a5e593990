//! TOML as a tree whose every value knows where it came from.
//!
//! It must not know which keys exist.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::domain::failure::Failure;
use crate::domain::safe::Safe;

/// Where a value came from; a later layer wins over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Nobody set it.
    Default,
    /// The user's own file.
    User,
    /// The repository's file, which somebody else may have written.
    Project,
    /// The file given with `--config`, instead of the repository's.
    Given,
    /// An environment variable.
    Environment,
    /// A flag of the command line.
    Flag,
}

/// The layer and the exact place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// `file:line`, the variable's name, the flag, or `default`.
    pub place: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// One value and where it came from. The origin of a table's entry is the place of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) origin: Origin,
    /// Byte offset in the file: problems are reported in the order of the text.
    pub(super) at: usize,
    pub(super) value: Value,
}

/// What a config can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// Something that no key takes (a float, a date, a huge number): its name.
    Other(&'static str),
}

pub(super) type Table = BTreeMap<String, Node>;

impl Node {
    pub(super) fn new(origin: Origin, value: Value) -> Self {
        Self { origin, at: 0, value }
    }

    /// Returns what kind of value it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Whole(_) => "a whole number",
            Value::Flag(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(what) => what,
        }
    }

    /// Makes a usage failure at this value's place.
    pub(super) fn refuse(&self, why: impl AsRef<str>, next: impl AsRef<str>) -> Failure {
        refuse(&self.origin, why, next)
    }

    /// Returns the entries of a table in the order of the text.
    pub(super) fn entries(&self) -> Option<Vec<(&String, &Node)>> {
        match &self.value {
            Value::Table(table) => {
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(_, node)| node.at);
                Some(entries)
            }
            Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::List(_) | Value::Other(_) => None,
        }
    }

    /// Returns the entry of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(table) => table.get(key),
            Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::List(_) | Value::Other(_) => None,
        }
    }

    /// Writes the value as one line of TOML.
    pub(super) fn toml(&self) -> String {
        match &self.value {
            Value::Text(text) => toml::Value::String(text.clone()).to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::List(items) => format!("[{}]", items.iter().map(Node::toml).collect::<Vec<_>>().join(", ")),
            Value::Table(table) if table.is_empty() => "{}".into(),
            Value::Table(table) => {
                let entries: Vec<_> = table.iter().map(|(key, node)| format!("{key} = {}", node.toml())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Value::Other(what) => (*what).into(),
        }
    }
}

/// Makes a usage failure at a place; foreign text in it is made harmless.
pub(super) fn refuse(origin: &Origin, why: impl AsRef<str>, next: impl AsRef<str>) -> Failure {
    let clean = |text: &str| Safe::line(text).as_str().to_owned();
    Failure::usage(clean(&origin.place), clean(why.as_ref()), clean(next.as_ref()))
}

/// Parses a file's text; `shown` is how its path is shown.
///
/// # Errors
/// A usage failure with the place `file:line:column` when it is not TOML.
pub(super) fn parse(text: &str, layer: Layer, shown: &str) -> Result<Node, Failure> {
    let lines = Lines { starts: line_starts(text), layer, shown };
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { origin: lines.origin(0), at: 0, value: Value::Table(lines.table(table.get_ref())) }),
        Err(e) => {
            let at = e.span().map_or(0, |span| span.start);
            let (line, column) = lines.place(text, at);
            let origin = Origin { layer, place: format!("{shown}:{line}:{column}") };
            Err(refuse(&origin, format!("not valid TOML: {}", e.message()), "correct the line"))
        }
    }
}

/// Parses one value, as it stands after a `=`.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let lines = Lines { starts: Vec::new(), layer: origin.layer, shown: &origin.place };
    Some(lines.node(value.get_ref(), origin.clone(), 0))
}

/// Turns byte offsets into places.
struct Lines<'a> {
    /// Where each line starts; empty for a value outside any file.
    starts: Vec<usize>,
    layer: Layer,
    shown: &'a str,
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

impl Lines<'_> {
    fn origin(&self, at: usize) -> Origin {
        let place = match self.starts.partition_point(|start| *start <= at) {
            0 => self.shown.to_owned(),
            line => format!("{}:{line}", self.shown),
        };
        Origin { layer: self.layer, place }
    }

    /// Returns line and column, both from 1, the column in characters.
    fn place(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        (line, text.get(start..at).map_or(0, |before| before.chars().count()) + 1)
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        table
            .iter()
            .map(|(key, value)| {
                let at = key.span().start;
                (key.get_ref().to_string(), self.node(value.get_ref(), self.origin(at), at))
            })
            .collect()
    }

    fn node(&self, value: &DeValue<'_>, origin: Origin, at: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number that is too large"), Value::Whole),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| {
                        let at = item.span().start;
                        self.node(item.get_ref(), self.origin(at), at)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { origin, at, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        parse(text, Layer::Project, "c.toml").unwrap()
    }

    #[test]
    fn every_value_knows_its_line() {
        let tree = parsed(
            "# a\r\n[run]\r\ndeadline_s = 5\n\n[[agents]]\nname='x'\n[[agents]]\nenv = { A = \"1\",\n B = \"2\" }\n",
        );
        assert_eq!(tree.get("run").unwrap().origin.place, "c.toml:2");
        assert_eq!(tree.get("run").and_then(|run| run.get("deadline_s")).unwrap().origin.place, "c.toml:3");
        let Value::List(agents) = &tree.get("agents").unwrap().value else { panic!("agents is no list") };
        assert_eq!(agents[0].get("name").unwrap().origin.place, "c.toml:6");
        assert_eq!(agents[1].get("env").and_then(|env| env.get("B")).unwrap().origin.place, "c.toml:9");
    }

    #[test]
    fn broken_toml_names_line_and_column() {
        let table = [
            ("a = 1\nb = \n", "c.toml:2:5"),
            ("a = 1\na = 2\n", "c.toml:2:1"),
            ("é = 1\n", "c.toml:1:1"),
            ("x = [1,\n", "c.toml:1:8"),
            ("[a\n", "c.toml:1:3"),
        ];
        for (text, place) in table {
            let failure = parse(text, Layer::User, "c.toml").unwrap_err();
            assert!(failure.to_string().starts_with(&format!("{place}: not valid TOML: ")), "{text:?}: {failure}");
            assert_eq!(failure.exit(), 64);
        }
    }

    #[test]
    fn values_are_written_as_toml() {
        for text in ["'a\"b'", "[1, true, \"x\"]", "{}", "{ a = 1, b = [] }"] {
            let origin = Origin { layer: Layer::Flag, place: "--x".into() };
            assert_eq!(parse_value(text, &origin).unwrap().toml(), text);
        }
    }
}
