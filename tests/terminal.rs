//! The real binary in a pseudo-terminal: what its user sees, and what is left when it is gone. What takes longer is in
//! `terminal_slow.rs`; how fast it has to be, and how that is measured, in `docs/responsiveness.md`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stands outside: it starts programs, makes their files, reads the process table and types at a person's pace"
)]

#[path = "support/pty/mod.rs"]
mod pty;

use std::time::{Duration, Instant};

use pty::repo::{FIRST, QUIET_PANEL, Repo};
use pty::{Modes, PATIENCE, Session, processes};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

/// The usual size.
const SIZE: (u16, u16) = (120, 36);

fn open(repo: &Repo) -> Session {
    let session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.wait_for("Ask the panel");
    session.wait_for(FIRST);
    session
}

/// Opens the program and starts a plan of the first spec; returns on its dashboard.
fn open_run(repo: &Repo) -> Session {
    let mut session = open(repo);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("1 Agents");
    session
}

#[test]
fn it_starts_shows_the_specs_and_quits_by_key_without_a_trace() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let session = open(&repo);
    let modes = session.modes();
    assert!(modes.alternate_screen && modes.hidden_cursor && modes.bracketed_paste && modes.line && !modes.mouse);
    assert!(session.first_byte().is_some());
    let pid = session.pid();
    session.quit();
    assert!(processes::has_ended(pid));
}
