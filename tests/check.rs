//! `check` on the sample project and on mutations of it: findings change exactly as the project does.

#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::time::Instant;

use dicast::cli::{check as print, sample};
use dicast::domain::check::{
    Changes, Commit, FileText, History, Report, Rule, Severity, Tally, Tree, check, hunks, look_up, read,
};
use dicast::domain::claim::lookup::{Citation, Found};
use dicast::domain::ids::SpecId;
use dicast::domain::moment::Moment;

fn tree() -> Tree {
    let files = sample::files().iter().map(|(path, text)| ((*path).to_owned(), FileText::text(*text))).collect();
    Tree { files, ..Tree::default() }
}

fn report(tree: &Tree) -> Report {
    check(&read(tree), tree, None, None)
}

/// Findings as spec, rule and subject, remarks left out.
fn found(report: &Report) -> BTreeSet<(String, &'static str, String)> {
    let worse = report.findings.iter().filter(|f| f.severity != Severity::Info);
    worse
        .map(|f| (f.spec.as_ref().map(ToString::to_string).unwrap_or_default(), f.rule.id(), f.about.clone()))
        .collect()
}

fn edit(tree: &mut Tree, path: &str, from: &str, to: &str) {
    let text = tree.text(path).unwrap_or_else(|| panic!("no {path}"));
    assert!(text.contains(from), "{path} has no {from:?}");
    let text = text.replacen(from, to, 1);
    tree.files.insert(path.to_owned(), FileText::text(text));
}

/// What a mutation adds to and takes from the findings.
fn change(mutate: impl Fn(&mut Tree)) -> (Vec<String>, Vec<String>) {
    let before = report(&tree());
    let mut after = tree();
    mutate(&mut after);
    let after = report(&after);
    let (before, after) = (found(&before), found(&after));
    let shown =
        |(spec, rule, about): &(String, &str, String)| format!("{} {rule} {about}", &spec[..3]).trim().to_owned();
    (after.difference(&before).map(shown).collect(), before.difference(&after).map(shown).collect())
}

const TASKS_1: &str = "specs/001-key-value-store/tasks.md";
const TASKS_2: &str = "specs/002-audit-log/tasks.md";
const SPEC_1: &str = "specs/001-key-value-store/spec.md";
const SPEC_3: &str = "specs/003-rate-limiter/spec.md";

#[test]
fn the_sample_has_one_sound_spec_one_that_lies_and_one_that_is_vague() {
    let report = report(&tree());
    assert_eq!(print::text(&report), include_str!("snapshots/check-sample.txt"));
    assert_eq!(report.exit(), 1);
    assert_eq!(report.of(&SpecId::new("001-key-value-store").unwrap()).count(), 0);
}

#[test]
fn deleting_a_function_is_found() {
    let (new, gone) = change(|t| edit(t, "src/store.rs", "pub fn delete(", "pub fn forget("));
    assert_eq!(new, ["001 ticked-symbol-missing T002"]);
    assert!(gone.is_empty());
    let (new, _) = change(|t| edit(t, "src/http.rs", "pub fn read_request(", "pub fn parse("));
    assert_eq!(new, ["001 ticked-symbol-missing T006"]);
}

#[test]
fn deleting_a_type_is_found() {
    let (new, _) = change(|t| edit(t, "src/store.rs", "pub enum StoreError", "pub enum Refusal"));
    assert_eq!(new, ["001 ticked-symbol-missing T003"]);
}

#[test]
fn deleting_a_test_is_found() {
    let (new, gone) = change(|t| edit(t, "tests/http.rs", "fn unknown_keys_answer_404()", "fn something_else()"));
    assert_eq!(new, ["001 ticked-test-missing T007"]);
    assert!(gone.is_empty());
}

#[test]
fn deleting_a_file_is_found_by_each_task_that_names_it() {
    let (new, gone) = change(|t| {
        t.files.remove("tests/store.rs");
    });
    assert_eq!(
        new,
        [
            "001 requirement-without-test FR-001",
            "001 requirement-without-test FR-002",
            "001 requirement-without-test FR-003",
            "001 ticked-file-missing T004",
            "001 ticked-test-missing T004",
        ]
    );
    assert!(gone.is_empty());
}

#[test]
fn deleting_a_requirement_leaves_its_tasks_orphaned() {
    let line = "- **FR-003**: The service MUST forget a key on `DELETE /keys/<key>`\n";
    let (new, gone) = change(|t| edit(t, SPEC_1, line, ""));
    assert_eq!(new, ["001 orphan-task T002", "001 orphan-task T004"]);
    assert!(gone.is_empty());
}

#[test]
fn adding_a_requirement_finds_that_nobody_plans_it() {
    let (new, _) = change(|t| edit(t, SPEC_1, "## Success", "- **FR-007**: The service MUST list keys\n\n## Success"));
    assert_eq!(new, ["001 requirement-without-task FR-007"]);
}

#[test]
fn unticking_clears_and_ticking_again_brings_it_back() {
    let (new, gone) = change(|t| edit(t, TASKS_2, "- [x] T004", "- [ ] T004"));
    assert!(new.is_empty(), "{new:?}");
    // The requirement's work is open again, so that its test may still come.
    assert_eq!(gone, ["002 requirement-without-test FR-002", "002 ticked-symbol-missing T004"]);
    let (new, gone) = change(|t| {
        edit(t, TASKS_2, "- [x] T004", "- [ ] T004");
        edit(t, TASKS_2, "- [ ] T004", "- [x] T004");
    });
    assert!(new.is_empty() && gone.is_empty());
    let (new, _) = change(|t| edit(t, TASKS_1, "- [x] T008 Serve", "- [x] T008 Test `no_such_test`, serve"));
    assert_eq!(new, ["001 ticked-test-missing T008"]);
}

#[test]
fn writing_what_was_missing_clears_it() {
    let (new, gone) = change(|t| {
        let rotate = "    pub fn rotate(&mut self) {\n        self.lines = 0;\n    }\n\n    /// Returns the sink.";
        edit(t, "src/audit.rs", "    /// Returns the sink.", rotate);
        t.files.insert("tests/audit.rs".into(), FileText::text("#[test]\nfn rotates() {}\n"));
    });
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(
        gone,
        ["002 requirement-without-test FR-002", "002 ticked-file-missing T005", "002 ticked-symbol-missing T004"]
    );
}

#[test]
fn a_second_value_for_one_id_is_a_contradiction_and_so_is_its_opposite() {
    let twice = "- **FR-001**: The service MUST limit each API key to 20 requests per second\n\n## Success";
    let (new, _) = change(|t| edit(t, SPEC_3, "## Success", twice));
    assert_eq!(new, ["003 contradiction FR-001"]);
    let mut graver = tree();
    edit(&mut graver, SPEC_3, "MAY log", "MUST NOT log");
    let is_error =
        |r: &Report| r.findings.iter().any(|f| f.rule == Rule::Contradiction && f.severity == Severity::Error);
    assert!(is_error(&report(&graver)) && !is_error(&report(&tree())));
    let optional = "- **FR-008**: The service MAY log every refusal with its API key\n";
    let (_, gone) = change(|t| edit(t, SPEC_3, optional, ""));
    assert_eq!(gone, ["003 contradiction FR-008"]);
}

#[test]
fn a_vague_requirement_is_cleared_by_a_number() {
    let (new, gone) = change(|t| edit(t, SPEC_3, "decide quickly, even", "decide quickly, within 1 ms, even"));
    assert_eq!((new, gone), (vec![], vec!["003 vague FR-005".to_owned()]));
    let (new, _) = change(|t| edit(t, SPEC_3, "with status 429 and", "[NEEDS CLARIFICATION: which status?] and"));
    assert_eq!(new, ["003 open-marker FR-002"]);
}

#[test]
fn what_the_constitution_forbids_is_found() {
    let with = |demand: &'static str| {
        change(move |t| edit(t, SPEC_1, "## Success", &format!("- **FR-009**: The limiter {demand}\n\n## Success"))).0
    };
    let forbidden = "001 constitution-forbids FR-009".to_owned();
    assert!(with("MUST read the clock itself").contains(&forbidden));
    assert!(!with("MUST NOT read the clock").contains(&forbidden));
}

fn commit(sha: &str, day: u64, files: &[&str]) -> Commit {
    Commit { sha: sha.into(), at: Moment(day * 86_400_000), files: files.iter().map(|f| (*f).to_owned()).collect() }
}

fn paths(wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    sample::files().iter().map(|(path, _)| *path).filter(|p| wanted(p)).collect()
}

#[test]
fn a_spec_that_changed_after_its_plan_is_found_by_its_demands() {
    let mut tree = tree();
    let id = SpecId::new("001-key-value-store").unwrap();
    let commits = vec![commit("b", 13, &[SPEC_1]), commit("a", 1, &paths(|_| true))];
    let mut history = History { commits, whole: true, ..History::default() };
    let stale = |history: &History, tree: &mut Tree| {
        tree.history = Some(history.clone());
        report(tree).findings.into_iter().find(|f| f.rule == Rule::StalePlan).map(|f| f.message.to_string())
    };
    let now = tree.text(SPEC_1).unwrap().to_owned();
    history.planned.insert(id.clone(), now.replace("**Status**: Done", "**Status**: Draft"));
    assert_eq!(stale(&history, &mut tree), None, "only the status changed");
    history.planned.insert(id, now.replace("over 128 bytes", "over 64 bytes"));
    assert_eq!(stale(&history, &mut tree), Some("spec changed after its plan (12 days): FR-004".into()));
    history.commits[0].files.push("specs/001-key-value-store/plan.md".into());
    assert_eq!(stale(&history, &mut tree), None, "planned again");
}

#[test]
fn what_was_deleted_after_a_commit_is_gone_rather_than_never_there() {
    let mut tree = tree();
    let commits = vec![commit("abc1234", 1, &paths(|_| true))];
    let mut history = History { commits, whole: true, ..History::default() };
    history.dirty.insert("tests/http.rs".into());
    tree.files.remove("tests/http.rs");
    tree.history = Some(history);
    let report = report(&tree);
    let gone = report.findings.iter().find(|f| f.rule == Rule::TickedFileGone && f.about == "T007").unwrap();
    assert!(gone.message.as_str().contains("deleted since the last commit"), "{}", gone.message);
}

#[test]
fn a_ticked_task_that_nobody_worked_on_is_found() {
    let mut tree = tree();
    let is_spec = |p: &str| p.starts_with("specs/");
    let worked = paths(|p| !is_spec(p) && p != "src/main.rs");
    let commits =
        vec![commit("c", 3, &worked), commit("b", 2, &paths(is_spec)), commit("a", 1, &paths(|p| !is_spec(p)))];
    tree.history = Some(History { commits, whole: true, ..History::default() });
    let untouched = |tree: &Tree| {
        let found = report(tree).findings.into_iter().filter(|f| f.rule == Rule::TickedUntouched);
        found.map(|f| (f.about, f.severity)).collect::<Vec<_>>()
    };
    assert_eq!(untouched(&tree), [("T008".to_owned(), Severity::Warning)]);
    tree.history.as_mut().unwrap().dirty.insert("src/main.rs".into());
    assert_eq!(untouched(&tree), []);
    // All the code is older than the specs: one remark for each spec, not a reproach for each task.
    tree.history.as_mut().unwrap().commits.remove(0);
    let found = untouched(&tree);
    assert!(!found.is_empty() && found.iter().all(|(about, severity)| about.is_empty() && *severity == Severity::Info));
}

const DIFF: &str = "diff --git a/src/store.rs b/src/store.rs\n--- a/src/store.rs\n+++ b/src/store.rs\n\
@@ -10,0 +11,2 @@ impl Store\n+a\n+b\ndiff --git a/src/extra.rs b/src/extra.rs\nnew file mode 100644\n--- /dev/null\n\
+++ b/src/extra.rs\n@@ -0,0 +1,3 @@\n+x\n+--- a/not/a/header\n+y\ndiff --git a/docs/old.md b/docs/old.md\n\
--- a/docs/old.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";

#[test]
fn changes_that_no_task_asked_for_are_found() {
    let hunks = hunks(DIFF);
    let places: Vec<(&str, u32, u32)> = hunks.iter().map(|h| (h.file.as_str(), h.line, h.lines)).collect();
    assert_eq!(places, [("src/store.rs", 11, 2), ("src/extra.rs", 1, 3), ("docs/old.md", 1, 0)]);
    let tree = tree();
    let id = SpecId::new("001-key-value-store").unwrap();
    let report = check(&read(&tree), &tree, Some(&id), Some(&hunks));
    let unasked: Vec<&str> = report.findings.iter().map(|f| f.place.file.as_str()).collect();
    assert_eq!(unasked, ["docs/old.md", "src/extra.rs"]);
    assert_eq!(report.specs.len(), 1);
}

#[test]
fn documents_that_cannot_be_read_are_findings_and_stop_nothing_else() {
    let mut tree = tree();
    tree.files.insert(SPEC_1.into(), FileText::text(" \n"));
    let report = report(&tree);
    let unreadable: Vec<_> = report.findings.iter().filter(|f| f.rule == Rule::Unreadable).collect();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].message.as_str().contains("empty"));
    assert_eq!(report.specs.len(), 2);
    assert!(print::text(&report).contains("besides\n  error    spec.md: it is empty"));
}

#[test]
fn sarif_has_the_shape_that_its_standard_demands() {
    let report = report(&tree());
    let log: serde_json::Value = serde_json::from_str(&print::sarif(&report)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Rule::ALL.len());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(!place["artifactLocation"]["uri"].as_str().unwrap().contains(' '));
    }
}

#[test]
fn json_lines_are_numbered_and_end_with_run_finished() {
    let report = report(&tree());
    let text = print::jsonl(&report, Moment(0));
    let events: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for (n, event) in (1..).zip(&events) {
        assert_eq!((event["seq"].as_u64(), &event["schema"]), (Some(n), &"dicast.event/1".into()));
    }
    assert_eq!(events.iter().filter(|e| e["type"] == "check.finding").count(), report.findings.len());
    let last = events.last().unwrap();
    let fields = (&last["type"], &last["exit"], &last["run"]);
    assert_eq!(fields, (&"run.finished".into(), &1.into(), &serde_json::Value::Null));
}

#[test]
fn junit_counts_its_failures_and_escapes_foreign_text() {
    let mut tree = tree();
    edit(&mut tree, TASKS_2, "`tests/audit.rs` (FR-002)", "`tests/<audit>&\u{1b}.rs` `tests/b&c.rs` \"q\" (FR-002)");
    let report = report(&tree);
    let text = print::junit(&report);
    let failures = report.findings.iter().filter(|f| f.severity != Severity::Info).count();
    assert_eq!(text.matches("<failure ").count(), failures);
    assert!(text.contains("tests/b&amp;c.rs") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(text.matches("<testsuite ").count(), 3);
}

#[test]
fn nothing_unsafe_in_a_spec_reaches_a_report() {
    let mut tree = tree();
    let evil = "- [x] T099 Test `evil_test\u{202e}` in `tests/\u{1b}[2Jx.rs` and `tests/\u{9b}31m.rs` for FR-077\n";
    edit(&mut tree, TASKS_2, "- [x] T001", &format!("{evil}- [x] T001"));
    edit(&mut tree, "specs/002-audit-log/spec.md", "Audit log", "Audit \u{1b}]0;x\u{7} log");
    let report = report(&tree);
    for text in [print::text(&report), print::junit(&report), print::jsonl(&report, Moment(0))] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
}

/// A tree of one spec, `specs/001-a`, with these requirements and tasks.
fn small(spec: &str, tasks: &str) -> Tree {
    let mut tree = Tree::default();
    tree.files.insert("specs/001-a/spec.md".into(), FileText::text(format!("# A\n\n{spec}\n")));
    if !tasks.is_empty() {
        tree.files.insert("specs/001-a/tasks.md".into(), FileText::text(tasks));
    }
    tree
}

fn contradictions(demands: &[&str]) -> Vec<String> {
    let lines = (1..).zip(demands).map(|(n, d)| format!("- **FR-{n:03}**: {d}\n"));
    let report = report(&small(&lines.collect::<String>(), ""));
    let found = report.findings.into_iter().filter(|f| f.rule == Rule::Contradiction);
    found.map(|f| f.message.to_string()).collect()
}

#[test]
fn what_can_hold_together_is_no_contradiction() {
    let things: Vec<String> = (1..=10).map(|n| format!("The system MUST show thing {n}")).collect();
    let things: Vec<&str> = things.iter().map(String::as_str).collect();
    for demands in [
        &["A password MUST have at least 8 characters", "A password MUST have at most 128 characters"][..],
        &["A password MUST have at least 8 characters", "A password MUST NOT have more than 128 characters"],
        &["Users in tier 1 MAY have 100 projects", "Users in tier 2 MAY have 1000 projects"],
        &["Users in tier 1 MAY have 100 projects", "Users in tier 2 MAY have 1000"],
        &["Screen 1 MUST show a title", "Screen 2 MUST show a title"],
        &["Screen 1 MUST show a large title", "Screen 2 MUST NOT show a large title"],
        &["Admins MUST sign in and MUST leave after 30 minutes", "Guests MUST sign in and MUST leave after 60 minutes"],
        &things,
    ] {
        assert_eq!(contradictions(demands), [] as [&str; 0], "{demands:?}");
    }
}

#[test]
fn two_values_for_the_same_words_are_a_contradiction_shown_as_written() {
    let idle = |n: u8| format!("A session MUST expire after {n} minutes of inactivity");
    assert_eq!(
        contradictions(&[&idle(30), &idle(60)]),
        ["FR-002 contradicts FR-001 (line 3): 30 minutes there, 60 minutes here"]
    );
    assert_eq!(
        contradictions(&["A password MUST have at least 8 characters", "A password MUST have at least 12 characters"]),
        ["FR-002 contradicts FR-001 (line 3): 8 characters there, 12 characters here"]
    );
    assert_eq!(
        contradictions(&["The client MUST retry 5 times", "The client MUST retry 3 times"]),
        ["FR-002 contradicts FR-001 (line 3): 5 times there, 3 times here"]
    );
}

#[test]
fn a_requirement_has_one_contradiction_at_most() {
    let all: Vec<String> = (1..=20).map(|n| format!("The client MUST retry {n} times")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(contradictions(&all).len(), 19);
}

#[test]
fn an_id_in_a_test_belongs_to_the_spec_that_the_line_or_the_file_names() {
    let tests = |text: &str, both: bool| {
        let mut tree = small("- **FR-001**: A MUST be", "- [x] T001 Do it (FR-001)\n");
        let other = if both { "FR-001" } else { "FR-009" };
        let other = format!("# B\n- **{other}**: B MUST be\n");
        tree.files.insert("specs/002-audit-log/spec.md".into(), FileText::text(other));
        tree.files.insert("tests/t.rs".into(), FileText::text(text));
        report(&tree).specs.iter().map(|s| s.traces[0].tests.len()).collect::<Vec<_>>()
    };
    assert_eq!(tests("// FR-001\n", true), [0, 0]);
    assert_eq!(tests("// FR-001\n", false), [1, 0]);
    assert_eq!(tests("// 002-audit-log\n// FR-001\n", true), [0, 1]);
    assert_eq!(tests("// 002-audit-log\n// FR-001\n", false), [0, 0]);
    assert_eq!(tests("// the audit-log\n// 001-a FR-001\n", true), [1, 0]);
}

#[test]
fn short_ids_and_a_status_column_are_read_in_the_seed_layout() {
    let mut tree = Tree::default();
    let prd = "# Doors\n\n- R1: The system must open\n- **R2.** It may close\n- R-3: It must lock\n\n## Risks\n\n- R4: Rust\n";
    let tasks = "| Order | Task ID | Title | Status |\n|---|---|---|---|\n| 1 | T1 | Open, not closed (R1) | Done |\n\
                 | 2 | T2 | Be done with R2 and R-3 | Open |\n";
    tree.files.insert("docs/SPEC-1-doors/PRD.md".into(), FileText::text(prd));
    tree.files.insert("docs/SPEC-1-doors/tasks.md".into(), FileText::text(tasks));
    tree.files.insert("tests/doors.rs".into(), FileText::text("// R1 of SPEC-1\n"));
    let report = report(&tree);
    let traces: Vec<(&str, usize, usize)> =
        report.specs[0].traces.iter().map(|t| (t.requirement.as_str(), t.tasks.len(), t.tests.len())).collect();
    assert_eq!(traces, [("R-1", 1, 1), ("R-2", 1, 0), ("R-3", 1, 0)]);
    let counts = report.specs[0].tasks.unwrap();
    assert_eq!((counts.all, counts.ticked), (2, 1));
}

#[test]
fn remarks_are_counted_and_are_not_nothing() {
    let report = report(&tree());
    assert_eq!(report.tally().words(), "3 errors, 5 warnings, 2 remarks");
    let of = |severity| Tally::of(report.findings.iter().filter(|f| f.severity == severity)).words();
    assert_eq!(of(Severity::Info), "2 remarks");
    assert_eq!(Tally::of([]).words(), "nothing found");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_document_makes_check_panic_and_reports_are_stable(
        spec in "(- \\*\\*(FR|R)-00[1-3]\\*\\*: (The [a-z]{1,5} )?(MUST|SHOULD|MAY)( NOT)? [a-z0-9 `.é]{0,30}\n){0,8}",
        tasks in "(- \\[[ x]\\] T00[1-9] [A-Za-z_:`/ .é()-]{0,40} FR-00[1-5]\n){0,8}",
        code in "((pub )?(fn|struct|//|impl|\"|=|:)[ a-zA-Z_(){}.é]{0,30}\n){0,20}",
        constitution in "(- Code MUST NOT [a-z ]{0,20}\n){0,3}",
    ) {
        let mut tree = Tree::default();
        for (path, text) in [
            ("specs/001-a/spec.md", spec), ("specs/001-a/tasks.md", tasks), ("src/a.rs", code),
            (".specify/memory/constitution.md", constitution),
        ] {
            tree.files.insert(path.into(), FileText::text(text));
        }
        let first = report(&tree);
        proptest::prop_assert_eq!(&first, &report(&tree));
        for survey in &first.specs {
            if let Some(c) = survey.tasks {
                proptest::prop_assert_eq!(c.ticked, c.seen + c.absent + c.unnamed);
            }
        }
        let _ = (print::text(&first), print::sarif(&first), print::junit(&first));
    }

    #[test]
    fn no_diff_makes_the_reader_panic(
        text in "((@@ -[0-9,]{0,4} \\+[0-9,]{0,4} @@|---|\\+\\+\\+| |[+-]|diff)[ a-z/é]{0,8}\n){0,30}|(?s).{0,200}"
    ) {
        let _ = hunks(&text);
    }
}

#[test]
fn four_times_as_many_citations_of_a_long_file_cost_about_four_times_as_much() {
    let spec = read(&tree()).specs.remove(0);
    let cost = |lines: u32| {
        let text: String = (1..=lines).map(|n| format!("line {n} of a file that is long\n")).collect();
        let hunks: String = (1..=lines).step_by(2).map(|n| format!("@@ -{n} +{n} @@\n-x\n+y\n")).collect();
        let tree = Tree { files: [("src/long.rs".to_owned(), FileText::text(text))].into(), ..Tree::default() };
        let files = ["src/long.rs".to_owned()].into();
        let changes = Changes::uncommitted(files, &format!("--- a/src/long.rs\n+++ b/src/long.rs\n{hunks}"));
        let cited = |n| Citation::Hunk { path: "src/long.rs".to_owned(), line: Some(n) };
        let cited: BTreeSet<Citation> = (1..=lines).map(cited).collect();
        let once = || {
            let began = Instant::now();
            let found = look_up(&tree, &spec, &[], Some(&changes), &cited);
            let seen = found.values().filter(|found| matches!(found, Found::Seen { .. })).count();
            assert_eq!(seen * 2, cited.len());
            began.elapsed()
        };
        once()
    };
    // The quickest of nine in turns: other work on the machine only adds.
    let pairs: Vec<_> = (0..9).map(|_| (cost(1_000), cost(4_000))).collect();
    let few = pairs.iter().map(|(few, _)| *few).min().unwrap();
    let many = pairs.iter().map(|(_, many)| *many).min().unwrap();
    assert!(many < few * 10, "{few:?} for a thousand, {many:?} for four thousand");
}
