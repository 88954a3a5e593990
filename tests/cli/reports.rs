//! The report of a spec: from what is recorded to a page and to Markdown.

use std::fs;

use dicast::domain::stage::Stage;

use crate::runs::panel_of;
use crate::world::{SPEC, World, inputs, panel};

#[test]
fn a_report_says_what_was_decided_why_by_whom_and_what_dissent_stands() {
    let world = World::with_spec();
    world.dicast(&["report"]).exits(10).complains("no verdict is recorded").complains("dicast plan 003");
    let verdict = world.record(&panel(Stage::Plan, &inputs()));
    let md = world.dicast(&["report", "003", "--format", "md"]).exits(0);
    let md = md
        .says("# Rate limiter")
        .says("**PASS** up to plan; the next stage is tasks")
        .says("## PASS · plan\\: agreed, with dissent (exit 0)")
        .says("- **Current**")
        .says("- **Asked**: gemini (gemini) answered")
        .says(verdict.hash.as_str())
        .says("Is FR-001 (MUST) covered, and how?")
        .says("| agreed | yes | seen | claude, codex, gemini |")
        .says("## 1 dissent stands")
        .says("- **held**: gemini holds 20");
    assert!(md.out.contains("kept here"), "{}", md.out);
    world.dicast(&["report", "--out", "nope/report.html"]).exits(64);
    world.dicast(&["report", "--out", "report.html"]).exits(0).complains("wrote report.html");
    let html = fs::read_to_string(world.path("report.html")).unwrap();
    for part in
        ["<title>Rate limiter · dicast</title>", "<strong class=\"mark pass\">PASS</strong>", "1 dissent stands"]
    {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    // Without the evidence, as in a fresh clone, the committed verdict still tells what it knows.
    fs::remove_dir_all(world.path(".dicast")).unwrap();
    world.dicast(&["report", "--out", "report.md"]).exits(0);
    let md = fs::read_to_string(world.path("report.md")).unwrap();
    assert!(md.contains("- **Evidence**: not here") && md.contains("1 dissent stands"), "{md}");
}

#[test]
fn a_report_calls_stale_what_changed_and_stops_at_what_cannot_be_read() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    let plan = world.path("specs/003-rate-limiter/verdicts/plan.json");
    let recorded = fs::read_to_string(&plan).unwrap();
    world.write("specs/003-rate-limiter/spec.md", format!("{SPEC}\nMore.\n"));
    let stale = world.dicast(&["report", "--json"]).exits(0).json();
    assert_eq!((&stale[0]["schema"], &stale[0]["call"]), (&"dicast.report/1".into(), &"STALE".into()));
    assert!(stale[0]["text"].as_str().unwrap().contains("spec.md changed"), "{stale:?}");
    fs::write(&plan, recorded.replacen("\"exit\": 0", "\"exit\": 2", 1)).unwrap();
    let altered = world.dicast(&["report", "--format", "md"]).exits(3);
    altered.says("**STOP** plan").says("it was changed");
}

#[test]
fn nothing_that_a_spec_or_an_agent_wrote_becomes_active_or_gives_a_secret_away() {
    let evil = "<script>alert(1)</script><img src=x> [x](https://evil.example) @all";
    let spec = SPEC.replace("Rate limiter", &format!("Rate {evil}"));
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", &spec);
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let said = panel(Stage::Plan, "{}").replace("\"value\":\"20\"", &format!("\"value\":\"{secret} {evil}\""));
    world.record(&said);
    let html = world.dicast(&["report"]).exits(0).says("&lt;script&gt;").out;
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains(secret), "{html}");
    assert!(html.contains("redacted"), "{html}");
    let md = world.dicast(&["report", "--format", "md"]).exits(0).out;
    assert!(
        md.contains("\\[x\\](https")
            && !md.contains("https:/")
            && !md.contains("@all")
            && !md.contains("0123456789abc"),
        "{md}"
    );
}

#[test]
fn a_run_of_the_pipeline_can_be_reported() {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &["--quantity", "10"]), ("bob", &["--quantity", "10"]), ("cyd", &["--crash", "1"])]);
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["plan"]).exits(6);
    let md = world.dicast(&["report", "--format", "md"]).exits(0);
    md.says("somebody is missing (exit 6)")
        .says("cyd (cyd) crashed")
        .says("### Answers that were judged")
        .says("| ann | artifacts/");
}

/// Reads what `verdict` writes for CI, after the checks that every reader of these formats makes.
fn outputs(world: &World, words: &[&str], exit: i32) -> (String, serde_json::Value, String) {
    let asked = ["--output", "junit", "o.xml", "--output", "sarif", "o.sarif", "--output", "md", "o.md"];
    world.dicast(&[words, &asked].concat()).exits(exit).complains("wrote o.sarif");
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let (junit, sarif): (String, serde_json::Value) = (read("o.xml"), serde_json::from_str(&read("o.sarif")).unwrap());
    assert!(junit.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "), "{junit}");
    let failures = junit.matches("<failure ").count();
    assert!(junit.contains(&format!("tests=\"1\" failures=\"{failures}\" errors=\"0\"")), "{junit}");
    for tag in ["testsuites", "testsuite", "testcase"] {
        let open = junit.matches(&format!("<{tag} ")).count();
        assert_eq!((open, junit.matches(&format!("</{tag}>")).count()), (1, 1), "{junit}");
    }
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"], "{sarif}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "specs/003-rate-limiter/spec.md", "{sarif}");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1, "{sarif}");
    }
    (junit, run["results"].clone(), read("o.md"))
}

#[test]
fn a_verdict_is_written_as_ci_reads_it_and_fails_there_when_it_fails_here() {
    let world = World::with_spec();
    world.record(&panel(Stage::Plan, &inputs()));
    let (junit, results, md) = outputs(&world, &["verdict", "plan"], 0);
    assert!(!junit.contains("<failure") && results == serde_json::json!([]), "{junit} {results}");
    assert!(md.contains("**PASS** up to plan"), "{md}");
    let (junit, results, md) = outputs(&world, &["verdict", "plan", "--require", "agree"], 1);
    assert!(junit.contains("<failure type=\"exit 1\""), "{junit}");
    assert_eq!(results[0]["ruleId"], "not_accepted");
    assert!(md.contains("**STOP** plan\\: the status is agree\\_with\\_dissent, required is agree"), "{md}");
    // A verdict that fails by itself names the requirement's line in the spec.
    let against = panel(Stage::Plan, &inputs()).replacen(
        "\"value\":\"yes\",\"polarity\":1",
        "\"value\":\"yes\",\"polarity\":-1",
        2,
    );
    let verdict = world.record(&against);
    let exit = i32::from(verdict.exit);
    assert_ne!(exit, 0);
    let (junit, results, md) = outputs(&world, &["verdict", "plan"], exit);
    assert!(junit.contains(&format!("<failure type=\"exit {exit}\"")), "{junit}");
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 5, "{results}");
    assert!(!md.contains("**PASS**"), "{md}");
    world.write("specs/003-rate-limiter/spec.md", format!("{SPEC}\nMore.\n"));
    let (_, results, md) = outputs(&world, &["verdict", "plan"], 7);
    assert!(results[0]["message"]["text"].as_str().unwrap().contains("spec.md changed"), "{results}");
    assert!(md.contains("**STALE**"), "{md}");
}

#[test]
fn what_check_writes_as_markdown_is_code_however_many_backticks_a_spec_has() {
    let spec = SPEC.replace("quickly", "x").replace("Rate limiter", "Rate ```` @all [x](https://evil.example)");
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", spec);
    let said = world.dicast(&["check", "--output", "md", "-"]);
    assert!(said.out.starts_with("`````text\n") && said.out.ends_with("\n`````\n"), "{}", said.out);
}

/// The lines of a workflow file that a shell runs, after a look at its shape: keys, list items and blocks, indented by
/// two, without tabs.
fn shell_lines(yaml: &str) -> Vec<String> {
    let (mut block, mut lines): (Option<usize>, Vec<String>) = (None, Vec::new());
    for line in yaml.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let indent = line.len() - line.trim_start().len();
        assert!(indent % 2 == 0 && !line.contains('\t') && line.trim_end() == line, "{line:?}");
        if block.is_some_and(|outer| indent > outer) {
            lines.push(line.trim().to_owned());
            continue;
        }
        block = None;
        let item = line.trim_start().trim_start_matches("- ");
        let (key, value) = item.split_once(':').unwrap_or_else(|| panic!("no key: {line:?}"));
        assert!(key.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)), "{line:?}");
        match (key, value.trim()) {
            ("run", "|") => block = Some(indent),
            ("run", command) => lines.push(command.to_owned()),
            _ => {}
        }
    }
    lines
}

#[test]
fn every_command_of_the_workflows_in_the_documents_is_one() {
    use clap::Parser as _;
    for (name, needs) in [("without-keys", ["check", "verdict"]), ("with-keys", ["audit", "--range"])] {
        let path = format!("{}/docs/ci/{name}.yml", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        for part in ["\nname: ", "\non: pull_request\n", "\npermissions:\n", "\njobs:\n", "    steps:\n"] {
            assert!(text.contains(part), "{part:?} is not in {name}");
        }
        let lines = shell_lines(&text);
        let ours: Vec<_> = lines.iter().filter(|line| line.starts_with("dicast ")).collect();
        assert!(needs.iter().all(|word| ours.iter().any(|line| line.contains(word))), "{ours:?}");
        for line in ours {
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            dicast::cli::args::Args::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let secrets: Vec<_> = lines.iter().filter(|line| line.contains("secrets.")).collect();
        assert!(secrets.is_empty(), "a secret belongs into the environment: {secrets:?}");
    }
}

#[test]
fn a_run_is_written_as_ci_reads_it() {
    let world = crate::runs::approved(&[("ann", &[]), ("bob", &[])]).file("specs/004-audit/spec.md", SPEC);
    let asked = ["--output", "junit", "o.xml", "--output", "sarif", "o.sarif", "--output", "md", "o.md"];
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    world.dicast(&[&["plan", "003"], &asked[..]].concat()).exits(0).complains("wrote o.md");
    assert!(
        read("o.xml").contains("tests=\"1\" failures=\"0\" errors=\"0\"") && read("o.xml").contains("name=\"plan\"")
    );
    assert!(read("o.md").contains("## PASS · plan"), "{}", read("o.md"));
    // What ends without a verdict is an error, beside the verdicts of the other specs.
    let words = ["auto", "003", "004", "--stages", "tasks", "--json"];
    let said = world.dicast(&[&words[..], &asked].concat()).exits(10);
    assert_eq!(said.json().last().unwrap()["type"], "batch.finished");
    let junit = read("o.xml");
    assert_eq!(
        (junit.matches("<testsuite ").count(), junit.matches("<error type=\"exit 10\"").count()),
        (2, 1),
        "{junit}"
    );
    let sarif: serde_json::Value = serde_json::from_str(&read("o.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["ruleId"]), (1, &"not_finished".into()), "{sarif}");
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "specs/004-audit/spec.md");
    assert!(read("o.md").contains("## PASS · tasks") && read("o.md").contains("**STOP**"), "{}", read("o.md"));
    // A run that is refused before it begins is told there too.
    world.write("specs/004-audit/spec.md", "# Nothing is asked here\n");
    world.dicast(&[&["plan", "004"], &asked[..]].concat()).exits(10);
    assert!(read("o.xml").contains("<error type=\"exit 10\""), "{}", read("o.xml"));
}

#[test]
fn a_step_of_github_actions_reads_annotations_and_a_summary_and_obeys_nobody_else() {
    let evil = "::add-mask::x ##[error]y";
    let spec =
        SPEC.replace("# Feature Specification: Rate limiter", &format!("{evil}\n\n# Feature Specification: {evil}"));
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", spec);
    world.write("specs/003-rate-limiter/tasks.md", format!("- [x] T001 {evil} in `src/{evil}.rs`, src/gone.rs\n"));
    let summary = world.path("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let step = |words: &[&str]| {
        let mut command = world.program();
        command.args(words).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
        crate::world::said(&mut command)
    };
    let said = step(&["check"]).exits(1);
    let commands = |text: &str| text.lines().filter(|line| line.trim_start().starts_with("::")).count();
    assert!(!said.out.contains("##[") && !said.err.contains("##[") && commands(&said.out) == 0, "{said:?}");
    let ours = |line: &&str| {
        ["::error file=specs/", "::warning file=specs/", "::notice file=specs/"].iter().any(|own| line.starts_with(own))
    };
    assert_eq!(commands(&said.err), said.err.lines().filter(ours).count(), "{said:?}");
    assert!(said.err.contains("::error file=specs/003-rate-limiter/tasks.md,line=1,title="), "{said:?}");
    let json = step(&["check", "--json"]);
    assert!(!json.out.contains("##[") && json.json().iter().any(|line| line.to_string().contains("##[")), "{json:?}");
    // Named by hand it is added to as well, and once.
    let before = fs::read_to_string(&summary).unwrap();
    assert!(before.starts_with("before\n```") && before.matches("```text").count() == 2, "{before}");
    step(&["check", "--output", "md", summary.to_str().unwrap()]).exits(1);
    assert_eq!(fs::read_to_string(&summary).unwrap().matches("```text").count(), 3);
    world.record(&panel(Stage::Plan, "{}"));
    step(&["verdict", "plan", "--require", "agree"])
        .exits(1)
        .complains("::error file=specs/003-rate-limiter/spec.md,line=1,title=plan of 003-rate-limiter%3A agreed%2C with dissent::the status is");
    assert!(fs::read_to_string(&summary).unwrap().contains("**STOP** plan"));
    // Elsewhere nothing of this happens.
    assert!(!world.dicast(&["check"]).err.contains("::"));
}
