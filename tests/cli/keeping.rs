//! Counting evidence, taking it away, handing it out, telling git about it.

use std::fs;

use dicast::domain::stage::Stage;

use crate::world::{World, inputs, panel};

/// A repository with a commit and one decided run; returns the run, too.
fn decided() -> (World, String) {
    let world = World::with_spec();
    world.git(&["add", "-A"]);
    world.git(&["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "one"]);
    world.record(&panel(Stage::Plan, &inputs()));
    let runs = world.dicast(&["evidence", "list", "--json"]).exits(0).json();
    let run = runs[0]["runs"][0]["run"].as_str().unwrap().to_owned();
    (world, run)
}

#[test]
fn stats_count_by_spec_stage_and_kind() {
    let (world, _) = decided();
    world.dicast(&["evidence", "stats"]).exits(0).says("003-rate-limiter").says("kinds   journal");
    let json = &world.dicast(&["evidence", "stats", "003", "--json"]).exits(0).json()[0];
    let of_spec = &json["specs"]["003-rate-limiter"];
    assert_eq!((&json["schema"], &of_spec["runs"]), (&"dicast.evidence-stats/1".into(), &1.into()));
    let kinds = of_spec["kinds"].as_object().unwrap();
    let sum: u64 = kinds.values().map(|kind| kind["bytes"].as_u64().unwrap()).sum();
    assert_eq!((json["bytes"].as_u64().unwrap(), of_spec["files"].as_u64().unwrap()), (sum, 4));
    assert_eq!(json["warnings"], serde_json::json!([]));
    World::new().dicast(&["evidence", "stats"]).exits(0).says("no evidence yet");
    world.write(&format!("{}/raw/plan-big.txt", ".dicast/evidence/consensus/003-rate-limiter/x"), vec![b'x'; 6 << 20]);
    world.dicast(&["evidence", "stats"]).exits(0).says("warning: ").says("plan-big.txt takes 6.0 MiB");
}

#[test]
fn a_run_is_archived_by_name_and_verify_goes_on_to_vouch_for_it() {
    let (world, run) = decided();
    let folder = world.path(&format!(".dicast/evidence/consensus/003-rate-limiter/{run}"));
    world.dicast(&["evidence", "archive"]).exits(64).complains("--older-than");
    let removed = world.dicast(&["evidence", "archive", "--run", &run, "--json"]).exits(0).json();
    assert_eq!(
        (&removed[0]["schema"], &removed[0]["removed"][0]["fate"]),
        (&"dicast.evidence-removals/1".into(), &"archived".into())
    );
    assert!(!folder.exists());
    let archive = world.path(".dicast/evidence").join(removed[0]["removed"][0]["archive"]["path"].as_str().unwrap());
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 0 runs, 2 files");
    world.dicast(&["evidence", "verify", "--bundle", archive.to_str().unwrap()]).exits(0).says("ok: 1 run");
    world.dicast(&["evidence", "archive", "--run", &run]).exits(64).complains("it was archived at");
    // Unpacked where it lay, the run is as it was: the archive is a plain tar.
    let evidence = world.path(".dicast/evidence");
    let untar = world.command("tar").arg("xzf").arg(&archive).arg("-C").arg(&evidence).status().unwrap();
    assert!(untar.success() && folder.join("journal.jsonl").exists());
    world.dicast(&["explain", "003", "plan", "covers FR-001"]).exits(0).says("codex");
    fs::write(&archive, "x").unwrap();
    world.dicast(&["evidence", "verify"]).exits(3).says("truncated");
}

#[test]
fn a_purge_is_agreed_to_and_verify_says_purged_not_missing() {
    let (world, run) = decided();
    world.write(&format!(".dicast/transcripts/{run}/a.txt"), "words");
    world.dicast(&["evidence", "purge", "--run", &run]).exits(10).complains("--yes").complains(&run);
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 1 run");
    world.dicast(&["evidence", "purge", "--run", &run, "--yes"]).exits(0).says("every file with its sha256");
    assert!(!world.path(&format!(".dicast/transcripts/{run}")).exists());
    world.dicast(&["evidence", "verify"]).exits(0).says("purged at").says("ok: 0 runs");
    world.dicast(&["evidence", "purge", "--run", &run, "--yes"]).exits(64).complains("it was purged at");
    world
        .dicast(&["evidence", "purge", "--run", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--yes"])
        .exits(64)
        .complains("there is no run");
}

#[test]
fn by_age_only_closed_runs_go_whose_verdict_does_not_stand() {
    let (world, run) = decided();
    let old = ["evidence", "archive", "--older-than", "30"];
    world.dicast(&old).exits(0).says("nothing to do");
    fs::remove_file(world.path("specs/003-rate-limiter/verdicts/plan.json")).unwrap();
    world.dicast(&["evidence", "archive", "--older-than", "36500"]).exits(0).says("nothing to do");
    world.dicast(&old).exits(0).says(&format!("archived {run}"));
    world.dicast(&["evidence", "purge", "003", "--older-than", "30", "--yes"]).exits(0).says(&format!("purged {run}"));
    world.dicast(&["evidence", "verify"]).exits(0).says("purged at");
}

#[test]
fn a_bundle_is_verified_elsewhere_and_a_changed_one_is_refused() {
    let (world, run) = decided();
    let said = world.dicast(&["evidence", "bundle", &run, "--out", "b.tar.gz", "--json"]).exits(0);
    assert_eq!(said.json()[0]["schema"], "dicast.bundle/1");
    let elsewhere = World::new();
    fs::copy(world.path("b.tar.gz"), elsewhere.path("b.tar.gz")).unwrap();
    elsewhere.dicast(&["evidence", "verify", "--bundle", "b.tar.gz"]).exits(0).says("ok: 1 run, 4 files");
    elsewhere.dicast(&["evidence", "verify", "--bundle", "nope"]).exits(64).complains("no such file");
    elsewhere.write("c.tar.gz", "x");
    elsewhere.dicast(&["evidence", "verify", "--bundle", "c.tar.gz"]).exits(3);
    // One byte of one file changed before it was packed.
    let panel = world.path(&format!(".dicast/evidence/consensus/003-rate-limiter/{run}/panels/1.json"));
    let text = fs::read_to_string(&panel).unwrap();
    fs::write(&panel, text.replacen("codex", "c0dex", 1)).unwrap();
    world.dicast(&["evidence", "bundle", "--run", &run, "--out", "d.tar.gz"]).exits(0).says("--bundle d.tar.gz");
    world.dicast(&["evidence", "verify", "--bundle", "d.tar.gz"]).exits(3).says("panels/1.json");
    world.dicast(&["evidence", "bundle"]).exits(64).complains("no run is named");
}

#[test]
fn an_anchor_in_a_git_note_misses_the_cut_end_of_a_journal() {
    let (world, run) = decided();
    let said = world.dicast(&["evidence", "anchor", "--json"]).exits(0).json();
    assert_eq!((&said[0]["schema"], &said[0]["heads"]), (&"dicast.anchored/1".into(), &1.into()));
    world.dicast(&["evidence", "anchor"]).exits(0).says("git push origin refs/notes/dicast");
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 1 run");
    // Whoever cuts the end takes the manifest, the published verdict and what it was decided on away, too.
    let folder = world.path(&format!(".dicast/evidence/consensus/003-rate-limiter/{run}"));
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    fs::write(folder.join("journal.jsonl"), journal.lines().next().unwrap().to_owned() + "\n").unwrap();
    for path in ["manifest.json", "panels/1.json", "verdicts/1.json"] {
        fs::remove_file(folder.join(path)).unwrap();
    }
    fs::remove_file(world.path("specs/003-rate-limiter/verdicts/plan.json")).unwrap();
    world.dicast(&["evidence", "verify"]).exits(3).says("truncated").says("a git note knows entry 3");
    fs::remove_dir_all(&folder).unwrap();
    world.dicast(&["evidence", "verify"]).exits(0).says("a git note knows it, and it is not here");
    let bare = World::new();
    bare.dicast(&["evidence", "anchor"]).exits(64).complains("no chain");
}
