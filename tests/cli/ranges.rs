//! Auditing a range of commits, end to end: a real git repository, agents that are programs, the real binary.

use std::fs;

use dicast::domain::hash::Sha;
use serde_json::Value;

use crate::round::played;
use crate::world::{World, said};

const BASE: &str = "pub fn allow() -> bool {\n    true\n}\n\npub fn untouched() {}\n";
const CHANGED: &str = "pub fn allow(seen: u32) -> bool {\n    seen < 10\n}\n\npub fn untouched() {}\n";

/// An answer that lets the change through by a changed line, with more of its own.
fn audit(agent: &str, hunk: &str, more: &str) -> String {
    format!(
        r#"
[agents.{agent}.audit.answer]
summary = "by {agent}"
answers = [
  {{ topic = "FR-001", value = "yes", because = "the limit is there", evidence = [{hunk}] }},
  {{ topic = "FR-002", abstain = true }},
]
checks = [{{ item = "FR-001", status = "pass", evidence = [{hunk}] }}]
decision = "GO"
{more}
"#
    )
}

const HUNK: &str = r#"{ hunk = { file = "src/limiter.rs", line = 2 } }"#;

/// A repository whose last commit changes the limiter, renames a file and brings a binary one; nothing was run here.
fn changed(script: &str) -> World {
    let world = played(&["annika", "boris"], script).file(".gitignore", ".dicast/\n").file("src/old.rs", "fn a() {}\n");
    world.write("src/limiter.rs", BASE);
    commit(&world, "before");
    world.git(&["mv", "src/old.rs", "src/new.rs"]);
    world.write("src/limiter.rs", CHANGED);
    world.write("logo.png", [0_u8, 159, 146, 150]);
    commit(&world, "the change");
    world
}

fn commit(world: &World, message: &str) {
    world.git(&["add", "-A"]);
    world.git(&["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", message]);
}

fn revision(world: &World, name: &str) -> String {
    said(world.command("git").args(["rev-parse", name])).exits(0).out.trim().into()
}

fn verdict(world: &World) -> Value {
    serde_json::from_slice(&fs::read(world.path("specs/003-rate-limiter/verdicts/audit.json")).unwrap()).unwrap()
}

#[test]
fn a_change_that_was_made_elsewhere_is_audited_by_its_commits() {
    let world = changed(&(audit("annika", HUNK, "") + &audit("boris", HUNK, "")));
    let ran = world.dicast(&["audit", "--range", "HEAD~1..HEAD", "--json"]).exits(0);
    let (from, to) = (revision(&world, "HEAD~1"), revision(&world, "HEAD"));
    let started = ran.json().into_iter().find(|line| line["type"] == "stage.started").unwrap();
    assert_eq!(started["range"], format!("{from}..{to}"));
    let verdict = verdict(&world);
    assert_eq!((&verdict["status"], &verdict["outcome"]), (&"agree".into(), &"pass".into()), "{verdict:#}");
    let bound = verdict["inputs"]["context"][&format!("range {from}..{to}")].as_str().unwrap();
    let diff = said(world.command("git").args(["diff", "-U0", "--full-index", "--no-renames", &from, &to])).out;
    assert_eq!(bound, Sha::of(diff).as_str());
    let covers = verdict["claims"].as_array().unwrap().iter().find(|claim| claim["kind"] == "covers").unwrap();
    assert_eq!((&covers["label"], &covers["tier"]), (&"agreed".into(), &"E2".into()));
    let runs = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let run = fs::read_dir(runs).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let prompt = fs::read_to_string(run.join("prompts/audit-annika.md")).unwrap();
    assert!(prompt.contains("## The change that is audited") && prompt.contains("+    seen < 10"), "{prompt}");
    assert!(
        prompt.contains("delete src/old.rs") && prompt.contains("add src/new.rs") && prompt.contains("add logo.png")
    );
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let elsewhere = journal.lines().find(|line| line.contains("stage_elsewhere")).unwrap();
    assert!(elsewhere.contains("\"implement\"") && elsewhere.contains(&to), "{elsewhere}");

    world.dicast(&["verdict", "audit"]).exits(0).says(&format!("{from}..{to}"));
    world.dicast(&["verdict", "audit", "--at", "HEAD", "--require", "agree"]).exits(0);
    world.dicast(&["consensus", "audit"]).exits(0).says("same");
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 1 run");
    // Whoever follows the run, or is told it again, is told the range, too.
    let id = run.file_name().unwrap().to_str().unwrap();
    world.dicast(&["replay", id, "--speed", "0"]).exits(0).complains(&format!("about the commits {from}..{to}"));
    world.dicast(&["status"]).exits(0).says("elsewhere");
    world.dicast(&["status", "003"]).exits(0).says("audited here").says("next: dicast unlock");
    let status: Vec<Value> = world.dicast(&["status", "--json"]).exits(0).json();
    assert_eq!(status[0]["elsewhere"]["implement"]["to"], to);
    let report = world.dicast(&["report", "--format", "md"]).exits(0);
    report.says(&format!("**Range**: {from}..{to}")).says("seen\\: change of src/limiter.rs\\:2 (annika, boris)");
    let other = changed("agents = {}\n");
    other.dicast(&["audit"]).exits(10).complains("--range A..B");
}

#[test]
fn the_same_range_has_the_same_hash_and_another_one_another() {
    let world = changed(&(audit("annika", HUNK, "") + &audit("boris", HUNK, "")));
    let hash = |range: &str| {
        world.dicast(&["audit", "--range", range]).exits(0);
        verdict(&world)["hash"].as_str().unwrap().to_owned()
    };
    let first = hash("HEAD~1..HEAD");
    assert_eq!(hash("HEAD~1...003-rate-limiter"), first);
    world.write("src/limiter.rs", CHANGED.replace("untouched() {}", "untouched() { /* nothing */ }"));
    commit(&world, "one more");
    // What is next is the same to whoever asks: the audit was of another tree.
    world.dicast(&["status", "003"]).exits(0).says("next: dicast plan");
    let auto = world.dicast(&["auto", "003", "--json"]).json();
    let started = auto.iter().find(|line| line["type"] == "run.started").unwrap();
    assert_eq!(started["stages"][0], "plan");
    assert_ne!(hash("HEAD~2..HEAD"), first);
}

#[test]
fn a_change_that_the_diff_does_not_have_is_struck_and_named() {
    let said_too_much = r#"
claims = [
  { kind = "file_change", subject = "src/limiter.rs", predicate = "change", value = "modify" },
  { kind = "file_change", subject = "src/store.rs", predicate = "change", value = "add" },
  { kind = "file_change", subject = "src/new.rs", predicate = "change", value = "modify" },
]
risks = [{ risk = "the clock may jump", severity = "minor", evidence = [{ hunk = { file = "src/limiter.rs", line = 5 } }] }]"#;
    let world = changed(&(audit("annika", HUNK, said_too_much) + &audit("boris", HUNK, "")));
    let (from, to) = (revision(&world, "HEAD~1"), revision(&world, "HEAD"));
    let range = format!("{}..{}", &from[..7], &to[..7]);
    world
        .dicast(&["audit", "--range", "HEAD~1.."])
        .exits(0)
        .complains("struck: annika said file_change src/store.rs: change add")
        .complains("the diff does not touch it")
        .complains("struck: annika said file_change src/new.rs: change modify")
        .complains("the diff says add")
        .complains(&format!("the range {range} does not change src/limiter.rs:5"));
    let verdict = verdict(&world);
    let charge = verdict["reasons"].as_array().unwrap().iter().find(|r| r["code"] == "phantom_completion").unwrap();
    assert_eq!((charge["agents"][0].as_str(), charge["claims"].as_array().unwrap().len()), (Some("annika"), 3));
    let change = |subject: &str| {
        let claims = verdict["claims"].as_array().unwrap().iter();
        claims.clone().find(|c| c["kind"] == "file_change" && c["subject"] == subject).unwrap()["label"].clone()
    };
    assert_eq!(change("src/store.rs"), "refuted");
}

#[test]
fn a_decision_about_an_audited_range_need_not_name_it_again() {
    let no = audit("boris", HUNK, "").replace("decision = \"GO\"", "decision = \"NO-GO\"");
    let world = changed(&(audit("annika", HUNK, "") + &no));
    world.dicast(&["audit", "--range", "HEAD~1..HEAD", "--no-round"]).exits(1);
    let before = verdict(&world);
    let outcome = before["claims"].as_array().unwrap().iter().find(|c| c["subject"] == "stage").unwrap();
    let key = outcome["key"].as_str().unwrap();
    world.dicast(&["dissent", "--reject", key, "--by", "me", "--reason", "not yet"]).exits(2);
    assert_eq!(verdict(&world)["inputs"], before["inputs"], "decided about the same commits");
}

#[test]
fn a_range_that_cannot_be_audited_is_refused_before_anybody_is_asked() {
    let world = changed(&(audit("annika", HUNK, "") + &audit("boris", HUNK, "")));
    let refused = |range: &str, code: i32, why: &str| {
        let said = world.dicast(&["audit", "--range", range]).exits(code).complains(why);
        assert!(!said.err.contains("started"), "{}", said.err);
    };
    refused("nope..HEAD", 64, "git knows no range");
    refused("HEAD", 64, "git knows no range");
    refused("--output=x..HEAD", 64, "");
    refused("HEAD..HEAD", 10, "it changes nothing");
    refused("HEAD~1..HEAD~1", 10, "it changes nothing");
    world.write("src/limiter.rs", BASE);
    refused("HEAD~1..HEAD", 10, "the working copy is not what it leads to: src/limiter.rs");
    world.write("src/limiter.rs", CHANGED);
    world.write("src/huge.rs", "let x = 0; // a line of a file that nobody wrote by hand\n".repeat(900_000));
    commit(&world, "50 MB");
    let began = std::time::Instant::now();
    refused("HEAD~1..HEAD", 10, "its diff is longer than 8 MiB");
    assert!(began.elapsed().as_secs() < 30, "nobody waits for the end of it");

    let shallow = tempfile::tempdir().unwrap();
    let url = format!("file://{}", world.repo().display());
    let clone = shallow.path().join("clone").display().to_string();
    said(world.command("git").args(["clone", "-q", "--depth", "1", &url, &clone])).exits(0);
    let agents = ["trust", "approve", "--repo", &clone];
    fs::create_dir_all(format!("{clone}/.dicast")).unwrap();
    for file in ["config.toml", "panel.toml"] {
        fs::copy(world.path(".dicast").join(file), format!("{clone}/.dicast/{file}")).unwrap();
    }
    world.dicast(&agents).exits(0);
    world
        .dicast(&["audit", "--repo", &clone, "--range", "HEAD~1..HEAD"])
        .exits(10)
        .complains("this clone is shallow")
        .complains("git fetch --unshallow");
}

#[test]
fn a_task_that_is_ticked_without_a_trace_blocks_what_every_agent_lets_through() {
    let world = changed(&(audit("annika", HUNK, "") + &audit("boris", HUNK, "")));
    let tasks = "# Tasks\n\n- [x] T001 Limit in `src/limiter.rs` (FR-001)\n- [x] T002 Count in `src/store.rs` (FR-001)\n\
        - [x] T003 Test FR-001 in `src/new.rs`\n";
    world.write("specs/003-rate-limiter/tasks.md", tasks);
    commit(&world, "tasks");
    world
        .dicast(&["audit", "--range", "HEAD~2..HEAD"])
        .exits(2)
        .says("a critical objection holds (host): finding FR-001")
        .complains("warning: host: T002 ticked, src/store.rs does not exist");
    let blocked = verdict(&world);
    assert_eq!((&blocked["status"], &blocked["families"]["expected"]), (&"blocked".into(), &2.into()));
    world.dicast(&["consensus", "audit"]).exits(2).says("same");
    let objection = |verdict: &Value| verdict["reasons"][0]["claims"][0].as_str().unwrap().to_owned();
    let explained = world.dicast(&["explain", "audit", &objection(&blocked)]).exits(0);
    explained.says("host (host, no vote) critical E2 seen").says("votes      0 of 2 families");
    let signed = ["--by", "me", "--reason", "it is in the next change"];
    world.dicast(&[&["dissent", "--waive", &objection(&blocked)][..], &signed].concat()).exits(0);
    assert_eq!(verdict(&world)["status"], "agree_with_dissent");
    world.dicast(&[&["dissent", "--undo", &objection(&blocked)][..], &signed].concat()).exits(2);
    assert_eq!(verdict(&world)["hash"], blocked["hash"], "the host says the same again");
    world.write("specs/003-rate-limiter/tasks.md", tasks.replace("- [x] T002", "- [ ] T002"));
    commit(&world, "untick");
    world.dicast(&["audit", "--range", "HEAD~3..HEAD"]).exits(0);
}
