//! What answers become, row by row of the table.

use super::*;
use crate::domain::artifact::parse as parse_artifact;
use crate::domain::claim::lookup::Found;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::spec::parse as parse_spec;
use crate::domain::stage::Stage;
use serde_json::{Value as Json, json};

const SPEC: &str = "# Rate limiter

- **FR-001**: The system MUST refuse more than 10 requests per second.
  - AC-1: the eleventh is refused
- **FR-002**: The system SHOULD log refusals.
- **FR-003**: The system MAY count keys.
";

/// A repository with one file, one test that passes, one that fails, and one that nobody ran.
struct World {
    lookups: Lookups,
    prior: Prior,
    guardrails_ok: bool,
    diff: Option<BTreeMap<String, Change>>,
}

fn file(path: &str, line: Option<u32>) -> Citation {
    Citation::File { path: path.into(), line }
}

fn test(id: &str) -> Citation {
    Citation::Test { check: Some("cargo-test".into()), id: id.into() }
}

fn ran(passed: bool, executed: u32) -> Found {
    let (exit, output_sha256) = (Some(i32::from(!passed)), Sha::of("out"));
    Found::Ran { passed, executed, exit, output_sha256, tests: Vec::new(), place: None }
}

fn world() -> World {
    let seen = || Found::Seen { sha256: None, place: "src/a.rs:1".into(), excerpt: "fn a()".into(), by: None };
    let lookups = [
        (file("src/a.rs", None), seen()),
        (file("src/a.rs", Some(4)), seen()),
        (file("src/a.rs", Some(400)), Found::False { why: "src/a.rs has 10 lines".into() }),
        (file("src/new.rs", None), Found::Absent),
        (file("src/new.rs", Some(1)), Found::Absent),
        (file("../x", None), Found::Outside),
        (test("good"), ran(true, 1)),
        (test("bad"), ran(false, 1)),
        (test("nothing"), ran(true, 0)),
        (test("there"), seen()),
        (test("phantom"), Found::False { why: "no such test".into() }),
    ];
    let names = |list: [&str; 2]| list.map(str::to_owned).into_iter().collect::<BTreeSet<_>>();
    World {
        lookups: lookups.into_iter().collect(),
        prior: Prior { checked_by: [("FR-001".to_owned(), names(["good", "bad"]))].into(), ..Prior::default() },
        guardrails_ok: true,
        diff: None,
    }
}

fn topics() -> Vec<Topic> {
    let topic = |id: &str, requirement: Option<&str>, about: Option<&str>, unit: Option<&str>| Topic {
        id: id.into(),
        requirement: requirement.map(Into::into),
        about: about.map(Into::into),
        ask: "?".into(),
        unit: unit.map(Into::into),
    };
    vec![
        topic("D-001", Some("FR-001"), None, None),
        topic("D-002", Some("FR-002"), None, None),
        topic("D-003", None, Some("FR-001"), Some("ms")),
        topic("D-004", None, None, None),
    ]
}

fn artifact(stage: Stage, fields: Json) -> Artifact {
    let mut value = json!({"schema": "dicast.artifact/1", "stage": stage});
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    parse_artifact(stage, &value.to_string()).unwrap()
}

fn spec() -> Spec {
    parse_spec(SpecId::new("003-rate-limiter").unwrap(), "specs/003-rate-limiter", "spec.md", SPEC)
}

fn derived_in(world: &World, stage: Stage, fields: Json) -> Derived {
    let constitution = BTreeSet::from(["C-2".to_owned()]);
    let (spec, agenda) = (spec(), topics());
    derive(
        &artifact(stage, fields),
        &DeriveInputs {
            spec: &spec,
            agenda: &agenda,
            lookups: &world.lookups,
            guardrails_ok: world.guardrails_ok,
            constitution: &constitution,
            prior: &world.prior,
            diff: world.diff.as_ref(),
        },
    )
}

/// `kind subject predicate value polarity severity tier`, one line for each assertion.
fn lines(derived: &Derived) -> Vec<String> {
    derived
        .plain()
        .iter()
        .map(|a| {
            let sign = if a.polarity == Polarity::Yes { "+" } else { "-" };
            let about = a.requirement.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{} {} {} {} {sign} {} {}{about}", a.kind, a.subject, a.predicate, a.value, a.severity, a.tier)
        })
        .collect()
}

fn said(stage: Stage, fields: Json) -> Vec<String> {
    lines(&derived_in(&world(), stage, fields))
}

#[test]
fn the_table_is_in_the_order_of_its_rules_and_names_listed_predicates() {
    for row in table() {
        assert_eq!(row.rule.row(), row);
        // What a spec should say is said where it is asked for, and cannot be stated beside.
        let is_of_specify = [DEMANDED, REWORDED, WITHDRAWN].contains(&row.predicate);
        let is_listed = row.kind.is_none_or(|kind| predicates(kind).contains(&row.predicate));
        assert!(is_listed != is_of_specify, "{row:?}");
    }
}

#[test]
fn a_row_alone_is_e1_and_a_step_that_names_a_real_or_new_file_is_e2() {
    let row = json!([{"requirement": "FR-001"}]);
    assert_eq!(said(Stage::Plan, json!({"acceptance_mapping": row})), ["covers FR-001 covered yes + major E1"]);
    for (files, tier) in [
        (json!(["src/a.rs"]), "E2"),
        (json!(["src/new.rs (new)"]), "E2"),
        (json!(["src/new.rs"]), "E1"),
        (json!([]), "E1"),
        (json!(["../x (new)"]), "E1"),
    ] {
        let step = json!({"step": "s", "requirements": ["FR-001"], "files": files});
        let said = said(Stage::Plan, json!({"acceptance_mapping": row, "work_breakdown": [step]}));
        assert_eq!(said[0], format!("covers FR-001 covered yes + major {tier}"), "{files}");
    }
}

#[test]
fn coverage_matters_by_level_criteria_belong_to_their_parent_and_unknown_ids_are_false() {
    let ids = json!(["ac-1", "FR-002", "FR-003", "FR-099"]);
    let derived = derived_in(&world(), Stage::Plan, json!({"work_breakdown": [{"step": "s", "requirements": ids}]}));
    assert_eq!(
        lines(&derived),
        [
            "covers FR-001 covered yes + major E1",
            "covers FR-002 covered yes + minor E1",
            "covers FR-003 covered yes + info E1",
            "covers FR-099 covered yes + minor E-",
        ]
    );
    assert_eq!(derived.phantoms.len(), 1);
    assert_eq!(derived.phantoms[0].found, Safe::line("the spec has no FR-099"));
}

#[test]
fn tasks_cover_only_if_their_dependencies_resolve_without_a_cycle() {
    let task = |id: &str, needs: Json| json!({"task_id": id, "title": "t", "depends_on": needs, "requirements": ["FR-001"], "files": ["src/a.rs"]});
    let tier = |tasks: Json| {
        let said = said(Stage::Tasks, json!({"tasks": tasks}));
        said.iter().find(|line| line.starts_with("covers")).unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(tier(json!([task("T1", json!([]))])), "E2");
    assert_eq!(tier(json!([task("T2", json!(["T9"]))])), "E1");
    assert_eq!(tier(json!([task("T1", json!(["T2"])), task("T2", json!(["T1"]))])), "E1");
    assert_eq!(tier(json!([task("T1", json!(["T1"]))])), "E1");
    assert_eq!(tier(json!([task("T1", json!([])), task("T1", json!([]))])), "E1");
    assert_eq!(tier(json!([task("T1", json!(["T9"])), task("T2", json!([]))])), "E2");
}

#[test]
fn validation_steps_become_checked_by_with_the_tier_of_what_they_name() {
    let row = |step: &str, artifact: &str| json!({"acceptance_mapping": [{"requirement": "FR-001", "validation_step": step, "artifact": artifact}]});
    let checked = |step: &str, artifact: &str| {
        said(Stage::Plan, row(step, artifact)).into_iter().filter(|l| l.starts_with("test")).collect::<Vec<_>>()
    };
    assert_eq!(
        checked("look at it", "src/a.rs"),
        ["test FR-001 checked-by look at it + info E0", "test FR-001 checked-by src/a.rs + info E2"]
    );
    assert_eq!(checked("`limiter::burst`", ""), ["test FR-001 checked-by limiter::burst + info E1"]);
    assert_eq!(checked("", ""), Vec::<String>::new());
}

#[test]
fn answers_of_a_requirements_topic_say_whether_it_is_covered() {
    let answer = |value: &str, evidence: Json| {
        said(Stage::Plan, json!({"answers": [{"topic": "D-001", "value": value, "evidence": evidence}]}))
    };
    let cite = |id: &str| json!([{"test": {"check": "cargo-test", "id": id}}]);
    for (value, evidence, line) in [
        ("yes", json!([]), "covers FR-001 covered yes + major E0"),
        ("Yes, by the limiter", json!([{"file": "src/a.rs", "line": 4}]), "covers FR-001 covered yes + major E2"),
        ("no", json!([{"file": "src/a.rs", "line": 4}]), "covers FR-001 covered yes - major E2"),
        ("yes", json!([{"file": "src/a.rs", "line": 400}]), "covers FR-001 covered yes + major E-"),
        ("yes", json!([{"file": "src/new.rs", "line": 1}]), "covers FR-001 covered yes + major E-"),
        ("yes", json!([{"file": "src/new.rs"}]), "covers FR-001 covered yes + major E1"),
        ("yes", json!([{"file": "/etc/passwd"}]), "covers FR-001 covered yes + major E-"),
        ("yes", json!([{"symbol": "Pool::get"}]), "covers FR-001 covered yes + major E1"),
        ("yes", json!([{"requirement": "FR-001"}]), "covers FR-001 covered yes + major E0"),
        ("yes", json!([{"requirement": "FR-099"}]), "covers FR-001 covered yes + major E-"),
        ("yes", cite("good"), "covers FR-001 covered yes + major E3+"),
        ("yes", cite("bad"), "covers FR-001 covered yes + major E3-"),
        ("no", cite("bad"), "covers FR-001 covered yes - major E3+"),
        ("yes", cite("nothing"), "covers FR-001 covered yes + major E-"),
        ("yes", cite("phantom"), "covers FR-001 covered yes + major E-"),
        ("yes", cite("there"), "covers FR-001 covered yes + major E2"),
    ] {
        assert_eq!(answer(value, evidence.clone()), [line], "{value} {evidence}");
    }
}

#[test]
fn a_test_that_ran_lifts_a_requirement_only_if_it_is_tied_to_it() {
    let answers = json!({"answers": [
        {"topic": "D-002", "value": "yes", "evidence": [{"test": {"check": "cargo-test", "id": "good"}}]}
    ]});
    let mut world = world();
    assert_eq!(lines(&derived_in(&world, Stage::Plan, answers.clone())), ["covers FR-002 covered yes + minor E2"]);
    world.prior.mentions.insert("good".into(), BTreeSet::from(["FR-002".into()]));
    assert_eq!(lines(&derived_in(&world, Stage::Plan, answers)), ["covers FR-002 covered yes + minor E3+"]);
}

#[test]
fn answers_of_any_other_topic_are_decisions_with_their_unit() {
    let answers = |value: Json| {
        let derived = derived_in(&world(), Stage::Plan, json!({"answers": value}));
        (lines(&derived), derived.notes.len())
    };
    let (said, notes) = answers(json!([
        {"topic": "D-003", "value": 120, "unit": "s", "evidence": [{"requirement": "FR-001"}]},
        {"topic": "D-004", "value": "Redis"},
    ]));
    assert_eq!(said, ["decision D-003 answer 120 s + major E2 (FR-001)", "decision D-004 answer Redis + minor E0"]);
    assert_eq!(notes, 0);
    assert_eq!(
        answers(json!([{"topic": "D-003", "value": "5"}])).0,
        ["decision D-003 answer 5 ms + major E0 (FR-001)"]
    );
    assert_eq!(
        answers(json!([{"topic": "D-003", "value": "2 min", "unit": "s"}])).0,
        ["decision D-003 answer 2 min + major E0 (FR-001)"]
    );
    let proven =
        json!([{"topic": "D-004", "value": "a", "evidence": [{"test": {"check": "cargo-test", "id": "good"}}]}]);
    assert_eq!(answers(proven).0, ["decision D-004 answer a + minor E3+"]);
    assert_eq!(answers(json!([{"topic": "D-004", "abstain": true}])), (vec![], 0));
    assert_eq!(answers(json!([{"topic": "D-001", "value": "maybe"}])), (vec![], 1));
}

#[test]
fn files_of_steps_are_touched() {
    let files = json!(["src/a.rs", "src/new.rs", "../x"]);
    let derived = derived_in(&world(), Stage::Plan, json!({"work_breakdown": [{"step": "s", "files": files}]}));
    assert_eq!(
        lines(&derived),
        [
            "file_change src/a.rs touched yes + info E2",
            "file_change src/new.rs touched yes + info E1",
            "file_change ../x touched yes + info E-",
        ]
    );
    assert_eq!(derived.assertions[1].field, "work_breakdown[0].files[1]");
    assert_eq!(derived.phantoms[0].field, "work_breakdown[0].files[2]");
}

#[test]
fn operations_are_held_against_the_diff() {
    let mut world = world();
    world.diff = Some([("src/a.rs".to_owned(), Change::Modify), ("src/b.rs".to_owned(), Change::Add)].into());
    let operations = json!([
        {"file": "src/a.rs", "change_type": "modify"},
        {"file": "src/b.rs", "change_type": "delete"},
        {"file": "src/c.rs", "change_type": "add"},
    ]);
    let derived = derived_in(&world, Stage::Implement, json!({"operations": operations}));
    assert_eq!(
        lines(&derived),
        [
            "file_change src/a.rs change modify + info E2",
            "file_change src/b.rs change add + info E2",
            "file_change src/b.rs change delete + info E-",
            "file_change src/c.rs change add + info E-",
        ]
    );
    assert_eq!(derived.phantoms[1].found, Safe::line("the diff does not touch it"));
}

#[test]
fn scenarios_say_that_tests_pass_and_requirements_are_covered() {
    let scenario = |id: Option<&str>, status: &str| json!({"scenarios": [{"name": "n", "requirement": "FR-001", "check": "cargo-test", "test_id": id, "status": status}], "decision": "FAIL"});
    let first_two = |id: Option<&str>, status: &str| {
        let mut said = said(Stage::Validate, scenario(id, status));
        said.pop();
        said
    };
    for (id, status, passes, covers) in [
        ("good", "pass", "+ major E3+", "+ major E3+"),
        ("bad", "pass", "+ major E3-", "+ major E3-"),
        ("bad", "fail", "- major E3+", "- major E3+"),
        ("good", "fail", "- major E3-", "- major E3-"),
        ("nothing", "pass", "+ major E-", "+ major E-"),
        ("phantom", "pass", "+ major E-", "+ major E-"),
        ("there", "pass", "+ major E2", "+ major E2"),
        ("unknown", "pass", "+ major E1", "+ major E1"),
    ] {
        assert_eq!(
            first_two(Some(id), status),
            [format!("test {id} passes yes {passes} (FR-001)"), format!("covers FR-001 covered yes {covers}")],
            "{id} {status}"
        );
    }
    assert_eq!(first_two(None, "pass"), ["covers FR-001 covered yes + major E0"]);
    assert_eq!(first_two(Some("good"), "skipped"), Vec::<String>::new());
}

#[test]
fn one_failed_scenario_says_that_its_requirement_is_not_covered() {
    let scenario = |id: &str, status: &str| json!({"name": "n", "requirement": "FR-001", "check": "cargo-test", "test_id": id, "status": status});
    let fields = json!({"scenarios": [scenario("good", "pass"), scenario("bad", "fail")], "decision": "FAIL"});
    let said = said(Stage::Validate, fields);
    assert!(said.contains(&"covers FR-001 covered yes - major E3+".to_owned()), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("covers FR-001 covered yes +")), "{said:?}");
}

#[test]
fn audited_items_are_findings_about_requirements_rules_paths_or_words() {
    let check =
        |item: &str, status: &str, evidence: Json| json!({"item": item, "status": status, "evidence": evidence});
    let line = json!([{"file": "src/a.rs", "line": 4}]);
    let fields = json!({"decision": "GO", "checks": [
        check("FR-001 is met", "pass", line.clone()),
        check("c-2", "fail", line.clone()),
        check("src/a.rs", "pass", json!([])),
        check("The docs", "pass", json!([{"requirement": "FR-002"}])),
        check("FR-099", "pass", line),
        check("later", "skipped", json!([])),
    ]});
    let derived = derived_in(&world(), Stage::Audit, fields);
    assert_eq!(
        lines(&derived),
        [
            "finding FR-001 satisfied yes + major E2",
            "finding C-2 satisfied yes - major E2",
            "finding src/a.rs satisfied yes + minor E0",
            "finding The docs satisfied yes + minor E2",
            "finding FR-099 satisfied yes + minor E-",
            "decision stage outcome GO + major E0",
        ]
    );
    assert_eq!(derived.notes.len(), 1);
}

#[test]
fn risks_keep_their_severity_within_what_was_seen_and_mitigated() {
    let risk = |severity: &str, mitigation: &str, evidence: Json| {
        let risks = json!([{"risk": "the clock goes back", "severity": severity, "mitigation": mitigation, "evidence": evidence}]);
        said(Stage::Plan, json!({"risks": risks})).remove(0)
    };
    let line = json!([{"file": "src/a.rs", "line": 4}]);
    assert_eq!(risk("critical", "", line.clone()), "risk the clock goes back threatens yes + critical E2");
    assert_eq!(risk("critical", "", json!([])), "risk the clock goes back threatens yes + major E0");
    assert_eq!(risk("critical", "monotonic clock", line), "risk the clock goes back threatens yes + minor E2");
    assert_eq!(risk("info", "x", json!([])), "risk the clock goes back threatens yes + info E0");
    assert_eq!(risk("critical", "", json!([{"requirement": "FR-001"}])), "risk FR-001 threatens yes + major E0");
}

#[test]
fn open_items_and_questions_are_findings() {
    let items =
        json!({"open_items": ["FR-002 has no log yet", {"text": "docs", "severity": "critical"}], "decision": "NO-GO"});
    assert_eq!(
        said(Stage::Audit, items)[..2],
        ["finding FR-002 open yes + minor E0", "finding docs open yes + major E0"]
    );
    let question = json!({"questions": [{"text": "which clock?", "requirement": "FR-001", "evidence": [{"requirement": "FR-001"}]}]});
    assert_eq!(said(Stage::Plan, question), ["finding FR-001 unclear yes + minor E2"]);
}

#[test]
fn the_outcome_has_the_tier_of_its_stage() {
    let outcome = |world: &World, stage: Stage, fields: Json| {
        let said = lines(&derived_in(world, stage, fields));
        said.into_iter().find(|line| line.starts_with("decision stage")).unwrap()
    };
    let mut world = world();
    let check = |evidence: Json| json!([{"item": "FR-001", "status": "pass", "evidence": evidence}]);
    let line = json!([{"file": "src/a.rs", "line": 4}]);
    for (stage, fields, end) in [
        (Stage::Validate, json!({"decision": "PASS"}), "PASS + major E2"),
        (Stage::Validate, json!({"decision": "PARTIAL"}), "PARTIAL + major E2"),
        (Stage::Validate, json!({"decision": "FAIL"}), "FAIL + major E1"),
        (Stage::Audit, json!({"decision": "GO"}), "GO + major E0"),
        (Stage::Audit, json!({"decision": "GO", "checks": check(line.clone())}), "GO + major E2"),
        (Stage::Audit, json!({"decision": "CONDITIONAL", "checks": check(json!([]))}), "CONDITIONAL + major E0"),
        (Stage::Audit, json!({"decision": "NO-GO"}), "NO-GO + major E1"),
        (
            Stage::Audit,
            json!({"decision": "NO-GO", "checks": [{"item": "C-2", "status": "fail", "evidence": line}]}),
            "NO-GO + major E2",
        ),
        (Stage::Unlock, json!({"decision": "APPROVED"}), "APPROVED + major E0"),
        (Stage::Unlock, json!({"decision": "REJECTED"}), "REJECTED + major E2"),
    ] {
        assert_eq!(outcome(&world, stage, fields.clone()), format!("decision stage outcome {end}"), "{fields}");
    }
    world.guardrails_ok = false;
    assert!(outcome(&world, Stage::Validate, json!({"decision": "PASS"})).ends_with("PASS + major E3-"));
    assert!(outcome(&world, Stage::Validate, json!({"decision": "FAIL"})).ends_with("FAIL + major E2"));
    (world.prior.validate_passed, world.prior.audit_passed) = (true, true);
    assert!(outcome(&world, Stage::Unlock, json!({"decision": "APPROVED"})).ends_with("APPROVED + major E2"));
    assert!(outcome(&world, Stage::Unlock, json!({"decision": "REJECTED"})).ends_with("REJECTED + major E1"));
}

#[test]
fn conditions_are_findings_of_their_own_words() {
    let fields = json!({"decision": "CONDITIONAL", "conditions": [" Raise the limit ", {"text": "FR-001 holds", "severity": "critical"}]});
    assert_eq!(
        said(Stage::Unlock, fields)[1..],
        ["finding Raise the limit condition yes + minor E0", "finding FR-001 holds condition yes + minor E0"]
    );
}

#[test]
fn stated_claims_count_only_with_a_listed_predicate() {
    let claim = |kind: &str, subject: &str, predicate: &str, value: Option<&str>| json!({"kind": kind, "subject": subject, "predicate": predicate, "value": value, "severity": "critical"});
    let claims = json!([
        claim("covers", "FR-001", "covered", None),
        claim("covers", "FR-099", "covered", None),
        claim("covers", "FR-001", "beloved", None),
        claim("test", "good", "passes", None),
        claim("decision", "D-003", "answer", Some("5")),
        claim("decision", "D-001", "answer", Some("5")),
        claim("decision", "stage", "outcome", Some("PASS")),
        claim("file_change", "src/a.rs", "touched", None),
        claim("finding", "fr-002", "satisfied", None),
        claim("risk", "lock order", "threatens", None),
        claim("risk", "lock order", "satisfied", None),
    ]);
    let derived = derived_in(&world(), Stage::Plan, json!({"claims": claims}));
    assert_eq!(
        lines(&derived),
        [
            "covers FR-001 covered yes + major E0",
            "covers FR-099 covered yes + minor E-",
            "test good passes yes + minor E1",
            "decision D-003 answer 5 ms + major E0 (FR-001)",
            "file_change src/a.rs touched yes + info E2",
            "finding FR-002 satisfied yes + major E0",
            "risk lock order threatens yes + major E0",
        ]
    );
    assert_eq!(derived.notes.len(), 4, "{:?}", derived.notes);
}

#[test]
fn the_same_thing_said_twice_is_one_assertion_at_its_best_tier_and_falsehoods_stay() {
    let derived = derived_in(
        &world(),
        Stage::Plan,
        json!({
            "answers": [
                {"topic": "D-001", "value": "yes", "evidence": [{"test": {"check": "cargo-test", "id": "phantom"}}]}
            ],
            "acceptance_mapping": [{"requirement": "FR-001"}],
            "work_breakdown": [{"step": "s", "requirements": ["FR-001"], "files": ["src/a.rs"]}],
        }),
    );
    let covers: Vec<String> = lines(&derived).into_iter().filter(|line| line.starts_with("covers")).collect();
    assert_eq!(covers, ["covers FR-001 covered yes + major E2", "covers FR-001 covered yes + major E-"]);
    assert_eq!(derived.phantoms[0].said, Safe::line("covers FR-001: covered (test phantom of cargo-test)"));
    assert_eq!(derived.phantoms[0].found, Safe::line("no such test"));
}

#[test]
fn everything_that_derivation_weighs_is_cited_for_the_host_to_look_up() {
    let spec = spec();
    let plan = artifact(
        Stage::Plan,
        json!({
            "answers": [{"topic": "D-001", "value": "yes", "evidence": [{"file": "src/a.rs", "line": 4}, {"requirement": "FR-001"}]}],
            "work_breakdown": [{"step": "s", "requirements": ["FR-001"], "files": ["src/new.rs (new)"], "success_signal": "`limiter::burst` passes"}],
            "acceptance_mapping": [{"requirement": "FR-001", "validation_step": "tests/limiter.rs::burst"}],
            "risks": [{"risk": "r", "evidence": [{"symbol": "get", "path": "./src/pool.rs"}]}],
            "claims": [{"kind": "test", "subject": "good", "predicate": "passes"}],
        }),
    );
    assert_eq!(
        citations(&plan, &spec),
        [
            file("src/a.rs", Some(4)),
            file("src/new.rs", None),
            Citation::Symbol { symbol: "burst".into(), path: Some("tests/limiter.rs".into()) },
            Citation::Symbol { symbol: "get".into(), path: Some("src/pool.rs".into()) },
            Citation::Test { check: None, id: "good".into() },
            Citation::Test { check: None, id: "limiter::burst".into() },
        ]
    );
}
