//! From a spec to documents, over the public parts: the schema and the validator say the same, the docs are what the
//! types say, and what three agents answer becomes the documents in `snapshots/`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use dicast::domain::agenda::{Topic, agenda};
use dicast::domain::artifact::{Artifact, Expect, answer_schema, extract, markdown, validate};
use dicast::domain::claim::derive::{DeriveInputs, Prior, citations, derive};
use dicast::domain::claim::lookup::{Citation, Found, Lookups};
use dicast::domain::consensus::{Answer, Level, Panel, Participant, Requirement, decide};
use dicast::domain::document::{DocumentInputs, render};
use dicast::domain::ids::{AgentName, Family, SpecId};
use dicast::domain::spec::{self, Spec, parse_tasks};
use dicast::domain::stage::Stage;
use proptest::prelude::*;
use serde_json::{Value, json};

const SPEC: &str = "# Feature Specification: Rate limiter

- **FR-001**: The system MUST refuse more than 10 requests per second for each key.
- **FR-002**: Counters MUST be kept in memory or Redis.
- **FR-003**: The system MUST allow a burst above the limit.
- **FR-004**: The system SHOULD log refusals.
";

fn parsed() -> Spec {
    spec::parse(
        SpecId::new("003-rate-limiter").unwrap(),
        "specs/003-rate-limiter",
        "specs/003-rate-limiter/spec.md",
        SPEC,
    )
}

/// What stands on one agent's seat.
struct Seat {
    name: &'static str,
    artifact: Value,
}

/// The files and tests of the repository that the agents talk about.
fn lookups(artifacts: &BTreeMap<AgentName, Artifact>, spec: &Spec) -> Lookups {
    let there = ["src/limiter.rs", "src/store.rs", "Cargo.toml"];
    let cited: BTreeSet<Citation> = artifacts.values().flat_map(|artifact| citations(artifact, spec)).collect();
    let find = |citation: &Citation| match citation {
        Citation::File { path, .. } if there.contains(&path.as_str()) => {
            Found::Seen { sha256: None, place: format!("{path}:1"), excerpt: String::new(), by: None }
        }
        Citation::Test { id, .. } if id == "limiter::refuses" => {
            Found::Seen { sha256: None, place: "tests/limiter.rs:3".into(), excerpt: String::new(), by: None }
        }
        Citation::Test { .. } => Found::False { why: "no such test".into() },
        Citation::File { .. } | Citation::Hunk { .. } | Citation::Symbol { .. } | Citation::Requirement { .. } => {
            Found::Absent
        }
    };
    cited.into_iter().map(|citation| (citation.clone(), find(&citation))).collect()
}

/// Takes the answers of a stage all the way to its documents.
fn documents(stage: Stage, seats: &[Seat]) -> Vec<(String, String)> {
    let spec = parsed();
    let topics: Vec<Topic> = agenda(&spec, &[]);
    let ids: Vec<String> = topics.iter().map(|topic| topic.id.clone()).collect();
    let expect = Expect { stage, topics: ids, sent: vec![] };
    let artifacts: BTreeMap<AgentName, Artifact> = seats
        .iter()
        .map(|seat| {
            let json = extract(&expect, &format!("Here:\n```json\n{:#}\n```", seat.artifact)).unwrap();
            (AgentName::new(seat.name).unwrap(), validate(&expect, &json).unwrap())
        })
        .collect();
    let lookups = lookups(&artifacts, &spec);
    let inputs = DeriveInputs {
        spec: &spec,
        agenda: &topics,
        lookups: &lookups,
        guardrails_ok: true,
        constitution: &BTreeSet::new(),
        prior: &Prior::default(),
        diff: None,
    };
    let mut panel = Panel::new(spec.id.clone(), stage);
    panel.requirements = spec
        .requirements
        .iter()
        .map(|r| Requirement {
            id: r.id.clone(),
            level: match r.level {
                spec::Level::Must => Level::Must,
                spec::Level::Should => Level::Should,
                spec::Level::May => Level::May,
            },
        })
        .collect();
    panel.agents = artifacts
        .iter()
        .map(|(name, artifact)| Participant {
            name: name.clone(),
            family: Family::new(name.as_str()).unwrap(),
            voter: true,
            status: Answer::Ok,
            open_dissent: vec![],
            artifact: None,
            claims: derive(artifact, &inputs).plain(),
        })
        .collect();
    panel.check().unwrap();
    let verdict = decide(&panel);
    render(
        stage,
        &DocumentInputs {
            spec: &spec,
            agenda: &topics,
            verdict: &verdict,
            panel: &panel,
            text: None,
            artifacts: &artifacts,
        },
    )
}

fn answers(covered: [&str; 4], store: &str, burst: Value) -> Value {
    let mut answers: Vec<Value> = covered
        .iter()
        .enumerate()
        .map(|(i, value)| json!({"topic": format!("D-{:03}", i + 1), "value": value}))
        .collect();
    answers.push(json!({"topic": "D-005", "value": store, "evidence": [{"file": "src/store.rs", "line": null}]}));
    answers.push(json!({"topic": "D-006", "value": burst, "evidence": [{"file": "src/limiter.rs"}]}));
    json!(answers)
}

fn plans() -> Vec<Seat> {
    let claude = json!({
        "schema": "dicast.artifact/1", "stage": "plan", "summary": "Count in the limiter, keep counters in Redis.",
        "answers": answers(["yes", "yes", "yes", "no"], "Redis", json!("20 requests")),
        "work_breakdown": [
            {"step": "Count requests for each key", "rationale": "FR-001 is the core", "success_signal": "`limiter::refuses` passes",
             "requirements": ["FR-001", "FR-003"], "files": ["src/limiter.rs"]},
            {"step": "count requests, for each key!", "requirements": ["FR-001"], "files": ["tests/limiter.rs (new)"]},
            {"step": "Keep counters in Redis", "requirements": ["FR-002", "FR-099"], "files": ["src/store.rs", "../secrets"]}
        ],
        "acceptance_mapping": [{"requirement": "FR-001", "validation_step": "run `limiter::refuses`", "artifact": "tests/limiter.rs (new)"}],
        "risks": [{"risk": "Redis | may be away", "owner": "ops", "mitigation": "fall back", "severity": "major"}],
        "questions": ["Which key: user or address?\n# Not a heading"]
    });
    let codex = json!({
        "schema": "dicast.artifact/1", "stage": "plan", "summary": "A token bucket in memory.",
        "answers": answers(["yes", "yes", "yes", "yes"], "memory", json!(20)),
        "work_breakdown": [
            {"step": "Write a token bucket", "requirements": ["FR-001", "FR-002", "FR-003"], "files": ["src/limiter.rs", "src/clock.rs (new)"]},
            {"step": "Log refusals", "requirements": ["FR-004"], "files": ["src/log.rs (new)"]}
        ],
        "acceptance_mapping": [{"requirement": "FR-001", "validation_step": "`limiter::refuses`"}],
        "risks": [{"risk": "The clock may go back", "severity": "minor"}],
        "claims": [{"kind": "test", "subject": "limiter::burst", "predicate": "passes"}]
    });
    let gemini = json!({
        "schema": "dicast.artifact/1", "stage": "plan", "summary": "A bucket, and a log.",
        "answers": answers(["yes", "yes", "yes", "yes"], "**OPEN** <!--", json!(10)),
        "work_breakdown": [
            {"step": "Bucket for each key", "requirements": ["FR-001", "FR-003"], "files": ["src/limiter.rs", "src/clock.rs (new)"]},
            {"step": "Log what is refused", "requirements": ["FR-004"], "files": ["src/log.rs (new)"]}
        ],
        "acceptance_mapping": [{"requirement": "FR-002", "validation_step": "look at it"}],
        "risks": [{"risk": "the clock may go back", "severity": "minor"}]
    });
    vec![
        Seat { name: "claude", artifact: claude },
        Seat { name: "codex", artifact: codex },
        Seat { name: "gemini", artifact: gemini },
    ]
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    settings
}

#[test]
fn a_plan_is_published_like_this() {
    let documents = documents(Stage::Plan, &plans());
    let [(path, text)] = documents.as_slice() else { panic!("one document") };
    assert_eq!(path, "specs/003-rate-limiter/plan.md");
    settings().bind(|| insta::assert_snapshot!("document_plan", text));
}

#[test]
fn the_order_of_arrival_changes_no_document() {
    let mut seats = plans();
    seats.reverse();
    assert_eq!(documents(Stage::Plan, &seats), documents(Stage::Plan, &plans()));
}

fn task(id: &str, order: u32, title: &str, needs: &[&str], requirements: &[&str], files: &[&str]) -> Value {
    json!({"task_id": id, "order": order, "title": title, "depends_on": needs, "requirements": requirements, "files": files,
           "validation_step": "`limiter::refuses` passes", "parallel": order == 2})
}

/// Three task lists. claude's is the base; it lacks a task for FR-004 and a file that the others agree on, has one task
/// twice, and two that wait for each other.
fn task_lists() -> Vec<Seat> {
    let claude = json!([
        task("B", 1, "Refuse over the limit", &["A"], &["FR-001"], &["src/limiter.rs"]),
        task("A", 2, "Write the store in src/store.rs", &[], &["FR-002"], &["src/store.rs"]),
        task("C", 3, "Allow a burst", &["D"], &["FR-003"], &["src/limiter.rs"]),
        task("D", 4, "Measure it", &["C"], &[], &[]),
        task("E", 5, "measure it!", &[], &["FR-003"], &[]),
    ]);
    let codex = json!([
        task("T1", 1, "Write the store", &[], &["FR-002"], &["src/store.rs"]),
        task("T2", 2, "Refuse", &["T1"], &["FR-001", "FR-003"], &["src/limiter.rs", "src/clock.rs (new)"]),
        task("T3", 3, "Log refusals", &["T2"], &["FR-004"], &["src/log.rs (new)"]),
    ]);
    lists(claude, codex)
}

#[test]
fn tasks_are_published_so_that_our_own_reader_understands_them() {
    let documents = documents(Stage::Tasks, &task_lists());
    let [(path, text)] = documents.as_slice() else { panic!("one document") };
    assert_eq!(path, "specs/003-rate-limiter/tasks.md");
    let read = parse_tasks(text);
    let ids: Vec<&str> = read.iter().map(|task| task.id.as_str()).collect();
    let expected: Vec<String> = (1..=5).map(|n| format!("T{n:03}")).collect();
    assert_eq!(ids, expected, "each task once, numbered in order");
    let named: BTreeSet<&str> = read.iter().flat_map(|task| &task.requirements).map(String::as_str).collect();
    assert_eq!(named, BTreeSet::from(["FR-001", "FR-002", "FR-003", "FR-004"]));
    settings().bind(|| insta::assert_snapshot!("document_tasks", text));
}

#[test]
fn every_must_is_covered_or_open_and_each_open_conflict_stands_once() {
    let text = documents(Stage::Plan, &plans()).remove(0).1;
    let rows = |text: &str| {
        text.lines().filter(|l| l.starts_with("| FR-") && l.contains("| MUST |")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(rows(&text).len() == 3 && rows(&text).iter().all(|row| row.contains("| yes (")), "{text}");
    assert_eq!(text.matches("**OPEN**").count(), 2, "the store and the burst");

    let mut seats = plans();
    for seat in &mut seats {
        seat.artifact["answers"][1] = json!({"topic": "D-002", "abstain": true});
        seat.artifact["work_breakdown"] = json!([]);
        seat.artifact["acceptance_mapping"] = json!([]);
    }
    let text = documents(Stage::Plan, &seats).remove(0).1;
    assert!(text.contains("| FR-002 | MUST | **OPEN**: nobody says how |"), "{text}");
    for id in ["FR-001", "FR-003"] {
        assert!(text.contains(&format!("| {id} | MUST | **OPEN**: agreed, but no step serves it (")), "{text}");
    }
    assert_eq!(text.matches("**OPEN**").count(), 5);
}

/// The task lines of a tasks.md, by what is done.
fn line_of(text: &str, words: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("- [ ] ") && line.contains(words));
    line.unwrap_or_else(|| panic!("no task {words}: {text}")).to_owned()
}

fn id_of(text: &str, words: &str) -> String {
    line_of(text, words).split_whitespace().nth(3).unwrap().to_owned()
}

/// The lists of three agents who cover everything; the first one's is the base, and the second's is what it may lack.
fn lists(base: Value, other: Value) -> Vec<Seat> {
    let all = answers(["yes"; 4], "Redis", json!(20));
    let mut abstaining = all.clone();
    for i in [4, 5] {
        abstaining[i] = json!({"topic": all[i]["topic"], "abstain": true});
    }
    let short = json!([task("1", 1, "Do all", &[], &["FR-001"], &["src/clock.rs (new)"])]);
    let seat = |name, tasks: Value, answers: Value| Seat {
        name,
        artifact: json!({"schema": "dicast.artifact/1", "stage": "tasks", "answers": answers, "tasks": tasks}),
    };
    vec![seat("claude", base, all.clone()), seat("codex", other, abstaining), seat("gemini", short, all)]
}

#[test]
fn what_was_united_with_another_task_is_still_waited_for() {
    let every = ["FR-001", "FR-002", "FR-003", "FR-004"];
    let tasks = json!([
        task("A", 1, "Measure it", &[], &every, &["src/limiter.rs"]),
        task("S", 2, "Keep counters", &[], &[], &["src/store.rs"]),
        task("B", 3, "measure it!", &["S"], &[], &[]),
        task("C", 4, "Tune the limit", &["B"], &[], &[]),
        task("X", 5, "Write about it", &["Z"], &[], &[]),
    ]);
    let text = documents(Stage::Tasks, &lists(tasks.clone(), tasks)).remove(0).1;
    let id = |words: &str| id_of(&text, words);
    let (measure, keep, tune, write) =
        (id("Measure it"), id("Keep counters"), id("Tune the limit"), id("Write about it"));
    for line in [
        format!("- {measure} after {keep}\n"),
        format!("- {tune} after {measure}\n"),
        format!("- {write} after “Z” (claude), which no task here does\n"),
    ] {
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(text.contains("## Phase 1: needs no other task of this list"), "{text}");
    assert!(!text.contains("measure it!") && !text.contains("needs nothing else"), "{text}");
}

#[test]
fn a_task_of_another_draft_waits_for_what_stands_here_under_other_words() {
    let base = json!([
        task("1", 1, "Refuse", &["2"], &["FR-001", "FR-003"], &["src/limiter.rs"]),
        task("2", 2, "Write the store", &[], &["FR-002"], &["src/store.rs"]),
    ]);
    let others = json!([
        task("1", 1, "Choose where to log", &[], &[], &[]),
        task("2", 2, "Turn them away", &[], &["FR-001", "FR-002", "FR-003"], &["src/limiter.rs"]),
        task("3", 3, "Log refusals", &["2", "1"], &["FR-004"], &["src/log.rs (new)"]),
    ]);
    let text = documents(Stage::Tasks, &lists(base, others)).remove(0).1;
    assert!(text.contains("**Draft**: claude"), "{text}");
    let (refuse, log) = (id_of(&text, "Refuse"), id_of(&text, "Log refusals"));
    assert!(text.contains(&format!("- {log} after {refuse}\n")), "{text}");
    assert!(
        text.contains(&format!("- {log} after “Choose where to log” (codex), which no task here does\n")),
        "{text}"
    );
}

/// What agents of a generated panel may do; some say the same in other words.
const TITLES: [&str; 8] =
    ["Measure it", "measure it!", "Refuse", "Write the store", "Write  the store.", "Log refusals", "→", "Tune"];

/// An item: its title, its requirements, its files and the items before it that it needs, by bit.
type Drawn = (usize, u8, u8, u8);

fn drawn_tasks(drawn: &[Drawn]) -> Value {
    let pick = |names: &[&'static str], bits: u8| -> Vec<&'static str> {
        names.iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0).map(|(_, name)| *name).collect()
    };
    let tasks = drawn.iter().enumerate().map(|(at, (title, requirements, files, needs))| {
        let needs: Vec<String> = (0..at).filter(|i| needs & (1 << i) != 0).map(|i| format!("{i}")).collect();
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        let order = u32::try_from(at).unwrap_or_default();
        let requirements = pick(&["FR-001", "FR-002", "FR-003", "FR-004"], *requirements);
        let files = pick(&["src/limiter.rs", "src/store.rs", "src/log.rs (new)"], *files);
        task(&at.to_string(), order, TITLES[*title], &needs, &requirements, &files)
    });
    tasks.collect()
}

/// A panel of three: what each lists, and which requirements it says are covered, by bit.
fn panels() -> impl Strategy<Value = Vec<(Vec<Drawn>, u8)>> {
    let item = (0..TITLES.len(), 0..16_u8, 0..8_u8, proptest::num::u8::ANY);
    let covered = prop_oneof![3 => Just(15_u8), 1 => 0..16_u8];
    proptest::collection::vec((proptest::collection::vec(item, 1..6), covered), 3)
}

fn seats_of(stage: Stage, panel: &[(Vec<Drawn>, u8)]) -> Vec<Seat> {
    let seat = |(name, (drawn, covered)): (&'static str, &(Vec<Drawn>, u8))| {
        let says = [0, 1, 2, 3].map(|i| if covered & (1 << i) == 0 { "no" } else { "yes" });
        let mut artifact = json!({"schema": "dicast.artifact/1", "stage": stage.name(), "summary": "so",
            "answers": answers(says, "Redis", json!(20))});
        let mut items = drawn_tasks(drawn);
        if stage == Stage::Plan {
            for item in items.as_array_mut().unwrap() {
                item["step"] = item["title"].take();
            }
            artifact["work_breakdown"] = items;
        } else {
            artifact["tasks"] = items;
        }
        Seat { name, artifact }
    };
    ["claude", "codex", "gemini"].into_iter().zip(panel).map(seat).collect()
}

/// What a task line says is done.
fn title_of(line: &str) -> String {
    let rest = line[6..].split_once(' ').unwrap().1.trim_start_matches("[P] ");
    rest.split(" in `").next().unwrap().split(" (FR-").next().unwrap().to_owned()
}

fn words(title: &str) -> String {
    let title = title.to_lowercase();
    let words: Vec<&str> = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Each must that a document does not mark OPEN is served by one of its items, which are given by line.
fn every_must_is_served(text: &str, items: &[String]) {
    for id in ["FR-001", "FR-002", "FR-003"] {
        let row = text.lines().find(|line| line.starts_with(&format!("| {id} | MUST |"))).unwrap();
        assert!(row.contains("**OPEN**") || items.iter().any(|line| line.contains(id)), "{id}: {text}");
    }
}

fn each_stands_once(titles: impl Iterator<Item = String>, text: &str) {
    let titles: Vec<String> = titles.map(|title| words(&title)).collect();
    let different: BTreeSet<&String> = titles.iter().collect();
    assert_eq!(different.len(), titles.len(), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_any_panel_a_task_list_has_each_task_once_after_what_it_needs_and_every_must_served_or_open(panel in panels()) {
        let text = documents(Stage::Tasks, &seats_of(Stage::Tasks, &panel)).remove(0).1;
        let lines: Vec<String> = text.lines().filter(|line| line.starts_with("- [ ] ")).map(str::to_owned).collect();
        each_stands_once(lines.iter().map(|line| title_of(line)), &text);
        every_must_is_served(&text, &lines);
        // No draft has a cycle, so the document has none either.
        assert!(!text.contains("## Unordered"), "{text}");
        let number = |id: &str| id.trim_start_matches('T').parse::<usize>().unwrap();
        let mut told: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let after = text.lines().filter_map(|line| line.strip_prefix("- T")?.split_once(" after "));
        for (id, before) in after.filter(|(_, before)| before.starts_with('T')) {
            let before = before.replace(" and ", ", ").split(", ").map(number).collect::<BTreeSet<usize>>();
            assert!(before.iter().all(|need| *need >= 1 && *need < number(id)), "{text}");
            told.insert(number(id), before);
        }
        // What the base says of its own tasks is told, unless two of them are one here.
        let base = text.split("**Draft**: ").nth(1).unwrap().lines().next().unwrap();
        let at = ["claude", "codex", "gemini"].iter().position(|name| *name == base).unwrap();
        let drawn = &panel[at].0;
        let titles: BTreeSet<String> = drawn.iter().map(|(title, ..)| words(TITLES[*title])).collect();
        if titles.len() == drawn.len() {
            let place = |title: usize| lines.iter().position(|line| words(&title_of(line)) == words(TITLES[title])).unwrap() + 1;
            for (i, (title, _, _, needs)) in drawn.iter().enumerate() {
                for need in (0..i).filter(|need| needs & (1 << need) != 0) {
                    assert!(told[&place(*title)].contains(&place(drawn[need].0)), "{text}");
                }
            }
        }
    }

    #[test]
    fn of_any_panel_a_plan_has_each_step_once_and_every_must_served_or_open(panel in panels()) {
        let text = documents(Stage::Plan, &seats_of(Stage::Plan, &panel)).remove(0).1;
        let steps: Vec<String> = text
            .split("## Work Breakdown").nth(1).unwrap().split("\n## ").next().unwrap()
            .lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).collect();
        let title = |line: &String| line.split_once(". ").unwrap().1.split(" (FR-").next().unwrap().to_owned();
        each_stands_once(steps.iter().map(title), &text);
        every_must_is_served(&text, &steps);
    }
}

#[test]
fn an_audit_is_published_like_this() {
    let all = answers(["yes"; 4], "Redis", json!(20));
    let seat = |name, decision: &str, status: &str| Seat {
        name,
        artifact: json!({
            "schema": "dicast.artifact/1", "stage": "audit", "summary": "looked at it", "answers": all, "decision": decision,
            "conditions": if decision == "CONDITIONAL" { json!(["raise the limit"]) } else { json!([]) },
            "checks": [
                {"item": "FR-001", "status": "pass", "evidence": [{"file": "src/limiter.rs"}]},
                {"item": "src/store.rs", "status": status, "evidence": [{"file": "src/store.rs"}]},
            ],
            "open_items": ["no load test"]
        }),
    };
    let seats = [seat("claude", "GO", "pass"), seat("codex", "CONDITIONAL", "fail"), seat("gemini", "GO", "pass")];
    let documents = documents(Stage::Audit, &seats);
    let [(path, text)] = documents.as_slice() else { panic!("one document") };
    assert_eq!(path, "specs/003-rate-limiter/review/audit.md");
    settings().bind(|| insta::assert_snapshot!("document_audit", text));
}

#[test]
fn two_conflicts_on_one_requirement_are_both_shown() {
    let seat = |name, covered: &str, decision: &str, status: &str| Seat {
        name,
        artifact: json!({
            "schema": "dicast.artifact/1", "stage": "audit", "summary": "looked at it", "decision": decision,
            "answers": answers([covered, "yes", "yes", "yes"], "Redis", json!(20)),
            "checks": [{"item": "FR-001", "status": status, "evidence": [{"file": "src/limiter.rs"}]}],
        }),
    };
    let seats = [seat("claude", "yes", "GO", "fail"), seat("codex", "no", "GO", "pass")];
    let text = documents(Stage::Audit, &seats).remove(0).1;
    let row = text.lines().find(|line| line.starts_with("| FR-001 |")).unwrap();
    assert_eq!(row.matches("**OPEN**").count(), 2, "{text}");
    assert_eq!(row.matches(" against ").count(), 2, "{text}");
}

/// Whether a value is valid, by the few words of JSON Schema that our schemas use.
fn is_valid(schema: &Value, value: &Value, root: &Value) -> bool {
    let one = |schema: &Value, value: &Value| is_valid(schema, value, root);
    let is_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    schema.as_object().into_iter().flatten().all(|(word, rule)| match word.as_str() {
        "$ref" => one(root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "type" => match rule {
            Value::String(name) => is_type(name),
            names => names.as_array().unwrap().iter().any(|name| is_type(name.as_str().unwrap())),
        },
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "required" => {
            value.is_object() && rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "properties" => {
            rule.as_object().unwrap().iter().all(|(name, schema)| value.get(name).is_none_or(|v| one(schema, v)))
        }
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| one(rule, item))),
        "anyOf" | "oneOf" => rule.as_array().unwrap().iter().any(|schema| one(schema, value)),
        "minItems" => {
            value.as_array().is_none_or(|items| items.len() >= usize::try_from(rule.as_u64().unwrap()).unwrap())
        }
        "maxItems" => {
            value.as_array().is_none_or(|items| items.len() <= usize::try_from(rule.as_u64().unwrap()).unwrap())
        }
        "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value.as_u64().is_none_or(|number| number <= rule.as_u64().unwrap()),
        "description" | "$defs" => true,
        other => panic!("the schema uses a word that this test does not know: {other}"),
    })
}

/// A full answer of each stage.
fn full(stage: Stage) -> Value {
    let cites = json!([{"file": "a.rs", "line": 3}, {"symbol": "s", "path": null}, {"test": {"check": "c", "id": "t"}}, {"requirement": "FR-001"}]);
    let risks = json!([{"risk": "r", "owner": "o", "mitigation": "m", "severity": "major", "evidence": cites}]);
    let remarks = json!(["words", {"text": "t", "requirement": "FR-001", "severity": "minor", "evidence": cites}]);
    let fields = match stage {
        Stage::Specify => json!({
            "requirements": [{"requirement": null, "text": "It MUST w", "withdraw": false, "because": "b", "evidence": cites}],
            "stories": [{"title": "t", "story": "s", "independent_test": "i", "scenarios": ["g"]}],
            "edge_cases": ["e"], "success_criteria": ["s"], "assumptions": ["a"], "questions": remarks}),
        Stage::Plan => json!({
            "work_breakdown": [{"step": "s", "rationale": "r", "success_signal": "s", "requirements": ["FR-001"], "files": ["a.rs"]}],
            "acceptance_mapping": [{"requirement": "FR-001", "validation_step": "v", "artifact": "a"}], "risks": risks, "questions": remarks}),
        Stage::Tasks => json!({
            "tasks": [{"task_id": "T1", "order": 1, "title": "t", "depends_on": [], "requirements": ["FR-001"], "files": [], "validation_step": "v", "parallel": true}],
            "acceptance_coverage": ["all", {"requirement": "FR-001", "tasks": ["T1"], "validation_step": "v"}], "followups": remarks}),
        Stage::Implement => {
            json!({"operations": [{"file": "a", "change_type": "add", "description": "d", "task_id": "T1"}], "risks": risks})
        }
        Stage::Validate => json!({
            "scenarios": [{"name": "n", "requirement": "FR-001", "check": "c", "test_id": "t", "status": "pass", "failures": ["f"], "log": "l"}],
            "remediation": remarks, "decision": "PASS", "conditions": remarks}),
        Stage::Audit => json!({
            "checks": [{"item": "i", "status": "fail", "evidence": cites}], "risks": risks, "open_items": remarks, "decision": "NO-GO", "conditions": remarks}),
        Stage::Unlock => json!({
            "decision": "APPROVED", "conditions": remarks, "rationale": "r", "safeguards": remarks, "accepted_risks": remarks, "followups": remarks}),
    };
    let mut value = json!({
        "schema": "dicast.artifact/1", "stage": stage, "summary": "s",
        "answers": [{"topic": "D-001", "value": "10", "unit": "ms", "because": "b", "evidence": cites, "abstain": false}, {"topic": "D-002", "abstain": true}],
        "claims": [{"kind": "covers", "subject": "s", "predicate": "covered", "value": 1, "polarity": -1, "severity": "info", "evidence": cites}]
    });
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    value
}

/// The pointer of everything inside a value.
fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| pointers(inner, format!("{at}/{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, inner)| pointers(inner, format!("{at}/{i}"), out))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    if !at.is_empty() {
        out.push(at);
    }
}

#[test]
fn the_schema_and_the_validator_say_the_same_of_every_change_to_a_full_answer() {
    let topics = vec!["D-001".to_owned(), "D-002".to_owned()];
    let mut refused = 0;
    for stage in Stage::RECORDED {
        let schema = answer_schema(stage, &topics);
        assert!(dicast::domain::hash::canonical(&schema).is_ok(), "{stage}: the schema can be hashed");
        let expect = Expect { stage, topics: topics.clone(), sent: vec![] };
        let full = full(stage);
        let judge = |value: &Value, what: &str| {
            let by_schema = is_valid(&schema, value, &schema);
            let by_validator = validate(&expect, &value.to_string());
            assert_eq!(by_schema, by_validator.is_ok(), "{stage} {what}: {by_validator:?}");
            usize::from(!by_schema)
        };
        assert_eq!(judge(&full, "unchanged"), 0);
        let mut places = Vec::new();
        pointers(&full, String::new(), &mut places);
        for place in &places {
            // That a topic is answered once, and a value not given with an abstention, is beyond a schema.
            let semantic = place.starts_with("/answers/") && !place.contains("/evidence");
            for new in [
                json!(null),
                json!(7),
                json!(-1),
                json!(1.5),
                json!("x"),
                json!(""),
                json!(true),
                json!([]),
                json!({}),
                json!({"file": "f"}),
            ] {
                let mut value = full.clone();
                *value.pointer_mut(place).unwrap() = new.clone();
                if !semantic {
                    refused += judge(&value, &format!("{place} = {new}"));
                }
            }
            let (parent, key) = place.rsplit_once('/').unwrap();
            let mut value = full.clone();
            if let Some(map) = value.pointer_mut(parent).unwrap().as_object_mut() {
                map.remove(key);
                if !semantic {
                    refused += judge(&value, &format!("{place} left out"));
                }
            }
        }
    }
    assert!(refused > 500, "only {refused} changes were refused: the test has lost its teeth");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the page in the docs is a file of this repository, not of the program's"
)]
fn the_page_of_artifacts_in_the_docs_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/artifacts.md");
    let wanted = markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == wanted, "docs/artifacts.md is not what the types say: run this test with UPDATE_DOCS=1");
}
