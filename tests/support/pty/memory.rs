//! A memory server that misbehaves, a stage that runs meanwhile, and what is left at the end. It must not matter.

use std::time::{Duration, Instant};

use super::repo::{FIRST, QUIET_PANEL, Repo};
use super::stopwatch::{floor, has_row, type_keys};
use super::{PATIENCE, Session, processes};

/// How long the first frame may take on a busy machine with a program that was built without optimisation.
const FIRST_FRAME: Duration = Duration::from_secs(2);

/// Plans a spec with a healthy server and with one that misbehaves as its flags say. Asserts that the first frame and
/// the keys do not wait for it, that it is shown as told, that the verdict is the same, and that no process is left.
///
/// # Panics
/// When it matters.
pub(crate) fn scenario(binary: &str, flags: &[&str], shown: Option<&str>) {
    let healthy = Repo::new(binary);
    healthy.configure(QUIET_PANEL, Some(&[]));
    let output = healthy.run(&["plan", FIRST]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted = healthy.verdict_hash(FIRST).expect("a verdict");

    let repo = Repo::new(binary);
    repo.configure(QUIET_PANEL, Some(flags));
    let mut session = Session::start(&repo.program(&[]), 120, 36);
    let first = session
        .wait("the first frame", PATIENCE, |screen| screen.alternate_screen() && !screen.contents().trim().is_empty());
    assert!(first - session.started() < FIRST_FRAME, "the first frame took {:?}", first - session.started());
    session.wait_for(FIRST);
    session.send(":");
    session.wait("the command line", PATIENCE, |screen| has_row(screen, ":"));
    type_keys(&mut session, &mut floor(&repo), 40).assert_quick();
    session.send("\x15plan 001");
    session.wait("the command", PATIENCE, |screen| has_row(screen, ":plan 001"));
    session.send("\r");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("decided in");
    if let Some(shown) = shown {
        session.wait_for(shown);
    }
    assert_eq!(repo.verdict_hash(FIRST), Some(wanted), "the same verdict as with a healthy server");

    let pid = session.pid();
    session.send("q");
    session.wait_for("Ask the panel");
    let asked = Instant::now();
    session.send("q");
    assert_eq!(session.exit(), 0);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(2), "quitting took {took:?}");
    session.assert_clean();
    assert_eq!(processes::owned_by(pid), Vec::<String>::new());
}
