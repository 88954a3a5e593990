//! Implement from the outside: writers in worktrees of their own, a real git repository, real test runs.

use std::fs;

use super::memory::journal;
use super::runs::fake_agent;
use super::shop::{git, limit, shop_with};
use super::world::World;

const TASKS: &str = "# Tasks: Rate limiter\n\n- [ ] T001 Make the limit 10 in `src/limit.sh` (FR-001)\n\
    - [ ] T002 Try it in `tests/ten_test.sh` (FR-001)\n";

/// A repository with a program and a test in one commit, and writers that change these files.
fn shop(writers: &[(&str, &[String])]) -> World {
    let flags = |files: &[String]| {
        let flags: Vec<String> = files.iter().map(|file| format!("\"--write\", {file:?}")).collect();
        flags.join(", ")
    };
    let writers: Vec<(&str, String)> = writers.iter().map(|(name, files)| (*name, flags(files))).collect();
    let writers: Vec<(&str, &str)> = writers.iter().map(|(name, flags)| (*name, flags.as_str())).collect();
    shop_with(&fake_agent(), &writers, &[("specs/003-rate-limiter/tasks.md", TASKS)])
}

#[test]
fn the_best_of_two_writers_is_kept_then_taken_to_a_branch_and_the_one_that_broke_a_test_is_out() {
    let ten = "tests/ten_test.sh=test_ten() { . src/limit.sh; [ $(limit) -eq 10 ]; }\\n".to_owned();
    let own_notes = "notes.txt=mine\\n".to_owned();
    let world = shop(&[("ann", &[limit(10), ten, own_notes]), ("bob", &[limit(1)])]);
    let own =
        || [&["rev-parse", "HEAD"][..], &["ls-files", "-s"], &["diff"], &["stash", "list"]].map(|w| git(&world, w));
    let before = own();

    let said = world.dicast(&["implement", "--json"]).exits(10).says("--apply best");
    let tried = said.json().into_iter().find(|line| line["type"] == "candidates.tried").unwrap();
    let names: Vec<&str> =
        tried["candidates"].as_array().unwrap().iter().map(|c| c["agent"].as_str().unwrap()).collect();
    assert_eq!(names, ["ann", "bob"]);
    assert_eq!(tried["candidates"][1]["out"], "broke 1: test_old");
    // No task asked for the notes.
    assert_eq!(tried["candidates"][0]["extras"]["hunks"][0]["place"], "notes.txt");
    assert_eq!((own(), git(&world, &["worktree", "list"]).lines().count()), (before.clone(), 1));

    world.dicast(&["implement", "--apply", "bob"]).exits(10).complains("bob is out");
    let landed =
        world.dicast(&["implement", "--apply", "best"]).exits(0).says("landed   ann on dicast/003-rate-limiter");
    let landed = landed.says("left out notes.txt");
    assert!(!landed.err.contains("started"), "nobody is asked again: {}", landed.err);
    // A second time it is the same commit.
    world.dicast(&["implement", "--apply", "best"]).exits(0);
    assert_eq!(git(&world, &["rev-list", "--count", "HEAD..dicast/003-rate-limiter"]), "1");
    let told = git(&world, &["log", "-1", "--format=%an%n%(trailers:key=Dicast-Verdict)", "dicast/003-rate-limiter"]);
    let hash = world.dicast(&["verdict", "implement", "--at", "dicast/003-rate-limiter", "--json"]).exits(0).json();
    assert_eq!(told, format!("Ada\nDicast-Verdict: {}", hash[0]["hash"].as_str().unwrap()));
    assert_eq!(own(), before);
    assert_eq!(
        git(&world, &["diff", "--name-only", "HEAD", "dicast/003-rate-limiter"]),
        "src/limit.sh\ntests/ten_test.sh"
    );
    world.dicast(&["implement", "--undo"]).exits(0).says("undone   dicast/003-rate-limiter is gone");
    world.dicast(&["implement", "--undo"]).exits(0);
    assert_eq!((git(&world, &["branch", "--list", "dicast/*"]), own()), (String::new(), before));
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
#[ignore = "slow tier"]
fn what_a_candidate_needs_and_no_task_asked_for_is_for_a_person_and_the_report_says_who_took_it() {
    // The program reads its number from a file that no task names; the other one does not keep to the linter.
    let reads = "src/limit.sh=limit() { cat conf.txt; }\\n".to_owned();
    let tested = "tests/ten_test.sh=test_ten() { . src/limit.sh; [ $(limit) -eq 10 ]; }\\n".to_owned();
    let careless = "src/limit.sh=limit() { echo 10; }  # careless\\n".to_owned();
    let world = shop(&[("ann", &[reads, "conf.txt=10\\n".to_owned(), tested]), ("bob", &[careless])]);
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let lint = "[checks.lint]\nargv = [\"sh\", \"-c\", \"! grep -rq careless src\"]\n";
    world.write(".dicast/config.toml", format!("{lint}\n{config}"));
    world.dicast(&["trust", "approve"]).exits(0);

    let said = world.dicast(&["implement", "--json"]).exits(10);
    let tried = said.json().into_iter().find(|line| line["type"] == "candidates.tried").unwrap();
    let looks = |at: usize| tried["candidates"][at]["looks"].clone();
    assert_eq!(looks(0), serde_json::json!([{"name": "lint", "passed": true}]));
    assert_eq!(looks(1), serde_json::json!([{"name": "lint", "passed": false}]));
    assert_eq!(
        (&tried["candidates"][1]["out"], &tried["candidates"][1]["yours"]["of"]),
        (&"broke 1: check lint".into(), &1.into())
    );
    assert_eq!(tried["candidates"][0]["extras"]["needed"], true);

    let refused = world.dicast(&["implement", "--apply", "best"]).exits(10);
    refused.complains("no task asked for conf.txt, and its tests are red without").complains("--with-unasked");
    world.dicast(&["report", "--format", "html"]).exits(0).says("nobody has taken it, and its tests are red without");
    world.dicast(&["implement", "--apply", "best", "--with-unasked"]).exits(0).says("unasked conf.txt of ann");
    let message = git(&world, &["log", "-1", "--format=%B", "dicast/003-rate-limiter"]);
    assert!(message.contains("Taken although no task asked for it:\n- conf.txt of ann\n"), "{message}");
    for format in ["html", "md"] {
        let told = world.dicast(&["report", "--format", format]).exits(0);
        let told = told.says("What no task asked for").says("taken by");
        assert!(!told.out.contains("nobody has taken it"), "{}", told.out);
    }
}

#[test]
#[ignore = "slow tier: a writer that is stopped while it writes"]
fn a_writer_that_fills_the_disk_is_stopped_while_it_writes_and_its_tree_is_gone() {
    let world = shop(&[("ann", &[limit(10)])]);
    let greedy = "cat >/dev/null; for i in $(seq 200); do head -c 1000000 /dev/zero >>big; sleep 0.05; done";
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let writer = format!(
        "[[agents]]\nname = \"bob\"\nkind = \"command\"\nfamily = \"bob\"\nretry = {{ max = 1 }}\n\
         writes = [\"implement\"]\ncommand = [\"sh\", \"-c\", {greedy:?}]\n\n[worktrees]\nquota_mb = 3\n"
    );
    world.write(".dicast/config.toml", config + &writer);
    world.dicast(&["trust", "approve"]).exits(0);
    let said = world.dicast(&["implement", "--json"]);
    let ended =
        said.json().into_iter().find(|line| line["type"] == "agent.finished" && line["agent"] == "bob").unwrap();
    assert_eq!(ended["why"], "its worktree took more than 3 MiB", "{ended}");
    assert!(ended["next"].as_str().unwrap().contains("worktrees.quota_mb"), "{ended}");
    assert!(ended["duration_ms"].as_u64().unwrap() < 9_000, "it would write for ten seconds: {ended}");
    assert_eq!(said.json().iter().filter(|line| line["type"] == "agent.started" && line["agent"] == "bob").count(), 1);
    let left = walk(&world.path(".dicast/worktrees"));
    assert!(left.iter().all(|path| !path.ends_with("big")), "{left:?}");
    world.dicast(&["evidence", "verify"]).exits(0);
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// A writer that is spoken to over the Agent Client Protocol.
fn speaker(name: &str, flags: &[&str]) -> String {
    let agent = fake_agent().with_file_name("fake_acp_agent");
    assert!(agent.exists(), "run `cargo build --example fake_acp_agent` first");
    format!(
        "[[agents]]\nname = \"{name}\"\nkind = \"acp\"\nfamily = \"{name}\"\nretry = {{ max = 0 }}\nmode = \"plan\"\n\
         write_mode = \"default\"\nwrites = [\"implement\"]\ncommand = {:?}\n\n",
        [&[agent.to_str().unwrap()], flags].concat()
    )
}

#[test]
fn an_agent_that_is_spoken_to_writes_in_its_worktree_and_nowhere_else_whatever_it_asks() {
    let world = shop(&[]);
    let (log, out) = (world.path("log"), world.path("src/limit.sh"));
    let outside = format!("{}=pwned", out.display());
    let flags = ["--write", &limit(10), "--write", &outside, "--write", "../up=pwned", "--write", ".git=pwned"];
    let writer = speaker("ann", &[&flags[..], &["--ask", "execute", "--log", log.to_str().unwrap()]].concat());
    let checks = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", checks + &writer);
    world.dicast(&["trust", "approve"]).exits(0);
    let done = world.dicast(&["implement", "--apply", "best"]).exits(0);
    let done = done.says("landed   ann on dicast/003-rate-limiter").complains("refused by rule: outside its worktree");
    assert!(!done.err.contains("given once"), "what it is there for is not told each time: {}", done.err);
    assert_eq!(fs::read_to_string(&out).unwrap(), "limit() { echo 5; }\n", "the working copy is left alone");
    assert_eq!(git(&world, &["diff", "--stat=80", "--name-only", "HEAD", "dicast/003-rate-limiter"]), "src/limit.sh");
    assert_eq!(git(&world, &["show", "dicast/003-rate-limiter:src/limit.sh"]), "limit() { echo 10; }");
    let log = fs::read_to_string(log).unwrap();
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("answer"))
        .map(|line| ["\"yes\"", "\"no\""].into_iter().find(|word| line.contains(word)).unwrap())
        .collect();
    assert_eq!(
        said,
        ["\"no\"", "\"yes\"", "\"no\"", "\"no\"", "\"no\""],
        "the command, its file, three elsewhere: {log}"
    );
    assert!(log.contains("session/set_mode default") && !log.contains("session/set_mode plan"), "{log}");
    let journal = format!("{:?}", journal(&world));
    for rule in ["rule: in its own worktree", "rule: outside its worktree", "rule: nobody can be asked here"] {
        assert!(journal.contains(rule), "{rule} in {journal}");
    }
}

#[test]
fn what_is_not_committed_keeps_candidates_from_starting() {
    let world = shop(&[("ann", &[limit(10)])]);
    world.write("src/limit.sh", "mine\n");
    world.dicast(&["implement"]).exits(10).complains("src/limit.sh").complains("git stash");
    assert!(!world.path(".dicast/worktrees").exists());
}

#[test]
#[ignore = "slow tier: two stages with everything around them"]
fn auto_lands_the_best_in_the_working_copy_and_goes_on_behind_it() {
    let world = shop(&[("ann", &[limit(10)]), ("bob", &[limit(10)])]);
    let said = world.dicast(&["auto", "--stages", "implement,validate", "--apply", "best", "--json"]);
    let lines = said.json();
    let decided: Vec<&str> =
        lines.iter().filter(|l| l["type"] == "stage.verdict").filter_map(|l| l["stage"].as_str()).collect();
    assert_eq!(decided, ["implement", "validate"], "{}", said.err);
    assert!(lines.iter().any(|line| line["type"] == "candidate.landed" && line["place"] == "tree"));
    assert_eq!(fs::read_to_string(world.path("src/limit.sh")).unwrap(), "limit() { echo 10; }\n");
    // What was judged is what is there.
    world.dicast(&["verdict", "implement"]).exits(0);
    world.dicast(&["evidence", "verify"]).exits(0);
}
