//! Layers of config: each is checked against the table of keys, then laid over the one before.
//!
//! A section's keys are laid over one by one; an agent, a server or a check is replaced whole, so that its command
//! and its arguments always come from the same place. It must not know what the values mean.

use crate::domain::failure::Failure;
use crate::domain::stage::{NOT_OF_THE_SIX, Stage};

use super::keys::{KEYS, Otherwise, Slot, State, children, join, step};
use super::nearest::nearest;
use super::shape::{Shape, did_you_mean, is_name};
use super::tree::{Layer, Node, Origin, Table, Value, parse_value};

/// A value that is set outside of files: by an environment variable or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The variable's name or the flag, for messages.
    pub place: String,
    /// The key, for example `evidence.root`.
    pub key: String,
    /// The value: a text as it is, anything else as TOML.
    pub value: String,
}

/// The start of the names of our environment variables.
const PREFIX: &str = "DICAST_";

/// What stands for the dot of a key in a variable's name. Variables without it are no config (a child of ours is
/// marked by such ones).
const DOT: &str = "__";

/// Sections whose entries have names: they are whole things, not values.
const ENTRIES: [&str; 3] = ["agents", "mcp_servers", "checks"];

/// Returns what the environment sets: `DICAST_EVIDENCE__ROOT` is `evidence.root`.
pub(super) fn from_environment<'a>(vars: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<Override> {
    vars.into_iter()
        .filter_map(|(name, value)| {
            let rest = name.strip_prefix(PREFIX).filter(|rest| rest.contains(DOT))?;
            let key = rest.split(DOT).map(str::to_ascii_lowercase).collect::<Vec<_>>().join(".");
            Some(Override { place: name.clone(), key, value: value.clone() })
        })
        .collect()
}

/// Makes a checked layer of values that are set outside of files.
///
/// # Errors
/// A usage failure that names the variable or flag.
pub(super) fn overrides(given: &[Override], layer: Layer) -> Result<Node, Failure> {
    let root = Origin { layer, place: "the environment".into() };
    let mut tree = Table::new();
    for Override { place, key, value } in given {
        let origin = Origin { layer, place: place.clone() };
        let words: Vec<&str> = key.split('.').collect();
        let node = match leaf(&words) {
            Some(shape) if !takes_text(shape) => parse_value(value, &origin),
            Some(_) | None => None,
        };
        let node = node.unwrap_or_else(|| Node::new(origin.clone(), Value::Text(value.clone())));
        if words.first().is_some_and(|first| ENTRIES.contains(first)) {
            return Err(node.refuse(format!("{key} cannot be set here"), "set it in a config file"));
        }
        let single = words.iter().rev().fold(node, |below, word| {
            Node::new(origin.clone(), Value::Table(Table::from([((*word).to_owned(), below)])))
        });
        if let Value::Table(single) = single.value {
            check(&Node::new(origin, Value::Table(single.clone())))?;
            tree = over(tree, single, "");
        }
    }
    Ok(Node::new(root, Value::Table(tree)))
}

fn leaf(words: &[&str]) -> Option<Shape> {
    let mut pattern = String::new();
    for (i, word) in words.iter().enumerate() {
        match step(&pattern, word)? {
            (_, Slot::Leaf(key)) => return (i + 1 == words.len()).then_some(key.shape),
            (found, Slot::Section) => pattern = found,
            (_, Slot::Sections) => return None,
        }
    }
    None
}

/// Tells whether a variable's value is the text itself and not TOML.
fn takes_text(shape: Shape) -> bool {
    match shape {
        Shape::Text
        | Shape::Name
        | Shape::Path
        | Shape::EnvName
        | Shape::Url
        | Shape::Ratio
        | Shape::Quorum
        | Shape::Usd
        | Shape::Choice { .. } => true,
        Shape::InsideFiles
        | Shape::Whole { .. }
        | Shape::Flag
        | Shape::Texts
        | Shape::Argv
        | Shape::Argvs
        | Shape::Stages
        | Shape::Gates
        | Shape::Rules
        | Shape::Env
        | Shape::EnvNames
        | Shape::EnvGlobs
        | Shape::EnvNamesByHeader
        | Shape::Choices(_)
        | Shape::Anything => false,
    }
}

/// Checks every key and value of a layer.
///
/// # Errors
/// A usage failure at the first problem, in the order of the text.
pub(super) fn check(tree: &Node) -> Result<(), Failure> {
    section(tree, "", "")
}

/// Checks one table; `shown` is its key as the user wrote it.
fn section(node: &Node, pattern: &str, shown: &str) -> Result<(), Failure> {
    let Some(entries) = node.entries() else {
        return Err(node.refuse(format!("{shown} is {}", node.kind()), format!("write a table: [{shown}]")));
    };
    for (word, child) in &entries {
        let shown = join(shown, word);
        match step(pattern, word) {
            None => return Err(unknown(child, pattern, word, &shown)),
            Some((_, Slot::Leaf(key))) => match key.state {
                State::Works => key.shape.check(child, &shown)?,
                State::NotYet(now) => {
                    return Err(child.refuse(
                        format!("{shown} is not yet available in this version"),
                        format!("remove it; what works now: {now}"),
                    ));
                }
            },
            Some((found, Slot::Section)) => {
                chosen_name(child, &found, word)?;
                section(child, &found, &shown)?;
            }
            Some((found, Slot::Sections)) => sections(child, &found, &shown)?,
        }
    }
    for key in KEYS {
        let missing = key.path.strip_prefix(pattern).and_then(|rest| rest.strip_prefix('.'));
        if let (Some(word), Otherwise::Required) = (missing, key.default)
            && !word.contains('.')
            && node.get(word).is_none()
        {
            let next = format!("add {word} = …, {}", key.shape.allowed());
            return Err(node.refuse(format!("{shown} has no {word}"), next));
        }
    }
    Ok(())
}

/// Checks a list of tables; each needs its own name.
fn sections(node: &Node, pattern: &str, shown: &str) -> Result<(), Failure> {
    let Value::List(items) = &node.value else {
        return Err(node.refuse(format!("{shown} is {}", node.kind()), format!("write [[{shown}]] above each one")));
    };
    for (i, item) in items.iter().enumerate() {
        section(item, pattern, shown)?;
        if let Some(twin) = items[..i].iter().find(|other| name_of(other) == name_of(item)) {
            let name = item.get("name").unwrap_or(item);
            return Err(name.refuse(
                format!("the name {} is taken by {}", name.toml(), twin.get("name").unwrap_or(twin).origin),
                "give each agent a name of its own",
            ));
        }
    }
    Ok(())
}

fn name_of(entry: &Node) -> Option<&Value> {
    entry.get("name").map(|name| &name.value)
}

/// Checks a name that the user chose for a section.
fn chosen_name(node: &Node, pattern: &str, word: &str) -> Result<(), Failure> {
    if pattern.ends_with("<stage>") && word == Stage::Specify.name() {
        return Err(node.refuse(NOT_OF_THE_SIX, "leave it out: whoever sits at plan drafts the spec, too"));
    }
    if pattern.ends_with("<stage>") && !Stage::ALL.iter().any(|stage| stage.name() == word) {
        let meant = nearest(word, Stage::ALL.map(Stage::name)).map(did_you_mean).unwrap_or_default();
        let all = Stage::ALL.map(Stage::name).join(", ");
        return Err(node.refuse(format!("{word:?} is no stage{meant}"), format!("use {all}")));
    }
    if pattern.ends_with("<name>") && !is_name(word) {
        return Err(node.refuse(format!("the name {word:?} cannot be used"), format!("use {}", Shape::Name.allowed())));
    }
    Ok(())
}

fn unknown(node: &Node, pattern: &str, word: &str, shown: &str) -> Failure {
    let here: Vec<&str> = children(pattern).iter().map(|segment| segment.trim_end_matches("[]")).collect();
    let elsewhere = || KEYS.iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(word));
    let next = match nearest(word, here.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => match elsewhere() {
            Some(path) => format!("did you mean {path}?"),
            None => format!("the keys here are: {}", here.join(", ")),
        },
    };
    node.refuse(format!("unknown key {shown}"), next)
}

/// Lays one checked layer over another.
pub(super) fn merge(base: Node, layer: Node) -> Node {
    match (base.value, layer.value) {
        (Value::Table(below), Value::Table(above)) => {
            Node { value: Value::Table(over(below, above, "")), ..layer_of(base.origin) }
        }
        (_, above) => Node { value: above, ..layer_of(layer.origin) },
    }
}

fn layer_of(origin: Origin) -> Node {
    Node::new(origin, Value::Table(Table::new()))
}

fn over(mut base: Table, layer: Table, pattern: &str) -> Table {
    for (word, node) in layer {
        let below = base.remove(&word);
        let merged = match (step(pattern, &word), below, node) {
            (
                Some((found, Slot::Section)),
                Some(Node { value: Value::Table(below), .. }),
                Node { value: Value::Table(above), origin, at },
            ) if !is_entry(&found) => Node { origin, at, value: Value::Table(over(below, above, &found)) },
            (
                Some((_, Slot::Sections)),
                Some(Node { value: Value::List(below), .. }),
                Node { value: Value::List(above), origin, at },
            ) => Node { origin, at, value: Value::List(by_name(below, above)) },
            (_, _, node) => node,
        };
        base.insert(word, merged);
    }
    base
}

fn is_entry(pattern: &str) -> bool {
    pattern.split_once('.').is_some_and(|(section, name)| ENTRIES.contains(&section) && !name.contains('.'))
}

fn by_name(mut below: Vec<Node>, above: Vec<Node>) -> Vec<Node> {
    for node in above {
        match below.iter_mut().find(|other| name_of(other) == name_of(&node)) {
            Some(replaced) => *replaced = node,
            None => below.push(node),
        }
    }
    below
}

/// Returns the layer of what nobody set.
pub(super) fn defaults() -> Node {
    filled(layer_of(Origin { layer: Layer::Default, place: "default".into() }), "")
}

/// Adds to a table the defaults of the keys that stand below `pattern` without a chosen name between.
pub(super) fn filled(mut node: Node, pattern: &str) -> Node {
    for key in KEYS {
        let rest = if pattern.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(pattern).and_then(|rest| rest.strip_prefix('.'))
        };
        if let (Some(rest), Otherwise::Value(text)) = (rest, key.default)
            && !rest.contains(['<', '['])
        {
            put_default(&mut node, rest, text);
        }
    }
    node
}

fn put_default(node: &mut Node, path: &str, text: &str) {
    let origin = Origin { layer: Layer::Default, place: "default".into() };
    let Value::Table(table) = &mut node.value else { return };
    match path.split_once('.') {
        Some((section, rest)) => {
            let below = table.entry(section.to_owned()).or_insert_with(|| layer_of(origin));
            put_default(below, rest, text);
        }
        None if table.contains_key(path) => {}
        None => {
            if let Some(value) = parse_value(text, &origin) {
                table.insert(path.to_owned(), value);
            }
        }
    }
}
