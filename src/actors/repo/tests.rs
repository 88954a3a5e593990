//! The repo actor against real repositories: the sample with a history, a foreign one whose config would run programs,
//! and a large one.

#![expect(
    clippy::disallowed_methods,
    reason = "a test stands outside: it makes repositories, runs git itself and drives a runtime"
)]

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command as Program;
use std::time::Duration;

use super::*;
use crate::domain::check::{Rule, Severity};
use crate::domain::claim::lookup::{Found, Means};

mod worktrees;

/// No test waits longer than this for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    scope: Scope,
    handle: Handle,
    folder: tempfile::TempDir,
}

/// Runs a test inside a runtime, and sees that the actor ends and leaves no child.
fn bench<F: Future<Output = Bench>>(test: impl FnOnce(Bench) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let children = Children::new(&scope);
        let handle = spawn(&scope, children.clone());
        let bench = test(Bench { scope, handle, folder: tempfile::tempdir().unwrap() }).await;
        bench.scope.cancel.cancel();
        bench.scope.closed().await;
        assert!(children.living().is_empty());
    });
}

impl Bench {
    fn root(&self) -> PathBuf {
        self.folder.path().join("pantry")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.root().join(path)).unwrap();
        assert!(text.contains(from));
        self.write(path, &text.replacen(from, to, 1));
    }

    fn git(&self, day: u32, args: &[&str]) {
        let date = format!("2026-03-{day:02}T12:00:00Z");
        let run = Program::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(self.root())
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .unwrap();
        assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
    }

    /// Lays out the sample as a repository with one commit.
    fn sample(&self) {
        for (path, text) in crate_files() {
            self.write(path, text);
        }
        self.git(1, &["init", "-q", "-b", "003-rate-limiter"]);
        self.git(1, &["add", "-A"]);
        self.git(1, &["commit", "-q", "-m", "first"]);
    }

    async fn survey(&self) -> Arc<Overview> {
        let reply = self.handle.survey(self.root(), CancellationToken::new());
        reply.within(PATIENCE, "the survey").await.unwrap()
    }

    async fn check(&self, given: Option<&str>, range: Option<&str>) -> Result<Arc<Report>, Failure> {
        let (given, range) = (given.map(str::to_owned), range.map(str::to_owned));
        self.handle.check(self.root(), given, range, CancellationToken::new()).within(PATIENCE, "check").await
    }
}

/// The sample's files, read from where they are: actors must not know the command line, which carries them.
fn crate_files() -> Vec<(&'static str, &'static str)> {
    macro_rules! files {
        ($($path:literal),* $(,)?) => {
            vec![$(($path, include_str!(concat!("../../../examples/sample/", $path)))),*]
        };
    }
    let mut files = files![
        ".gitignore",
        ".specify/memory/constitution.md",
        "AGENTS.md",
        "docs/operations.md",
        "specs/001-key-value-store/plan.md",
        "specs/001-key-value-store/spec.md",
        "specs/001-key-value-store/tasks.md",
        "specs/002-audit-log/plan.md",
        "specs/002-audit-log/spec.md",
        "specs/002-audit-log/tasks.md",
        "specs/003-rate-limiter/spec.md",
        "src/audit.rs",
        "src/http.rs",
        "src/lib.rs",
        "src/limiter.rs",
        "src/main.rs",
        "src/store.rs",
        "tests/http.rs",
        "tests/limiter.rs",
        "tests/store.rs",
    ];
    files.push(("Cargo.toml", include_str!("../../../examples/sample/Cargo.toml.in")));
    files
}

#[test]
fn an_overview_says_what_is_there() {
    bench(|bench| async move {
        bench.sample();
        bench.write(".mcp.json", "{}");
        let seen = bench.survey().await;
        let git = seen.git.as_ref().unwrap();
        assert_eq!(
            (git.branch.as_deref(), git.dirty, git.head.as_ref().map(String::len)),
            (Some("003-rate-limiter"), 1, Some(7))
        );
        assert_eq!(seen.branch_spec().unwrap().as_str(), "003-rate-limiter");
        assert_eq!(seen.name, "pantry");
        assert_eq!(seen.context, ["AGENTS.md", ".specify/memory/constitution.md"]);
        assert_eq!(seen.hooks, [".mcp.json"]);
        assert_eq!(seen.checks["cargo-test"], ["cargo", "test", "--", "{id}"]);
        assert_eq!(seen.specs.len(), 3);
        assert_eq!(seen.specs[1].findings.iter().filter(|f| f.severity == Severity::Error).count(), 3);
        assert!(seen.specs[0].findings.is_empty());
        bench
    });
}

#[test]
fn a_spec_edited_after_its_plan_is_found_before_and_after_the_commit() {
    bench(|bench| async move {
        bench.sample();
        let stale = |seen: &Overview| {
            let found = seen.report.findings.iter().find(|f| f.rule == Rule::StalePlan);
            found.map(|f| f.message.to_string())
        };
        assert_eq!(stale(&*bench.survey().await), None);
        let spec = "specs/001-key-value-store/spec.md";
        bench.edit(spec, "over 128 bytes", "over 64 bytes");
        let now = stale(&*bench.survey().await);
        assert_eq!(now.as_deref(), Some("spec changed after its plan (not committed): FR-004"));
        bench.git(13, &["commit", "-qam", "narrow keys"]);
        let later = stale(&*bench.survey().await);
        assert_eq!(later.as_deref(), Some("spec changed after its plan (12 days): FR-004"));
        bench
    });
}

#[test]
fn a_range_is_checked_against_the_tasks_of_one_spec() {
    bench(|bench| async move {
        bench.sample();
        bench.edit("src/store.rs", "128", "256");
        bench.write("src/extra.rs", "pub fn extra() {}\n");
        bench.git(2, &["add", "-A"]);
        bench.git(2, &["commit", "-qm", "more"]);
        let report = bench.check(Some("001"), Some("HEAD~1..HEAD")).await.unwrap();
        let unasked: Vec<&str> = report.findings.iter().map(|f| f.place.file.as_str()).collect();
        assert_eq!(unasked, ["src/extra.rs"]);
        for (given, range, exit) in [
            (None, Some("no..such"), 64),
            (None, Some("--output=x"), 64),
            (Some("00"), None, 64),
            (Some("9"), None, 64),
        ] {
            assert_eq!(bench.check(given, range).await.unwrap_err().exit(), exit, "{given:?} {range:?}");
        }
        assert!(!bench.root().join("x").exists());
        bench
    });
}

#[test]
fn outside_git_everything_but_history_is_there() {
    bench(|bench| async move {
        bench.sample();
        fs::remove_dir_all(bench.root().join(".git")).unwrap();
        let seen = bench.survey().await;
        assert_eq!((seen.git.as_ref(), seen.specs.len()), (None, 3));
        assert_eq!(bench.check(None, Some("a..b")).await.unwrap_err().exit(), 64);
        bench
    });
}

#[test]
fn files_that_git_ignores_count_when_a_task_names_them() {
    bench(|bench| async move {
        bench.sample();
        bench.write(".gitignore", "/target\ntests/audit.rs\n");
        bench.write("tests/audit.rs", "");
        let report = bench.check(Some("002"), None).await.unwrap();
        assert!(!report.findings.iter().any(|f| f.rule == Rule::TickedFileMissing));
        bench
    });
}

#[test]
fn no_program_that_a_repository_names_is_run() {
    bench(|bench| async move {
        bench.sample();
        let marker = bench.folder.path().join("was-run");
        let evil = format!("sh -c 'touch {}; cat'", marker.display());
        let config = format!(
            "[core]\n\tfsmonitor = \"{evil}\"\n\thooksPath = hooks\n\tpager = \"{evil}\"\n\tsshCommand = \"{evil}\"\n\
             [diff]\n\texternal = \"{evil}\"\n[diff \"x\"]\n\ttextconv = \"{evil}\"\n\tcommand = \"{evil}\"\n\
             [filter \"x\"]\n\tclean = \"{evil}\"\n\tsmudge = \"{evil}\"\n\tprocess = \"{evil}\"\n\
             [log]\n\tshowSignature = true\n[gpg]\n\tprogram = \"{evil}\"\n[alias]\n\tstatus = \"!{evil}\"\n"
        );
        bench.edit("src/store.rs", "128", "256");
        bench.git(2, &["commit", "-qam", "more"]);
        let path = bench.root().join(".git/config");
        let config = fs::read_to_string(&path).unwrap() + &config;
        fs::write(&path, config).unwrap();
        bench.write(".gitattributes", "*.rs filter=x diff=x\n");
        bench.edit("src/store.rs", "256", "512");
        let report = bench.check(None, Some("HEAD~1..HEAD")).await.unwrap();
        let seen = bench.survey().await;
        assert!(!marker.exists(), "something was run");
        assert_eq!(report.specs.len(), 3);
        assert_eq!(seen.git.as_ref().unwrap().dirty, 2);
        // The same config does run something for a git that is not careful: the test can fail.
        let _ = Program::new("git").args(["status"]).current_dir(bench.root()).output().unwrap();
        assert!(marker.exists());
        bench
    });
}

#[test]
fn citations_are_seen_absent_false_or_outside() {
    bench(|bench| async move {
        bench.sample();
        let spec = Arc::clone(&bench.survey().await.specs[2].spec);
        let file = |path: &str, line| Citation::File { path: path.into(), line };
        let symbol = |symbol: &str, path: Option<&str>| Citation::Symbol {
            symbol: symbol.into(),
            path: path.map(str::to_owned),
        };
        let test = |id: &str| Citation::Test { check: None, id: id.into() };
        let requirement = |id: &str| Citation::Requirement { id: id.into() };
        let seen = |found: &Found| match found {
            Found::Seen { place, .. } => place.clone(),
            Found::Absent => "absent".into(),
            Found::False { why } => format!("false: {why}"),
            Found::Outside => "outside".into(),
            Found::Ran { .. } => "ran".into(),
        };
        let cases = [
            (file("src/limiter.rs", Some(19)), "src/limiter.rs:19"),
            (file("./src/../src/limiter.rs", None), "src/limiter.rs"),
            (file("spec.md", Some(1)), "specs/003-rate-limiter/spec.md:1"),
            (file("src/limiter.rs", Some(9_999)), "false: src/limiter.rs has 80 lines, so none is 9999"),
            (file("src/limiter.rs", Some(0)), "false: src/limiter.rs has 80 lines, so none is 0"),
            (file("src/quota.rs", None), "absent"),
            (file("../../etc/passwd", None), "outside"),
            (file("/etc/passwd", Some(1)), "outside"),
            (symbol("RateLimiter::allow", None), "src/limiter.rs:58"),
            (symbol("RateLimiter::allow", Some("src/limiter.rs")), "src/limiter.rs:58"),
            (symbol("limiter::Limits", Some("src/limiter.rs")), "src/limiter.rs:10"),
            (symbol("RateLimiter::refund", None), "false: RateLimiter::refund is nowhere in the code"),
            (symbol("Limits", Some("src/store.rs")), "false: Limits is not in src/store.rs"),
            (symbol("Quota", Some("src/quota.rs")), "absent"),
            (test("burst_of_twenty_is_allowed"), "tests/limiter.rs:22"),
            (test("limiter::burst"), "false: no test is called limiter::burst"),
            (test("allow"), "false: no test is called allow"),
            (requirement("fr-004"), "specs/003-rate-limiter/spec.md:25"),
            (requirement("FR-099"), "false: the spec has no FR-099"),
        ];
        let citations = cases.iter().map(|(citation, _)| citation.clone()).collect();
        let reply = bench.handle.look_up(bench.root(), spec, citations, None, CancellationToken::new());
        let found = reply.within(PATIENCE, "the look").await.unwrap();
        for (citation, wanted) in &cases {
            assert_eq!(seen(&found[citation]), *wanted, "{citation:?}");
        }
        bench
    });
}

#[test]
fn what_is_seen_says_how_it_was_seen() {
    bench(|bench| async move {
        bench.sample();
        bench.edit("src/store.rs", "KEY_MAX: usize = 128", "KEY_MAX: usize = 256");
        bench.write("src/fresh.rs", "pub fn fresh() {}\n");
        bench.write("tools/fresh.zig", "fn walk() void {}\n");
        let spec = Arc::clone(&bench.survey().await.specs[2].spec);
        let store = fs::read_to_string(bench.root().join("src/store.rs")).unwrap();
        let changed = u32::try_from(store.lines().position(|l| l.contains("256")).unwrap() + 1).unwrap();
        let line = |path: &str, line| Citation::File { path: path.into(), line: Some(line) };
        let symbol = |symbol: &str| Citation::Symbol { symbol: symbol.into(), path: None };
        let cases = [
            (line("src/store.rs", changed), Some(Means::Hunk)),
            (line("src/store.rs", 1), None),
            (line("src/fresh.rs", 1), Some(Means::Hunk)),
            (symbol("Store::put"), Some(Means::Parsed)),
            (symbol("walk"), Some(Means::Text)),
            (Citation::Test { check: None, id: "a_deleted_key_is_gone".into() }, Some(Means::Parsed)),
            (Citation::Requirement { id: "FR-001".into() }, None),
        ];
        let citations = cases.iter().map(|(citation, _)| citation.clone()).collect();
        let reply = bench.handle.look_up(bench.root(), spec, citations, None, CancellationToken::new());
        let found = reply.within(PATIENCE, "the look").await.unwrap();
        for (citation, wanted) in &cases {
            let Found::Seen { by, .. } = &found[citation] else { panic!("{citation:?}: {:?}", found[citation]) };
            assert_eq!(by, wanted, "{citation:?}");
        }
        bench
    });
}

impl Bench {
    /// Looks citations of changes up in what is not committed.
    async fn changes(&self, cited: &[(&str, Option<u32>)]) -> Vec<Option<Found>> {
        let spec = Arc::clone(&self.survey().await.specs[2].spec);
        let of = |(path, line): &(&str, Option<u32>)| Citation::Hunk { path: (*path).into(), line: *line };
        let citations = cited.iter().map(of).collect();
        let reply = self.handle.look_up(self.root(), spec, citations, None, CancellationToken::new());
        let mut found = reply.within(PATIENCE, "the look").await.unwrap();
        cited.iter().map(|cited| found.remove(&of(cited))).collect()
    }
}

fn is_false(found: &Option<Found>) -> bool {
    matches!(found, Some(Found::False { .. }))
}

fn is_hunk(found: &Option<Found>) -> bool {
    matches!(found, Some(Found::Seen { by: Some(Means::Hunk), .. }))
}

#[test]
fn a_cited_change_stands_in_a_line_that_is_there_or_was_taken_out() {
    bench(|bench| async move {
        bench.sample();
        bench.write("src/fresh.rs", "pub fn fresh() {}\n");
        let store = fs::read_to_string(bench.root().join("src/store.rs")).unwrap();
        let count = store.lines().count();
        let shorter: String = store.lines().take(count - 2).map(|line| format!("{line}\n")).collect();
        bench.write("src/store.rs", &shorter);
        let after = u32::try_from(count - 1).unwrap();
        let found = bench
            .changes(&[
                ("src/fresh.rs", None),
                ("src/fresh.rs", Some(1)),
                ("src/fresh.rs", Some(0)),
                ("src/fresh.rs", Some(2)),
                ("src/store.rs", Some(after)),
                ("src/store.rs", Some(after + 1)),
                ("src/audit.rs", None),
            ])
            .await;
        assert_eq!(found.iter().map(is_hunk).collect::<Vec<_>>(), [true, true, false, false, true, false, false]);
        assert_eq!(found[3], Some(Found::False { why: "src/fresh.rs has 1 lines, so none is 2".into() }));
        assert!([2, 3, 5, 6].into_iter().all(|n| is_false(&found[n])), "{found:?}");
        bench
    });
}

#[test]
fn a_binary_file_and_one_whose_mode_changed_are_changes_without_lines() {
    use std::os::unix::fs::PermissionsExt as _;
    bench(|bench| async move {
        bench.sample();
        fs::write(bench.root().join("logo.png"), [0_u8, 159, 146, 150]).unwrap();
        bench.write("tools/run.sh", "true\n");
        bench.git(2, &["add", "-A"]);
        bench.git(2, &["commit", "-qm", "more"]);
        fs::write(bench.root().join("logo.png"), [0_u8, 159, 146, 151]).unwrap();
        fs::set_permissions(bench.root().join("tools/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        let found = bench.changes(&[("logo.png", None), ("tools/run.sh", None), ("tools/run.sh", Some(1))]).await;
        assert!(is_hunk(&found[0]) && is_hunk(&found[1]) && is_false(&found[2]), "{found:?}");
        bench
    });
}

#[test]
fn where_git_cannot_tell_what_is_not_committed_no_cited_change_is_false() {
    bench(|bench| async move {
        bench.sample();
        bench.edit("src/store.rs", "128", "256");
        bench.write("src/fresh.rs", "pub fn fresh() {}\n");
        // What it would compare with is gone.
        let blob = Program::new("git").args(["rev-parse", "HEAD:src/store.rs"]).current_dir(bench.root()).output();
        let blob = String::from_utf8(blob.unwrap().stdout).unwrap();
        let (folder, name) = blob.trim().split_at(2);
        fs::remove_file(bench.root().join(".git/objects").join(folder).join(name)).unwrap();
        let cited = [("src/store.rs", None), ("src/audit.rs", Some(1)), ("src/fresh.rs", Some(1)), ("../x", None)];
        let found = bench.changes(&cited).await;
        assert_eq!((&found[0], &found[1]), (&None, &None));
        assert!(is_hunk(&found[2]), "git does not know it: {found:?}");
        assert_eq!(found[3], Some(Found::Outside));
        fs::remove_dir_all(bench.root().join(".git")).unwrap();
        assert_eq!(bench.changes(&cited[..2]).await, [None, None]);
        bench
    });
}

#[test]
fn a_range_has_one_hash_whatever_attributes_and_config_make_of_headings() {
    bench(|bench| async move {
        bench.sample();
        bench.edit("src/store.rs", "128", "256");
        bench.git(2, &["commit", "-qam", "more"]);
        let git = |token| git::Git::new(Children::new(&bench.scope), &bench.root(), token);
        let first = git(CancellationToken::new()).range("HEAD~1..HEAD").await.unwrap();
        bench.git(2, &["config", "diff.shout.xfuncname", "^.*(u).*$"]);
        bench.write(".git/info/attributes", "*.rs diff=shout\n");
        let second = git(CancellationToken::new()).range("HEAD~1..HEAD").await.unwrap();
        assert_ne!(first.diff, second.diff, "the attributes count for git");
        assert_eq!(first.range, second.range);
        bench
    });
}

#[test]
fn a_stop_is_heard_and_a_missing_folder_is_an_error() {
    bench(|bench| async move {
        let token = CancellationToken::new();
        token.cancel();
        bench.sample();
        let stopped = bench.handle.survey(bench.root(), token).within(PATIENCE, "the survey").await;
        assert_eq!(stopped, Err(Failure::Cancelled));
        let none = bench.handle.survey(bench.root().join("none"), CancellationToken::new());
        assert_eq!(none.within(PATIENCE, "the survey").await.unwrap_err().exit(), 3);
        bench
    });
}

#[test]
fn five_hundred_files_are_checked_quickly() {
    bench(|bench| async move {
        bench.sample();
        let body = "pub fn walk(steps: usize) -> usize {\n    steps.saturating_add(1) // step\n}\n".repeat(120);
        for n in 0..500 {
            bench.write(&format!("src/gen/f{n}.rs"), &body);
        }
        bench.git(2, &["add", "-A"]);
        bench.git(2, &["commit", "-qm", "many"]);
        let seen = bench.survey().await;
        assert_eq!(seen.report.files, 521);
        eprintln_took(seen.took_ms);
        // An unoptimised build on a busy machine; the release build stays far under a second.
        assert!(seen.took_ms < 10_000, "{} ms", seen.took_ms);
        bench
    });
}

/// Shows a duration where a test is run with `--nocapture`.
#[expect(clippy::print_stderr, reason = "a measurement for whoever runs the test by hand")]
fn eprintln_took(ms: u64) {
    eprintln!("reading and checking took {ms} ms");
}

#[test]
fn two_pipelines_in_one_process_check_in_copies_of_their_own() {
    bench(|bench| async move {
        let root = bench.root();
        bench.write("marker.md", "here");
        let other = spawn(&bench.scope, Children::new(&bench.scope));
        // The one that ends first clears its copy while the other one still works in its own.
        let check = |pause: &str| {
            let script = format!("sleep {pause}; test -f marker.md && echo \"test $0 ... ok\"");
            let argv = ["sh", "-c", &script, "{id}"].map(str::to_owned).to_vec();
            let source = crate::domain::settings::CheckSource::Declared;
            BTreeMap::from([("one".to_owned(), CheckTemplate { argv, source })])
        };
        let test = Citation::Test { check: None, id: "burst".into() };
        let token = CancellationToken::new();
        let quick = bench.handle.run_check(root.clone(), check("0.05"), test.clone(), token.clone());
        let slow = other.run_check(root.clone(), check("0.5"), test, token);
        for found in [quick.await.unwrap(), slow.await.unwrap()] {
            assert!(matches!(found, Found::Ran { passed: true, executed: 1, .. }), "{found:?}");
        }
        bench
    });
}
