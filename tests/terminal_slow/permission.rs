//! An agent of kind `acp` that asks before it acts, or looks into memory, under the real binary: a person answers by key, a stop answers
//! `cancelled`, and without a screen the rule answers. Each time it is on record, and nothing is left.

use super::BINARY;
use super::pty::repo::{FIRST, Repo, example};
use super::pty::{PATIENCE, Session, processes};

/// The usual size.
const SIZE: (u16, u16) = (120, 36);

/// One agent that answers at once, and one that wants to run a command first.
fn repo() -> Repo {
    repo_with(&["--ask", "execute"])
}

/// The same, with an agent that does as its flags say.
fn repo_with(flags: &[&str]) -> Repo {
    let repo = Repo::new(BINARY);
    let text = |words: &str| serde_json::to_string(words).unwrap();
    let program = |name: &str| text(example(name).to_str().unwrap());
    let log = text(repo.path().join("asked.log").to_str().unwrap());
    repo.write(
        ".dicast/config.toml",
        &format!(
            "[[agents]]\nname = \"ann\"\nkind = \"command\"\nfamily = \"ann\"\ncommand = [{}]\n\n\
             [[agents]]\nname = \"bob\"\nkind = \"acp\"\nfamily = \"bob\"\ncommand = [{}]\n\
             args = [{}, \"--log\", {log}]\nretry = {{ max = 0 }}\n",
            program("fake_agent"),
            program("fake_acp_agent"),
            flags.iter().map(|flag| text(flag)).collect::<Vec<_>>().join(", "),
        ),
    );
    repo
}

/// Starts a plan and waits until the agent asks.
fn asked(repo: &Repo) -> Session {
    let mut session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.wait_for(FIRST);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("asks permission");
    session
}

/// What the journal says that the agent was answered.
fn on_record(repo: &Repo) -> Vec<String> {
    let folder = repo.path().join(".dicast/evidence/consensus").join(FIRST);
    let runs = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("journal.jsonl"));
    let journals = runs.filter_map(|path| std::fs::read_to_string(path).ok());
    let lines: Vec<serde_json::Value> = journals
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect();
    let answered = lines.iter().filter(|line| line.to_string().contains("permission_answered"));
    answered.map(ToString::to_string).collect()
}

/// What the agent was told, as it wrote it down.
fn told(repo: &Repo, word: &str) -> bool {
    repo.read("asked.log").unwrap_or_default().contains(word)
}

pub(crate) fn by_key() {
    let repo = repo();
    let mut session = asked(&repo);
    let pid = session.pid();
    session.send("P");
    session.wait_for("$ touch pwned");
    session.wait_for("a allow once");
    session.send("a");
    session.wait_for("2 of 2 answered");
    let answers = on_record(&repo);
    assert!(answers.len() == 1 && answers[0].contains("touch pwned"), "{answers:?}");
    session.send("q");
    session.quit();
    assert_eq!(processes::owned_by(pid), Vec::<String>::new());
    assert!(repo.run(&["evidence", "verify"]).status.success());
}

pub(crate) fn by_stop() {
    let repo = repo();
    let mut session = asked(&repo);
    session.send("\x1b");
    session.wait_for("0 processes left");
    session.until("the agent heard of it", PATIENCE, || told(&repo, "cancel").then_some(()));
    let is_ours = |process: &String| !process.contains("memory");
    let left: Vec<_> = processes::owned_by(session.pid()).into_iter().filter(is_ours).collect();
    assert_eq!(left, Vec::<String>::new());
    session.send("q");
    session.quit();
}

pub(crate) fn by_rule() {
    let repo = repo();
    let out = repo.run(&["plan", FIRST, "--json"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let answers = on_record(&repo);
    assert!(answers.len() == 1 && answers[0].contains("touch pwned"), "{answers:?}");
    assert!(repo.read("pwned").is_none());
}

pub(crate) fn memory_is_passed_on_to_be_read() {
    let repo = repo_with(&["--recall", "greeter"]);
    // The first run stores what the second one finds.
    for _ in 0..2 {
        let out = repo.run(&["plan", FIRST, "--fresh"]);
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let log = repo.read("asked.log").unwrap();
    let last = |word: &str| log.lines().rfind(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{word}: {log}"));
    assert!(last("recalled").contains(FIRST), "{}", last("recalled"));
    let stored = last("stored");
    assert!(stored.contains("error") || stored.contains("\"isError\":true"), "{stored}");
}
