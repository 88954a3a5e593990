//! Checklist: whether a spec is complete, as scores and as questions.
//!
//! The scores follow the seed's formula, in whole points of a hundred, corrected where it marked every real spec down
//! (docs/gates.md has both). It must not change what a run does: it never finds anything critical.

use serde::{Deserialize, Serialize};

use super::text::Document;
use super::{Confidence, Found, Gate, Magnitude, Matter, Resolvability, Slot};
use crate::domain::check::{Place, Tree, open_mark, vague_in};
use crate::domain::spec::{Level, Requirement, Spec};

/// How complete a spec is, each part of 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    /// The parts that such a spec has.
    pub completeness: u32,
    /// Words that can be built from.
    pub clarity: u32,
    /// What could show that it is met.
    pub testability: u32,
    /// Documents that fit together.
    pub consistency: u32,
    /// All together: 30, 20, 30 and 20 parts of a hundred.
    pub overall: u32,
}

/// Returns the letter of a score.
pub fn grade(score: u32) -> char {
    match score {
        90.. => 'A',
        80.. => 'B',
        70.. => 'C',
        60.. => 'D',
        0.. => 'F',
    }
}

/// The parts of a spec: the name, the words that its headings have in any layout, how much its absence matters, and the
/// heading to add.
const PARTS: [(&str, &[&str], Magnitude, &str); 5] = [
    (
        "the problem",
        &[
            "problem",
            "summary",
            "overview",
            "why",
            "background",
            "motivation",
            "context",
            "purpose",
            "user scenarios",
            "user stor",
            "user story",
            "introduction",
            "intent",
        ],
        Magnitude::Minor,
        "## Overview",
    ),
    (
        "goals",
        &["goal", "success", "objective", "outcome", "measurable", "metrics", "what changes"],
        Magnitude::Minor,
        "## Success Criteria",
    ),
    ("requirements", &["requirement", "functional", "scope", "demands"], Magnitude::Important, "## Requirements"),
    (
        "acceptance criteria",
        &["acceptance", "scenario", "success criteria", "definition of done", "user story"],
        Magnitude::Important,
        "## Acceptance Criteria",
    ),
    (
        "how it is tested",
        &["test", "validation", "verification", "acceptance scenario", "scenario", "independent test"],
        Magnitude::Minor,
        "## Test Strategy",
    ),
];

/// Points of one part of five.
const PART: u32 = 20;

/// Words of a requirement above which it says too much at once.
const WORDS_MAX: usize = 200;

/// Words of a requirement below which it says nothing.
const WORDS_MIN: usize = 3;

/// The points that each part should have, and its name.
const AIMS: [(&str, u32); 4] = [("completeness", 80), ("clarity", 70), ("testability", 80), ("consistency", 90)];

/// Scores a spec and asks about what is missing. `analyzed` are the issues of the analyze gate.
pub(super) fn checklist(tree: &Tree, spec: &Spec, analyzed: &[Found]) -> (Scores, Vec<Found>) {
    let text = tree.text(&spec.file).unwrap_or_default();
    let document = Document::new(&spec.file, text);
    let mut found = Vec::new();
    let completeness = sections(document, text, spec, &mut found);
    sizes(document, spec, &mut found);
    open_items(tree, spec, &mut found);
    let scores = Scores::of(completeness, clarity(spec), testability(spec, text), consistency(analyzed));
    let parts = [scores.completeness, scores.clarity, scores.testability, scores.consistency];
    for ((name, aim), points) in AIMS.iter().zip(parts).filter(|((_, aim), points)| points < aim) {
        let ask = format!("{name} is {points} of 100, the aim is {aim}");
        found.push(Found { confidence: Confidence::Low, ..about_document(document, Matter::LowScore, ask) });
    }
    (scores, found)
}

impl Scores {
    fn of(completeness: u32, clarity: u32, testability: u32, consistency: u32) -> Self {
        let overall = (30 * completeness + 20 * clarity + 30 * testability + 20 * consistency) / 100;
        Self { completeness, clarity, testability, consistency, overall }
    }
}

fn about_document(document: Document<'_>, matter: Matter, ask: String) -> Found {
    Found {
        gate: Gate::Checklist,
        matter,
        about: String::new(),
        place: Place { file: document.file.to_owned(), line: 1 },
        ask,
        context: String::new(),
        confidence: Confidence::Medium,
        magnitude: Magnitude::Minor,
        resolvability: Resolvability::NeedHuman,
        choices: Vec::new(),
        slot: None,
    }
}

/// Looks for the parts of a spec under any of their names; what the parser found counts without a heading.
fn sections(document: Document<'_>, text: &str, spec: &Spec, out: &mut Vec<Found>) -> u32 {
    let headings: Vec<String> = headings(text).map(str::to_lowercase).collect();
    let has_criteria = spec.requirements.iter().any(|r| !r.criteria.is_empty());
    let has_scenarios = spec.stories.iter().any(|s| !s.scenarios.is_empty()) || has_criteria;
    let mut points = 0;
    for (at, (name, words, magnitude, heading)) in PARTS.iter().enumerate() {
        let by_content = match at {
            0 => !spec.stories.is_empty(),
            2 => !spec.requirements.is_empty(),
            3 | 4 => has_scenarios,
            _ => false,
        };
        if by_content || headings.iter().any(|h| words.iter().any(|w| h.contains(w))) {
            points += PART;
            continue;
        }
        let ask = format!("the spec does not say {name}: add a section?");
        let slot: Option<Slot> = document.section_at_end(heading);
        out.push(Found { magnitude: *magnitude, slot, ..about_document(document, Matter::MissingSection, ask) });
    }
    points
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter_map(move |line| {
        fenced ^= line.trim_start().starts_with("```");
        let body = line.trim_start();
        // Bold lines and `**Testing**:` are how shorter specs write headings.
        let is_heading = body.starts_with('#') || body.starts_with("**");
        (!fenced && is_heading).then(|| body.trim_start_matches(['#', '*', ' ']))
    })
}

fn words_of(requirement: &Requirement) -> usize {
    requirement.text.split_whitespace().count()
}

fn sizes(document: Document<'_>, spec: &Spec, out: &mut Vec<Found>) {
    for requirement in &spec.requirements {
        let words = words_of(requirement);
        let ask = match words {
            0..WORDS_MIN => format!("{} has {words} words: what does it demand?", requirement.id),
            WORDS_MIN..=WORDS_MAX => continue,
            _ => format!("{} has {words} words: is it one requirement?", requirement.id),
        };
        let place = Place { file: document.file.to_owned(), line: requirement.line };
        let about = requirement.id.clone();
        out.push(Found { about, place, ..about_document(document, Matter::Size, ask) });
    }
}

/// Asks about checklists beside the spec (github/spec-kit's `checklists/`) with open items: one question for each file.
fn open_items(tree: &Tree, spec: &Spec, out: &mut Vec<Found>) {
    let folder = format!("{}/checklists/", spec.dir);
    for (path, file) in tree.files.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
        let Some(text) = file.as_text().filter(|_| path.ends_with(".md")) else { continue };
        let boxes = |mark: &str| text.lines().filter(|line| line.trim_start().starts_with(mark)).count();
        let (open, done) = (boxes("- [ ]"), boxes("- [x]") + boxes("- [X]"));
        let first = text.lines().position(|line| line.trim_start().starts_with("- [ ]"));
        let Some(first) = first else { continue };
        let line = u32::try_from(first + 1).unwrap_or(u32::MAX);
        let name = path.strip_prefix(&folder).unwrap_or(path);
        let ask = format!("{open} of {} items of {name} are open", open + done);
        let document = Document::new(path, text);
        let place = Place { file: path.clone(), line };
        let context = document.line(line).unwrap_or_default().trim().to_owned();
        out.push(Found {
            place,
            context,
            confidence: Confidence::High,
            ..about_document(document, Matter::OpenItem, ask)
        });
    }
}

/// Returns `points` for each of `count`, at most `most`.
fn lost(count: usize, points: u32, most: u32) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(points).min(most)
}

fn clarity(spec: &Spec) -> u32 {
    let count = |of: &dyn Fn(&&Requirement) -> bool| spec.requirements.iter().filter(of).count();
    let by_id = spec.requirements.iter().any(|r| !r.id.starts_with("US") && !r.id.starts_with("AS"));
    let vague: usize = spec.requirements.iter().map(|r| vague_in(&r.text).len()).sum();
    let lost = [
        if by_id { 0 } else { 50 },
        lost(count(&|r| words_of(r) > WORDS_MAX), 5, 20),
        lost(count(&|r| words_of(r) < WORDS_MIN), 3, 15),
        lost(vague, 2, 20),
        lost(count(&|r| open_mark(&r.text).is_some()), 5, 15),
    ];
    100u32.saturating_sub(lost.iter().sum())
}

/// 20 for a part about acceptance, 40 by requirements with criteria of their own or stories with scenarios, 20 by musts
/// that are measured or behave in a way that shows, 20 for a part about tests.
fn testability(spec: &Spec, text: &str) -> u32 {
    let headings: Vec<String> = headings(text).map(str::to_lowercase).collect();
    let has = |at: usize| {
        PARTS.get(at).is_some_and(|(_, words, ..)| headings.iter().any(|h| words.iter().any(|w| h.contains(w))))
    };
    let scenarios: usize = spec.stories.iter().map(|s| s.scenarios.len()).sum();
    let criteria: usize = spec.requirements.iter().map(|r| r.criteria.len()).sum();
    let all = spec.requirements.len().max(1);
    let covered = (scenarios + criteria).min(all);
    let musts: Vec<&Requirement> = spec.requirements.iter().filter(|r| r.level == Level::Must).collect();
    let plain = musts.iter().filter(|r| vague_in(&r.text).is_empty() && open_mark(&r.text).is_none()).count();
    let share = |part: usize, of: usize, points: usize| u32::try_from(points * part / of.max(1)).unwrap_or(0);
    let part = |is_there: bool| if is_there { PART } else { 0 };
    part(has(3) || covered > 0) + share(covered, all, 40) + share(plain, musts.len(), 20) + part(has(4) || covered > 0)
}

fn consistency(analyzed: &[Found]) -> u32 {
    let weight = |found: &Found| match found.magnitude {
        Magnitude::Critical => 20,
        Magnitude::Important => 10,
        Magnitude::Minor => 5,
    };
    100u32.saturating_sub(analyzed.iter().map(weight).sum())
}
