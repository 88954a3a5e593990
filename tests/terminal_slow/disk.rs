//! A disk that takes two seconds for each sync, or refuses it (EIO), under the real binary: the keys do not notice, the
//! run ends as it should and says what to do.
//!
//! The disk is this machine's; between it and the program stands a library that is loaded first and answers `fsync` and
//! `fdatasync` as the folder `$BAD_DISK` says.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::BINARY;
use super::pty::repo::{FIRST, FakeAgent, QUIET_PANEL, Repo};
use super::pty::stopwatch::{floor, type_keys};
use super::pty::{PATIENCE, Session};

const SHIM: &str = r#"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static int says(const char *word) {
    char path[4096];
    const char *folder = getenv("BAD_DISK");
    return folder && snprintf(path, sizeof path, "%s/%s", folder, word) > 0 && access(path, F_OK) == 0;
}
static int as_told(void) {
    if (says("slow")) {
        struct timespec two = {2, 0};
        nanosleep(&two, 0);
    }
    if (says("eio")) {
        errno = EIO;
        return -1;
    }
    return 0;
}
int fsync(int fd) { (void)fd; return as_told(); }
int fdatasync(int fd) { (void)fd; return as_told(); }
"#;

/// A repository on such a disk.
struct BadDisk {
    repo: Repo,
    folder: tempfile::TempDir,
}

impl BadDisk {
    /// The linker that builds this test builds the library, too.
    fn with_panel(panel: &[FakeAgent<'_>]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, library) = (folder.path().join("disk.c"), folder.path().join("disk.so"));
        fs::write(&source, SHIM).expect("a file");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
        let built = built.expect("cc, which links Rust's programs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut repo = Repo::with_panel(BINARY, panel);
        repo.set("LD_PRELOAD", library.to_str().expect("a path"));
        repo.set("BAD_DISK", folder.path().to_str().expect("a path"));
        Self { repo, folder }
    }

    fn word(&self, word: &str) -> PathBuf {
        self.folder.path().join(word)
    }

    fn turns(&self, word: &str) {
        fs::write(self.word(word), "").expect("a file");
    }

    fn is_well(&self, word: &str) {
        fs::remove_file(self.word(word)).expect("a file");
    }

    /// Opens the program and starts a plan of the first spec.
    fn open_run(&self) -> Session {
        let mut session = Session::start(&self.repo.program(&[]), 120, 36);
        session.wait_for("Ask the panel");
        session.wait_for(FIRST);
        session.send("p");
        session.wait_for("Enter starts");
        session.send("\r");
        session.wait_for("1 Agents");
        session
    }

    /// Types into the command line, and asserts that the screen is as quick as ever.
    fn assert_quick(&self, session: &mut Session) {
        let mut floor = floor(&self.repo);
        session.send(":");
        session.wait("the command line", PATIENCE, |screen| super::pty::stopwatch::has_row(screen, ":"));
        type_keys(session, &mut floor, 60).assert_quick();
        session.send("\x1b");
    }
}

#[test]
#[ignore = "slow: a disk that takes 2 s for each sync"]
fn a_disk_that_takes_two_seconds_for_each_sync_keeps_no_key_waiting_and_changes_no_verdict() {
    let disk = BadDisk::with_panel(QUIET_PANEL);
    disk.turns("slow");
    let mut session = disk.open_run();
    disk.assert_quick(&mut session);
    // Sixty keys took seconds, in which nobody can have answered: their launch is not durable yet.
    assert!(!session.contents().contains("decided"), "{}", session.contents());
    disk.is_well("slow");
    session.wait("the verdict", PATIENCE, |screen| screen.contents().contains("decided in"));
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
    let whole = Repo::with_panel(BINARY, QUIET_PANEL);
    whole.run(&["plan", FIRST]);
    assert_eq!(disk.repo.verdict_hash(FIRST), whole.verdict_hash(FIRST));
    assert!(disk.repo.run(&["evidence", "verify"]).status.success());
}

#[test]
#[ignore = "slow: one of a row"]
fn a_disk_that_fails_in_the_middle_of_a_run_ends_it_with_what_to_do_and_it_goes_on_later() {
    let disk = BadDisk::with_panel(&[("ann", &["--slow", "1500"]), ("bob", &[]), ("cyd", &["--slow", "1500"])]);
    let mut session = disk.open_run();
    session.wait("the quick one has answered", PATIENCE, |screen| screen.contents().contains("1 of 3 answered"));
    disk.turns("eio");
    session.wait_for("FAILED");
    session.wait_for("check the disk, then run the same command again");
    disk.assert_quick(&mut session);
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
    // Without a screen: Infra, with the same words.
    let refused = disk.repo.run(&["plan", FIRST]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status.code() == Some(3) && said.contains("check the disk"), "{said}");
    disk.is_well("eio");
    let gone_on = disk.repo.run(&["plan", FIRST, "--json"]);
    let told = String::from_utf8_lossy(&gone_on.stdout).into_owned();
    assert!(told.contains("\"resumed\":true") && disk.repo.verdict_hash(FIRST).is_some(), "{told}");
    let asked = |agent: &str| {
        let of = format!("\"agent\":\"{agent}\"");
        told.lines()
            .filter(|line| line.contains("agent.started") && line.contains(&of) && !line.contains("round"))
            .count()
    };
    assert_eq!((asked("bob"), asked("ann"), asked("cyd")), (0, 1, 1), "what was kept is not paid for twice: {told}");
    assert!(disk.repo.run(&["evidence", "verify"]).status.success());
}
