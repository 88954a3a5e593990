//! Analyze: whether the documents of a spec fit together.
//!
//! What clashes, what is forbidden and what drifted apart is the critic's and the tracer's to find; here it becomes
//! questions with edits to choose from. It must not look at code.

use std::collections::BTreeSet;

use super::text::{Document, find};
use super::{Confidence, Edit, Found, Gate, Magnitude, Matter, Resolvability, weight};
use crate::domain::check::{Clash, ClashKind, Finding, Place, Rule, Tree, clashes};
use crate::domain::spec::{Level, Requirement, Spec, requirement_ids};

/// Share of a plan's requirement ids that the spec may lack, in percent: beyond, the plan is about something else.
const CREEP_PERCENT: usize = 20;

/// Most characters of a requirement that are quoted.
const CONTEXT_MAX: usize = 200;

/// Most characters of a requirement that a new task quotes.
const TASK_MAX: usize = 80;

/// Asks about everything that does not fit. `findings` are the critic's and the tracer's of this spec.
pub(super) fn analyze(tree: &Tree, spec: &Spec, findings: &[Finding]) -> Vec<Found> {
    let mut found: Vec<Found> = clashes(spec).iter().map(|clash| clashing(tree, spec, clash)).collect();
    found.extend(findings.iter().filter_map(|finding| told(tree, spec, finding)));
    uncovered(tree, spec, &mut found);
    creep(tree, spec, &mut found);
    found
}

fn ask(matter: Matter, about: &str, place: Place, ask: String) -> Found {
    Found {
        gate: Gate::Analyze,
        matter,
        about: about.to_owned(),
        place,
        ask,
        context: String::new(),
        confidence: Confidence::Medium,
        magnitude: Magnitude::Important,
        resolvability: Resolvability::NeedHuman,
        choices: Vec::new(),
        slot: None,
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}

fn clashing(tree: &Tree, spec: &Spec, clash: &Clash<'_>) -> Found {
    let Clash { kind, first, second, why, .. } = clash;
    let document = Document::new(&spec.file, tree.text(&spec.file).unwrap_or_default());
    let both_must = first.level == Level::Must && second.level == Level::Must;
    let (matter, magnitude) = match kind {
        ClashKind::SameIdValues | ClashKind::SameIdNegated => (Matter::Contradiction, Magnitude::Critical),
        ClashKind::Negated if both_must => (Matter::Contradiction, Magnitude::Critical),
        ClashKind::Negated | ClashKind::Values => (Matter::Contradiction, Magnitude::Important),
        ClashKind::Optional => (Matter::Contradiction, Magnitude::Minor),
        ClashKind::SameIdReworded => (Matter::DuplicateId, Magnitude::Important),
    };
    // Line numbers in the question would change its id with every line added above.
    let question = if first.id == second.id {
        match kind {
            ClashKind::SameIdReworded => {
                format!("{} is defined twice with different words: which one holds?", first.id)
            }
            ClashKind::SameIdValues
            | ClashKind::SameIdNegated
            | ClashKind::Negated
            | ClashKind::Values
            | ClashKind::Optional => format!("{} contradicts itself: which one holds?", first.id),
        }
    } else {
        format!("{} and {} contradict each other ({why}): which one holds?", first.id, second.id)
    };
    let keep = |kept: &Requirement, gone: &Requirement| {
        (kept.line != gone.line).then_some(())?;
        let words = format!("keep \"{} {}\"", kept.id, cut(&kept.text, TASK_MAX));
        Some((words, document.without(gone.line)?))
    };
    let choices: Vec<(String, Edit)> = [keep(first, second), keep(second, first)].into_iter().flatten().collect();
    let place = Place { file: spec.file.clone(), line: second.line };
    Found {
        context: format!("{} | {}", cut(&first.text, CONTEXT_MAX), cut(&second.text, CONTEXT_MAX)),
        magnitude,
        confidence: Confidence::High,
        resolvability: if choices.is_empty() { Resolvability::NeedHuman } else { Resolvability::SuggestFix },
        choices,
        ..ask(matter, &second.id, place, question)
    }
}

/// Makes a question of a finding, if it is one of this gate.
fn told(tree: &Tree, spec: &Spec, finding: &Finding) -> Option<Found> {
    let (matter, question) = match finding.rule {
        Rule::ConstitutionForbids => {
            (Matter::Forbidden, format!("{}: change it, or amend the constitution?", finding.message))
        }
        Rule::StalePlan => (Matter::StalePlan, "the spec changed after its plan: does the plan still hold?".to_owned()),
        Rule::OrphanTask => return Some(unknown_id(tree, spec, finding)),
        Rule::TickedFileMissing
        | Rule::TickedFileGone
        | Rule::TickedSymbolMissing
        | Rule::TickedTestMissing
        | Rule::TickedHollow
        | Rule::TickedUntouched
        | Rule::OpenTaskDone
        | Rule::RequirementWithoutTask
        | Rule::RequirementWithoutTest
        | Rule::Vague
        | Rule::OpenQuantity
        | Rule::Contradiction
        | Rule::DuplicateId
        | Rule::OpenMarker
        | Rule::UnaskedChange
        | Rule::NoRequirements
        | Rule::Unreadable => return None,
    };
    let context = cut(finding.message.as_str(), CONTEXT_MAX);
    Some(Found { context, ..ask(matter, &finding.about, finding.place.clone(), question) })
}

/// A task names a requirement that is not there. One whose number is written otherwise is meant.
fn unknown_id(tree: &Tree, spec: &Spec, finding: &Finding) -> Found {
    let document = Document::new(&finding.place.file, tree.text(&finding.place.file).unwrap_or_default());
    let task = spec.tasks.iter().flatten().find(|task| task.id == finding.about && task.line == finding.place.line);
    let unknown = task.into_iter().flat_map(|task| &task.requirements).find(|id| spec.requirement(id).is_none());
    let meant = unknown.and_then(|id| {
        let mut alike = spec.requirements.iter().filter(|known| number_of(&known.id) == number_of(id));
        alike.next().filter(|_| alike.next().is_none())
    });
    let fix = unknown.zip(meant).and_then(|(id, meant)| {
        let part = find(&document.task(finding.place.line), id)?;
        Some((format!("write {}", meant.id), document.replaced(part, &meant.id)?))
    });
    let question = format!("{}: which requirement is meant?", finding.message);
    Found {
        confidence: if fix.is_some() { Confidence::High } else { Confidence::Medium },
        resolvability: if fix.is_some() { Resolvability::AutoFix } else { Resolvability::NeedHuman },
        choices: fix.into_iter().collect(),
        ..ask(Matter::UnknownId, &finding.about, finding.place.clone(), question)
    }
}

/// Splits `FR-012` into its letters and its number without zeros.
fn number_of(id: &str) -> (String, Option<u32>) {
    let at = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    (id[..at].trim_end_matches('-').to_ascii_uppercase(), id[at..].parse().ok())
}

/// Asks for a task for each must that no task names. A list that names no requirement at all is left alone: it cannot
/// be traced, and `check` says so once.
fn uncovered(tree: &Tree, spec: &Spec, out: &mut Vec<Found>) {
    let Some(tasks) = spec.tasks.as_ref().filter(|tasks| !tasks.is_empty()) else { return };
    let is_named = |r: &&Requirement| {
        let names = |id: &String| *id == r.id || r.criteria.contains(id);
        tasks.iter().any(|task| task.requirements.iter().any(names))
    };
    let open: Vec<&Requirement> = spec.requirements.iter().filter(|r| r.level != Level::May && !is_named(r)).collect();
    if open.len() == spec.requirements.len() {
        return;
    }
    let file = tree.path_of(spec, "tasks.md");
    let document = Document::new(&file, tree.text(&file).unwrap_or_default());
    let numbers = tasks.iter().filter_map(|task| task.id.strip_prefix('T')?.parse::<u32>().ok());
    let next = numbers.max().unwrap_or(0).checked_add(1);
    let last = document.last_of(tasks.iter().map(|task| task.line).max().unwrap_or(1));
    for requirement in open {
        let id = &requirement.id;
        let task = next.map(|next| format!("T{next:03} {} ({id})", cut(&requirement.text, TASK_MAX)));
        let added = task.zip(document.line(last)).map(|(task, line)| {
            let becomes = vec![line.to_owned(), format!("- [ ] {task}")];
            (format!("add \"{task}\""), Edit { file: file.clone(), line: last, was: line.to_owned(), becomes })
        });
        let place = Place { file: spec.file.clone(), line: requirement.line };
        out.push(Found {
            context: cut(&requirement.text, CONTEXT_MAX),
            magnitude: weight(requirement.level, Magnitude::Important, Magnitude::Minor),
            confidence: Confidence::High,
            resolvability: if added.is_some() { Resolvability::SuggestFix } else { Resolvability::NeedHuman },
            choices: added.into_iter().collect(),
            ..ask(Matter::Uncovered, id, place, format!("no task names {id}: add one?"))
        });
    }
}

/// Asks about a plan that names many requirements that the spec does not have.
fn creep(tree: &Tree, spec: &Spec, out: &mut Vec<Found>) {
    let file = tree.path_of(spec, "plan.md");
    let Some(text) = tree.text(&file) else { return };
    let named: BTreeSet<String> =
        requirement_ids(text).into_iter().filter(|id| id.starts_with("FR-") || id.starts_with("NFR-")).collect();
    let unknown: Vec<&str> = named.iter().filter(|id| spec.requirement(id).is_none()).map(String::as_str).collect();
    if unknown.is_empty() || unknown.len() * 100 <= named.len() * CREEP_PERCENT {
        return;
    }
    let question =
        format!("the plan is about {}, which the spec does not have: which of the two is right?", unknown.join(", "));
    out.push(ask(Matter::ScopeCreep, "", Place { file, line: 1 }, question));
}
