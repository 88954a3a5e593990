//! The real program, killed at random moments: `cargo test --test kills -- --ignored`, and a part of `.ci/run`.
//! `DICAST_TEST_KILLS=300` kills more often, `DICAST_TEST_SEED` repeats a row.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it starts and kills the program and tells its seed"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "cli/world.rs"]
mod world;

#[path = "support/crash.rs"]
mod crash;

#[path = "support/moment.rs"]
mod moment;

#[path = "support/shop.rs"]
mod shop;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crash::Cut;
use moment::Pace;
use serde_json::Value;
use world::World;

/// How often the program is killed.
const KILLS: u64 = 100;

/// How often it is killed where it also writes: such a run is four times as long.
const KILLS_OF_WRITERS: u64 = 25;

/// Programs at once.
const AT_ONCE: u64 = 3;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The nth number of a series (splitmix64), so that a failure can be repeated from its seed.
fn nth(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stages of a spec that agents who write no code can go through; it ends where they have no outcome.
const AUTO: [&str; 5] = ["auto", "003", "--json", "--skip-stage", "implement=made by hand"];

fn panel_of_auto() -> World {
    crash::repo_with(&[("ann", ""), ("bob", ""), ("cyd", "")])
}

/// The recorded verdicts, by stage.
fn hashes(world: &World) -> BTreeMap<String, String> {
    let folder = world.path("specs/003-rate-limiter/verdicts");
    let read = |path: &PathBuf| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let files = fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path()));
    files.map(|verdict| (verdict["stage"].to_string(), verdict["hash"].to_string())).collect()
}

/// Who was asked again at a stage although the answer was on record, in any run.
fn asked_again(world: &World) -> Vec<String> {
    let runs = fs::read_dir(world.path(".dicast/evidence/consensus/003-rate-limiter")).unwrap();
    let mut runs: Vec<_> = runs.map(|entry| entry.unwrap().path().join("journal.jsonl")).collect();
    runs.sort();
    let (mut kept, mut again) = (BTreeSet::new(), Vec::new());
    for journal in runs.iter().filter(|path| path.is_file()) {
        for record in crash::events(&fs::read_to_string(journal).unwrap()) {
            let who = format!("{} {}", record["stage"], record["agent"]);
            match record["type"].as_str() {
                // Both stages are done again: what was answered is of the try before.
                Some("went_back") => kept.clear(),
                Some("agent_answered") => drop(kept.insert(who)),
                Some("agent_launched") if record["kind"] == "draft" && kept.contains(&who) => again.push(who),
                _ => {}
            }
        }
    }
    again
}

/// Processes that work in a repository.
fn working_in(world: &World) -> Vec<String> {
    let repo = fs::canonicalize(world.repo()).unwrap();
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let here = all.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&repo)));
    here.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ")).collect()
}

/// One way through several stages that is killed and gone on with.
struct Way {
    words: &'static [&'static str],
    make: fn() -> World,
    /// The stages that have a verdict in the end.
    stages: usize,
    /// The stage that is decided last.
    last: &'static str,
}

/// A shop whose writers get it right once they are told what went wrong: the run goes back once.
fn shop() -> World {
    let (first, then) = (shop::limit(7), shop::limit(10));
    let flags = format!(
        "\"--write\", {first:?}, \"--mend\", {then:?}, \"--cite\", \"src/limit.sh:1\", \"--test\", \"sh/test_ten\""
    );
    let test = "# FR-001, FR-002\ntest_ten() { . src/limit.sh; [ \"$(limit)\" -eq 10 ]; }\n";
    shop::shop_with(&crash::fake_agent(), &[("ann", &flags), ("bob", &flags)], &[("tests/ten_test.sh", test)])
}

/// Kills the program at random moments of a way, goes on with it, and looks at what that comes to.
fn killed_and_gone_on_with(way: &Way, kills: u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()));
    let (seed, kills) = (given("DICAST_TEST_SEED").unwrap_or(since), given("DICAST_TEST_KILLS").unwrap_or(kills));
    eprintln!("DICAST_TEST_SEED={seed} DICAST_TEST_KILLS={kills}");
    let whole = (way.make)();
    let (pace, Cut { code, .. }) = Pace::of(whole.program().args(way.words));
    let expected = hashes(&whole);
    assert_eq!(expected.len(), way.stages, "{expected:?}");
    let (next, through) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    if turn >= kills {
                        return;
                    }
                    let moment = pace.moment(nth(seed, turn));
                    let context = format!("seed {seed}, turn {turn}, {moment:?}");
                    let world = (way.make)();
                    let Cut { code: ended, out: told } = moment.cut(world.program().args(way.words));
                    through.fetch_add(u64::from(ended.is_some()), Ordering::SeqCst);
                    // What was told to the end is published: another start then rightly judges the last stage anew.
                    let is_told = |event: Value| event["type"] == "stage.verdict" && event["stage"] == way.last;
                    let is_whole = crash::events(&told).any(is_told);
                    let again = crash::said(world.program().args(way.words));
                    assert_eq!(again.code, code, "{context}: {told}\n{}", again.out);
                    assert_eq!(hashes(&world), expected, "{context}: {told}\n{}", again.out);
                    assert!(is_whole || asked_again(&world).is_empty(), "{context}: {:?}", asked_again(&world));
                    assert_eq!(working_in(&world), Vec::<String>::new(), "{context}");
                    let trees = shop::git(&world, &["worktree", "list"]);
                    assert!(trees.lines().count() <= 1, "{context}: {trees}");
                    let verified = world.dicast(&["evidence", "verify"]);
                    assert_eq!(verified.code, 0, "{context}: {}", verified.out);
                }
            });
        }
    });
    let through = through.into_inner();
    eprintln!("{} of {kills} runs were killed before they were through", kills - through);
    assert!(through < kills * 3 / 4, "most runs were through before they were killed: {through} of {kills}");
}

#[test]
#[ignore = "slow: a hundred runs of several stages, each killed and gone on with"]
fn auto_that_is_killed_at_random_moments_goes_on_to_the_same_verdicts_and_asks_nobody_twice() {
    killed_and_gone_on_with(&Way { words: &AUTO, make: panel_of_auto, stages: 4, last: "audit" }, KILLS);
}

#[test]
#[ignore = "slow: runs from plan to unlock that go back once, each killed and gone on with"]
fn auto_with_writers_that_is_killed_goes_on_also_where_it_went_back_and_leaves_no_worktree() {
    let words = &["auto", "003", "--json", "--apply", "best"];
    killed_and_gone_on_with(&Way { words, make: shop, stages: 6, last: "unlock" }, KILLS_OF_WRITERS);
}

#[test]
#[ignore = "slow: a hundred runs, each killed and gone on with"]
fn killed_at_random_moments_a_run_goes_on_to_the_same_verdict_and_loses_nothing_acknowledged() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()));
    let (seed, kills) = (given("DICAST_TEST_SEED").unwrap_or(since), given("DICAST_TEST_KILLS").unwrap_or(KILLS));
    eprintln!("DICAST_TEST_SEED={seed} DICAST_TEST_KILLS={kills}");
    let (pace, _) = Pace::of(crash::repo().program().args(crash::RUN));
    let expected = crash::whole_run();
    let (next, through) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    if turn >= kills {
                        return;
                    }
                    let moment = pace.moment(nth(seed, turn));
                    let repo = crash::repo();
                    let cut = moment.cut(repo.program().args(crash::RUN));
                    through.fetch_add(u64::from(cut.code.is_some()), Ordering::SeqCst);
                    crash::goes_on(&repo, &cut, &expected, &format!("seed {seed}, turn {turn}, {moment:?}"));
                }
            });
        }
    });
    let through = through.into_inner();
    eprintln!("{} of {kills} runs were killed before they were through", kills - through);
    assert!(through < kills * 3 / 4, "most runs were through before they were killed: {through} of {kills}");
}

/// A `git` that ends whoever has started it, at the nth time that it puts a change into the working copy: before it does,
/// or when it has.
fn deadly_git(folder: &Path, nth: u32, is_done: bool) {
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap();
    let git = git.display();
    let (before, after) = if is_done { ("", "kill -9 $PPID") } else { ("kill -9 $PPID; exit 1", "") };
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--check*|*--reverse*) exec {git} \"$@\";; *apply*) ;; *) exec {git} \"$@\";; esac\n\
         echo x >> {0}/times; is_now=$([ $(wc -l < {0}/times) -eq {nth} ] && echo yes)\n\
         if [ -n \"$is_now\" ]; then :; {before}\nfi\n{git} \"$@\"\nif [ -n \"$is_now\" ]; then :; {after}\nfi\n",
        folder.display(),
    );
    fs::write(folder.join("git"), script).unwrap();
    fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "slow: four runs from plan to unlock, each killed while its change lands"]
fn killed_while_a_change_lands_it_goes_on_as_if_nothing_had_been() {
    let words = ["auto", "003", "--json", "--apply", "best"];
    let whole = shop();
    let code = crash::said(whole.program().args(words)).code;
    let expected = hashes(&whole);
    for (nth, is_done) in [(1, false), (1, true), (2, false), (2, true)] {
        let context = format!("landing {nth}, done: {is_done}");
        let (world, folder) = (shop(), tempfile::tempdir().unwrap());
        deadly_git(folder.path(), nth, is_done);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let cut = crash::said(world.program().args(words).env("PATH", path));
        assert_eq!(cut.code, None, "{context}: it was not killed: {}", cut.out);
        let again = crash::said(world.program().args(words));
        assert_eq!((again.code, hashes(&world)), (code, expected.clone()), "{context}: {}\n{}", cut.out, again.out);
        assert!(asked_again(&world).is_empty(), "{context}: {:?}", asked_again(&world));
    }
}
