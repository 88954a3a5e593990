//! The critic: which demands are vague, open, contradictory or forbidden.
//!
//! Word lists and formulas follow the seed's native heuristics, corrected so that they do not stop every real spec: an
//! error is only what is undecided in a must's own text, one id with two values, a must that is negated elsewhere, or
//! what the constitution forbids. It must not look at code.

use std::collections::BTreeSet;

use super::numbers::{Bound, Quantity, quantities};
use super::words::{Clause, alike, clauses, content, sentences};
use super::{Findings, Rule, Seen, Severity};
use crate::domain::agenda::{PointKind, closing, open_points};
use crate::domain::spec::{Level, Requirement, Spec};

/// Reads every demand of a spec.
pub(super) fn criticise(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) {
    for requirement in &spec.requirements {
        vague(requirement, out);
        open_marker(requirement, out);
        open_points_of(requirement, out);
    }
    markers_elsewhere(seen, spec, out);
    contradictions(spec, out);
    forbidden(seen, spec, out);
}

/// Words that no test can measure.
const VAGUE: [&str; 36] = [
    "fast",
    "faster",
    "quick",
    "quickly",
    "slow",
    "scalable",
    "responsive",
    "performant",
    "efficient",
    "efficiently",
    "robust",
    "robustly",
    "secure",
    "securely",
    "simple",
    "simply",
    "easy",
    "easily",
    "intuitive",
    "intuitively",
    "seamless",
    "seamlessly",
    "user-friendly",
    "friendly",
    "reasonable",
    "reasonably",
    "appropriate",
    "appropriately",
    "adequate",
    "adequately",
    "sufficient",
    "timely",
    "asap",
    "soon",
    "eventually",
    "etc",
];

/// Words that make a vague word near them concrete.
const CONCRETE: [&str; 26] = [
    "tls",
    "https",
    "bcrypt",
    "argon2",
    "scrypt",
    "oauth",
    "oauth2",
    "jwt",
    "aes",
    "hash",
    "hashed",
    "encrypt",
    "encrypted",
    "encryption",
    "httponly",
    "wcag",
    "p50",
    "p95",
    "p99",
    "percentile",
    "slo",
    "sla",
    "o(1)",
    "o(n)",
    "cookie",
    "cookies",
];

fn vague(requirement: &Requirement, out: &mut Findings<'_>) {
    let words = vague_in(&requirement.text);
    if words.is_empty() {
        return;
    }
    let severity = if requirement.level == Level::Must { Severity::Warning } else { Severity::Info };
    let list = words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
    let message = format!("{} is vague: {list} with nothing to measure", requirement.id);
    let clear = "say how much, how soon or by which standard (a number with a unit)";
    out.add_as(Rule::Vague, severity, &requirement.id, out.in_spec(requirement.line), &message, clear);
}

/// Returns the words of a demand that nobody can measure, lower-cased; none where it is measured besides.
pub fn vague_in(text: &str) -> Vec<String> {
    if is_measured(text) {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for sentence in text.split('`').step_by(2).flat_map(sentences) {
        for (n, raw) in sentence.split_whitespace().enumerate() {
            let word = raw.trim_matches(|c: char| !c.is_alphanumeric());
            // A capital inside a sentence is a name: "Quick Capture".
            let is_name = n > 0 && word.starts_with(char::is_uppercase);
            let folded = word.to_lowercase();
            if VAGUE.contains(&folded.as_str()) && !is_name && !found.contains(&folded) {
                found.push(folded);
            }
        }
    }
    found
}

fn is_measured(text: &str) -> bool {
    let lower = text.to_lowercase();
    let concrete = |w: &str| CONCRETE.contains(&w.trim_matches(|c: char| !(c.is_alphanumeric() || c == ')')));
    !quantities(text).is_empty() || lower.split(|c: char| c.is_whitespace() || c == '/').any(concrete)
}

/// Words that say that something is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenMark<'t> {
    /// Where they begin, in bytes.
    pub at: usize,
    /// As they are written.
    pub written: &'t str,
    /// What they are called in a question.
    pub called: &'static str,
}

/// Returns the first words of a text that say that something is undecided.
pub fn open_mark(text: &str) -> Option<OpenMark<'_>> {
    const CLARIFY: &str = "NEEDS CLARIFICATION";
    if let Some(at) = text.find(CLARIFY) {
        let negated = text[..at].trim_end_matches(['[', ' ', '`']).to_lowercase();
        if !negated.ends_with("no") && !negated.ends_with("without") {
            return Some(OpenMark { at, written: CLARIFY, called: CLARIFY });
        }
    }
    let is_mark = |c: char| !c.is_alphanumeric();
    let mut end = 0;
    let mut words = text.split_inclusive(char::is_whitespace).filter_map(|piece| {
        let at = end;
        end += piece.len();
        let word = piece.trim_end();
        (!word.is_empty()).then_some((at, word))
    });
    let mut next = words.next();
    while let Some((at, word)) = next {
        next = words.next();
        let bare = word.trim_matches(is_mark);
        let follows = next.map_or("", |(_, word)| word.trim_matches(is_mark));
        let called = match bare {
            "TBD" | "TBC" | "FIXME" => "TBD",
            // A product about to-do lists writes TODO for its own things.
            "TODO"
                if !word.contains("TODO-") && !TODO_THINGS.contains(&follows.to_lowercase().trim_end_matches('s')) =>
            {
                "TODO"
            }
            _ if word == "???" => return Some(OpenMark { at, written: word, called: "???" }),
            _ => continue,
        };
        return Some(OpenMark { at: at + word.find(bare)?, written: bare, called });
    }
    None
}

const TODO_THINGS: [&str; 14] = [
    "item",
    "list",
    "app",
    "application",
    "task",
    "entry",
    "entrie",
    "card",
    "note",
    "comment",
    "manager",
    "cli",
    "title",
    "record",
];

fn open_marker(requirement: &Requirement, out: &mut Findings<'_>) {
    let Some(OpenMark { called: marker, .. }) = open_mark(&requirement.text) else { return };
    let severity = if requirement.level == Level::Must { Severity::Error } else { Severity::Warning };
    let message = format!("{} ({}) is undecided: it says {marker}", requirement.id, requirement.level.word());
    let clear = format!("decide it and take {marker} out of the requirement");
    out.add_as(Rule::OpenMarker, severity, &requirement.id, out.in_spec(requirement.line), &message, &clear);
}

/// Reports `[NEEDS CLARIFICATION: …]` outside requirements. The words without a colon stand in checklists.
fn markers_elsewhere(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) {
    let text = seen.tree.text(&spec.file).unwrap_or_default();
    let mut fenced = false;
    for (number, line) in (1u32..).zip(text.lines()) {
        fenced ^= line.trim_start().starts_with("```");
        let is_marker = !fenced && line.contains("[NEEDS CLARIFICATION:");
        let in_requirement =
            spec.requirements.iter().any(|r| r.line == number || marker_text(line).is_some_and(|m| r.text.contains(m)));
        if is_marker && !in_requirement {
            let message = format!("undecided: {}", marker_text(line).unwrap_or("NEEDS CLARIFICATION"));
            let clear = "answer the question and take the marker out";
            out.add_as(Rule::OpenMarker, Severity::Warning, "", out.in_spec(number), &message, clear);
        }
    }
}

fn marker_text(line: &str) -> Option<&str> {
    const ASKS: &str = "[NEEDS CLARIFICATION:";
    let marked = &line[line.find(ASKS)?..];
    let end = closing(marked).map_or(marked.len(), |end| end - 1);
    Some(marked[ASKS.len()..end].trim()).filter(|t| !t.is_empty())
}

/// Reports each quantity and choice that a requirement leaves open: the agenda asks every agent about them.
fn open_points_of(requirement: &Requirement, out: &mut Findings<'_>) {
    for point in open_points(&requirement.text) {
        let message = match point.kind {
            // Those have rules of their own.
            PointKind::Marker => continue,
            PointKind::Quantity if VAGUE.contains(&point.words.to_lowercase().as_str()) => continue,
            PointKind::Quantity => format!("{} says \"{}\" without a number", requirement.id, point.words),
            PointKind::Choice => format!("{} leaves a choice open: \"{}\"", requirement.id, point.words),
        };
        let clear = "write the value or the choice into the requirement, or let the plan decide it";
        out.add(Rule::OpenQuantity, &requirement.id, out.in_spec(requirement.line), &message, clear);
    }
}

/// How two demands of a spec clash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClashKind {
    /// One id has two values.
    SameIdValues,
    /// One id demands something and forbids it.
    SameIdNegated,
    /// One id has two wordings that share little.
    SameIdReworded,
    /// What one requirement demands another forbids.
    Negated,
    /// Two requirements give one thing two values.
    Values,
    /// What one requirement demands is optional in another.
    Optional,
}

/// Two demands that clash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash<'s> {
    /// How.
    pub kind: ClashKind,
    /// How grave it is.
    pub severity: Severity,
    /// The one that stands first.
    pub first: &'s Requirement,
    /// The later one; the same requirement where one contradicts itself.
    pub second: &'s Requirement,
    /// In words.
    pub why: String,
}

/// Returns what clashes in a spec: for each id the gravest.
pub fn clashes(spec: &Spec) -> Vec<Clash<'_>> {
    let mut told = BTreeSet::new();
    let mut found: Vec<Clash<'_>> = Vec::new();
    for again in &spec.restated {
        let Some(clash) = restated(spec, again) else { continue };
        let is_new = clash.kind == ClashKind::SameIdReworded || told.insert(again.id.as_str());
        found.extend(is_new.then_some(clash));
    }
    let all: Vec<(&Requirement, Clause)> =
        spec.requirements.iter().flat_map(|r| clauses(&r.text).into_iter().map(move |c| (r, c))).collect();
    let mut between: Vec<Clash<'_>> = Vec::new();
    for (n, (first, a)) in all.iter().enumerate() {
        for (second, b) in &all[n + 1..] {
            let clash = conflict(a, b);
            between.extend(clash.map(|(kind, severity, why)| Clash { kind, severity, first, second, why }));
        }
    }
    between.sort_by_key(|clash| clash.severity);
    found.extend(between.into_iter().filter(|clash| told.insert(clash.second.id.as_str())));
    found
}

/// Compares a later definition of an id with its first.
fn restated<'s>(spec: &'s Spec, again: &'s Requirement) -> Option<Clash<'s>> {
    let first = spec.requirements.iter().find(|r| r.id == again.id)?;
    let clash = |kind, why| {
        let severity = if kind == ClashKind::SameIdReworded { Rule::DuplicateId } else { Rule::Contradiction };
        Some(Clash { kind, severity: severity.severity(), first, second: again, why })
    };
    if let Some((a, b)) = two_values(&quantities(&first.text), &quantities(&again.text)) {
        let why = format!("{} has two values: {} in line {}, {} here", first.id, a.written, first.line, b.written);
        return clash(ClashKind::SameIdValues, why);
    }
    if clauses(&again.text).iter().any(|b| clauses(&first.text).iter().any(|a| excludes(a, b))) {
        let why = format!("{} says the opposite of its definition in line {}", first.id, first.line);
        return clash(ClashKind::SameIdNegated, why);
    }
    let words = |text: &str| content(&text.split_whitespace().collect::<Vec<_>>()).into_iter().collect();
    if alike(&words(&first.text), &words(&again.text), 1, 3, 1) {
        return None;
    }
    let why = format!("{} is defined twice with different words: also in line {}", first.id, first.line);
    clash(ClashKind::SameIdReworded, why)
}

/// Returns a value of each that count the same and exclude each other, if no value of that unit is shared.
fn two_values<'q>(a: &'q BTreeSet<Quantity>, b: &'q BTreeSet<Quantity>) -> Option<(&'q Quantity, &'q Quantity)> {
    let is_shared =
        |unit: &str| a.iter().any(|x| x.unit == unit && b.iter().any(|y| y.unit == unit && y.value == x.value));
    let pairs = || a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    pairs().find(|(x, y)| x.excludes(y) && !is_shared(&x.unit))
}

/// Tells whether one clause demands what the other forbids, about the same thing and without conditions.
fn excludes(a: &Clause, b: &Clause) -> bool {
    // `at least 8` and `not more than 128` differ in more than their negation.
    let amounts = |c: &Clause| c.quantities.iter().map(|q| (q.unit.clone(), q.value.clone())).collect::<BTreeSet<_>>();
    let is_exact = |c: &Clause| c.quantities.iter().all(|q| q.bound == Bound::Exact);
    // Two conditions need not meet; one and the same does.
    let unnegated = |c: &Clause| c.frame.iter().filter(|word| *word != "not").cloned().collect::<Vec<_>>();
    let is_apart = a.conditional || b.conditional;
    a.level == Level::Must
        && b.level == Level::Must
        && a.negated != b.negated
        && (!is_apart || unnegated(a) == unnegated(b))
        && a.labels == b.labels
        && alike(&a.about, &b.about, 3, 4, 2)
        && is_exact(a)
        && is_exact(b)
        && amounts(a) == amounts(b)
}

/// Reports what clashes.
fn contradictions(spec: &Spec, out: &mut Findings<'_>) {
    for Clash { kind, severity, first, second, why } in clashes(spec) {
        let (rule, message, clear) = match kind {
            ClashKind::SameIdValues => (Rule::Contradiction, why, format!("keep one value of {}", first.id)),
            ClashKind::SameIdNegated => (Rule::Contradiction, why, "keep one of the two".to_owned()),
            ClashKind::SameIdReworded => (Rule::DuplicateId, why, "give one of the two an id of its own".to_owned()),
            ClashKind::Negated | ClashKind::Values | ClashKind::Optional if first.id == second.id => {
                let message = format!("{} contradicts itself: {why}", second.id);
                (Rule::Contradiction, message, "keep one of the two".to_owned())
            }
            ClashKind::Negated | ClashKind::Values | ClashKind::Optional => (
                Rule::Contradiction,
                format!("{} contradicts {} (line {}): {why}", second.id, first.id, first.line),
                format!("keep one of the two, or say when each of {} and {} holds", first.id, second.id),
            ),
        };
        out.add_as(rule, severity, &second.id, out.in_spec(second.line), &message, &clear);
    }
}

fn conflict(a: &Clause, b: &Clause) -> Option<(ClashKind, Severity, String)> {
    if excludes(a, b) {
        return Some((ClashKind::Negated, Severity::Error, "what one demands the other forbids".into()));
    }
    // Tier 1 is not tier 2.
    if a.negated != b.negated || a.labels != b.labels {
        return None;
    }
    let is_same = a.frame == b.frame;
    if !is_same && (a.conditional || b.conditional) {
        return None;
    }
    // Plans and roles differ in one word and may differ in value: only the very same thing has one value.
    if (is_same || alike(&a.about, &b.about, 7, 8, 2))
        && let Some((x, y)) = two_values(&a.quantities, &b.quantities).filter(|(x, _)| is_same || x.is_measured())
    {
        let both_must = a.level == Level::Must && b.level == Level::Must;
        let severity = if both_must { Severity::Error } else { Severity::Warning };
        return Some((ClashKind::Values, severity, format!("{} there, {} here", x.written, y.written)));
    }
    let differ = matches!((a.level, b.level), (Level::Must, Level::May) | (Level::May, Level::Must));
    let is_meant = differ && !a.conditional && !b.conditional && alike(&a.about, &b.about, 7, 8, 3);
    is_meant.then(|| (ClashKind::Optional, Severity::Warning, "a must here is optional there".into()))
}

/// Most words of a prohibition that are compared: what follows explains it.
const KEYWORDS: usize = 3;

fn forbidden(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) {
    let Some((path, text)) = seen.constitution else { return };
    for (line, sentence, keywords) in prohibitions(text) {
        for requirement in &spec.requirements {
            if demands(&requirement.text, &keywords) {
                let message =
                    format!("{} demands what the constitution forbids: \"{sentence}\" ({path}:{line})", requirement.id);
                let clear = "change the requirement, or amend the constitution first";
                out.add(Rule::ConstitutionForbids, &requirement.id, out.in_spec(requirement.line), &message, clear);
            }
        }
        for task in spec.tasks.iter().flatten() {
            if clauses(&task.title).is_empty() && demands(&format!("must {}", task.title), &keywords) {
                let message = format!("{} does what the constitution forbids: \"{sentence}\" ({path}:{line})", task.id);
                let clear = "change the task, or amend the constitution first";
                out.add(Rule::ConstitutionForbids, &task.id, out.in_tasks(task.line), &message, clear);
            }
        }
    }
}

fn prohibitions(text: &str) -> Vec<(u32, String, Vec<String>)> {
    let mut out = Vec::new();
    let mut fenced = false;
    for (number, line) in (1u32..).zip(text.lines()) {
        fenced ^= line.trim_start().starts_with("```");
        if fenced || line.trim_start().starts_with("<!--") {
            continue;
        }
        let plain = line.replace("**", "").replace('`', "");
        for sentence in sentences(plain.trim_start_matches(['-', '*', ' ', '>', '#'])) {
            for clause in
                clauses(sentence).into_iter().filter(|c| c.negated && c.level == Level::Must && !c.conditional)
            {
                let keywords: Vec<String> = clause.demand.into_iter().take(KEYWORDS).collect();
                if keywords.len() >= 2 {
                    out.push((number, sentence.chars().take(120).collect(), keywords));
                }
            }
        }
    }
    out
}

/// Words that turn a demand into its opposite.
const AGAINST: [&str; 9] = ["without", "avoid", "avoids", "no", "never", "instead", "remove", "prevent", "reject"];

fn demands(text: &str, keywords: &[String]) -> bool {
    clauses(text).iter().any(|clause| {
        !clause.negated
            && keywords.iter().all(|k| clause.about.contains(k))
            && !text.split_whitespace().any(|w| AGAINST.contains(&w.to_lowercase().as_str()))
    })
}
