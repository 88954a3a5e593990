//! Gates and new specs, from the outside.

use crate::world::World;

const OPEN: &str = "# Feature Specification: Limits\n\n## Requirements\n\n\
    - **FR-001**: The service MUST wait [NEEDS CLARIFICATION: how long?] before it answers again\n\
    - **FR-002**: The service MUST refuse an empty key with status 400\n";

fn world() -> World {
    World::new().file("specs/001-limits/spec.md", OPEN)
}

fn first_id(world: &World) -> String {
    let said = world.dicast(&["clarify", "001", "--json"]).exits(10);
    let held = &said.json()[0];
    assert_eq!(held["schema"], "dicast.gate/1");
    assert_eq!(held["open"]["critical"], 1);
    assert_eq!(held["issues"][0]["ask"], "how long?");
    held["issues"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_critical_question_exits_10_names_its_command_and_goes_once_it_is_answered() {
    let world = world();
    let id = first_id(&world);
    let command = format!("dicast clarify 001-limits --answer {id}=TEXT");
    world.dicast(&["clarify", "001"]).exits(10).says("critical how long?").says(&command);
    world.dicast(&["clarify", "001", "--answer", &format!("{id}=2 s"), "--by", "ada"]).exits(0).says("answered: 2 s");
    let text = std::fs::read_to_string(world.path("specs/001-limits/spec.md")).unwrap();
    assert_eq!(text, OPEN.replace("[NEEDS CLARIFICATION: how long?]", "2 s"));
    world.dicast(&["gate", "001", "--undo"]).exits(10).says("taken back");
    assert_eq!(std::fs::read_to_string(world.path("specs/001-limits/spec.md")).unwrap(), OPEN);
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
fn a_question_that_is_put_off_is_remembered_with_who_and_why() {
    let world = world();
    let id = first_id(&world);
    world.dicast(&["gate", "001", "--defer", &id, "--reason", "measured later", "--by", "ada"]).exits(0);
    world.dicast(&["gate", "001", "--list"]).exits(0).says("put off by ada: measured later").says("1 put off");
    world.dicast(&["gate", "001", "--undo", &id]).exits(10);
}

#[test]
fn what_cannot_be_said_is_refused() {
    let world = world();
    let id = first_id(&world);
    world.dicast(&["clarify", "001", "--answer", "nonsense"]).exits(64).complains("ID=TEXT");
    world.dicast(&["clarify", "001", "--answer", "CLR-000000=x"]).exits(64).complains("no open question");
    world.dicast(&["gate", "001", "--accept", &id]).exits(10).complains("no suggested answer");
    world.dicast(&["gate", "001", "--undo"]).exits(64).complains("nothing was answered or put off");
    assert_eq!(std::fs::read_to_string(world.path("specs/001-limits/spec.md")).unwrap(), OPEN);
}

#[test]
fn the_checklist_scores_and_analyze_compares() {
    let world = world().file("specs/001-limits/tasks.md", "- [ ] T001 Wait (FR-001)\n");
    world.dicast(&["checklist", "001"]).exits(0).says("of 100").says("completeness");
    let said = world.dicast(&["analyze", "001", "--json"]).exits(0);
    let held = &said.json()[0];
    let issue = &held["issues"][0];
    assert_eq!((issue["matter"].as_str(), issue["about"].as_str()), (Some("uncovered"), Some("FR-002")));
    let id = issue["id"].as_str().unwrap();
    world.dicast(&["gate", "001", "--accept", id]).says("accepted");
    let tasks = std::fs::read_to_string(world.path("specs/001-limits/tasks.md")).unwrap();
    assert_eq!(
        tasks,
        "- [ ] T001 Wait (FR-001)\n- [ ] T002 The service MUST refuse an empty key with status 400 (FR-002)\n"
    );
}

#[test]
fn a_new_spec_is_a_folder_whose_open_points_clarify_asks() {
    let world = world();
    let said = world.dicast(&["new", "Export", "the", "log", "as", "CSV", "--json"]).exits(0);
    let made = &said.json()[0];
    assert_eq!(made["spec_id"], "002-export-log-as-csv");
    let said = world.dicast(&["clarify", "002", "--json"]).exits(10).says("do what, exactly?");
    let held = said.json()[0].clone();
    let issues = held["issues"].as_array().unwrap();
    let id = |ask: &str| issues.iter().find(|issue| issue["ask"] == ask).unwrap()["id"].as_str().unwrap();
    // Three markers of one line.
    let [first, second, third] = ["which state before?", "who does what?", "what is seen?"].map(id);
    let file = made["file"].as_str().unwrap();
    let before = std::fs::read_to_string(world.path(file)).unwrap();
    let answers = [format!("{first}=one"), format!("{second}=two")];
    let slip = ["clarify", "002", "--answer", &answers[0], "--answer", "CLR-000000=x"];
    world.dicast(&slip).exits(64).complains("no open question");
    assert_eq!(std::fs::read_to_string(world.path(file)).unwrap(), before, "all or none");
    world.dicast(&["gate", "002", "--defer", third, "--reason", "later", "--by", "ada"]).exits(10);
    let both = ["clarify", "002", "--answer", &answers[0], "--answer", &answers[1]];
    world.dicast(&both).exits(10).says("put off by ada: later").says("1 put off");
    let after = std::fs::read_to_string(world.path(file)).unwrap();
    assert!(after.contains("1. **Given** one, **When** two, **Then** [NEEDS CLARIFICATION: what is seen?]"), "{after}");
    world.dicast(&["status"]).says("002-export-log-as-csv");
    world.dicast(&["new"]).exits(64);
    world.dicast(&["new", " "]).exits(64).complains("no words");
}

#[test]
#[ignore = "slow tier: eight processes at once"]
fn specs_that_are_made_at_once_get_numbers_of_their_own_and_none_that_a_branch_has() {
    let world = world();
    world.git(&["init", "-q", "-b", "main"]);
    let commit = ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "one"];
    world.git(&commit);
    world.git(&["branch", "041-elsewhere"]);
    world.git(&["pack-refs", "--all"]);
    let begun: Vec<_> = (0..8).map(|n| world.program().args(["new", &format!("Thing {n}")]).spawn().unwrap()).collect();
    for mut child in begun {
        assert!(child.wait().unwrap().success());
    }
    let folders = std::fs::read_dir(world.path("specs")).unwrap();
    let mut numbers: Vec<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()[..3].to_owned()).collect();
    numbers.sort();
    assert_eq!(numbers, ["001", "042", "043", "044", "045", "046", "047", "048", "049"]);
}

#[test]
fn the_body_of_a_pull_request_becomes_a_spec_that_rules_can_read() {
    let world = World::new();
    let body = "Retries failed calls.\r\n\r\n- [x] It MUST stop after 3 tries\r\n- It MUST wait 1 s between them\r\n";
    let made = world.dicast_with(&["new", "Retry calls", "--from", "-", "--json"], body).exits(0).json();
    assert_eq!(made[0]["spec_id"], "001-retry-calls");
    let said = world.dicast(&["status", "001", "--json"]).exits(0).json();
    assert_eq!(said[0]["title"], "Retry calls");
    let text = std::fs::read_to_string(world.path("specs/001-retry-calls/spec.md")).unwrap();
    assert!(text.contains("- **FR-001**: It MUST stop after 3 tries\n- **FR-002**: It MUST wait 1 s"), "{text}");
    world.write("body.md", "nothing that is asked for\n");
    world.dicast(&["new", "--from", "body.md"]).exits(0).says("002-nothing");
    world.dicast(&["new", "--from", "gone.md"]).exits(64).complains("there is no such file");
    world.dicast(&["new"]).exits(64);
}
