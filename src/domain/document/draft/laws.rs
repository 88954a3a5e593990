//! What holds of any proposal: over the specs of `tests/formats`, cut and flipped, and panels that say anything.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use super::tests::{proposed, read};
use crate::domain::draft::TEMPLATE;
use crate::domain::spec::{Form, Outline, Spec};

/// A spec's folder and text.
const SPECS: [(&str, &str); 20] = [
    ("specs/001-magic-link", include_str!("../../../../tests/formats/specs/001-magic-link/spec.md")),
    ("specs/002-csv-export", include_str!("../../../../tests/formats/specs/002-csv-export/spec.md")),
    ("specs/003-dark-mode", include_str!("../../../../tests/formats/specs/003-dark-mode/spec.md")),
    ("specs/004-webhooks", include_str!("../../../../tests/formats/specs/004-webhooks/spec.md")),
    ("specs/005-search", include_str!("../../../../tests/formats/specs/005-search/spec.md")),
    ("specs/006-quota", include_str!("../../../../tests/formats/specs/006-quota/spec.md")),
    ("specs/007-audit", include_str!("../../../../tests/formats/specs/007-audit/spec.md")),
    ("specs/008-offline", include_str!("../../../../tests/formats/specs/008-offline/spec.md")),
    ("specs/009-stories-only", include_str!("../../../../tests/formats/specs/009-stories-only/spec.md")),
    ("specs/016-headings", include_str!("../../../../tests/formats/specs/016-headings/spec.md")),
    (".specify/specs/010-table", include_str!("../../../../tests/formats/.specify/specs/010-table/spec.md")),
    ("docs/SPEC-UI-013-menu", include_str!("../../../../tests/formats/docs/SPEC-UI-013-menu/spec.md")),
    ("docs/SPEC-KIT-011-cache", include_str!("../../../../tests/formats/docs/SPEC-KIT-011-cache/PRD.md")),
    ("docs/SPEC-OPS-012-deploy", include_str!("../../../../tests/formats/docs/SPEC-OPS-012-deploy/PRD.md")),
    ("docs/SPEC-KIT-015-import", include_str!("../../../../tests/formats/docs/SPEC-KIT-015-import/PRD.md")),
    ("docs/SPEC-API-014-paging", include_str!("../../../../tests/formats/docs/SPEC-API-014-paging/PRD.md")),
    ("openspec/specs/profile", include_str!("../../../../tests/formats/openspec/specs/profile/spec.md")),
    (
        "openspec/changes/add-two-factor/specs/auth",
        include_str!("../../../../tests/formats/openspec/changes/add-two-factor/specs/auth/spec.md"),
    ),
    (
        "openspec/changes/add-tags/specs/search",
        include_str!("../../../../tests/formats/openspec/changes/add-tags/specs/search/spec.md"),
    ),
    ("specs/017-new", TEMPLATE),
];

/// What agents say, harmless and not.
const WORDS: [&str; 24] = [
    "The system MUST refuse an empty key.",
    "The system MUST refuse an empty key!",
    "It SHOULD keep 3 copies of every file | row.",
    "It MAY sing.",
    "# Heading MUST not be",
    "- **FR-001**: forged MUST be told",
    "FR-001, FR-002 and FR-003 MUST agree",
    "R1: short MUST be",
    "NFR-1 MUST hold",
    "AC-1: MUST be seen",
    "<!-- the rest MUST vanish",
    "```\ncode MUST not open",
    "~~~ MUST not open",
    "| FR-002 | a row MUST not begin |",
    "1. numbered MUST be\n2. two",
    "**FR-004**: bold MUST be",
    "Given a key, when it is empty, then it MUST be refused",
    "[NEEDS CLARIFICATION: only claude asks for this: keep it?]",
    "It MUST close ]] what [ it opens",
    "It MUST stay\u{202e} visible\u{1b}[2J",
    "---",
    "=> → -> MUST point",
    "Requirement: named MUST be",
    "It MUST say “so” and “not so”; codex: it should go",
];

/// One entry: what it is, its words, the requirement that it is about.
type Said = (u8, usize, usize);

fn seat(spec: &Spec, said: &[Said]) -> Value {
    let (mut requirements, mut stories, mut lists) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for (kind, words, about) in said {
        let words = WORDS[words % WORDS.len()];
        let id = spec.requirements.get(about % (spec.requirements.len() + 1)).map_or("FR-999", |r| r.id.as_str());
        match kind % 10 {
            0..=3 => requirements.push(json!({"text": words, "because": words})),
            4 | 5 => requirements.push(json!({"requirement": id, "text": words})),
            6 => requirements.push(json!({"requirement": id, "withdraw": true})),
            7 => stories.push(json!({"title": words, "story": WORDS[about % WORDS.len()], "independent_test": words,
                "scenarios": [WORDS[(about + 1) % WORDS.len()], "Given a, when b, then c"]})),
            other => lists[usize::from(other - 8) + about % 2].push(words),
        }
    }
    json!({"requirements": requirements, "stories": stories, "edge_cases": lists[0], "success_criteria": lists[1],
        "assumptions": lists[2]})
}

fn panels() -> impl Strategy<Value = Vec<Vec<Said>>> {
    let said = (0..10_u8, 0..WORDS.len(), 0..5_usize);
    let common = proptest::collection::vec(said.clone(), 0..4);
    let own = proptest::collection::vec(proptest::collection::vec(said, 0..3), 1..4);
    // What several say is what the laws are about.
    (common, own).prop_map(|(common, own)| own.into_iter().map(|own| [common.clone(), own].concat()).collect())
}

fn seats(spec: &Spec, panel: &[Vec<Said>]) -> Vec<(&'static str, Value)> {
    ["claude", "codex", "gemini"].into_iter().zip(panel).map(|(name, said)| (name, seat(spec, said))).collect()
}

/// A text with some lines gone, doubled, or changed at one place.
fn mutated(text: &str, changes: &[(u8, usize, char)]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for (kind, at, c) in changes {
        let at = at % lines.len().max(1);
        let Some(line) = lines.get(at).cloned() else { continue };
        match kind % 4 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line),
            2 => lines[at] = line.replacen(char::is_alphabetic, &c.to_string(), 1),
            _ => lines[at] = format!("{c}{line}"),
        }
    }
    lines.concat()
}

fn specs() -> impl Strategy<Value = (&'static str, String)> {
    let change =
        (0..4_u8, 0..60_usize, prop::sample::select(vec!['`', '-', '#', '|', '[', '<', '\t', ' ', '\r', 'é', '*']));
    let changes = prop_oneof![1 => Just(Vec::new()), 1 => proptest::collection::vec(change, 1..5)];
    let end = prop_oneof![3 => Just(0_u8), 1 => 1..4_u8];
    (0..SPECS.len(), changes, end).prop_map(|(at, changes, end)| {
        let (dir, text) = SPECS[at];
        let text = mutated(text, &changes);
        let text = match end {
            1 => text.trim_end().to_owned(),
            2 => text.replace("\r\n", "\n").replace('\n', "\r\n"),
            3 => format!("\u{feff}{text}\n```\nopen"),
            _ => text,
        };
        (dir, text)
    })
}

fn is_by_id(outline: &Outline<'_>) -> bool {
    outline.written().iter().any(|written| matches!(written.form, Form::Item | Form::Row | Form::Heading))
}

/// Lines that nothing may touch: all that say something but those of requirements, stories and placeholders.
fn untouchable<'t>(spec: &Spec, text: &'t str) -> Vec<&'t str> {
    let outline = Outline::of(spec, text);
    let headings = outline.headings();
    let of_stories = headings.iter().filter(|heading| spec.stories.iter().any(|story| story.line == heading.line));
    let touchable: BTreeSet<u32> = outline
        .written()
        .iter()
        .flat_map(|written| written.line..=written.last + 2)
        .chain(of_stories.flat_map(|heading| heading.line..=heading.last))
        .collect();
    let lines = (1_u32..).zip(text.lines());
    let says = |line: &str| !line.trim().is_empty() && !line.contains('[');
    lines.filter(|(n, line)| !touchable.contains(n) && says(line)).map(|(_, line)| line).collect()
}

fn is_within(lines: &[&str], text: &str) -> bool {
    let mut all = text.lines();
    lines.iter().all(|line| all.any(|other| other == *line))
}

fn base(told: &str) -> &str {
    told.split("**Draft**: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn of_any_panel_a_proposal_keeps_what_nobody_took_away((dir, text) in specs(), panel in panels()) {
        let old = read(dir, &text);
        let seats = seats(&old, &panel);
        let (proposal, told) = proposed(dir, &text, &seats);
        prop_assert_eq!(&proposed(dir, &text, &seats), &(proposal.clone(), told.clone()), "the same inputs, the same bytes");

        let new = read(dir, &proposal);
        let outline = Outline::of(&old, &text);
        let withdrawn = told.split("## Withdrawn").nth(1).map_or("", |rest| rest.split("\n## ").next().unwrap_or(rest));
        if is_by_id(&outline) {
            for requirement in &old.requirements {
                let is_there = new.requirements.iter().any(|other| other.id == requirement.id);
                prop_assert!(is_there || withdrawn.contains(&requirement.id), "{}\n{proposal}\n{told}", requirement.id);
            }
            let restated = |spec: &Spec| spec.restated.iter().map(|again| again.text.clone()).collect::<Vec<_>>();
            prop_assert_eq!(restated(&new), restated(&old), "{}", proposal);
        }
        let ids: BTreeSet<&str> = new.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
        prop_assert_eq!(ids.len(), new.requirements.len());
        prop_assert!(is_within(&untouchable(&old, &text), &proposal), "{text}\n=====\n{proposal}\n{told}");

        // The same answers to the proposal, if the same draft is followed: nothing more. OpenSpec's ids are places; what was
        // left to a person in one document may be written into another.
        let (again, more) = proposed(dir, &proposal, &seats);
        let is_named = outline.written().iter().any(|written| written.form == Form::Named);
        if base(&more) == base(&told) && !is_named && !told.contains("## By hand") {
            prop_assert_eq!(&again, &proposal, "{}\n{}", told, more);
        }
    }

    #[test]
    fn who_asks_for_nothing_gets_the_very_same_bytes((dir, text) in specs(), seats in 1..4_usize) {
        let seats: Vec<(&str, Value)> = ["claude", "codex", "gemini"].into_iter().take(seats).map(|name| (name, json!({}))).collect();
        prop_assert_eq!(proposed(dir, &text, &seats).0, text);
    }
}
