//! A request for permission: what an agent wants to do, whole and harmless to show, and what it can be answered.
//!
//! It must not know who answers, nor how a queue of them is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::run::SeatKey;
use super::super::safe::Safe;

/// Most lines of what is asked that are kept: more than anybody reads before they answer.
const LINES_MAX: usize = 400;

/// Most characters of a line that are kept.
const LINE_MAX: usize = 2_000;

/// Most options that are kept: the protocol has four kinds.
const OPTIONS_MAX: usize = 8;

/// One request for permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub seat: SeatKey,
    /// Which of its requests, from 1; it is answered by this.
    pub number: u64,
    /// What it wants, in its words.
    pub title: Safe,
    /// What kind of thing it is.
    pub weight: Weight,
    /// Where the files are that it names.
    #[serde(default)]
    pub reach: Reach,
    /// The command, the change or what else there is of it, line by line.
    pub body: Vec<Safe>,
    /// What of the body was left out: then nobody can say yes to it.
    pub left_out: usize,
    /// What it can be answered, as the agent offers it.
    pub options: BTreeMap<Choice, Offered>,
}

/// Where the files are that a request names, as the disk says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It names none, or nobody looked.
    #[default]
    Unknown,
    /// All of them are in the folder that its agent may change.
    Inside,
    /// At least one is elsewhere.
    Outside,
}

/// One answer that an agent offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Its name for it.
    pub id: String,
    /// In its words.
    pub name: Safe,
}

/// What kind of thing an agent wants to do, as it says (the protocol's kinds of tools).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It only looks.
    Look,
    /// It changes, moves or removes files.
    Change,
    /// It runs a command.
    Run,
    /// It fetches something from elsewhere.
    Fetch,
    /// It wants to leave the mode that it was put in.
    SwitchMode,
    /// It does not say.
    Other,
}

impl Weight {
    fn of(kind: &str, content: Option<&Value>) -> Self {
        match kind {
            "read" | "search" | "think" => Weight::Look,
            "edit" | "delete" | "move" => Weight::Change,
            "execute" => Weight::Run,
            "fetch" => Weight::Fetch,
            "switch_mode" => Weight::SwitchMode,
            // It does not say, and shows a change.
            _ if changes(content).next().is_some() => Weight::Change,
            _ => Weight::Other,
        }
    }

    /// Returns it in words, after "wants to".
    pub fn words(self) -> &'static str {
        match self {
            Weight::Look => "look",
            Weight::Change => "change files",
            Weight::Run => "run a command",
            Weight::Fetch => "fetch",
            Weight::SwitchMode => "leave its mode",
            Weight::Other => "do something",
        }
    }
}

/// The kinds of answers that the protocol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Yes, this time.
    AllowOnce,
    /// Yes, also to others like it.
    AllowAlways,
    /// No, this time.
    RejectOnce,
    /// No, also to others like it.
    RejectAlways,
}

impl Choice {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "allow_once" => Some(Choice::AllowOnce),
            "allow_always" => Some(Choice::AllowAlways),
            "reject_once" => Some(Choice::RejectOnce),
            "reject_always" => Some(Choice::RejectAlways),
            _ => None,
        }
    }
}

/// What a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes, once.
    Once,
    /// Yes, and to others like it as long as its session lasts.
    Always,
    /// No.
    Reject,
}

impl Answer {
    /// Returns it in words, after "permission was".
    pub fn words(self) -> &'static str {
        match self {
            Answer::Once => "given once",
            Answer::Always => "given for its session",
            Answer::Reject => "refused",
        }
    }
}

impl Request {
    /// Reads what an agent asks; `known` is what it told of the same tool call before, for what the request leaves out.
    pub fn of(seat: SeatKey, number: u64, params: &Value, known: Option<&Value>) -> Self {
        let call = params.get("toolCall").unwrap_or(&Value::Null);
        let part = |key: &str| call.get(key).filter(|part| !is_nothing(part)).or_else(|| known?.get(key));
        let text = |key: &str| part(key).and_then(Value::as_str).unwrap_or_default();
        let mut lines = Vec::new();
        body(part("rawInput"), part("content"), &mut lines);
        let left_out = lines.len().saturating_sub(LINES_MAX);
        lines.truncate(LINES_MAX);
        let is_cut = lines.iter().any(|line| line.chars().nth(LINE_MAX).is_some());
        let title = if text("title").is_empty() { "it does not say what" } else { text("title") };
        Self {
            seat,
            number,
            title: Safe::line(&cut(title)),
            weight: Weight::of(text("kind"), part("content")),
            reach: Reach::Unknown,
            body: lines.iter().map(|line| Safe::line(&cut(line))).collect(),
            left_out: left_out + usize::from(is_cut),
            options: options(params.get("options")),
        }
    }

    /// Takes out what must not be shown.
    #[must_use]
    pub fn cleaned(mut self, clean: impl Fn(&str) -> String) -> Self {
        let cleaned = |text: &Safe| Safe::line(&clean(text.as_str()));
        self.title = cleaned(&self.title);
        self.body = self.body.iter().map(cleaned).collect();
        self.options.values_mut().for_each(|offered| offered.name = cleaned(&offered.name));
        self
    }

    /// Tells whether it can be answered so.
    pub fn offers(&self, answer: Answer) -> bool {
        match answer {
            Answer::Once => self.options.contains_key(&Choice::AllowOnce),
            Answer::Always => self.options.contains_key(&Choice::AllowAlways),
            Answer::Reject => true,
        }
    }

    /// Tells whether a person can answer it so: it is offered, and what is said yes to was seen whole.
    pub fn takes(&self, answer: Answer) -> bool {
        self.offers(answer) && (self.left_out == 0 || answer == Answer::Reject)
    }

    /// Returns the option of the agent that says it; none is said by cancelling the request.
    pub fn option(&self, answer: Answer) -> Option<&str> {
        let kinds: &[Choice] = match answer {
            Answer::Once => &[Choice::AllowOnce],
            Answer::Always => &[Choice::AllowAlways],
            Answer::Reject => &[Choice::RejectOnce, Choice::RejectAlways],
        };
        kinds.iter().find_map(|kind| self.options.get(kind)).map(|offered| offered.id.as_str())
    }
}

/// Returns every path that a request names: of its changes, of the places that it goes to, and of what its tool is given.
/// `known` is what was told of the same tool call before.
pub fn paths(params: &Value, known: Option<&Value>) -> Vec<String> {
    let call = params.get("toolCall").unwrap_or(&Value::Null);
    let mut paths = Vec::new();
    for told in [Some(call), known].into_iter().flatten() {
        let places = told.get("locations").and_then(Value::as_array).into_iter().flatten();
        let named = changes(told.get("content")).chain(places);
        paths.extend(named.filter_map(|one| one.get("path")?.as_str()).map(str::to_owned));
        let given = told.get("rawInput").and_then(Value::as_object).into_iter().flatten();
        paths.extend(
            given.filter(|(key, _)| names_a_file(key)).filter_map(|(_, path)| path.as_str()).map(str::to_owned),
        );
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Tells whether what a tool is given under this name is a path, as the tools of the programs that we know name theirs.
fn names_a_file(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("path") || key.contains("file") || ["source", "destination", "target", "from", "to"].contains(&&*key)
}

/// Returns the changes among what a tool call shows.
fn changes(content: Option<&Value>) -> impl Iterator<Item = &Value> {
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    parts.filter(|part| part.get("type").is_some_and(|kind| kind == "diff"))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn cut(line: &str) -> String {
    line.chars().take(LINE_MAX).collect()
}

fn options(offered: Option<&Value>) -> BTreeMap<Choice, Offered> {
    let mut options = BTreeMap::new();
    for option in offered.and_then(Value::as_array).into_iter().flatten().take(OPTIONS_MAX) {
        let word = |key: &str| option.get(key).and_then(Value::as_str);
        if let (Some(id), Some(choice)) = (word("optionId"), word("kind").and_then(Choice::of)) {
            let name = Safe::line(&cut(word("name").unwrap_or(id)));
            // Of several of a kind (yes to this command, yes to all of this folder) the first stands for it.
            options.entry(choice).or_insert(Offered { id: id.to_owned(), name });
        }
    }
    options
}

/// Writes what is asked: changes as lines with `-` and `+`, then the command, else what the tool is given.
fn body(input: Option<&Value>, content: Option<&Value>, lines: &mut Vec<String>) {
    let parts = || content.and_then(Value::as_array).into_iter().flatten();
    for part in changes(content) {
        let text = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
        change(text("path"), text("oldText"), text("newText"), lines);
    }
    let has_change = !lines.is_empty();
    match input.and_then(|input| input.get("command")) {
        Some(Value::String(command)) => lines.extend(command.lines().map(|line| format!("$ {line}"))),
        Some(Value::Array(words)) => {
            let words: Vec<String> = words.iter().map(|word| word.as_str().map_or(word.to_string(), quoted)).collect();
            lines.push(format!("$ {}", words.join(" ")));
        }
        Some(_) | None => {}
    }
    if let Some(folder) = ["cwd", "workdir"].iter().find_map(|key| input?.get(*key)?.as_str()) {
        lines.push(format!("in {folder}"));
    }
    if lines.is_empty() || !has_change {
        let said = parts().filter_map(|part| part.pointer("/content/text")?.as_str());
        lines.extend(said.flat_map(str::lines).map(str::to_owned));
    }
    if lines.is_empty()
        && let Some(input) = input.filter(|input| !is_nothing(input))
    {
        let written = serde_json::to_string_pretty(input).unwrap_or_else(|_| input.to_string());
        lines.extend(written.lines().map(str::to_owned));
    }
}

/// A word as a shell would want it, so that nobody takes one argument for two.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("{word:?}") }
}

/// Writes a change without the lines that both texts begin and end with.
fn change(path: &str, old: &str, new: &str, lines: &mut Vec<String>) {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    lines.push(format!("{path}, from line {}", head + 1));
    lines.extend(old_rest[..old_rest.len() - tail].iter().map(|line| format!("- {line}")));
    lines.extend(new_rest[..new_rest.len() - tail].iter().map(|line| format!("+ {line}")));
}
