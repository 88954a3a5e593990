//! The rules by which a program's JSON is read: where a value stands, and in which lines.
//!
//! A rule is `PATH` or `PATH if CONDITIONS`; conditions are joined by ` and `, each is `PATH`, `PATH=WORD` or either
//! with `not ` before it. A path is names joined by dots; `name[]` takes each item of a list, `name[kind=text]` those
//! whose `kind` is `text`. It must not know what is done with a value.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a value stands, and in which lines it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    path: Path,
    when: When,
}

/// In which lines something is so: all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct When(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    is_negated: bool,
    path: Path,
    word: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    name: String,
    each: Option<Each>,
}

/// Which items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Each {
    All,
    With { name: String, word: String },
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is no {expected}")]
pub struct BadRule {
    part: String,
    expected: &'static str,
}

impl BadRule {
    /// Says that there is no such field.
    pub(super) fn field(name: &str) -> Self {
        bad(name, "field of an output")
    }
}

impl Rule {
    /// Returns the values that it points at in a line; none if the line is not one of its lines.
    pub fn find<'v>(&self, line: &'v Value) -> Vec<&'v Value> {
        if self.when.holds(line) { self.path.find(line) } else { Vec::new() }
    }
}

impl When {
    /// Tells whether all conditions hold in a line.
    pub fn holds(&self, line: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(line))
    }
}

impl Condition {
    fn holds(&self, line: &Value) -> bool {
        let is_so = self.path.find(line).into_iter().any(|value| match &self.word {
            Some(word) => says(value, word),
            None => is_something(value),
        });
        is_so != self.is_negated
    }
}

impl Path {
    fn find<'v>(&self, line: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![line];
        for step in &self.0 {
            found = found.into_iter().filter_map(|value| value.get(&step.name)).collect();
            if let Some(each) = &step.each {
                let items = found.into_iter().filter_map(Value::as_array).flatten();
                found = items.filter(|item| each.takes(item)).collect();
            }
        }
        found
    }
}

impl Each {
    fn takes(&self, item: &Value) -> bool {
        match self {
            Each::All => true,
            Each::With { name, word } => item.get(name).is_some_and(|value| says(value, word)),
        }
    }
}

/// Compares a value with a word: a text by its letters, a number or truth value as it is written.
fn says(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Number(number) => number.to_string() == word,
        Value::Bool(truth) => truth.to_string() == word,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

fn bad(part: &str, expected: &'static str) -> BadRule {
    BadRule { part: part.to_owned(), expected }
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let (path, when) = match text.split_once(" if ") {
            Some((path, when)) => (path, when.parse()?),
            None => (text, When(Vec::new())),
        };
        Ok(Self { path: path.parse()?, when })
    }
}

impl FromStr for When {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        text.split(" and ").map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Condition {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let text = text.trim();
        let (is_negated, rest) = text.strip_prefix("not ").map_or((false, text), |rest| (true, rest));
        // A `=` inside brackets belongs to the path.
        let after = rest.rfind(']').unwrap_or(0);
        let (path, word) = match rest[after..].split_once('=') {
            Some((_, "")) => return Err(bad(text, "condition: a word must follow the =")),
            Some((path, word)) => (&rest[..after + path.len()], Some(word.to_owned())),
            None => (rest, None),
        };
        Ok(Self { is_negated, path: path.parse()?, word })
    }
}

impl FromStr for Path {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let text = text.trim();
        text.split('.')
            .map(|step| step.parse().map_err(|_| bad(text, "path of names joined by dots")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Step {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let (name, each) = match text.strip_suffix(']').map(|open| open.split_once('[')) {
            Some(Some((name, ""))) => (name, Some(Each::All)),
            Some(Some((name, with))) => {
                let (field, word) = with.split_once('=').ok_or_else(|| bad(text, "name"))?;
                let is_whole = is_name(field) && !word.is_empty();
                let each = is_whole.then(|| Each::With { name: field.to_owned(), word: word.to_owned() });
                (name, Some(each.ok_or_else(|| bad(text, "name"))?))
            }
            Some(None) => return Err(bad(text, "name")),
            None => (text, None),
        };
        if is_name(name) { Ok(Self { name: name.to_owned(), each }) } else { Err(bad(text, "name")) }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@'))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.when.0.is_empty() { Ok(()) } else { write!(f, " if {}", self.when) }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, condition) in self.0.iter().enumerate() {
            let before = if i == 0 { "" } else { " and " };
            let not = if condition.is_negated { "not " } else { "" };
            write!(f, "{before}{not}{}", condition.path)?;
            if let Some(word) = &condition.word {
                write!(f, "={word}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let before = if i == 0 { "" } else { "." };
            write!(f, "{before}{}", step.name)?;
            match &step.each {
                Some(Each::All) => f.write_str("[]")?,
                Some(Each::With { name, word }) => write!(f, "[{name}={word}]")?,
                None => {}
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Rule {
    type Error = BadRule;
    fn try_from(text: String) -> Result<Self, BadRule> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}

impl TryFrom<String> for When {
    type Error = BadRule;
    fn try_from(text: String) -> Result<Self, BadRule> {
        text.parse()
    }
}

impl From<When> for String {
    fn from(when: When) -> String {
        when.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_finds_its_values_in_its_lines_only() {
        let line = json!({"type": "assistant", "ok": false, "n": 7, "message": {"content": [
            {"type": "text", "text": "a"}, {"type": "tool_use", "name": "Read"}, {"type": "text", "text": "b"}]}});
        let table: [(&str, serde_json::Value); 10] = [
            ("n", json!([7])),
            ("message.content[].text", json!(["a", "b"])),
            ("message.content[type=tool_use].name", json!(["Read"])),
            ("n if type=assistant", json!([7])),
            ("n if type=result", json!([])),
            ("n if type=assistant and not ok", json!([7])),
            ("n if ok", json!([])),
            ("n if n=7 and not gone", json!([7])),
            ("n if message.content[type=tool_use].name=Read", json!([7])),
            ("n.deeper.still", json!([])),
        ];
        for (rule, found) in table {
            let rule: Rule = rule.parse().unwrap();
            assert_eq!(json!(rule.find(&line)), found, "{rule}");
        }
    }

    #[test]
    fn a_rule_is_written_back_as_it_was_read() {
        for text in ["a", "a.b[].c", "a[k=v].b if x=y and not z[type=q].w=1", "$.a if @x"] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        assert_eq!("a=b and not c".parse::<When>().unwrap().to_string(), "a=b and not c");
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_part_that_is_wrong() {
        for text in ["", "a..b", "a if ", "a[", "a]", "a[x]", "a[=v]", "a if b=", "a b", "a[k=]"] {
            assert!(text.parse::<Rule>().is_err(), "{text:?}");
        }
        let refusal = "a.b if c d=1".parse::<Rule>().unwrap_err().to_string();
        assert!(refusal.contains("c d"), "{refusal}");
    }
}
