//! The whole way of a spec with agents that write, in a real repository: real worktrees, real test runs; and back from
//! validate to implement where what landed does not hold.

use std::fs;

use super::runs::fake_agent;
use super::shop::{git, limit, shop_with};
use super::world::World;

/// What a writer that can be believed shows for what it says.
const SHOWN: &str = "\"--cite\", \"src/limit.sh:1\", \"--test\", \"sh/test_ten\"";

/// A test that is red in the commit that candidates start from: it asks for what the spec asks for.
const TEN: &str = "# FR-001, FR-002\ntest_ten() { . src/limit.sh; [ \"$(limit)\" -eq 10 ]; }\n";

/// A repository whose writers write `first`, and `then` once they are told what went wrong.
fn world(first: u32, then: u32) -> World {
    let flags = format!("\"--write\", {:?}, \"--mend\", {:?}, {SHOWN}", limit(first), limit(then));
    shop_with(&fake_agent(), &[("ann", &flags), ("bob", &flags)], &[("tests/ten_test.sh", TEN)])
}

fn told(lines: &[serde_json::Value], kind: &str) -> Vec<String> {
    let of = lines.iter().filter(|line| line["type"] == kind);
    of.map(|line| {
        format!("{} {}", line["stage"].as_str().unwrap_or_default(), line["status"].as_str().unwrap_or_default())
    })
    .collect()
}

/// What a run leaves behind of its worktrees and processes.
fn is_swept(world: &World) {
    assert_eq!(git(world, &["worktree", "list"]).lines().count(), 1);
    let left = world.command("pgrep").args(["-f", world.repo().to_str().unwrap()]).output().unwrap();
    assert!(left.stdout.is_empty(), "processes are left: {}", String::from_utf8_lossy(&left.stdout));
}

#[test]
#[ignore = "slow tier: six stages with everything around them"]
fn auto_with_writers_goes_from_plan_to_unlock() {
    let world = world(10, 10);
    let said = world.dicast(&["auto", "--apply", "best", "--json"]);
    let lines = said.json();
    let decided = told(&lines, "stage.verdict");
    let stages: Vec<&str> = decided.iter().filter_map(|one| one.split(' ').next()).collect();
    assert_eq!(stages, ["plan", "tasks", "implement", "validate", "audit", "unlock"], "{decided:?} {}", said.err);
    assert_eq!(said.code, 0, "{decided:?} {}", said.err);
    assert!(told(&lines, "stage.back").is_empty());
    assert_eq!(fs::read_to_string(world.path("src/limit.sh")).unwrap(), "limit() { echo 10; }\n");
    for stage in stages {
        world.dicast(&["verdict", stage]).exits(0);
        world.dicast(&["consensus", stage]).exits(0).says("same");
    }
    world.dicast(&["auto"]).exits(0).says("has passed every stage");
    is_swept(&world);
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier: two tries of implement and validate, each with its test runs"]
fn what_does_not_hold_is_mended_on_the_second_try_and_the_spec_is_unlocked() {
    let world = world(7, 10);
    let said = world.dicast(&["auto", "--apply", "best", "--json"]);
    let lines = said.json();
    let decided = told(&lines, "stage.verdict");
    let stages: Vec<&str> = decided.iter().filter_map(|one| one.split(' ').next()).collect();
    let expected = ["plan", "tasks", "implement", "validate", "implement", "validate", "audit", "unlock"];
    assert_eq!(stages, expected, "{decided:?} {}", said.err);
    assert_eq!((decided[3].as_str(), said.code), ("validate rejected", 0), "{decided:?} {}", said.err);
    let back: Vec<_> = lines.iter().filter(|line| line["type"] == "stage.back").collect();
    assert!(back.len() == 1 && back[0]["try"] == 2 && back[0]["to"] == "implement", "{back:?}");
    assert!(back[0]["why"].as_str().unwrap().contains("test_ten"), "{back:?}");
    // The second try was told, and started from the first: what lands is the whole change all the same.
    let prompts = world.command("grep").args(["-rlE", "^This is try 2 of 3", ".dicast/evidence"]).output().unwrap();
    assert!(prompts.status.success(), "nobody was told what went wrong");
    assert_eq!(
        git(&world, &["diff", "--stat", "--", "src"]).lines().next().map(str::trim),
        Some("src/limit.sh | 2 +-")
    );
    let implement = world.dicast(&["verdict", "implement", "--json"]).exits(0).json();
    assert!(implement[0]["inputs"]["context"]["back from validate, try 2"].is_string(), "{implement:?}");
    world.dicast(&["consensus", "implement"]).exits(0).says("same");
    world.dicast(&["consensus", "validate"]).exits(0).says("same");
    is_swept(&world);
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier: three tries of implement and validate, each with its test runs"]
fn what_never_holds_stops_after_two_times_back_with_the_code_of_validate() {
    let world = world(7, 8);
    let said = world.dicast(&["auto", "--apply", "best", "--json"]);
    let lines = said.json();
    let decided = told(&lines, "stage.verdict");
    assert_eq!(decided.iter().filter(|one| *one == "validate rejected").count(), 3, "{decided:?} {}", said.err);
    assert_eq!((said.code, told(&lines, "stage.back").len()), (2, 2), "{}", said.err);
    let warned =
        |line: &serde_json::Value| line["text"].as_str().is_some_and(|text| text.contains("implement 2 times"));
    assert!(lines.iter().any(warned), "{lines:?}");
    assert_eq!(
        fs::read_to_string(world.path("src/limit.sh")).unwrap(),
        "limit() { echo 8; }\n",
        "it stays for a person"
    );
    world.dicast(&["verdict", "validate"]).exits(2);
    is_swept(&world);
    world.dicast(&["evidence", "verify"]).exits(0);
}
