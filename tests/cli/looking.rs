//! The commands that look at this program itself: what agents did, its log, whether it works here, and what it does when
//! everything goes wrong at once.

use crate::money::paid;
use crate::world::World;

#[test]
fn what_agents_did_is_counted_over_all_runs_and_the_log_tells_of_them() {
    let world = paid();
    world.dicast(&["stats"]).exits(0).says("no run is kept here");
    world.dicast(&["plan", "--no-round"]);
    let rows = world.dicast(&["stats", "--json"]).exits(0).json();
    let of = |name: &str| rows.iter().find(|row| row["agent"] == name && row["stage"] == "plan").unwrap();
    assert_eq!((&of("ann")["schema"], rows.len()), (&"dicast.stats/1".into(), 3));
    assert_eq!(
        (&of("ann")["runs"], &of("ann")["ok"], &of("ann")["failed"]),
        (&1.into(), &1.into(), &serde_json::json!({}))
    );
    assert_eq!(of("ann")["tokens"], serde_json::json!({"input": 1000, "cached": 200, "output": 100}));
    let costs = ["ann", "bob", "cat"].map(|name| of(name)["cost_micro_usd"].as_u64());
    assert_eq!(costs, [Some(22_500), Some(500_000), None], "unpriced is not $0");
    assert!(of("ann")["voted"].as_u64() > Some(0) && of("ann")["won"] == of("ann")["voted"], "{rows:?}");
    world.dicast(&["stats", "003"]).exits(0).says("ann").says("1 run;");
    world.dicast(&["stats", "nope"]).exits(64);

    world.dicast(&["log", "--lines", "500"]).exits(0).says("consensus completed").complains("the log is /");
    let lines = world.dicast(&["log", "--lines", "1", "--json"]).exits(0).json();
    assert_eq!((lines.len(), &lines[0]["schema"]), (1, &"dicast.log/1".into()));
}

#[test]
#[ignore = "slow tier: a server is started, and a process is ended that does not want to"]
fn the_self_check_finds_that_everything_works_here_and_leaves_nothing() {
    let world = World::new();
    let temporary = world.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut program = world.program();
    let said = crate::world::said(program.env("TMPDIR", &temporary).args(["self-check", "--json"])).exits(0);
    let steps = said.json();
    let names: Vec<&str> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names, ["verdicts", "evidence", "processes", "memory", "git", "terminal"]);
    assert!(steps.iter().all(|step| step["ok"] == true && step["schema"] == "dicast.self-check/1"), "{steps:?}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "its folder is gone");
}

#[test]
#[ignore = "slow tier: agents that hang are waited for until their deadlines"]
fn everything_that_goes_wrong_in_the_demonstration_ends_as_it_must() {
    for seed in ["1", "2"] {
        let world = World::new();
        let mut program = world.program();
        program.env("TMPDIR", world.home());
        let words = ["demo", "--chaos", "--speed", "0", "--seed", seed, "--json"];
        let said = crate::world::said(program.args(words)).exits(0);
        let told = said.json().pop().unwrap();
        assert_eq!((&told["schema"], &told["ok"]), (&"dicast.chaos/1".into(), &true.into()), "{told}");
        assert_eq!(told["faults"].as_array().map(Vec::len), Some(8), "{told}");
    }
}
