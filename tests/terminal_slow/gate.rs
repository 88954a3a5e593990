//! The gate dialog in a real terminal: a question is answered by a choice, in own words, and put off; what an answer changes
//! is shown before as a diff, and the old text is kept.

use crate::BINARY;
use crate::pty::Session;
use crate::pty::repo::{FIRST, QUIET_PANEL, Repo};

const SPEC: &str = "# Feature Specification: Greeter

## Requirements

- **FR-001**: The greeter MUST answer within TBD ms
- **FR-002**: The greeter MUST be fast
- **FR-003**: The greeter MUST log [NEEDS CLARIFICATION: to stderr or to a file?]
";

/// The old texts that are kept of a repository's files.
fn backups(repo: &Repo) -> Vec<String> {
    fn walk(folder: &std::path::Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), out);
            } else {
                out.extend(std::fs::read_to_string(entry.path()));
            }
        }
    }
    let mut out = Vec::new();
    walk(&repo.path().join(".dicast/backups"), &mut out);
    out
}

#[test]
#[ignore = "slow tier"]
fn the_gate_dialog_picks_edits_goes_back_puts_off_and_applies_as_a_diff_with_the_old_text_kept() {
    for size in [(80, 24), (120, 36)] {
        let repo = Repo::with_panel(BINARY, QUIET_PANEL);
        let path = format!("specs/{FIRST}/spec.md");
        repo.write(&path, SPEC);
        let mut session = Session::start(&repo.program(&[]), size.0, size.1);
        session.wait_for("Ask the panel");
        session.send(":clarify 001\r");
        session.wait_for("YOUR CALL");
        // The first question, in own words: the diff stands there before anything is written.
        session.send("e");
        session.wait_for("apply and record");
        session.send("50");
        session.wait_for("+ ");
        session.wait_for("within 50 ms");
        assert_eq!(repo.read(&path).as_deref(), Some(SPEC), "nothing is written while it is typed");
        // Esc only ends the typing; a second one leaves the dialog, and what was typed is gone.
        session.send("\x1b");
        session.wait_for("own words");
        session.send("\x1b");
        session.wait_for("Ask the panel");
        session.send(":clarify 001\r");
        session.wait_for("YOUR CALL");
        session.send("e");
        session.wait_for("apply and record");
        session.send("50\r");
        session.wait_gone("within TBD ms");
        let now = session.until("the answer is in the spec", crate::PATIENCE, || {
            repo.read(&path).filter(|text| text.contains("within 50 ms"))
        });
        assert_eq!(now, SPEC.replace("TBD", "50"), "that, and nothing else");
        assert_eq!(backups(&repo), [SPEC], "the old text is kept");
        // The next one by a choice: which one it is can be seen before it is taken.
        session.wait_for("1 to ");
        session.send("1");
        session.wait_for("Enter applies it");
        session.send("\r");
        let after = session
            .until("the choice is in the spec", crate::PATIENCE, || repo.read(&path).filter(|text| *text != now));
        assert!(!after.contains("NEEDS CLARIFICATION"), "{after}");
        assert_eq!(backups(&repo).len(), 2);
        // The last one can wait, for a reason.
        session.wait_for("puts it off");
        session.send("d");
        session.wait_for("put off and record");
        session.send("measured later\r");
        session.wait_gone("put off and record");
        session.send("q");
        session.wait_for("Ask the panel");
        session.quit();
        assert_eq!(repo.read(&path).as_deref(), Some(after.as_str()), "what was put off changes nothing");
        let ledger = repo.run(&["gate", FIRST, "--json"]);
        assert!(String::from_utf8_lossy(&ledger.stdout).contains("measured later"), "{ledger:?}");
    }
}
