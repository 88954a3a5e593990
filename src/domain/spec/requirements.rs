//! Finds what a spec demands: requirements by id, user stories, acceptance scenarios.
//!
//! A requirement is defined where a list item, a table row or a heading *starts* with `FR-…`, `NFR-…` or `R-…`;
//! anywhere else the id is a reference. It must not know tasks or code.

use std::collections::BTreeSet;

use super::ids::{requirement_at, short_id_at};
use super::markdown::{Kind, Line, body_of};
use super::{Layout, Level, Requirement, Scenario, Story};

/// Longest text kept of one requirement, in characters: a heading's section can run on for pages.
const TEXT_MAX: usize = 2_000;

/// Returns the level of a text: its first modal in capitals, else its first modal, else must.
pub fn level_of(text: &str) -> Level {
    let words = || text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty());
    let level = |word: &str| match word {
        "MUST" | "SHALL" => Some(Level::Must),
        "SHOULD" => Some(Level::Should),
        "MAY" => Some(Level::May),
        _ => None,
    };
    words().find_map(level).or_else(|| words().find_map(|w| level(&w.to_ascii_uppercase()))).unwrap_or(Level::Must)
}

/// Returns the first definition of each id, and the later ones.
pub(super) fn defined(lines: &[Line<'_>], layout: Layout) -> (Vec<Requirement>, Vec<Requirement>) {
    let mut first: Vec<Requirement> = Vec::new();
    let mut again = Vec::new();
    let mut in_rows = BTreeSet::new();
    for (at, found) in definitions(lines, layout) {
        let is_row = matches!(lines[at].kind, Kind::Row(_));
        match first.iter_mut().find(|r| r.id == found.id) {
            // A table that repeats an id traces it; the sentence is the definition, wherever it stands.
            Some(_) if is_row => {}
            Some(known) if in_rows.remove(&found.id) => *known = found,
            Some(known) if known.text == found.text => {}
            Some(_) => again.push(found),
            None => {
                if is_row {
                    in_rows.insert(found.id.clone());
                }
                first.push(found);
            }
        }
    }
    first.sort_by_key(|r| r.line);
    (first, again)
}

/// Returns every definition by id, and which line it begins in.
pub(super) fn definitions(lines: &[Line<'_>], layout: Layout) -> Vec<(usize, Requirement)> {
    // Lists of risks number their items so too.
    let mut takes_short = layout == Layout::Seed;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(heading) = line.heading() {
            takes_short = layout == Layout::Seed && !heading.to_lowercase().contains("risk");
        }
        found.extend(definition(lines, at, line, takes_short).map(|definition| (at, definition)));
    }
    found
}

fn definition(lines: &[Line<'_>], at: usize, line: &Line<'_>, takes_short: bool) -> Option<Requirement> {
    let (id, rest) = named(line, takes_short)?;
    let mut text = match &line.kind {
        Kind::Row(cells) => {
            let others = cells.iter().skip(1).copied();
            std::iter::once(rest).chain(others).filter(|c| !c.is_empty()).collect::<Vec<_>>().join(" | ")
        }
        Kind::Heading { .. } | Kind::Item { .. } | Kind::Text(_) | Kind::Blank => rest.to_owned(),
    };
    let mut criteria = Vec::new();
    for below in below(lines, at) {
        let words = below.words();
        criteria.extend(leading_criterion(&words));
        if !words.is_empty() && text.len() < TEXT_MAX {
            text.push(' ');
            text.push_str(&words);
        }
    }
    // `FR-001-AC2` is a criterion of FR-001.
    if let Some((parent, _)) = id.split_once("-AC").or_else(|| id.split_once(".AC")) {
        criteria.push(id.clone());
        let text = plain(&text);
        return Some(Requirement { id: parent.to_owned(), level: level_of(&text), text, line: line.number, criteria });
    }
    let text = plain(&text);
    Some(Requirement { id, level: level_of(&text), text, line: line.number, criteria })
}

/// Returns the id that a line begins with, where that makes it a definition, and the words that follow it: of a table's
/// row those in the same cell.
pub(super) fn named<'a>(line: &Line<'a>, takes_short: bool) -> Option<(String, &'a str)> {
    match &line.kind {
        Kind::Heading { text, .. } => leading_id(text),
        Kind::Item { text, .. } => leading_id(text).or_else(|| if takes_short { leading_short_id(text) } else { None }),
        Kind::Row(cells) => leading_id(cells.first()?),
        Kind::Text(_) | Kind::Blank => None,
    }
}

/// Returns the lines that go on with the requirement at one, up to where another begins. A table's row goes on nowhere.
pub(super) fn below<'l, 'a>(lines: &'l [Line<'a>], at: usize) -> impl Iterator<Item = &'l Line<'a>> {
    let is_row = lines.get(at).is_some_and(|line| matches!(line.kind, Kind::Row(_)));
    let body = if is_row { &[] } else { body_of(lines, at) };
    body.iter().take_while(|line| {
        let words = line.words();
        leading_criterion(&words).is_some() || requirement_at(words.trim_start_matches(MARKS)).is_none()
    })
}

/// Returns the requirements of OpenSpec's layout: a heading `Requirement: name` each, numbered in their order, with the
/// scenarios below as criteria. What a change removes or renames demands nothing.
pub(super) fn by_heading(lines: &[Line<'_>]) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    let mut is_gone = false;
    for (at, line) in lines.iter().enumerate() {
        let Kind::Heading { text, depth } = line.kind else { continue };
        if depth <= 2 {
            is_gone = ["REMOVED", "RENAMED"].iter().any(|word| text.starts_with(word));
        } else if let Some(name) = text.strip_prefix("Requirement:").filter(|_| !is_gone) {
            let body = body_of(lines, at).iter().map(Line::words).filter(|words| !words.is_empty());
            let text = plain(&std::iter::once(name.trim().to_owned() + ":").chain(body).collect::<Vec<_>>().join(" "));
            let id = format!("R-{}", found.len() + 1);
            found.push(Requirement { id, level: level_of(&text), text, line: line.number, criteria: Vec::new() });
        } else if text.starts_with("Scenario:")
            && !is_gone
            && let Some(last) = found.last_mut()
        {
            last.criteria.push(format!("{}-AC{}", last.id, last.criteria.len() + 1));
        }
    }
    found
}

const MARKS: [char; 7] = ['*', '_', '`', '[', '(', '~', ' '];

/// Splits `**FR-001**: words` into id and words. `None` where the line only lists ids or points from one to another.
fn leading_id(text: &str) -> Option<(String, &str)> {
    let body = text.trim_start_matches(MARKS);
    let (id, after) = requirement_at(body)?;
    let rest = after.trim_start_matches(['*', '_', '`', ']', ')', '~']).trim_start();
    (!points_on(rest)).then(|| (id, rest.trim_start_matches([':', '-', '–', '—', '.', ')', '*', ' ']).trim()))
}

/// Splits `**R1**: words` and `R1. words`; the sign after the id is what makes it one.
fn leading_short_id(text: &str) -> Option<(String, &str)> {
    let (id, after) = short_id_at(text.trim_start_matches(MARKS))?;
    let rest = after.trim_start_matches(['*', '_', '`', ']', ')', '~']);
    let is_marked =
        rest.trim_start().starts_with([':', '.', '–', '—']) || rest.starts_with(" - ") || after.starts_with('*');
    let words = rest.trim_start_matches([':', '-', '–', '—', '.', ')', '*', ' ']).trim();
    (is_marked && !words.is_empty() && !points_on(rest.trim_start())).then_some((id, words))
}

/// Tells whether what follows an id is another id or an arrow: a list or a trace, not a definition.
fn points_on(rest: &str) -> bool {
    if ["→", "->", "=>"].iter().any(|arrow| rest.starts_with(arrow)) {
        return true;
    }
    let next = rest.trim_start_matches([',', '/', '&', '+', '-', '–', '—', '.', ' ', '*', '`']);
    let next = ["and ", "to ", "through "].iter().find_map(|word| next.strip_prefix(word)).unwrap_or(next);
    requirement_at(next).is_some()
}

pub(super) fn leading_criterion(words: &str) -> Option<String> {
    let body = words.trim_start_matches(MARKS);
    if let Some((id, _)) = requirement_at(body) {
        return (id.contains("-AC") || id.contains(".AC")).then_some(id);
    }
    let rest = body.strip_prefix("AC")?;
    let tail: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    let tail = tail.trim_end_matches(['-', '.']);
    tail.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()).then(|| format!("AC{tail}"))
}

/// Removes emphasis marks and doubled spaces.
pub(super) fn plain(text: &str) -> String {
    let text = text.replace("**", "");
    let cut: String = text.chars().take(TEXT_MAX).collect();
    cut.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the document's first heading, without the words that templates put before the name.
pub(super) fn title(lines: &[Line<'_>]) -> Option<String> {
    let text = lines.iter().find_map(Line::heading)?;
    let name = ["Feature Specification:", "Feature Spec:", "Specification:", "Spec:", "PRD:", "Feature:"]
        .iter()
        .find_map(|p| text.strip_prefix(p))
        .unwrap_or(text);
    Some(plain(name)).filter(|t| !t.is_empty())
}

/// Returns the user stories: headings `User Story 1 …`, `Story 1 …`, `US1 …`, else list items `As a …`.
pub(super) fn stories(lines: &[Line<'_>]) -> Vec<Story> {
    let mut out: Vec<Story> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Kind::Heading { text, depth } = line.kind else { continue };
        let Some(number) = story_number(text) else { continue };
        let id = format!("US{number}");
        if out.iter().any(|s| s.id == id) {
            continue;
        }
        let end = lines[at + 1..]
            .iter()
            .position(
                |l| matches!(l.kind, Kind::Heading { depth: d, text } if d <= depth || story_number(text).is_some()),
            )
            .map_or(lines.len(), |n| at + 1 + n);
        let scenarios = scenarios(&lines[at + 1..end], &format!("{id}-"));
        out.push(Story { id, title: plain(text), line: line.number, scenarios });
    }
    if out.is_empty() {
        let sentences =
            lines.iter().filter_map(|l| Some((l.number, plain(l.sentence()?)))).filter(|(_, text)| is_story(text));
        out = (1..)
            .zip(sentences)
            .map(|(n, (line, title))| Story { id: format!("US{n}"), title, line, scenarios: Vec::new() })
            .collect();
    }
    out
}

fn is_story(text: &str) -> bool {
    (text.starts_with("As a ") || text.starts_with("As an ")) && text.to_lowercase().contains("i want")
}

fn story_number(heading: &str) -> Option<u32> {
    let text = heading.trim_start_matches(['*', '_', ' ']);
    let rest = ["User Story ", "User story ", "Story ", "US-", "US"].iter().find_map(|p| text.strip_prefix(p))?;
    let rest = rest.trim_start_matches(['#', ' ']);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn scenarios(lines: &[Line<'_>], prefix: &str) -> Vec<Scenario> {
    let given = lines.iter().filter_map(|l| Some((l.number, plain(l.sentence()?))));
    (1..)
        .zip(given.filter(|(_, t)| is_scenario(t)))
        .map(|(n, (line, text))| Scenario { id: format!("{prefix}AS{n}"), text, line })
        .collect()
}

fn is_scenario(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.starts_with("given ") || lower.starts_with("given:") || lower.starts_with("scenario:")
}

/// Returns the scenarios of the whole document, for a spec without stories.
pub(super) fn loose_scenarios(lines: &[Line<'_>]) -> Vec<Scenario> {
    scenarios(lines, "")
}

/// Makes requirements of stories, each with its scenarios as criteria, else of the scenarios.
pub(super) fn from_stories(stories: &[Story], loose: &[Scenario]) -> Vec<Requirement> {
    if stories.is_empty() {
        let made = |s: &Scenario| Requirement {
            id: s.id.clone(),
            level: level_of(&s.text),
            text: s.text.clone(),
            line: s.line,
            criteria: Vec::new(),
        };
        return loose.iter().map(made).collect();
    }
    let made = |s: &Story| Requirement {
        id: s.id.clone(),
        level: level_of(&s.title),
        text: s.title.clone(),
        line: s.line,
        criteria: s.scenarios.iter().map(|c| c.id.clone()).collect(),
    };
    stories.iter().map(made).collect()
}
