//! What a value must look like, and the readings of it.
//!
//! It must not know which key it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::budget::micro_usd;
use crate::domain::failure::Failure;
use crate::domain::gate::Gate;
use crate::domain::ids::AgentName;
use crate::domain::settings::{EnvValue, Quorum, Ratio};
use crate::domain::stage::{NOT_OF_THE_SIX, Stage};

use super::nearest::nearest;
use super::tree::{Node, Value};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text that is not empty.
    Text,
    /// A name that can be a file name.
    Name,
    /// A path, relative to the repository or absolute.
    Path,
    /// A list of paths that stay inside the repository.
    InsideFiles,
    /// A whole number between two bounds.
    Whole {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// true or false.
    Flag,
    /// A list of texts.
    Texts,
    /// A program and its arguments.
    Argv,
    /// A list of programs, each with its arguments.
    Argvs,
    /// A list of stages.
    Stages,
    /// A list of gates.
    Gates,
    /// A rule for a program's JSON, or a list of them.
    Rules,
    /// A table of environment variables.
    Env,
    /// The name of an environment variable.
    EnvName,
    /// A table of names of environment variables.
    EnvNamesByHeader,
    /// An address, http or https.
    Url,
    /// A list of names of environment variables, each with an optional `*` at its end.
    EnvNames,
    /// A list of names of environment variables with `*` anywhere.
    EnvGlobs,
    /// Two whole numbers, "p/q".
    Ratio,
    /// A ratio or "solo".
    Quorum,
    /// An amount of USD as a text.
    Usd,
    /// One of a few words.
    Choice {
        /// What works in this version.
        now: &'static [&'static str],
        /// What is understood and refused.
        later: &'static [&'static str],
    },
    /// A list of some of a few words.
    Choices(&'static [&'static str]),
    /// Whatever it is: the key is refused before its value is looked at.
    Anything,
}

impl Shape {
    /// Says what is allowed, to follow "use ".
    pub fn allowed(self) -> String {
        match self {
            Shape::Text => "a text".into(),
            Shape::Name => "a name of letters, digits, '-', '_' and '.'".into(),
            Shape::Path => "a path, relative to the repository or absolute".into(),
            Shape::InsideFiles => "a list of paths inside the repository".into(),
            Shape::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Shape::Flag => "true or false".into(),
            Shape::Texts => "a list of texts".into(),
            Shape::Argv => "a list of texts, the program first".into(),
            Shape::Argvs => "a list of lists of texts, each with the program first".into(),
            Shape::Gates => "a list of gates: clarify, checklist, analyze".into(),
            Shape::Stages => "a list of stages: plan, tasks, implement, validate, audit, unlock".into(),
            Shape::Rules => "a rule, for example \"result if type=result\", or a list of them".into(),
            Shape::Env => "a table of texts, for example { NAME = \"text\", KEY = \"$KEY\" }".into(),
            Shape::EnvName => "the name of a variable, for example \"TOKEN\"".into(),
            Shape::EnvNamesByHeader => "a table of names of variables, for example { X-Key = \"KEY\" }".into(),
            Shape::Url => "an address that starts with http:// or https://".into(),
            Shape::EnvNames => "a list of variable names, for example [\"HOME\", \"LC_*\"]".into(),
            Shape::EnvGlobs => "a list of variable names, for example [\"*_KEY\"]".into(),
            Shape::Ratio => "two whole numbers as a text, for example \"2/3\"".into(),
            Shape::Quorum => "two whole numbers as a text, for example \"2/3\", or \"solo\"".into(),
            Shape::Usd => "an amount of USD as a text, for example \"2.00\"".into(),
            Shape::Choice { now, .. } => match now {
                [only] => format!("\"{only}\""),
                _ => format!("one of {}", now.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")),
            },
            Shape::Choices(words) => format!("a list of some of {}", words.join(", ")),
            Shape::Anything => "nothing".into(),
        }
    }

    /// Checks the value of the key that the user wrote as `shown`.
    ///
    /// # Errors
    /// A usage failure at the value's place that says what is allowed.
    pub(super) fn check(self, node: &Node, shown: &str) -> Result<(), Failure> {
        self.conforms(node).map_err(|found| {
            let place = found.at.unwrap_or(node);
            place.refuse(format!("{shown}: {}", found.why), format!("use {}", self.allowed()))
        })
    }

    fn conforms(self, node: &Node) -> Result<(), Misfit<'_>> {
        match self {
            Shape::Text => whole_text(node).map(drop),
            Shape::Name => whole_text(node).and_then(|text| fits(is_name(text), text)),
            Shape::Path => whole_text(node).and_then(path),
            Shape::InsideFiles => each(node, |item| whole_text(item).and_then(path).and_then(|()| inside(item))),
            Shape::Whole { min, max } => number(node).and_then(|n| fits((min..=max).contains(&n), &n.to_string())),
            Shape::Flag => flag(node).map(drop),
            Shape::Texts => each(node, |item| text(item).map(drop)),
            Shape::Argv => argv(node),
            Shape::Argvs => each(node, argv),
            Shape::Gates => each(node, |item| gate(item).map(drop)),
            Shape::Stages => each(node, |item| stage(item).map(drop)),
            Shape::Rules => rules(node).map(drop),
            Shape::Env => env(node).map(drop),
            Shape::EnvName => whole_text(node).and_then(|name| fits(is_env_name(name), name)),
            Shape::EnvNamesByHeader => env_names(node).map(drop),
            Shape::Url => whole_text(node).and_then(|text| fits(is_url(text), text)),
            Shape::EnvNames => each(node, |item| {
                let name = whole_text(item)?;
                fits(is_env_name(name.strip_suffix('*').unwrap_or(name)), name)
            }),
            Shape::EnvGlobs => each(node, |item| {
                let name = whole_text(item)?;
                fits(is_env_name(&name.replace('*', "")) || name.chars().all(|c| c == '*'), name)
            }),
            Shape::Ratio => whole_text(node).and_then(|text| fits(text.parse::<Ratio>().is_ok(), text)),
            Shape::Quorum => whole_text(node).and_then(|text| fits(Quorum::try_from(text.to_owned()).is_ok(), text)),
            Shape::Usd => whole_text(node).and_then(|text| fits(micro_usd(text).is_some(), text)),
            Shape::Choice { now, later } => choice(node, now, later),
            Shape::Choices(words) => each(node, |item| choice(item, words, &[])),
            Shape::Anything => Ok(()),
        }
    }
}

/// Why a value does not fit, and which part of it.
pub(super) struct Misfit<'a> {
    at: Option<&'a Node>,
    why: String,
}

impl Misfit<'_> {
    fn says(why: impl Into<String>) -> Self {
        Self { at: None, why: why.into() }
    }
}

type Read<'a, T> = Result<T, Misfit<'a>>;

fn fits<'a>(ok: bool, given: &str) -> Read<'a, ()> {
    if ok { Ok(()) } else { Err(Misfit::says(format!("{given:?} cannot be used"))) }
}

fn other<'a, T>(node: &Node) -> Read<'a, T> {
    Err(Misfit::says(format!("{} cannot be used", node.kind())))
}

/// Reads a text; a NUL in it could not be handed to a program or file.
pub(super) fn text(node: &Node) -> Read<'_, &str> {
    match &node.value {
        Value::Text(text) if text.contains('\0') => Err(Misfit::says("a text with a NUL character cannot be used")),
        Value::Text(text) => Ok(text),
        Value::Whole(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => other(node),
    }
}

fn whole_text(node: &Node) -> Read<'_, &str> {
    match text(node)? {
        "" => Err(Misfit::says("the text is empty")),
        text => Ok(text),
    }
}

/// Reads a whole number that is not negative.
pub(super) fn number(node: &Node) -> Read<'_, u64> {
    match &node.value {
        Value::Whole(number) => {
            u64::try_from(*number).map_err(|_| Misfit::says(format!("{number} cannot be used: it is negative")))
        }
        Value::Text(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => other(node),
    }
}

/// Reads true or false.
pub(super) fn flag(node: &Node) -> Read<'_, bool> {
    match &node.value {
        Value::Flag(flag) => Ok(*flag),
        Value::Text(_) | Value::Whole(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => other(node),
    }
}

/// Reads a list of texts.
pub(super) fn texts(node: &Node) -> Read<'_, Vec<String>> {
    list(node)?.iter().map(|item| text(item).map(str::to_owned)).collect()
}

/// Reads a text, or a list of texts.
pub(super) fn rules(node: &Node) -> Read<'_, Vec<String>> {
    match &node.value {
        Value::Text(_) => whole_text(node).map(|text| vec![text.to_owned()]),
        Value::List(_) => texts(node),
        Value::Whole(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => other(node),
    }
}

/// Reads a set of stages.
pub(super) fn stages(node: &Node) -> Read<'_, BTreeSet<Stage>> {
    list(node)?.iter().map(stage).collect()
}

/// Reads a table of environment variables.
pub(super) fn env(node: &Node) -> Read<'_, BTreeMap<String, EnvValue>> {
    let Some(entries) = node.entries() else { return other(node) };
    let mut env = BTreeMap::new();
    for (name, value) in entries {
        let misfit = |why: String| Misfit { at: Some(value), why };
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(misfit(format!("{name:?} cannot be the name of a variable")));
        }
        let text = text(value).map_err(|found| misfit(format!("{name}: {}", found.why)))?;
        env.insert(name.clone(), EnvValue::from(text.to_owned()));
    }
    Ok(env)
}

/// Reads a table of names of environment variables.
pub(super) fn env_names(node: &Node) -> Read<'_, BTreeMap<String, EnvValue>> {
    let Some(entries) = node.entries() else { return other(node) };
    let mut names = BTreeMap::new();
    for (header, value) in entries {
        let name = text(value).and_then(|name| fits(is_env_name(name), name).map(|()| name));
        let name = name.map_err(|found| Misfit { at: Some(value), why: format!("{header}: {}", found.why) })?;
        names.insert(header.clone(), EnvValue::Ours(name.to_owned()));
    }
    Ok(names)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn list(node: &Node) -> Read<'_, &Vec<Node>> {
    match &node.value {
        Value::List(items) => Ok(items),
        Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => other(node),
    }
}

fn each<'a>(node: &'a Node, fits: impl Fn(&'a Node) -> Read<'a, ()>) -> Read<'a, ()> {
    for item in list(node)? {
        fits(item).map_err(|found| Misfit { at: found.at.or(Some(item)), why: found.why })?;
    }
    Ok(())
}

fn argv(node: &Node) -> Read<'_, ()> {
    match &node.value {
        Value::List(items) if items.is_empty() => Err(Misfit::says("the list is empty")),
        Value::List(items) if items.first().is_some_and(|first| whole_text(first).is_err()) => {
            Err(Misfit::says("the program is missing"))
        }
        Value::List(_) | Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => {
            each(node, |item| text(item).map(drop))
        }
    }
}

/// Reads a list of programs with their arguments.
pub(super) fn argvs(node: &Node) -> Read<'_, Vec<Vec<String>>> {
    list(node)?.iter().map(texts).collect()
}

/// Reads a set of gates.
pub(super) fn gates(node: &Node) -> Read<'_, BTreeSet<Gate>> {
    list(node)?.iter().map(gate).collect()
}

fn gate(node: &Node) -> Read<'_, Gate> {
    let text = text(node)?;
    Gate::ALL.into_iter().find(|gate| gate.name() == text).ok_or_else(|| {
        let meant = nearest(text, Gate::ALL.map(Gate::name)).map(did_you_mean).unwrap_or_default();
        Misfit::says(format!("{text:?} is no gate{meant}"))
    })
}

fn stage(node: &Node) -> Read<'_, Stage> {
    let text = text(node)?;
    if text == Stage::Specify.name() {
        return Err(Misfit::says(format!("{NOT_OF_THE_SIX}; whoever sits at plan drafts the spec, too")));
    }
    // Only the plain names: what else the type understands is for the command line.
    Stage::ALL.into_iter().find(|stage| stage.name() == text).ok_or_else(|| {
        let meant = nearest(text, Stage::ALL.map(Stage::name)).map(did_you_mean).unwrap_or_default();
        Misfit::says(format!("{text:?} is no stage{meant}"))
    })
}

/// Tells whether a text can be a name: the rule for agents' names, for everything that is named.
pub(super) fn is_name(text: &str) -> bool {
    AgentName::new(text).is_ok()
}

fn is_env_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn path<'a>(text: &str) -> Read<'a, ()> {
    if text.starts_with('~') {
        return Err(Misfit::says(format!("{text:?} cannot be used: '~' is not expanded here, write the folder out")));
    }
    Ok(())
}

/// What every agent is shown is sent to strangers: it may not reach out of the repository.
fn inside(node: &Node) -> Read<'_, ()> {
    let text = text(node)?;
    let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..") || text.contains('\\');
    if leaves { Err(Misfit::says(format!("{text:?} leaves the repository"))) } else { Ok(()) }
}

fn choice<'a>(node: &'a Node, now: &[&'static str], later: &[&'static str]) -> Read<'a, ()> {
    let word = text(node)?;
    if now.contains(&word) {
        return Ok(());
    }
    if later.contains(&word) {
        return Err(Misfit::says(format!("{word:?} is not yet available in this version")));
    }
    let meant = nearest(word, now.iter().copied()).map(did_you_mean).unwrap_or_default();
    Err(Misfit::says(format!("{word:?} cannot be used{meant}")))
}

/// Ends a message with a guess.
pub(super) fn did_you_mean(word: &str) -> String {
    format!(", did you mean {word:?}?")
}

/// Turns a misreading of a value that was checked before into a failure at its place.
pub(super) fn placed<'a, T>(node: &'a Node, read: impl FnOnce(&'a Node) -> Read<'a, T>) -> Result<T, Failure> {
    read(node).map_err(|found| found.at.unwrap_or(node).refuse(found.why, "correct the value"))
}
