//! Writes what gates ask: lines for people, one JSON object for programs.
//!
//! Pure functions from [`Held`] to text. It must not know where it comes from or where the text goes.

use serde_json::{Value, json};

use crate::domain::gate::{Gate, Held, Issue, Magnitude, grade};

/// The schema of the JSON.
pub const SCHEMA: &str = "dicast.gate/1";

/// The exit code while something critical stands open: a person has to answer.
pub const NEEDS_ANSWER: u8 = 10;

/// Returns the exit code: 10 while something critical is open.
pub fn exit(held: &Held) -> u8 {
    if held.critical().next().is_some() { NEEDS_ANSWER } else { 0 }
}

/// Returns the command that answers the gravest open question.
pub fn next(held: &Held) -> Option<String> {
    held.open().next().map(|issue| command(held, issue))
}

/// Returns the command that answers a question, or puts it off where no words can answer it.
pub fn command(held: &Held, issue: &Issue) -> String {
    let (spec, id) = (&held.spec, &issue.id);
    if issue.slot.is_some() {
        format!("dicast clarify {spec} --answer {id}=TEXT")
    } else if issue.choices.len() == 1 {
        format!("dicast gate {spec} --accept {id}")
    } else if !issue.choices.is_empty() {
        format!("dicast clarify {spec} --answer {id}=1")
    } else {
        format!("dicast gate {spec} --defer {id} --reason T")
    }
}

/// Writes it for people.
pub fn text(held: &Held) -> String {
    let gates: Vec<&str> = held.gates.iter().map(|gate| gate.name()).collect();
    let mut out = format!("{}  {}\n", held.spec, gates.join(", "));
    if let Some(scores) = held.scores {
        out.push_str(&format!(
            "  {} of 100 ({}): completeness {}, clarity {}, testability {}, consistency {}\n",
            scores.overall,
            grade(scores.overall),
            scores.completeness,
            scores.clarity,
            scores.testability,
            scores.consistency
        ));
    }
    for issue in &held.issues {
        lines_of(held, issue, &mut out);
    }
    let counted = |magnitude: Magnitude| format!("{} {}", held.count(magnitude), magnitude.word());
    out.push_str(&format!(
        "{}, {}, {} open; {} put off\n",
        counted(Magnitude::Critical),
        counted(Magnitude::Important),
        counted(Magnitude::Minor),
        held.standing.len()
    ));
    out
}

fn lines_of(held: &Held, issue: &Issue, out: &mut String) {
    let place = format!("{}:{}", issue.place.file, issue.place.line);
    out.push_str(&format!("  {:<10} {} {}\n             {place}\n", issue.id, issue.magnitude.word(), issue.ask));
    if !issue.context.as_str().is_empty() {
        out.push_str(&format!("             \"{}\"\n", issue.context));
    }
    if let Some(standing) = held.standing.get(&issue.id) {
        out.push_str(&format!("             put off by {}: {}\n", standing.by, standing.reason));
        return;
    }
    for (n, choice) in (1..).zip(&issue.choices) {
        out.push_str(&format!("             {n} {}\n", choice.words));
    }
    out.push_str(&format!("             → {}\n", command(held, issue)));
}

/// Writes it as one JSON object.
pub fn json(held: &Held) -> Value {
    let issues: Vec<Value> = held.issues.iter().map(|issue| of_issue(held, issue)).collect();
    json!({
        "schema": SCHEMA, "spec_id": held.spec, "gates": held.gates.iter().map(|g: &Gate| g.name()).collect::<Vec<_>>(),
        "scores": held.scores, "issues": issues,
        "open": {"critical": held.count(Magnitude::Critical), "important": held.count(Magnitude::Important),
                 "minor": held.count(Magnitude::Minor)},
        "next": next(held), "exit": exit(held),
    })
}

fn of_issue(held: &Held, issue: &Issue) -> Value {
    let choices: Vec<Value> = issue
        .choices
        .iter()
        .map(|choice| {
            json!({"words": choice.words, "file": choice.edit.file, "line": choice.edit.line, "diff": choice.edit.diff()})
        })
        .collect();
    json!({
        "id": issue.id, "gate": issue.gate, "matter": issue.matter, "about": issue.about, "file": issue.place.file,
        "line": issue.place.line, "ask": issue.ask, "context": issue.context, "confidence": issue.confidence,
        "magnitude": issue.magnitude, "resolvability": issue.resolvability, "choices": choices,
        "takes_words": issue.slot.is_some(), "deferred": held.standing.get(&issue.id),
        "next": command(held, issue),
    })
}
