//! What a person does with a text that a panel proposes for a spec, from the outside.

use std::fs;

use dicast::domain::consensus::{Panel, decide};
use dicast::domain::hash::Sha;
use dicast::domain::ids::SpecId;
use dicast::domain::stage::Stage;

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
    world.dicast(&["specify", "003", "--apply"]).exits(0).says("is what was proposed already");
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
