//! Worktrees, trials and landings in real repositories.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::domain::artifact::body::Change;
use crate::domain::candidate::{Chosen, Landing, Picked, Place, Share, Step};
use crate::domain::hash::Sha;
use crate::domain::hunks::{HunkId, Picks};
use crate::domain::ids::{AgentName, Family};
use crate::domain::moment::Moment;
use crate::domain::settings::{CheckSource, CheckTemplate, Guardrails};

/// Runs every function `test_*` of `tests/*_test.sh`, and names it as libtest does.
const RUNNER: &str = "#!/bin/sh\nred=0\nfor f in tests/*_test.sh; do\n\
    for t in $(sed -n 's/^\\(test_[a-z_]*\\)().*/\\1/p' \"$f\"); do\n\
    if ( . \"./$f\"; $t ) >/dev/null 2>&1; then echo \"test $t ... ok\"; else echo \"test $t ... FAILED\"; red=1; fi\n\
    done\ndone\nexit $red\n";

const OLD: &str = "test_old() { . src/limit.sh; [ \"$(limit)\" -ge 5 ]; }\n";

fn limit(n: u32) -> String {
    format!("limit() {{ echo {n}; }}\n")
}

impl Bench {
    /// A repository with a program, a test and a runner, in one commit.
    fn shop(&self) {
        self.write("src/limit.sh", &limit(5));
        self.write("tests/old_test.sh", OLD);
        self.write("run_tests.sh", RUNNER);
        self.write(".gitignore", "/target/\n.dicast/\n");
        self.write("specs/003-rate-limiter/spec.md", "# X\n\n- **FR-001**: It MUST wait.\n");
        fs::set_permissions(self.root().join("run_tests.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        self.git(1, &["init", "-q", "-b", "main"]);
        self.git(1, &["add", "-A"]);
        self.git(1, &["commit", "-q", "-m", "first"]);
    }

    fn said(&self, args: &[&str]) -> String {
        let run = Program::new("git").args(args).current_dir(self.root()).output().unwrap();
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    }

    /// Everything of the user's that must stay as it is: what is checked out, staged, changed and put away.
    fn own(&self) -> Vec<String> {
        [
            &["rev-parse", "HEAD"][..],
            &["symbolic-ref", "HEAD"],
            &["ls-files", "-s"],
            &["status", "--porcelain=v2", "--untracked-files=all"],
            &["stash", "list"],
        ]
        .iter()
        .map(|args| self.said(args))
        .collect()
    }

    fn plot(&self, agent: &str) -> Plot {
        Plot {
            run: RunId::mint(Moment(1_795_352_000_000), 7, 1),
            agent: AgentName::new(agent).unwrap(),
            start: None,
            base: self.said(&["rev-parse", "HEAD"]),
            afresh: false,
            folder: self.root().join(".dicast/worktrees"),
            quota: 1 << 30,
            apart: vec![".dicast/".into(), "specs/003-rate-limiter/".into()],
        }
    }

    async fn plant(&self, plot: &Plot) -> Result<PathBuf, Failure> {
        let token = CancellationToken::new();
        self.handle.plant(self.root(), plot.clone(), token).within(PATIENCE, "a worktree").await
    }

    async fn reap(&self, plot: &Plot) -> Patch {
        let token = CancellationToken::new();
        self.handle.reap(self.root(), plot.clone(), token).within(PATIENCE, "a change").await.unwrap()
    }

    /// A candidate with these files, by path.
    async fn candidate(&self, agent: &str, files: &[(&str, &str)]) -> (AgentName, (Family, Arc<Patch>)) {
        let plot = self.plot(agent);
        let tree = self.plant(&plot).await.unwrap();
        for (path, text) in files {
            fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
            fs::write(tree.join(path), text).unwrap();
        }
        (plot.agent.clone(), (Family::new(agent).unwrap(), Arc::new(self.reap(&plot).await)))
    }

    async fn land(&self, landing: &Landing, step: Step) -> Result<Option<String>, Failure> {
        let token = CancellationToken::new();
        self.handle.land(self.root(), landing.clone(), step, token).within(PATIENCE, "a landing").await
    }
}

#[test]
fn a_change_is_what_git_sees_and_nothing_of_the_user_is_touched() {
    bench(|bench| async move {
        bench.shop();
        bench.write("src/gone.sh", "x\n");
        bench.git(2, &["add", "-A"]);
        bench.git(2, &["commit", "-q", "-m", "second"]);
        // The user has something put away, something staged and something changed.
        bench.write("src/limit.sh", "put away\n");
        bench.git(2, &["stash", "-q"]);
        bench.write("notes.txt", "mine\n");
        bench.git(2, &["add", "notes.txt"]);
        bench.write("run_tests.sh", "changed\n");
        let before = bench.own();

        let plot = bench.plot("ann");
        let tree = bench.plant(&plot).await.unwrap();
        assert!(!tree.join("notes.txt").exists(), "it starts from the commit");
        fs::write(tree.join("src/limit.sh"), limit(10)).unwrap();
        fs::write(tree.join("logo.png"), b"\x89PNG\x00\xff\xfe").unwrap();
        fs::write(tree.join("a b\nc.txt"), "odd\n").unwrap();
        fs::remove_file(tree.join("src/gone.sh")).unwrap();
        fs::set_permissions(tree.join("tests/old_test.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", tree.join("out")).unwrap();
        fs::create_dir_all(tree.join("target")).unwrap();
        fs::write(tree.join("target/built"), "ignored").unwrap();
        fs::write(tree.join("specs/003-rate-limiter/spec.md"), "# Changed\n").unwrap();

        let patch = bench.reap(&plot).await;
        let files: Vec<(&str, Change)> = patch.files.iter().map(|(path, change)| (path.as_str(), *change)).collect();
        assert_eq!(
            files,
            [
                ("a b\nc.txt", Change::Add),
                ("logo.png", Change::Add),
                ("src/gone.sh", Change::Delete),
                ("src/limit.sh", Change::Modify),
                ("tests/old_test.sh", Change::Modify),
            ]
        );
        assert_eq!((patch.added, patch.removed, patch.unfit), (2, 2, None));
        assert_eq!(patch.left_out.iter().map(ToString::to_string).collect::<Vec<_>>(), ["out"]);
        assert!(patch.diff.text().contains("+limit() { echo 10; }") && patch.diff.text().contains("old mode 100644"));
        assert_eq!(bench.own(), before);

        // Taken up again with what was done in it, whatever was committed there.
        let commit = ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-aqm", "mine"];
        assert!(Program::new("git").args(commit).current_dir(&tree).output().unwrap().status.success());
        assert_eq!(bench.plant(&plot).await.unwrap(), tree);
        assert_eq!(bench.reap(&plot).await.tree, patch.tree);
        bench
    });
}

#[test]
fn another_attempt_starts_from_the_commit_and_a_repair_goes_on_with_what_is_there() {
    bench(|bench| async move {
        bench.shop();
        let plot = bench.plot("claude");
        let tree = bench.plant(&plot).await.unwrap();
        fs::write(tree.join("src/limit.sh"), "half").unwrap();
        fs::write(tree.join("half.sh"), "made").unwrap();
        bench.plant(&plot).await.unwrap();
        assert_eq!(fs::read_to_string(tree.join("half.sh")).unwrap(), "made");
        let afresh = Plot { afresh: true, ..plot };
        for _ in 0..2 {
            assert_eq!(bench.plant(&afresh).await.unwrap(), tree);
            assert_eq!(fs::read_to_string(tree.join("src/limit.sh")).unwrap(), limit(5));
            assert!(!tree.join("half.sh").exists());
        }
        assert_eq!(bench.reap(&afresh).await.files.len(), 0);
        bench
    });
}

#[test]
fn who_takes_the_git_of_a_worktree_away_gets_nobody_elses() {
    bench(|bench| async move {
        bench.shop();
        let (lost, other) = (bench.plot("ann"), bench.plot("bob"));
        let tree = bench.plant(&lost).await.unwrap();
        let kept = bench.plant(&other).await.unwrap();
        fs::remove_file(tree.join(".git")).unwrap();
        bench.write("run_tests.sh", "not committed\n");
        let before = bench.own();
        let head = bench.said(&["symbolic-ref", "HEAD"]);
        assert!(bench.plant(&Plot { afresh: true, ..lost.clone() }).await.is_err());
        for stays in [true, false] {
            let token = CancellationToken::new();
            let felled = bench.handle.fell(bench.root(), lost.clone(), stays, token).within(PATIENCE, "felling").await;
            assert!(felled.is_err(), "stays: {stays}");
        }
        assert_eq!((bench.own(), bench.said(&["symbolic-ref", "HEAD"])), (before, head), "the user's is not touched");
        // One that git refuses keeps no other.
        let token = CancellationToken::new();
        let uprooted = bench.handle.uproot(bench.root(), lost.folder.clone(), lost.run.clone(), token);
        assert!(uprooted.within(PATIENCE, "removing").await.is_err());
        assert!(!kept.exists());
        bench
    });
}

#[test]
fn only_worktrees_of_the_run_are_removed_and_what_is_in_the_way_is_left() {
    bench(|bench| async move {
        bench.shop();
        let users = bench.folder.path().join("users");
        bench.git(1, &["worktree", "add", "-q", "--detach", users.to_str().unwrap()]);
        let plot = bench.plot("ann");
        let tree = bench.plant(&plot).await.unwrap();
        fs::write(tree.join("new"), "dirty").unwrap();
        let token = CancellationToken::new();
        let uprooted = bench.handle.uproot(bench.root(), plot.folder.clone(), plot.run.clone(), token);
        uprooted.within(PATIENCE, "removing").await.unwrap();
        assert!(!tree.exists() && !plot.folder.join(plot.run.as_str()).exists() && users.join("src").exists());
        assert!(!bench.said(&["worktree", "list"]).contains(".dicast"));

        // What came of it is kept until the run is forgotten.
        bench.plant(&plot).await.unwrap();
        bench.git(1, &["update-ref", "refs/dicast/other/ann", "HEAD"]);
        bench.git(1, &["update-ref", &format!("refs/dicast/{}/ann", plot.run), "HEAD"]);
        let token = CancellationToken::new();
        let forgotten = bench.handle.forget(bench.root(), plot.folder.clone(), plot.run.clone(), token);
        forgotten.within(PATIENCE, "forgetting").await.unwrap();
        assert_eq!(bench.said(&["for-each-ref", "--format=%(refname)", "refs/dicast"]).trim(), "refs/dicast/other/ann");
        assert!(!tree.exists() && users.join("src").exists());

        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("work"), "somebody's").unwrap();
        let refused = bench.plant(&plot).await.unwrap_err();
        assert_eq!(refused.exit(), 10);
        assert!(refused.hint().contains("git worktree remove"), "{}", refused.hint());
        assert!(tree.join("work").exists());

        let full = Plot { quota: 4, ..bench.plot("bob") };
        let refused = bench.plant(&full).await.unwrap_err();
        assert!(refused.hint().contains("worktrees.quota_mb"), "{}", refused.hint());
        bench
    });
}

#[test]
fn a_worktree_that_grows_beyond_its_quota_is_noticed_while_it_is_written_and_taken_away() {
    bench(|bench| async move {
        bench.shop();
        let plot = Plot { quota: 64 << 10, ..bench.plot("ann") };
        let tree = bench.plant(&plot).await.unwrap();
        let over = CancellationToken::new();
        let quiet = bench.handle.outgrows(plot.clone(), over.clone());
        over.cancel();
        assert!(!quiet.within(PATIENCE, "the end of a turn").await.unwrap());
        let grown = bench.handle.outgrows(plot.clone(), CancellationToken::new());
        fs::create_dir_all(tree.join("target")).unwrap();
        // In what git ignores as well.
        fs::write(tree.join("target/big"), vec![0; 65 << 10]).unwrap();
        assert!(grown.within(PATIENCE, "too much").await.unwrap());

        let fell = async |stays| {
            let token = CancellationToken::new();
            bench.handle.fell(bench.root(), plot.clone(), stays, token).within(PATIENCE, "room").await
        };
        fell(true).await.unwrap();
        assert!(tree.join("src/limit.sh").exists() && !tree.join("target").exists(), "whoever works there stays");
        fell(false).await.unwrap();
        assert!(!tree.exists() && !bench.said(&["worktree", "list"]).contains("ann"));
        bench
    });
}

#[test]
fn every_candidate_runs_the_old_tests_and_those_of_the_others() {
    bench(|bench| async move {
        bench.shop();
        let ten = "test_ten() { . src/limit.sh; [ \"$(limit)\" -eq 10 ]; }\n";
        // It makes the old test say what its code does: the old one is run all the same.
        let bent = "test_old() { true; }\n";
        let patches: BTreeMap<_, _> = [
            bench.candidate("ann", &[("src/limit.sh", &limit(10)), ("tests/new_test.sh", ten)]).await,
            bench.candidate("bob", &[("src/limit.sh", &format!("# ten\n# not five\n{}", limit(10)))]).await,
            bench.candidate("cat", &[("src/limit.sh", &limit(1)), ("tests/old_test.sh", bent)]).await,
            bench.candidate("dan", &[("src/limit.sh", &limit(7))]).await,
            bench.candidate("eve", &[]).await,
        ]
        .into();
        let before = bench.own();
        let check = CheckTemplate { argv: vec!["./run_tests.sh".into(), "{id}".into()], source: CheckSource::Declared };
        let after = vec![vec!["test".to_owned(), "-f".into(), "src/limit.sh".into()]];
        let trial = Trial {
            base: bench.said(&["rev-parse", "HEAD"]),
            patches,
            tools: Tools {
                checks: [("sh".to_owned(), check)].into(),
                rails: Guardrails { before: vec![], after, timeout_ms: 10_000, clean_tree: false },
            },
            spec: spec(""),
        };
        let tried = bench.handle.try_out(bench.root(), trial.clone(), CancellationToken::new());
        let outcome = tried.within(PATIENCE, "the candidates").await.unwrap();
        let all: Vec<(&str, Share, Share, Option<&str>)> = outcome
            .tried
            .candidates
            .iter()
            .map(|c| (c.agent.as_str(), c.yours, c.theirs, c.out.as_ref().map(|why| why.as_str())))
            .collect();
        let share = |passed, of| Share { passed, of };
        assert_eq!(
            all,
            [
                ("ann", share(1, 1), share(1, 1), None),
                ("bob", share(1, 1), share(1, 1), None),
                ("dan", share(1, 1), share(0, 1), None),
                ("eve", share(0, 1), share(0, 1), Some("it changed nothing")),
                ("cat", share(0, 1), share(0, 1), Some("broke 1: test_old")),
            ]
        );
        let ann = outcome.tried.best().unwrap();
        assert!(ann.passed.contains("ann: test_ten") && ann.passed.contains("guardrail: test -f src/limit.sh"));
        assert!(outcome.logs.iter().any(|log| log.name == "dan-tests-of-ann-sh.log" && log.text.contains("FAILED")));
        assert_eq!(bench.own(), before);

        // The state is the one that the code has once the change is in it.
        let landing = landing(&trial, ann, Place::Tree);
        bench.land(&landing, Step::Put).await.unwrap();
        let now = bench.handle.tree_id(bench.root(), None, CancellationToken::new());
        assert_eq!(now.within(PATIENCE, "the tree").await.unwrap(), ann.state);
        bench
    });
}

fn landing(trial: &Trial, candidate: &crate::domain::candidate::Candidate, place: Place) -> Landing {
    let spec = SpecId::new("003-rate-limiter").unwrap();
    let (agent, tree) = (candidate.agent.clone(), candidate.tree.clone());
    let chosen = Chosen { agent, tree, left_out: Vec::new(), also: Vec::new(), unasked: Vec::new(), by: String::new() };
    Landing::of((&spec, "Rate limiter"), (&trial.base, chosen), ("RUN", &Sha::of("v")), (place, Moment(5_000)))
}

/// The spec of the shop, with these tasks.
fn spec(tasks: &str) -> Arc<Spec> {
    let file = |path: &str, text: &str| (format!("specs/003-rate-limiter/{path}"), FileText::text(text));
    let files = [file("spec.md", "# X\n\n- **FR-001**: It MUST wait.\n"), file("tasks.md", tasks)].into();
    Arc::new(check::read(&check::Tree { files, ..check::Tree::default() }).specs.remove(0))
}

/// What is run in the shop.
fn tools() -> Tools {
    let check = CheckTemplate { argv: vec!["./run_tests.sh".into(), "{id}".into()], source: CheckSource::Declared };
    let rails = Guardrails { before: vec![], after: vec![], timeout_ms: 10_000, clean_tree: false };
    Tools { checks: [("sh".to_owned(), check)].into(), rails }
}

#[test]
fn what_no_task_asked_for_is_left_out_unless_something_is_red_without_it() {
    bench(|bench| async move {
        bench.shop();
        let loads = "test_old() { . src/limit.sh; [ \"$(limit)\" -ge 5 ]; }\n";
        let patches: BTreeMap<_, _> = [
            bench.candidate("ann", &[("src/limit.sh", &limit(10)), ("notes.txt", "mine\n")]).await,
            // Its limit needs a file that nobody asked for.
            bench.candidate("bob", &[("src/limit.sh", ". src/ten.sh\n"), ("src/ten.sh", &limit(10))]).await,
            bench.candidate("cat", &[("src/limit.sh", &limit(9)), ("tests/more_test.sh", loads)]).await,
            bench.candidate("dan", &[("notes.txt", "nothing that was asked for\n")]).await,
        ]
        .into();
        let of = |tasks: &str| Trial {
            base: bench.said(&["rev-parse", "HEAD"]),
            patches: patches.clone(),
            tools: tools(),
            spec: spec(tasks),
        };
        let tried = |trial: Trial| {
            let tried = bench.handle.try_out(bench.root(), trial, CancellationToken::new());
            async { tried.within(PATIENCE, "the candidates").await.unwrap().tried }
        };
        let all = tried(of("- [ ] T001 Wait in `src/limit.sh`\n")).await;
        let told = |name: &str| {
            let one = all.of(&AgentName::new(name).unwrap()).unwrap();
            (one.files, one.out.is_none(), one.extras.as_ref().map(|extras| (extras.named(), extras.needed)))
        };
        assert_eq!(told("ann"), (1, true, Some(("notes.txt".to_owned(), false))));
        assert_eq!(told("bob"), (2, true, Some(("src/ten.sh".to_owned(), true))));
        assert_eq!(told("cat"), (2, true, None), "tests are what candidates are told apart by");
        assert_eq!(told("dan"), (1, true, Some(("notes.txt".to_owned(), true))), "nothing would be left of it");
        let ann = all.of(&AgentName::new("ann").unwrap()).unwrap();
        assert_eq!(bench.said(&["ls-tree", "--name-only", &ann.tree, "notes.txt"]), "");
        assert_eq!(bench.said(&["ls-tree", "--name-only", ann.whole(), "notes.txt"]), "notes.txt");
        let changes = patches.iter().map(|(agent, (_, patch))| (agent.clone(), Arc::clone(patch))).collect();
        assert!(all.is_of(&all.base, &changes), "it is known again by all that was changed");
        // Tasks that name nothing leave nothing out.
        assert!(tried(of("- [ ] T001 Wait\n")).await.candidates.iter().all(|one| one.extras.is_none()));

        // All of it together is built and tested when it is asked for.
        let ids = |name: &str| {
            let (agent, (_, patch)) = patches.get_key_value(&AgentName::new(name).unwrap()).unwrap();
            (agent.clone(), patch.diff.hunks().iter().map(|hunk| hunk.id.clone()).collect())
        };
        let picked = |picks: Picks| Picked {
            base: all.base.clone(),
            patches: patches.iter().map(|(agent, (_, patch))| (agent.clone(), Arc::clone(patch))).collect(),
            picks,
        };
        let test = async |picks: Picks| {
            let tested = bench.handle.try_picked(bench.root(), picked(picks), tools(), CancellationToken::new());
            tested.within(PATIENCE, "what was picked").await.unwrap()
        };
        let whole = test(Picks([ids("ann")].into())).await;
        assert_eq!((whole.tree.as_str(), all.red(ann, &whole)), (ann.whole(), None));
        // Half of what bob did is red.
        let (bob, hunks) = ids("bob");
        let patch = &patches[&bob].1;
        let is_limit = |id: &HunkId| patch.diff.hunk(id).is_some_and(|hunk| hunk.file == "src/limit.sh");
        let half = test(Picks([(bob, hunks.into_iter().filter(is_limit).collect())].into())).await;
        assert_eq!(all.red(ann, &half).map(|why| why.to_string()).as_deref(), Some("test_old"));
        bench
    });
}

/// A file of numbered lines; every fifth is the same, so that context alone does not say where a change belongs.
fn numbered(lines: u64) -> String {
    (0..lines).map(|n| if n % 5 == 0 { "same\n".to_owned() } else { format!("line {n}\n") }).collect()
}

/// Changes a text here and there, as a number says.
fn changed(text: &str, mut seed: u64) -> String {
    let mut out = String::new();
    for (at, line) in text.lines().enumerate() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (seed >> 33) % 17 {
            0 => {}
            1 => out.push_str(&format!("new {at}\n{line}\n")),
            2 => out.push_str(&format!("--- other {at}\r\n")),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    if seed.is_multiple_of(3) { out.trim_end().to_owned() } else { out }
}

#[test]
fn any_hunks_are_the_base_with_them_and_nothing_else() {
    bench(|bench| async move {
        bench.shop();
        let text = numbered(120);
        for path in ["src/a.txt", "src/b.txt", "src/gone.txt", "run.sh"] {
            bench.write(path, &text);
        }
        bench.write("odd \"name\".txt", &text);
        fs::write(bench.root().join("latin.txt"), b"caf\xe9\n".repeat(30)).unwrap();
        bench.git(2, &["add", "-A"]);
        bench.git(2, &["commit", "-q", "-m", "second"]);
        for seed in 1..4u64 {
            let plot = bench.plot(&format!("ann{seed}"));
            let tree = bench.plant(&plot).await.unwrap();
            for path in ["src/a.txt", "src/b.txt", "odd \"name\".txt"] {
                fs::write(tree.join(path), changed(&text, seed)).unwrap();
            }
            fs::write(tree.join("latin.txt"), b"caf\xe9\nth\xe9\n".repeat(14)).unwrap();
            fs::write(tree.join("logo.png"), b"\x89PNG\x00").unwrap();
            fs::write(tree.join("empty"), "").unwrap();
            fs::remove_file(tree.join("src/gone.txt")).unwrap();
            fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
            let patch = Arc::new(bench.reap(&plot).await);
            let all: Vec<HunkId> = patch.diff.hunks().iter().map(|hunk| hunk.id.clone()).collect();
            assert!(all.len() >= 12, "{}", all.len());
            let with = async |taken: Vec<HunkId>| {
                let picks = Picks([(plot.agent.clone(), taken.into_iter().collect())].into());
                let patches = [(plot.agent.clone(), Arc::clone(&patch))].into();
                let picked = Picked { base: patch.base.clone(), patches, picks };
                let none = Tools::default();
                let tested = bench.handle.try_picked(bench.root(), picked, none, CancellationToken::new());
                tested.within(PATIENCE, "what was picked").await.unwrap().tree
            };
            assert_eq!(with(all.clone()).await, patch.tree, "all of them are the change");
            let base = bench.said(&["rev-parse", &format!("{}^{{tree}}", patch.base)]);
            assert_eq!(with(Vec::new()).await, base, "none of them is the base");
            // What is taken and what is left add up to the change, and say the same lines.
            let (left, taken): (Vec<_>, Vec<_>) = all.iter().cloned().enumerate().partition(|(at, _)| at % 2 == 0);
            let ids = |list: Vec<(usize, HunkId)>| list.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
            let (left, taken) = (ids(left), ids(taken));
            let tree = with(taken.clone()).await;
            let mut said: Vec<String> = Vec::new();
            for (from, to) in [(base.as_str(), tree.as_str()), (tree.as_str(), patch.tree.as_str())] {
                let diff = bench.said(&["diff", "--no-renames", "--no-color", "-U0", from, to]);
                let lines = diff.lines().filter(|l| l.starts_with(['+', '-']) && !l.starts_with("+++ "));
                said.extend(
                    lines.filter(|l| !l.starts_with("--- a/") && !l.starts_with("--- \"a/")).map(str::to_owned),
                );
            }
            let lines = |taken: &[HunkId]| {
                let of = |id: &HunkId| patch.diff.hunk(id).map_or(0, |hunk| u64::from(hunk.added + hunk.removed));
                taken.iter().map(of).sum::<u64>()
            };
            let is_mark = |line: &&String| line.as_str() == "--- /dev/null";
            let marks = said.iter().filter(is_mark).count();
            let counted = (said.len() - marks) as u64;
            assert_eq!(counted, lines(&left) + lines(&taken), "seed {seed}");
        }
        bench
    });
}

#[test]
fn a_candidate_lands_once_however_often_it_is_done_and_comes_back_if_nothing_followed() {
    bench(|bench| async move {
        bench.shop();
        let (agent, (_, patch)) = bench.candidate("ann", &[("src/limit.sh", &limit(10)), ("new.txt", "new\n")]).await;
        let of = |place| Landing {
            agent: agent.clone(),
            base: patch.base.clone(),
            tree: patch.tree.clone(),
            place,
            branch: "dicast/003-rate-limiter".into(),
            message: "Rate limiter\n\nDicast-Run: RUN\nDicast-Verdict: V\n".into(),
            at: Moment(1_795_352_000_000),
            left_out: Vec::new(),
            also: Vec::new(),
            unasked: Vec::new(),
            by: String::new(),
        };
        let before = bench.own();
        // A hook that would refuse every commit is not asked.
        bench.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
        bench.write(".git/hooks/reference-transaction", "#!/bin/sh\nexit 1\n");
        for hook in ["pre-commit", "reference-transaction"] {
            let path = bench.root().join(".git/hooks").join(hook);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let branch = of(Place::Branch);
        let first = bench.land(&branch, Step::Put).await.unwrap().unwrap();
        assert_eq!(bench.land(&branch, Step::Put).await.unwrap().as_deref(), Some(first.as_str()));
        assert_eq!(bench.said(&["rev-list", "--count", "main..dicast/003-rate-limiter"]), "1");
        assert!(bench.said(&["log", "-1", "--format=%(trailers)", &first]).contains("Dicast-Verdict: V"));
        assert_eq!(bench.own(), before);
        let other = Landing { message: "another\n".into(), ..branch.clone() };
        assert!(bench.land(&other, Step::Put).await.unwrap_err().hint().contains("git branch -D"));
        assert!(bench.land(&other, Step::TakeBack).await.is_err(), "a branch with something else stays");
        bench.land(&branch, Step::TakeBack).await.unwrap();
        bench.land(&branch, Step::TakeBack).await.unwrap();
        assert_eq!(bench.said(&["branch", "--list", "dicast/*"]), "");

        let tree = of(Place::Tree);
        bench.land(&tree, Step::Put).await.unwrap();
        bench.land(&tree, Step::Put).await.unwrap();
        assert_eq!(fs::read_to_string(bench.root().join("src/limit.sh")).unwrap(), limit(10));
        assert_eq!(bench.said(&["diff", "--cached"]), "", "nothing is staged");
        bench.write("new.txt", "edited\n");
        let refused = bench.land(&tree, Step::TakeBack).await.unwrap_err();
        assert_eq!((refused.exit(), refused.hint().contains("git stash")), (10, true));
        bench.write("new.txt", "new\n");
        bench.land(&tree, Step::TakeBack).await.unwrap();
        // What was put there and never recorded goes; once somebody has committed it is theirs.
        for _ in 0..2 {
            bench.land(&tree, Step::Clear).await.unwrap();
            assert_eq!(fs::read_to_string(bench.root().join("src/limit.sh")).unwrap(), limit(5));
            bench.land(&tree, Step::Put).await.unwrap();
        }
        bench.git(3, &["-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "theirs", "--", "src/limit.sh"]);
        bench.land(&tree, Step::Clear).await.unwrap();
        assert_eq!(fs::read_to_string(bench.root().join("src/limit.sh")).unwrap(), limit(10));
        bench.git(4, &["-c", "core.hooksPath=/dev/null", "reset", "-q", "HEAD~"]);
        bench.land(&tree, Step::TakeBack).await.unwrap();
        assert_eq!(bench.own(), before);
        bench.write("src/limit.sh", "mine\n");
        assert_eq!(bench.land(&tree, Step::Put).await.unwrap_err().exit(), 10);
        assert_eq!(fs::read_to_string(bench.root().join("src/limit.sh")).unwrap(), "mine\n");
        bench
    });
}
