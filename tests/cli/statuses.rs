//! Every status of a verdict, reached by the real program with agents that are programs: its exit code, its report.

use super::runs::approved;
use super::world::{SPEC, World};

/// A spec that leaves a number open, so that agents can differ on it.
const OPEN: &str = "# Rate limiter\n\n- **FR-001**: System MUST refuse bursts; the burst size is not given.\n";

/// One way to a status.
struct Way {
    status: &'static str,
    exit: i32,
    spec: &'static str,
    agents: &'static [(&'static str, &'static [&'static str])],
    words: &'static [&'static str],
    /// What the report calls it.
    call: &'static str,
}

const ANN: (&str, &[&str]) = ("ann", &[]);
const BOB: (&str, &[&str]) = ("bob", &[]);
const PLAN: &[&str] = &["plan", "003"];
/// A hollow validation lets the audit follow: here it does not.
const ONLY_VALIDATE: &[&str] =
    &["auto", "003", "--stages", "plan,tasks,validate", "--skip-stage", "implement=made by hand"];
const VALIDATE: &[&str] = &["auto", "003", "--skip-stage", "implement=made by hand"];

const WAYS: [Way; 8] = [
    Way { status: "agree", exit: 0, spec: SPEC, agents: &[ANN, BOB], words: PLAN, call: "PASS" },
    Way {
        status: "agree_with_dissent",
        exit: 0,
        spec: OPEN,
        agents: &[("ann", &["--quantity", "10"]), ("bob", &["--quantity", "10"]), ("cyd", &["--quantity", "20"])],
        words: PLAN,
        call: "PASS",
    },
    Way {
        status: "conflict",
        exit: 1,
        spec: OPEN,
        agents: &[("ann", &["--quantity", "10"]), ("bob", &["--quantity", "20"])],
        words: PLAN,
        call: "YOUR CALL",
    },
    Way {
        status: "no_quorum",
        exit: 4,
        spec: SPEC,
        agents: &[ANN, ("bob", &["--crash", "3"])],
        words: PLAN,
        call: "YOUR CALL",
    },
    Way {
        status: "degraded",
        exit: 6,
        spec: SPEC,
        agents: &[ANN, BOB, ("cyd", &["--crash", "3"])],
        words: PLAN,
        call: "PASS",
    },
    Way {
        status: "blocked",
        exit: 2,
        spec: SPEC,
        agents: &[ANN, ("bob", &["--cite", "README.md:1", "--risk", "plan=critical"])],
        words: PLAN,
        call: "STOP",
    },
    Way {
        status: "rejected",
        exit: 2,
        spec: SPEC,
        agents: &[("ann", &["--decide", "validate=FAIL"]), ("bob", &["--decide", "validate=FAIL"])],
        words: VALIDATE,
        call: "STOP",
    },
    Way { status: "hollow", exit: 5, spec: SPEC, agents: &[ANN, BOB], words: ONLY_VALIDATE, call: "PASS" },
];

/// Goes a way; returns the status of the last stage that was decided, and which it was.
fn go(way: &Way, world: &World) -> (String, String) {
    let said = world.dicast(&[way.words, &["--json"]].concat());
    let lines = said.json();
    assert_eq!(lines.last().unwrap()["exit"], said.code, "{}: {}", way.status, said.out);
    let verdict = lines.iter().rev().find(|line| line["type"] == "stage.verdict");
    let verdict = verdict.unwrap_or_else(|| panic!("{}: {}{}", way.status, said.out, said.err));
    assert_eq!(verdict["exit"], way.exit, "{}: {verdict}", way.status);
    let word = |field: &str| verdict[field].as_str().unwrap().to_owned();
    (word("status"), word("stage"))
}

#[test]
#[ignore = "slow tier: a run for each status"]
fn every_status_of_a_verdict_is_reached_with_its_exit_code_and_its_report() {
    for way in &WAYS {
        let world = approved(way.agents);
        world.write("specs/003-rate-limiter/spec.md", way.spec);
        let (status, stage) = go(way, &world);
        assert_eq!(status, way.status, "at {stage}");
        // What is recorded says the same, and so does the report.
        world.dicast(&["verdict", &stage]).exits(way.exit).says(way.status);
        world.dicast(&["consensus", &stage]).exits(way.exit).says("same");
        world.dicast(&["verdict", &stage, "--require", "agree_with_dissent,agree"]).exits(i32::from(way.exit != 0));
        let report = world.dicast(&["report", "--json"]).exits(0).json();
        let call = report[0]["call"].as_str().unwrap();
        assert!(call.starts_with(way.call), "{status}: {call}");
        world.dicast(&["evidence", "verify"]).exits(0);
        // A changed spec makes it stale, whatever it was.
        world.write("specs/003-rate-limiter/spec.md", format!("{}\nMore.\n", way.spec));
        world.dicast(&["verdict", &stage]).exits(7);
    }
}

#[test]
#[ignore = "slow tier: runs that are cut off"]
fn what_is_no_verdict_has_its_exit_code_and_says_why_too() {
    // Infra: the evidence cannot be written.
    let world = approved(&[ANN, BOB]);
    world.write(".dicast/evidence", "a file where the folder belongs");
    let said = world.dicast(&["plan", "--json"]).exits(3);
    assert!(said.json().last().unwrap()["failure"][1].is_string(), "{}", said.out);
    // Cancelled: somebody else asks it to stop.
    let world = approved(&[("ann", &["--hang"]), ("bob", &["--hang"])]);
    let mut owner = super::runs::hanging(&world);
    world.dicast(&["cancel", "003"]).exits(0);
    assert_eq!(owner.wait().unwrap().code(), Some(130));
    assert!(!world.path("specs/003-rate-limiter/verdicts/plan.json").exists(), "a stop is never written to specs");
    world.dicast(&["verdict", "plan"]).exits(10);
    // Not approved, and not found.
    world.write(".dicast/config.toml", "[consensus]\nagree = \"2/3\"\n[[agents]]\nname = \"a\"\nkind = \"command\"\nfamily = \"a\"\ncommand = [\"true\"]\n");
    world.dicast(&["plan"]).exits(11);
    world.dicast(&["plan", "nope"]).exits(64);
}
