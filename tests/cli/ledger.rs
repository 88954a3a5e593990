//! Dissent across stages: opened, asked again, closed; through the real pipeline.

use std::fs;

use dicast::domain::stage::Stage;

use crate::round::played;
use crate::runs::panel_of;
use crate::world::{World, inputs, panel};

/// A spec that leaves a quantity open: the agenda asks for it as D-003.
const VAGUE: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 10 requests a second with status 429.\n\
    - **FR-002**: System SHOULD answer quickly when a client is refused.\n";

/// Three agents, the last of which behaves as its flags say.
fn seat(world: &World, last: &[&str]) {
    panel_of(world, &[("ann", &["--quantity", "10"]), ("bob", &["--quantity", "10"]), ("cyd", last)]);
    world.dicast(&["trust", "approve"]).exits(0);
}

fn ledger(world: &World) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(world.path(".dicast/evidence/consensus/003-rate-limiter/ledger.jsonl")).unwrap();
    let of_dissent = |value: &serde_json::Value| value["type"].as_str().unwrap().starts_with("dissent.");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(of_dissent).collect()
}

fn prompts(world: &World, name: &str) -> Vec<String> {
    let runs = fs::read_dir(world.path(".dicast/evidence/consensus/003-rate-limiter")).unwrap();
    runs.filter_map(|run| fs::read_to_string(run.unwrap().path().join("prompts").join(name)).ok()).collect()
}

#[test]
fn a_dissent_is_opened_asked_again_owed_an_answer_and_closed() {
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", VAGUE);
    seat(&world, &["--quantity", "20"]);
    let said = world.dicast(&["plan", "--json"]).exits(0);
    let verdict = said.json().into_iter().find(|line| line["type"] == "stage.verdict").unwrap();
    assert_eq!(verdict["carried"].as_array().unwrap().len(), 1, "{verdict}");
    assert_eq!(verdict["panel_helped"]["helped"], false, "{verdict}");
    let opened = ledger(&world);
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!((&opened[0]["type"], &opened[0]["agent"]), (&"dissent.opened".into(), &"cyd".into()));
    world.dicast(&["dissent"]).exits(0).says("1 open").says("cyd holds 20 ms, 10 ms was decided").says("since plan");
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(1);
    for command in ["verdict", "consensus"] {
        world.dicast(&[command, "plan"]).exits(0);
        world
            .dicast(&[command, "plan", "--fail-on-dissent"])
            .exits(1)
            .complains("1 dissent is open; `dicast dissent 003");
        world.dicast(&[command, "plan", "--fail-on-dissent", "--json"]).exits(1);
    }

    // Whoever owes an answer and gives none: no quorum, whatever the others say.
    seat(&world, &["--crash", "1"]);
    world.dicast(&["tasks"]).exits(4);
    let text = fs::read_to_string(world.path("specs/003-rate-limiter/verdicts/tasks.json")).unwrap();
    assert!(text.contains("dissenter_missing"), "{text}");
    assert_eq!(ledger(&world).len(), 1, "silence closes nothing");
    let prompt = prompts(&world, "tasks-ann.md").remove(0);
    assert!(prompt.contains("Open since plan, dissent: 10 ms was decided, 20 ms was held against it."), "{prompt}");
    let mut asked = prompt.lines().filter(|line| line.contains("Open since plan"));
    assert!(asked.all(|line| !line.contains("cyd")), "the agenda names nobody");

    seat(&world, &["--quantity", "10"]);
    world.dicast(&["tasks", "--fail-on-dissent"]).exits(0);
    let closed = ledger(&world);
    assert_eq!((&closed[1]["type"], &closed[1]["by"]), (&"dissent.closed".into(), &"agreed".into()));
    world
        .dicast(&["dissent"])
        .exits(0)
        .says("no dissent of 003-rate-limiter is open")
        .says("closed at tasks by agreement");
    let json = world.dicast(&["dissent", "--json"]).exits(0).json();
    assert_eq!((&json[0]["open"], &json[0]["closed"]["by"]), (&false.into(), &"agreed".into()));
    world.dicast(&["verdict", "plan", "--fail-on-dissent"]).exits(0);
    world.dicast(&["evidence", "verify"]).exits(0);

    // The chain is verified like a journal, and a stage does not start on a broken one.
    let path = world.path(".dicast/evidence/consensus/003-rate-limiter/ledger.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("cyd", "bob", 1)).unwrap();
    world.dicast(&["evidence", "verify"]).exits(3).says("ledger.jsonl");
    world.dicast(&["tasks"]).exits(3);
}

#[test]
fn a_waiver_on_the_recorded_stage_closes_its_dissent_and_taking_it_back_opens_it() {
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", VAGUE);
    seat(&world, &["--quantity", "20"]);
    world.dicast(&["plan"]).exits(0).says("dissent  cyd holds 20 ms, 10 ms was decided");
    let key = world.dicast(&["dissent", "--json"]).exits(0).json()[0]["key"].as_str().unwrap().to_owned();
    let decide = |what: &str| {
        let words = ["dissent", "003", what, &key, "--stage", "plan", "--by", "me", "--reason", "measured"];
        world.dicast(&words).exits(0);
    };
    decide("--waive");
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(0).says("closed at plan by a waiver");
    world.dicast(&["tasks"]).exits(0);
    let prompt = prompts(&world, "tasks-ann.md").remove(0);
    assert!(!prompt.contains("Open since"), "{prompt}");
    decide("--undo");
    world.dicast(&["dissent", "--stage", "plan"]).exits(64);
    let types: Vec<String> = {
        let path = world.path(".dicast/evidence/consensus/003-rate-limiter/ledger.jsonl");
        let lines = fs::read_to_string(path).unwrap();
        let of =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
        lines.lines().map(of).filter(|of| of != "memory_waiting").collect()
    };
    // At tasks it was held again: that is a dissent of its own, which the waiver of the plan does not close.
    assert_eq!(types, ["dissent.opened", "waived", "dissent.closed", "dissent.opened", "undone"]);
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
fn a_dissent_that_is_held_again_is_waived_there_after_an_earlier_stage_was_decided_anew() {
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", VAGUE);
    seat(&world, &["--quantity", "20"]);
    world.dicast(&["plan"]).exits(0);
    world.dicast(&["tasks"]).exits(0);
    let key = || world.dicast(&["dissent", "--json"]).exits(0).json()[0]["key"].as_str().unwrap().to_owned();
    let signed = ["--by", "me", "--reason", "measured"];
    world.dicast(&[&["dissent", "--waive", &key(), "--stage", "plan"][..], &signed].concat()).exits(0);
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(1).says("since tasks");
    world.dicast(&[&["dissent", "--waive", &key()][..], &signed].concat()).exits(0);
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(0).says("closed at tasks by a waiver");
    world.dicast(&[&["dissent", "--undo", &key(), "--stage", "tasks"][..], &signed].concat()).exits(0);
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(1).says("since tasks");
    world.dicast(&["evidence", "verify"]).exits(0);
}

/// One agent's plan and tasks: it says of the store's durability what it is given, and at tasks whether it holds.
fn durable(agent: &str, polarity: i8, holds: &str) -> String {
    let covers = r#"{ topic = "FR-001", value = "yes", evidence = [{ file = "src/limiter.rs", line = 1 }] },
  { topic = "FR-002", value = "yes", evidence = [{ file = "src/limiter.rs", line = 2 }] },"#;
    format!(
        r#"
[agents.{agent}.plan.answer]
summary = "by {agent}"
answers = [{covers}]
work_breakdown = [{{ step = "limit", requirements = ["FR-001", "FR-002"], files = ["src/limiter.rs"] }}]
claims = [{{ kind = "finding", subject = "the store survives a restart", predicate = "satisfied", polarity = {polarity}, severity = "minor" }}]
[agents.{agent}.tasks.answer]
summary = "by {agent}"
answers = [{covers} {{ topic = "survives", value = "{holds}" }}]
tasks = [{{ task_id = "T001", order = 1, title = "limit", requirements = ["FR-001", "FR-002"], files = ["src/limiter.rs"] }}]
"#
    )
}

#[test]
fn a_dissent_that_is_held_in_the_answer_to_its_topic_is_waived_there_by_its_own_key() {
    let script = durable("annika", 1, "yes") + &durable("boris", 1, "yes") + &durable("celia", -1, "no");
    let world = played(&["annika", "boris", "celia"], &script);
    world.dicast(&["plan", "--no-round"]).exits(0);
    world.dicast(&["tasks", "--no-round"]).exits(0);
    let key = world.dicast(&["dissent", "--json"]).exits(0).json()[0]["key"].as_str().unwrap().to_owned();
    let signed = ["--by", "me", "--reason", "measured"];
    world.dicast(&[&["dissent", "--waive", &key, "--stage", "plan"][..], &signed].concat()).exits(0);
    world.dicast(&["dissent"]).exits(0).says("1 open").says("since tasks").says(&key[..7]);
    world.dicast(&[&["dissent", "--waive", &key[..12]][..], &signed].concat()).exits(0);
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(0).says("closed at tasks by a waiver");
    world.dicast(&[&["dissent", "--undo", &key[..12], "--stage", "tasks"][..], &signed].concat()).exits(0);
    world.dicast(&["dissent", "--fail-on-dissent"]).exits(1).says("since tasks");
}

#[test]
fn a_command_that_exits_with_no_verdicts_code_refuses_to_fail_on_dissent() {
    let world = World::with_spec();
    for words in [&["status"][..], &["check"], &["explain", "003", "plan", "FR-001"], &["agents"], &[], &["demo"]] {
        let refused = world.dicast(&[words, &["--fail-on-dissent"]].concat());
        refused.exits(64).complains("--fail-on-dissent: this command does not exit with a verdict's code");
    }
    let golden = |name: &str| format!("{}/tests/golden/{name}.panel.json", env!("CARGO_MANIFEST_DIR"));
    world.dicast(&["decide", &golden("agree"), "--fail-on-dissent"]).exits(0);
    world.dicast(&["decide", &golden("agree_with_dissent")]).exits(0);
    let left = world.dicast(&["decide", &golden("agree_with_dissent"), "--fail-on-dissent"]).exits(1);
    let verdict: serde_json::Value = serde_json::from_str(&left.out).unwrap();
    assert_eq!(verdict["exit"], 0, "the process's code, not the verdict's");
    world.dicast(&["decide", &golden("agree"), "--explain", "FR-001", "--fail-on-dissent"]).exits(64);
}

#[test]
fn one_family_is_told_before_it_is_asked_that_it_cannot_make_a_panel() {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[])]);
    world.dicast(&["trust", "approve"]).exits(0);
    let said = world.dicast(&["plan"]).exits(4);
    let note = "warning: one voice: only ann is asked, the verdict will be no_quorum unless quorum = \"solo\"";
    let (before, asked) = (said.err.find(note), said.err.find("ann: started"));
    assert!(before.is_some() && before < asked, "{}", said.err);
    assert!(!said.out.contains("panel helped?"), "there was no panel");
}

#[test]
fn dissent_of_several_stages_is_listed_where_it_was_opened() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    world.record(&panel(Stage::Tasks, &inputs()));
    let json = world.dicast(&["dissent", "003", "--json"]).exits(0).json();
    assert_eq!(json.len(), 1, "it is the same dissent: {json:?}");
    assert_eq!((&json[0]["stage"], &json[0]["open"]), (&"plan".into(), &true.into()));
    assert!(json[0]["next"].as_str().unwrap().contains("--waive"));
    assert!(json[0]["closes"].as_str().unwrap().contains("gemini answering"));
}
