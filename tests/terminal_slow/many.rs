//! A repository of five hundred specs, each with recorded verdicts and evidence: what `status` and the first frame take.

use std::process::Stdio;
use std::time::{Duration, Instant};

use dicast::disk::walk::{Caps, read_tree};
use dicast::domain::check::Tree;
use dicast::domain::consensus::{decide, parse_panel};
use dicast::domain::hash::Sha;
use dicast::domain::preparation::tree_id;

use crate::pty::repo::Repo;
use crate::pty::{PATIENCE, Session};

/// How many specs.
const SPECS: usize = 500;

/// How often `status` is run; the median counts.
const TIMES: usize = 7;

/// What `status` may take: the target is 200 ms on a quiet machine with a release build, and this one may be busy.
const STATUS: Duration = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 600 });

/// What may pass until the first frame: the target is 20 ms.
const FIRST_FRAME: Duration = Duration::from_secs(2);

fn spec(n: usize) -> String {
    let demands =
        (1..=8).map(|k| format!("- **FR-{k:03}**: The part MUST do thing {k} of feature {n} within {k}0 ms.\n"));
    format!("# Feature Specification: Feature {n}\n\n## Requirements\n\n{}", demands.collect::<String>())
}

/// Two families that agree on the first requirement and differ on a number.
fn panel(id: &str, stage: &str, inputs: &str) -> String {
    let agent = |name: &str, value: &str| {
        format!(
            r#"{{"name":"{name}","family":"{name}","status":"ok","claims":[
            {{"kind":"covers","subject":"FR-001","predicate":"covered","value":"yes","polarity":1,"severity":"major","tier":"E2"}},
            {{"kind":"decision","subject":"D-001","predicate":"answer","value":"{value}","polarity":1,"severity":"minor","tier":"E1"}}]}}"#
        )
    };
    format!(
        r#"{{"schema":"dicast.panel/1","spec_id":"{id}","stage":"{stage}","inputs":{inputs},
        "requirements":[{{"id":"FR-001","level":"must"}}],"agents":[{},{},{}]}}"#,
        agent("ann", "10"),
        agent("bob", "10"),
        agent("cyd", "20")
    )
}

/// Makes them all.
fn many(repo: &Repo) {
    let ids: Vec<String> = (1..=SPECS).map(|n| format!("{n:03}-feature-{n}")).collect();
    for (n, id) in (1..).zip(&ids) {
        repo.write(&format!("specs/{id}/spec.md"), &spec(n));
        repo.write(&format!("specs/{id}/plan.md"), "# Plan\n\n- FR-001 in src/lib.rs\n");
        repo.write(&format!("specs/{id}/tasks.md"), "- [x] T001 FR-001 write `greet` in src/lib.rs\n");
        repo.write(&format!("src/part_{n}.rs"), &format!("pub fn part_{n}() -> u32 {{\n    {n}\n}}\n"));
        let run = format!(".dicast/evidence/consensus/{id}/01JB{n:022}");
        for file in ["journal.jsonl", "prompts/plan-ann.md", "raw/plan-ann.txt", "artifacts/plan-ann.json"] {
            repo.write(&format!("{run}/{file}"), &"x".repeat(2_048));
        }
    }
    let files = read_tree(&repo.path(), Caps::default(), &|| false).expect("the files").files;
    let tree = tree_id(&Tree { files, ..Tree::default() });
    for (n, id) in (1..).zip(&ids) {
        for stage in ["plan", "tasks", "validate"] {
            let inputs = format!(r#"{{"spec_sha256":"{}","tree":"{tree}"}}"#, Sha::of(spec(n)));
            let verdict = decide(&parse_panel(&panel(id, stage, &inputs)).expect("a panel"));
            let text = serde_json::to_string_pretty(&verdict).expect("JSON");
            repo.write(&format!("specs/{id}/verdicts/{stage}.json"), &text);
        }
    }
}

/// Returns the median time of a command and what it said last.
fn timed(repo: &Repo, words: &[&str]) -> (Duration, String) {
    let mut times = Vec::new();
    let mut said = String::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let output = repo.headless(words).stderr(Stdio::null()).output().expect("the program");
        times.push(began.elapsed());
        assert_eq!(output.status.code(), Some(0));
        said = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    times.sort();
    (times[TIMES / 2], said)
}

pub(crate) fn five_hundred(binary: &str) {
    let repo = Repo::new(binary);
    many(&repo);
    let (took, said) = timed(&repo, &["status"]);
    let (as_json, lines) = timed(&repo, &["status", "--json"]);
    let mut session = Session::start(&repo.program(&[]), 120, 36);
    let first = session
        .wait("the first frame", PATIENCE, |screen| screen.alternate_screen() && !screen.contents().trim().is_empty());
    let first = first - session.started();
    let all = session.wait_for("001-feature-1") - session.started();
    session.send("q");
    session.exit();
    eprintln!("{SPECS} specs: status {took:?}, as JSON {as_json:?}; first frame {first:?}, specs on screen {all:?}");
    let last = said.lines().last().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(last.starts_with("500-feature-500 agree_with_dissent agree_with_dissent -"), "{last}");
    assert!(last.contains("1 open") && last.ends_with("8.0 KiB") && !said.contains("STALE"), "{last}");
    assert_eq!(lines.lines().count(), SPECS + 2);
    assert!(took < STATUS && as_json < STATUS && first < FIRST_FRAME);
}
