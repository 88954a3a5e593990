//! A secret that an agent, a server and a spec all try to print reaches no sink: not the evidence, not the memory, not
//! the transcripts, not the log, not the published documents, not stdout or stderr.

use std::fs;
use std::path::{Path, PathBuf};

use crate::runs::approved;
use crate::world::{SPEC, World, said};

/// The secret: a value of the environment, and no well-known kind of key.
const SECRET: &str = "correct-horse-battery-staple-9000";

/// A secret that nobody configured, known by how it looks.
const TOKEN: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

/// Every file below a folder whose bytes hold a text.
fn holding(folder: &Path, text: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, into);
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            into.push(path);
        }
    }
}

#[test]
fn a_secret_that_everybody_prints_reaches_no_sink() {
    let world = approved(&[
        ("ann", &["--stderr", &format!("my key is {SECRET}"), "--quantity", SECRET]),
        ("bob", &["--answer", "answer.txt"]),
        ("cyd", &["--stderr", TOKEN, "--family-style", SECRET]),
    ]);
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let server = format!("echo {SECRET} >&2; echo {SECRET}; sleep 1");
    let server =
        format!("[mcp_servers.leaky]\ncommand = \"sh\"\nargs = [\"-c\", \"{server}\"]\nstartup_timeout_sec = 1\n");
    world.write(".dicast/config.toml", format!("{config}{server}[evidence]\nredact_env = [\"MY_PASSPHRASE\"]\n"));
    world.write("answer.txt", format!("no artifact, but {SECRET} and {TOKEN}\n"));
    let spec = SPEC.replace("status 429", &format!("status 429 and the key {SECRET} or {TOKEN}"));
    world.write("specs/003-rate-limiter/spec.md", spec);
    world.dicast(&["trust", "approve"]).exits(0);
    let run = |words: &[&str]| said(world.program().args(words).env("MY_PASSPHRASE", SECRET));
    let told = [
        run(&["plan", "--json"]),
        run(&["plan", "--log-level", "trace"]),
        run(&["watch", "003"]),
        run(&["evidence", "list"]),
        run(&["verdict", "003", "plan"]),
        run(&["explain", "003", "plan", "FR-001"]),
        run(&["explain", "003", "plan", "FR-001", "--json"]),
        run(&["report", "003"]),
        run(&["servers"]),
        run(&["doctor"]),
        run(&["check", "003"]),
        run(&["check", "003", "--json", "--output", "sarif", "check.sarif"]),
        run(&["clarify", "003"]),
        run(&["analyze", "003", "--json"]),
        run(&["status", "003", "--json"]),
        run(&["dissent", "003"]),
        run(&["dissent", "003", "--json"]),
        run(&["consensus", "003", "plan"]),
        run(&["replay", &of_run(&world), "--speed", "0"]),
        run(&["replay", &of_run(&world), "--speed", "0", "--json"]),
        run(&["evidence", "bundle", &of_run(&world), "--out", "run.bundle"]),
        run(&["report", "003", "--out", "page.html"]),
        run(&["plan", "--fresh", "--output", "junit", "plan.xml", "--output", "md", "plan.md"]),
        run(&["--plain"]),
    ];
    assert!(told[0].out.contains("agent.finished"), "{}", told[0].out);
    for said in &told {
        assert_ne!(said.code, 64, "{}", said.err);
        for text in [&said.out, &said.err] {
            assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
        }
    }
    for secret in [SECRET, TOKEN] {
        let mut found = Vec::new();
        holding(&world.repo(), secret, &mut found);
        holding(&world.home(), secret, &mut found);
        // What the user wrote stays as it is.
        let users = ["003-rate-limiter/spec.md", ".dicast/config.toml", "repo/answer.txt"];
        found.retain(|path| !users.iter().any(|end| path.ends_with(end)));
        found.retain(|path| !is_approval(&world, path));
        assert_eq!(found, Vec::<PathBuf>::new(), "{secret}");
    }
    // It did get there: where the secret stood, the mark stands.
    let mut marked = Vec::new();
    holding(&world.path(".dicast/evidence"), "[redacted]", &mut marked);
    let kinds = ["prompts", "raw"];
    assert!(
        kinds.iter().all(|kind| marked.iter().any(|path| path.to_string_lossy().contains(&format!("/{kind}/")))),
        "{marked:?}"
    );
    world.dicast(&["evidence", "verify"]).exits(0);
}

/// The run that the evidence has.
fn of_run(world: &World) -> String {
    let runs = fs::read_dir(world.path(".dicast/evidence/consensus/003-rate-limiter")).unwrap();
    let run = runs.map(Result::unwrap).filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name()).max();
    run.unwrap().into_string().unwrap()
}

/// What was approved is kept as it was shown, also a command that holds a secret in clear.
fn is_approval(world: &World, path: &Path) -> bool {
    path.starts_with(world.home()) && path.to_string_lossy().contains("trust")
}
