//! What was recorded: verdicts, panels, evidence, and whether they still hold.

use std::fs;

use dicast::domain::stage::Stage;

use crate::world::{SPEC, World, inputs, panel};

#[test]
fn decide_prints_the_verdict_and_exits_with_its_code() {
    let world = World::new().file("panel.json", panel(Stage::Plan, "{}"));
    let said = world.dicast(&["decide", "panel.json"]).exits(0);
    let verdict: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&verdict["schema"], &verdict["exit"]), (&"dicast.verdict/1".into(), &0.into()));
    world.dicast(&["decide", "panel.json", "--explain", "covers FR-001"]).exits(0).says("claude");
    world.dicast(&["decide", "panel.json", "--explain", "nope"]).exits(64);
    let alone = panel(Stage::Plan, "{}").replace("\"ok\"", "\"timeout\"");
    world.write("alone.json", alone);
    world.dicast(&["decide", "alone.json"]).exits(4);
    assert!(!world.home().join(".local").exists(), "nothing is written besides");
}

#[test]
fn a_malformed_panel_exits_3_with_empty_stdout_and_names_agent_and_field() {
    let world = World::new().file("panel.json", panel(Stage::Plan, "{}").replacen("\"E2\"", "\"E9\"", 1));
    for words in [&["decide", "panel.json"][..], &["decide", "panel.json", "--json"]] {
        let said = world.dicast(words).exits(3).complains("agent claude").complains("claims[0].tier");
        assert_eq!(said.out, "");
    }
    world.dicast(&["decide", "nope.json"]).exits(3).complains("there is no such file");
    world.dicast(&["decide", "."]).exits(3).complains("not a regular file");
}

#[test]
fn a_recorded_verdict_exits_with_its_code_until_what_it_is_about_changes() {
    let world = World::with_spec();
    world.dicast(&["verdict", "003", "plan"]).exits(10).complains("next: run `dicast plan 003-rate-limiter`");
    let verdict = world.record(&panel(Stage::Plan, &inputs()));
    world.dicast(&["verdict", "003", "plan"]).exits(i32::from(verdict.exit)).says(verdict.hash.as_str());
    // The branch names the spec.
    world.dicast(&["verdict", "plan"]).exits(0).says("003-rate-limiter");
    world.dicast(&["verdict", "003", "plan", "--require", "agree"]).exits(1);
    world.dicast(&["verdict", "003", "plan", "--require", "agree,agree_with_dissent"]).exits(0);
    world.dicast(&["verdict", "003", "plan", "--require", "perfect"]).exits(64).complains("agree_with_dissent");
    world.dicast(&["verdict", "003", "lunch"]).exits(64).complains("no stage is called");
    world.dicast(&["verdict", "003"]).exits(64).complains("a stage is missing");
    let json = world.dicast(&["verdict", "003", "plan", "--json"]).exits(0).json();
    assert_eq!((&json[0]["hash"], &json[0]["current"]), (&verdict.hash.as_str().into(), &true.into()));
    world.write("specs/003-rate-limiter/spec.md", format!("{SPEC}\nMore.\n"));
    world.dicast(&["verdict", "003", "plan"]).exits(7).says("STALE").says("spec.md changed");
    world.dicast(&["verdict", "003", "plan", "--require", "agree_with_dissent"]).exits(7);
    world.dicast(&["status", "003"]).exits(0).says("STALE");
}

#[test]
fn a_verdict_whose_document_changed_is_stale() {
    let world = World::with_spec().file("specs/003-rate-limiter/plan.md", "# Plan\n");
    let sha = dicast::domain::hash::Sha::of("# Plan\n");
    let about = inputs().replace('}', &format!(r#","documents":{{"specs/003-rate-limiter/plan.md":"{sha}"}}}}"#));
    world.record(&panel(Stage::Tasks, &about));
    world.dicast(&["verdict", "tasks"]).exits(0);
    fs::remove_file(world.path("specs/003-rate-limiter/plan.md")).unwrap();
    world.dicast(&["verdict", "tasks"]).exits(7).says("plan.md changed");
}

#[test]
fn from_implement_on_a_verdict_is_about_the_tree() {
    let world = World::with_spec().file("src/lib.rs", "pub fn a() {}\n");
    let commit = |message: &str| {
        world.git(&["add", "-A"]);
        world.git(&["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", message]);
    };
    commit("one");
    let tree = world.tree_id();
    let about = inputs().replace('}', &format!(r#","tree":"{tree}"}}"#));
    let outcome = r#"{"kind":"decision","subject":"stage","predicate":"outcome","value":"GO","polarity":1,"severity":"major","tier":"E2"},"#;
    let panel = panel(Stage::Audit, &about).replace("\"claims\":[", &format!("\"claims\":[{outcome}"));
    let verdict = world.record(&panel);
    assert_eq!(verdict.exit, 0, "{verdict:?}");
    world.dicast(&["verdict", "audit"]).exits(0);
    world.write("src/lib.rs", "pub fn b() {}\n");
    world.dicast(&["verdict", "audit"]).exits(7).says("the code changed");
    world.dicast(&["verdict", "audit", "--at", "HEAD"]).exits(0);
    commit("two");
    world.dicast(&["verdict", "audit", "--at", "HEAD"]).exits(7);
    world.dicast(&["verdict", "audit", "--at", "HEAD~1"]).exits(0);
    for bad in ["nope", "--all", "HEAD; touch pwned", ""] {
        world.dicast(&["verdict", "audit", &format!("--at={bad}")]).exits(64).complains("git knows no commit");
    }
    assert!(!world.path("pwned").exists());
    world.record(&self::panel(Stage::Plan, &inputs()));
    world.dicast(&["verdict", "plan", "--at", "HEAD"]).exits(0);
    world.dicast(&["verdict", "plan", "--at", "nope"]).exits(64).complains("git knows no commit");
}

#[test]
fn a_verdict_that_was_changed_by_hand_is_refused() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    let path = world.path("specs/003-rate-limiter/verdicts/plan.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"agree_with_dissent\"", "\"agree\"")).unwrap();
    world.dicast(&["verdict", "plan"]).exits(3).complains("its hash does not match");
    fs::write(&path, "{").unwrap();
    world.dicast(&["verdict", "plan"]).exits(3).complains("it is no verdict");
    fs::write(&path, text.replace("003-rate-limiter", "004-other")).unwrap();
    world.dicast(&["verdict", "plan"]).exits(3).complains("of 004-other");
}

#[test]
fn explain_and_consensus_work_on_the_recorded_panel() {
    let world = World::with_spec();
    world.dicast(&["explain", "003", "plan", "FR-001"]).exits(10).complains("no run has decided plan");
    let verdict = world.record(&panel(Stage::Plan, &inputs()));
    world.dicast(&["explain", "003", "plan", "covers FR-001"]).exits(0).says("codex");
    world.dicast(&["explain", "plan", "covers FR-001"]).exits(0).says("codex");
    world.dicast(&["explain", "003", "plan", "nothing"]).exits(64).complains("nothing");
    let json = world.dicast(&["explain", "003", "plan", "FR-001", "--json"]).exits(0).json();
    assert_eq!(json[0]["claim"]["subject"], "FR-001");
    world.dicast(&["consensus", "003", "plan"]).exits(i32::from(verdict.exit)).says(verdict.hash.as_str()).says("same");
    // Another verdict in the folder than the one that was decided.
    let other = dicast::domain::consensus::parse_panel(&panel(Stage::Plan, "{}")).unwrap();
    let other = dicast::domain::consensus::decide(&other);
    world.write("specs/003-rate-limiter/verdicts/plan.json", serde_json::to_string(&other).unwrap());
    let json = world.dicast(&["consensus", "003", "plan", "--json"]).exits(3).json();
    assert_eq!((&json[0]["same"], &json[0]["exit"]), (&false.into(), &3.into()));
}

#[test]
fn dissent_is_listed_with_its_key_and_a_decision_needs_a_name_and_a_reason() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    world.dicast(&["dissent", "003"]).exits(0).says("gemini holds 20").says("--waive");
    let json = world.dicast(&["dissent", "003", "--json"]).exits(0).json();
    let key = json[0]["key"].as_str().unwrap();
    assert_eq!(json[0]["dissent"][0]["agent"], "gemini");
    world.dicast(&["dissent", "003", "--waive", key]).exits(64).complains("--by");
    let decide = |key: &str, by: &str| world.dicast(&["dissent", "003", "--waive", key, "--by", by, "--reason", "why"]);
    decide("zz", "me").exits(64).complains("no key");
    decide("ffffffffffff", "me").exits(64).complains("no recorded claim");
    decide(key, "  ").exits(64).complains("--by: it is empty");
}

#[test]
fn evidence_is_verified_and_listed() {
    let world = World::with_spec();
    world.dicast(&["evidence", "list"]).exits(0).says("no runs yet");
    world.record(&panel(Stage::Plan, &inputs()));
    world.dicast(&["evidence", "list", "003"]).exits(0).says("plan agree_with_dissent");
    let runs = world.dicast(&["evidence", "list", "--json"]).exits(0).json();
    let run = runs[0]["runs"][0]["run"].as_str().unwrap().to_owned();
    let json = world.dicast(&["evidence", "verify", "--json"]).exits(0).json();
    assert_eq!((&json[0]["ok"], &json[0]["runs"]), (&true.into(), &1.into()));
    world.dicast(&["evidence", "verify", "--run", &run]).exits(0).says("ok: 1 run");
    world.dicast(&["evidence", "verify", "--run", "x"]).exits(64).complains("ULID");
    let path = world.path(&format!(".dicast/evidence/consensus/003-rate-limiter/{run}/panels/1.json"));
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("yes", "no")).unwrap();
    world.dicast(&["evidence", "verify"]).exits(3).says("panels/1.json").says("not ok: 1 problem");
    world.dicast(&["explain", "003", "plan", "FR-001"]).exits(3).complains("sha256");
}

#[test]
fn a_decision_names_its_stage_where_the_claim_is_open_in_several() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    let key = world.dicast(&["dissent", "003", "--json"]).exits(0).json()[0]["key"].as_str().unwrap().to_owned();
    world.record(&panel(Stage::Tasks, &inputs()));
    let decide = |stage: &[&str]| {
        let words = ["dissent", "003", "--waive", &key, "--by", "me", "--reason", "why"];
        world.dicast(&[&words[..], stage].concat())
    };
    decide(&[]).exits(64).complains("open in several stages: plan, tasks").complains("--stage plan|tasks");
    decide(&["--stage", "lunch"]).exits(64).complains("no stage is called");
    world.dicast(&["dissent", "003", "--stage", "plan"]).exits(64);
    // Named, it gets as far as the run: there is no agent.
    assert!(!decide(&["--stage", "plan"]).err.contains("several stages"));
    // Where it is open in one only, nobody has to say which.
    let settled = panel(Stage::Tasks, &inputs()).replace("\"20\"", "\"10\"");
    world.record(&settled);
    assert!(!decide(&[]).err.contains("several stages"));
}

#[test]
fn status_shows_the_others_where_one_verdict_cannot_be_read() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    world.write("specs/003-rate-limiter/verdicts/tasks.json", "{");
    world.dicast(&["status"]).exits(0).says("unreadable").says("agree_with_dissent");
    world.dicast(&["status", "003"]).exits(0).says("unreadable").says("it is no verdict").says("agree_with_dissent");
    let json = world.dicast(&["status", "003", "--json"]).exits(0).json();
    assert_eq!(json[0]["verdicts"][1]["status"], "unreadable");
    world.dicast(&["verdict", "tasks"]).exits(3).complains("it is no verdict");
}

#[test]
fn a_panel_that_cannot_be_read_exits_3_and_json_is_one_line() {
    let world = World::new().file("bad.json", b"\xff\xfe").file("p.json", panel(Stage::Plan, "{}"));
    world.dicast(&["decide", "bad.json"]).exits(3).complains("UTF-8");
    world.dicast(&["decide", "none.json"]).exits(3).complains("there is no such file");
    world.dicast(&["decide"]).exits(64);
    assert_eq!(world.dicast(&["decide", "p.json", "--json"]).exits(0).json().len(), 1);
    world.dicast(&["decide", "p.json", "--explain", "FR-001"]).exits(0).says("covers FR-001");
}

#[test]
fn a_key_of_a_panel_is_explained_to_programs() {
    let world = World::new().file("p.json", panel(Stage::Plan, "{}"));
    let json = world.dicast(&["decide", "p.json", "--explain", "FR-001", "--json"]).exits(0).json();
    assert_eq!((&json[0]["schema"], &json[0]["run"]), (&"dicast.explanation/1".into(), &().into()));
    assert_eq!(json[0]["claim"]["subject"], "FR-001");
}

#[test]
fn one_verdict_that_cannot_be_read_is_named_and_hides_no_other() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    let path = "specs/003-rate-limiter/verdicts/tasks.json";
    for bad in ["{", "[]", "x"] {
        world.write(path, bad);
        let said = world.dicast(&["dissent", "003"]).exits(3).says("gemini holds 20").complains(path);
        said.complains("it is no verdict").complains("run `dicast tasks 003-rate-limiter` again");
        assert_eq!(world.dicast(&["dissent", "003", "--json"]).exits(3).json().len(), 1);
    }
    // A folder in its place cannot be read either.
    fs::remove_file(world.path(path)).unwrap();
    fs::create_dir(world.path(path)).unwrap();
    world.dicast(&["dissent", "003"]).exits(3).complains(path).complains("it cannot be read");
    world.dicast(&["auto", "003"]).exits(3).complains(path).complains("run `dicast tasks 003-rate-limiter` again");
}

#[test]
fn what_was_said_and_is_not_so_stands_beside_the_verdict() {
    let world = World::with_spec();
    let claim = |tier: &str| {
        format!(
            r#"{{"kind":"test","subject":"t_burst","predicate":"exists","value":"yes","polarity":1,"tier":"{tier}"}},"#
        )
    };
    let lies = panel(Stage::Plan, &inputs()).replacen("\"claims\":[", &format!("\"claims\":[{}", claim("E-")), 1);
    world.record(&lies);
    world
        .dicast(&["verdict", "plan"])
        .exits(0)
        .says("Struck")
        .says("claude said test t_burst: exists: it was looked up");
    // In a clone without the evidence the verdict alone tells who.
    fs::remove_dir_all(world.path(".dicast/evidence")).unwrap();
    world.dicast(&["verdict", "plan"]).exits(0).says("claude said something that was looked up and is not so");
}

#[test]
fn lines_cut_off_a_journal_are_found_by_the_published_verdict() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    world.dicast(&["evidence", "verify"]).exits(0);
    let runs = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let entries = fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path());
    let run = entries.into_iter().find(|path| path.join("journal.jsonl").exists()).unwrap();
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let first = journal.lines().next().unwrap().to_owned() + "\n";
    fs::write(run.join("journal.jsonl"), first).unwrap();
    world.dicast(&["evidence", "verify"]).exits(3).says("truncated");
    fs::remove_file(run.join("manifest.json")).unwrap();
    let said = world.dicast(&["evidence", "verify"]).exits(3).says("truncated").says("journal.jsonl");
    said.says("specs/003-rate-limiter/verdicts/plan.json was decided here");
    let json = world.dicast(&["evidence", "verify", "--json"]).exits(3).json();
    assert_eq!(json[0]["problems"][0]["kind"], "truncated");
    let named = run.file_name().unwrap().to_str().unwrap();
    world.dicast(&["evidence", "verify", "--run", named]).exits(3).says("truncated");
    // Without the folder there is nothing to accuse, and something to say.
    fs::remove_dir_all(&runs).unwrap();
    world.dicast(&["evidence", "verify"]).exits(0).says("the run that decided it is not here");
}
