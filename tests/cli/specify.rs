//! What a person does with a text that a panel proposes for a spec, from the outside.

use std::fs;

use dicast::domain::consensus::{Panel, decide};
use dicast::domain::hash::Sha;
use dicast::domain::ids::SpecId;
use dicast::domain::stage::Stage;

use crate::round::{plan, played};
use crate::runs::approved;
use crate::world::{SPEC, World};

/// The spec as a panel would have it: one requirement says more, one is new.
pub(crate) const PROPOSED: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 20 requests a second with status 429.\n\
    - **FR-002**: System SHOULD tell the client when it may try again, in seconds.\n\
    - **FR-003**: System MUST keep counting [NEEDS CLARIFICATION: for how long?] after a restart.\n";

const FILE: &str = "specs/003-rate-limiter/spec.md";

/// Records what a panel proposed for the spec as it stands.
pub(crate) fn propose(world: &World, text: &str) {
    let mut panel = Panel::new(SpecId::new("003-rate-limiter").unwrap(), Stage::Specify);
    panel.inputs.spec_sha256 = Some(Sha::of(fs::read(world.path(FILE)).unwrap()));
    let mut verdict = decide(&panel);
    verdict.published = [("specs/003-rate-limiter/review/spec.md".to_owned(), Sha::of(text))].into();
    world.write("specs/003-rate-limiter/verdicts/specify.json", serde_json::to_string(&verdict).unwrap());
    world.write("specs/003-rate-limiter/review/spec.md", text);
}

fn spec(world: &World) -> String {
    fs::read_to_string(world.path(FILE)).unwrap()
}

#[test]
#[ignore = "slow tier: the program is started ten times"]
fn a_proposal_on_record_is_written_and_taken_back_without_asking_anybody() {
    let world = World::with_spec();
    propose(&world, PROPOSED);
    world.dicast(&["status"]).exits(0).says("PROPOSAL").says("waits");
    world
        .dicast(&["status", "003"])
        .exits(0)
        .says("a proposal waits")
        .says("next: dicast specify 003-rate-limiter --apply");
    let said = world.dicast(&["specify", "003", "--apply"]).exits(0);
    let said = said.says("-- **FR-001**: System MUST refuse more than 10").says("+- **FR-003**: System MUST keep");
    let said = said.says("written: specs/003-rate-limiter/spec.md +2 -1 lines").says("first: for how long?");
    said.says("next     dicast clarify 003-rate-limiter");
    assert_eq!(spec(&world), PROPOSED);
    // Also where a step of a workflow reads us.
    let mut step = world.program();
    let step = step.args(["specify", "003", "--apply"]).env("GITHUB_ACTIONS", "true").output().unwrap();
    let out = String::from_utf8_lossy(&step.stdout).into_owned();
    assert_eq!((step.status.code(), out.contains("is what was proposed already")), (Some(0), true), "{out}");
    world.dicast(&["specify", "003", "--undo", "--output", "md", "-"]).exits(64).complains("nothing to report");
    assert_eq!(spec(&world), PROPOSED, "what is refused has done nothing");
    // A verdict whose proposal was taken is about what is there.
    world.dicast(&["verdict", "003", "specify"]).exits(4).says("no_quorum");
    world.dicast(&["clarify", "003"]).exits(10).says("for how long?");
    world.dicast(&["specify", "003", "--undo"]).exits(0).says("has its old text again");
    assert_eq!(spec(&world), SPEC);
    world.dicast(&["specify", "003", "--undo"]).exits(64).complains("no proposal was written");
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
fn a_program_reads_what_is_proposed_what_was_written_and_the_end() {
    let world = World::with_spec();
    propose(&world, PROPOSED);
    let said = world.dicast(&["specify", "003", "--apply", "--json"]).exits(0);
    let lines = said.json();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["spec.proposed", "spec.rewritten", "run.finished"]);
    let [proposed, written, finished] = &lines[..] else { unreachable!() };
    assert_eq!((&proposed["file"], &proposed["added"]), (&FILE.into(), &2.into()));
    assert_eq!(proposed["path"], "specs/003-rate-limiter/review/spec.md");
    assert!(proposed["diff"].as_str().unwrap().starts_with("--- a/specs/003-rate-limiter/spec.md\n+++ b/"));
    assert_eq!((&written["deed"], &written["open"], &written["critical"]), (&"adopted".into(), &1.into(), &1.into()));
    assert_eq!(fs::read_to_string(world.path(written["backup"].as_str().unwrap())).unwrap(), SPEC);
    assert_eq!((&finished["exit"], &finished["run"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
#[ignore = "slow tier: the program is started five times"]
fn what_was_altered_is_refused_and_no_word_of_a_person_is_overwritten() {
    let world = World::with_spec();
    propose(&world, PROPOSED);
    world.write("specs/003-rate-limiter/review/spec.md", "# Mine\n");
    world.dicast(&["specify", "003", "--apply"]).exits(3).complains("not the text that was proposed");
    propose(&world, PROPOSED);
    world.dicast(&["specify", "003", "--apply"]).exits(0);
    let edited = format!("{PROPOSED}- **FR-004**: System MUST be mine.\n");
    world.write(FILE, &edited);
    world.dicast(&["specify", "003", "--undo"]).exits(10).complains("was changed since");
    assert_eq!(spec(&world), edited);
    // What is proposed is about another text: the panel is asked anew, and there is none here.
    world.dicast(&["specify", "003", "--apply"]).exits(10).complains("no agent");
    assert_eq!(spec(&world), edited);
}

#[test]
fn what_cannot_be_asked_for_is_refused_by_name() {
    let world = World::with_spec();
    for words in [&["specify", "003", "--undo", "--apply"][..], &["specify", "003", "words", "--undo"]] {
        world.dicast(words).exits(64);
    }
    let before_the_six = "specify is before the six stages";
    for words in [
        &["auto", "003", "--from", "specify"][..],
        &["auto", "003", "--stages", "specify,plan"],
        &["auto", "003", "--skip-stage", "specify=by hand"],
        &["guardrail", "specify", "003"],
    ] {
        world.dicast(words).exits(64).complains(before_the_six);
    }
    for config in ["[guardrails.specify]\nafter = [[\"true\"]]\n", "[stages.specify]\nallow_degraded = true\n"] {
        world.write(".dicast/config.toml", config);
        world.dicast(&["plan", "003"]).exits(64).complains(before_the_six).complains("whoever sits at plan");
    }
    let empty = World::new();
    empty.dicast(&["specify", "001"]).exits(64).complains("dicast new");
}

/// A panel that drafts two requirements for a limiter, and can plan them.
fn drafting() -> World {
    let draft = |agent: &str, more: &str| {
        format!(
            r#"
[agents.{agent}.specify.answer]
summary = "a limit and its notice"
requirements = [
  {{ text = "The service MUST refuse more than 10 requests a second for one key with status 429.", because = "callers share one node" }},
  {{ text = "The service SHOULD tell a refused caller in seconds when to try again.", because = "or they hammer" }},
  {more}
]
"#
        )
    };
    let only =
        r#"{ text = "The service MUST write each refusal to the audit log.", because = "asked by nobody else" },"#;
    let script = draft("annika", only) + &draft("boris", "");
    let plans = ["annika", "boris"].map(|agent| plan(agent, "Put a token bucket in front", "it loses counters", ""));
    let world = played(&["annika", "boris"], &(script + &plans.concat()));
    fs::remove_dir_all(world.path("specs")).unwrap();
    world
}

fn lines_of(said: &crate::world::Said, kind: &str) -> Vec<serde_json::Value> {
    said.json().into_iter().filter(|line| line["type"] == kind).collect()
}

#[test]
fn from_a_sentence_to_a_plan_with_a_persons_word_in_between() {
    let world = drafting();
    world.dicast(&["new", "Limit", "bursts"]).exits(0).says("next: dicast specify 001-limit-bursts");
    world.dicast(&["status", "001"]).exits(0).says("next: dicast specify 001-limit-bursts\n");
    let file = world.path("specs/001-limit-bursts/spec.md");
    let template = fs::read_to_string(&file).unwrap();
    let said = world.dicast(&["specify", "001", "--json"]).exits(10);
    let [proposed] = &lines_of(&said, "spec.proposed")[..] else { panic!("{}", said.out) };
    assert!(
        proposed["diff"].as_str().unwrap().contains("+- **FR-001**: The service MUST refuse more than 10"),
        "{proposed}"
    );
    let failure = said.json().last().unwrap()["failure"][1].as_str().unwrap().to_owned();
    assert!(failure.contains("dicast specify 001-limit-bursts --apply"), "{failure}");
    assert_eq!(fs::read_to_string(&file).unwrap(), template, "nobody said yes");
    world.dicast(&["verdict", "001", "specify"]).exits(0);
    world.dicast(&["consensus", "001", "specify"]).exits(0).says("same");
    let written = world.dicast(&["specify", "001", "--apply", "--json"]).exits(0);
    assert!(lines_of(&written, "agent.started").is_empty(), "nobody is asked again");
    assert_eq!(lines_of(&written, "spec.rewritten")[0]["deed"], "adopted");
    let spec = fs::read_to_string(&file).unwrap();
    assert!(spec.contains("- **FR-002**: The service SHOULD tell a refused caller"), "{spec}");
    // What the template left open beside the requirements is asked next.
    let held = world.dicast(&["clarify", "001", "--json"]).exits(0).json();
    let id = held[0]["issues"][0]["id"].as_str().unwrap();
    world.dicast(&["clarify", "001", "--answer", &format!("{id}=a caller is refused")]).exits(0).says("answered");
    world.dicast(&["plan", "001", "--no-round"]);
    assert!(world.path("specs/001-limit-bursts/plan.md").is_file());
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier: runs of agents"]
fn two_who_want_other_words_leave_the_old_ones_and_ask_a_person_which() {
    let says = |agent: &str, words: &str| {
        format!(
            "[agents.{agent}.specify.answer]\nsummary = \"s\"\nrequirements = [{{ requirement = \"FR-001\", text = \"{words}\", \
             because = \"measured\", evidence = [{{ file = \"src/limiter.rs\", line = 1 }}] }}]\n"
        )
    };
    let (ann, bob) =
        ("System MUST refuse more than 20 requests a second.", "System MUST refuse more than 50 requests a second.");
    let world = played(&["annika", "boris"], &(says("annika", ann) + &says("boris", bob)));
    let said = world.dicast(&["specify", "003", "--apply", "--json"]);
    assert_eq!((said.code, spec(&world).as_str()), (1, SPEC), "a conflict is not written: {}", said.out);
    let key =
        lines_of(&said, "claim.labelled").into_iter().find(|line| line["label"] == "conflict").unwrap()["key"].clone();
    world.dicast(&["explain", "003", "specify", &key.as_str().unwrap()[..12]]).exits(0);
    // A person may write it all the same: both sides stand in it, to be chosen from.
    world.dicast(&["specify", "003", "--apply"]).exits(0);
    let text = spec(&world);
    assert!(text.contains("**FR-001**: System MUST refuse more than 10 requests a second"), "{text}");
    world.dicast(&["clarify", "003"]).exits(10).says("20 requests a second").says("50 requests a second");
}

/// Two agents that answer with the same draft, the second one as its flags say.
fn drafters(flags: &[&'static str]) -> World {
    let draft = ["--answer", "draft.json"];
    let second = [&draft[..], flags].concat();
    let world = approved(&[("ann", &draft), ("bob", &second)]);
    let text = "System MUST keep counting after a restart.";
    let says = serde_json::json!({"schema": "dicast.artifact/1", "stage": "specify", "summary": "s",
        "requirements": [{"text": text, "because": "asked for"}]});
    world.write("draft.json", says.to_string());
    world
}

fn prompts(world: &World) -> String {
    let folder = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let runs =
        fs::read_dir(folder).unwrap().map(|run| run.unwrap().path().join("prompts")).filter(|path| path.is_dir());
    let files = runs.flat_map(|run| fs::read_dir(run).unwrap()).map(|file| file.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
#[ignore = "slow tier: a run that is killed"]
fn a_run_that_is_killed_goes_on_with_what_was_wanted_and_other_words_begin_anew() {
    let world = drafters(&["--slow", "1500"]);
    // The path of the home is never written: what is on record is not the very words.
    let notes = format!("as in {}/notes.md", world.home().display());
    let mut child = world
        .program()
        .args(["specify", "003", "counting", "over", "restarts", &notes, "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut kept = lines.map_while(Result::ok).filter(|line| line.contains("agent.finished") && line.contains("ann"));
    assert!(kept.next().is_some(), "ann has answered");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(spec(&world), SPEC);
    let said = world.dicast(&["specify", "003", "--apply", "--json"]).exits(0);
    assert!(prompts(&world).contains("counting over restarts"));
    assert!(spec(&world).contains("- **FR-003**: System MUST keep counting after a restart."), "{}", spec(&world));
    assert_eq!(lines_of(&said, "spec.rewritten").len(), 1);
    let asked: Vec<_> = lines_of(&said, "agent.started").into_iter().filter(|line| line["turn"].is_null()).collect();
    assert!(asked.len() == 1 && asked[0]["agent"] == "bob", "ann's answer is on record: {}", said.out);
    world.dicast(&["specify", "003", "--undo"]).exits(0);
    let other = world.dicast(&["specify", "003", "something else", "--json"]).exits(10);
    assert_eq!(lines_of(&other, "agent.started").iter().filter(|line| line["turn"].is_null()).count(), 2);
    assert!(prompts(&world).contains("something else"));
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier: two processes at once"]
fn of_two_processes_that_write_one_proposal_one_writes_and_one_finds_it_written() {
    let world = World::with_spec();
    propose(&world, PROPOSED);
    let begun: Vec<_> = (0..4)
        .map(|_| {
            let mut command = world.program();
            command.args(["specify", "003", "--apply", "--json"]).stdout(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let said: Vec<_> = begun.into_iter().map(|child| crate::world::read(child.wait_with_output().unwrap())).collect();
    let deed = |said: &crate::world::Said| lines_of(said, "spec.rewritten")[0]["deed"].as_str().unwrap().to_owned();
    let deeds: Vec<_> = said.iter().map(deed).collect();
    assert_eq!(deeds.iter().filter(|deed| *deed == "adopted").count(), 1, "{deeds:?}");
    assert!(said.iter().all(|said| said.code == 0) && spec(&world) == PROPOSED);
    world.dicast(&["specify", "003", "--undo"]).exits(0);
    assert_eq!(spec(&world), SPEC);
    world.dicast(&["specify", "003", "--undo"]).exits(64);
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier: runs of agents"]
fn a_budget_that_nobody_fits_in_proposes_nothing_and_says_so() {
    let world = drafters(&[]);
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let config = config.replace("family = ", "model = \"opus\"\nfamily = ");
    let prices =
        "[prices.opus]\ninput_per_mtok_usd = \"15\"\noutput_per_mtok_usd = \"75\"\n[budget]\nrun_usd = \"0.01\"\n";
    world.write(".dicast/config.toml", config + prices);
    world.dicast(&["trust", "approve"]).exits(0);
    let said = world.dicast(&["specify", "003", "--apply", "--json"]).exits(4);
    assert!(lines_of(&said, "spec.proposed").is_empty(), "{}", said.out);
    assert_eq!(spec(&world), SPEC);
}
