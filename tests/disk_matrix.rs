//! Disks that are full, read-only, somebody else's, or locked: the run ends as it should and says what to do, and goes on
//! once the disk is well. `cargo test --test disk_matrix -- --ignored`, and a part of `.ci/run`.
//!
//! What needs privileges is skipped, counted, where there are none; where there are, a skip is a failure. A disk that
//! fails (EIO) and a sync that takes seconds are the twin's (`src/actors/evidence/tests.rs`), and under the real binary
//! `tests/terminal_slow/disk.rs`'s.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it mounts, changes owners and starts the program as a user does"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "cli/world.rs"]
mod world;

#[path = "support/crash.rs"]
mod crash;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dicast::disk::Store;
use dicast::disk::lock::{Attempt, Note};
use dicast::domain::moment::Moment;
use world::{Said, World, said};

/// The capability to mount (`CAP_SYS_ADMIN` of capabilities(7)).
const SYS_ADMIN: u32 = 21;

/// Nobody.
const NOBODY: u32 = 65_534;

fn may_mount() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    bits >> SYS_ADMIN & 1 == 1
}

/// Tells whether a case that needs privileges can be tested; says so if it cannot.
fn is_privileged(cases: u32) -> bool {
    let may = may_mount();
    if !may {
        eprintln!("skipped: {cases} cases, because nobody here may mount");
    }
    may
}

/// A small file system over a folder; gone with the value.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&folder).unwrap();
        mount(&["-t", "tmpfs", "-o", options, "none", folder.to_str().unwrap()]);
        Self(folder)
    }

    fn again(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}"), self.0.to_str().unwrap()]);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: should something still look at it, it goes when that ends.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(words: &[&str]) {
    let done = Command::new("mount").args(words).output().unwrap();
    assert!(done.status.success(), "mount {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn run(repo: &World) -> Said {
    said(repo.program().args(crash::RUN))
}

/// Asserts the end of a run that a disk stopped: exit 3, why, and what to do, in its last line.
fn infra(said: Said, parts: &[&str]) -> Said {
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    let last = said.out.lines().last().unwrap_or_default();
    let missing: Vec<_> = parts.iter().filter(|part| !last.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} is not in {last}");
    said
}

/// The disk is well again: what was kept holds, and the run comes to the verdict of one that nothing happened to.
fn goes_on(repo: &World, failed: &Said, expected: &crash::Expected, context: &str) {
    let cut = crash::Cut { code: Some(failed.code), out: failed.out.clone() };
    crash::goes_on(repo, &cut, expected, context);
}

#[test]
#[ignore = "slow: one of a row, needs privileges"]
fn a_disk_that_is_full_ends_the_run_as_infra_and_the_next_one_goes_on() {
    if !is_privileged(6) {
        return;
    }
    let expected = crash::whole_run();
    let mut failed = 0;
    for kilobytes in [16, 32, 48, 56, 64, 72] {
        let repo = crash::repo();
        let disk = Mounted::over(repo.path(".dicast/evidence"), &format!("size={kilobytes}k"));
        let mut full = run(&repo);
        if full.code != expected.code {
            full = infra(full, &["no space left", "free some space"]);
            failed += 1;
        }
        disk.again("size=16m");
        goes_on(&repo, &full, &expected, &format!("{kilobytes} KiB"));
    }
    assert!(failed >= 4, "only {failed} of the disks were too small");
}

#[test]
#[ignore = "slow: one of a row, needs privileges"]
fn a_disk_that_turns_read_only_before_or_during_a_run_ends_it_as_infra() {
    if !is_privileged(2) {
        return;
    }
    let expected = crash::whole_run();
    let repo = crash::repo();
    let disk = Mounted::over(repo.path(".dicast/evidence"), "size=16m");
    disk.again("ro");
    let refused = infra(run(&repo), &["read-only", "make the folder writable"]);
    disk.again("rw");
    goes_on(&repo, &refused, &expected, "before");

    let repo = crash::repo();
    let disk = Mounted::over(repo.path(".dicast/evidence"), "size=16m");
    let child = repo.program().args(crash::RUN).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // As soon as there is a journal; a write in flight makes the disk busy for a moment.
    while !repo.dicast(&["evidence", "list"]).out.contains("open") {}
    while !Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).output().unwrap().status.success() {}
    let cut = world::read(child.wait_with_output().unwrap());
    // On a fast machine it may have been through.
    assert!(cut.code == 3 || cut.code == expected.code, "{}", cut.err);
    disk.again("rw");
    goes_on(&repo, &cut, &expected, "during");
}

fn give_to(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_to(&entry.unwrap().path(), user);
        }
    }
}

#[test]
#[ignore = "slow: one of a row, needs privileges"]
fn evidence_that_belongs_to_somebody_else_ends_the_run_as_infra() {
    if !is_privileged(1) {
        return;
    }
    let repo = crash::repo();
    let base = repo.repo().parent().unwrap().to_owned();
    fs::create_dir_all(repo.path(".dicast/evidence")).unwrap();
    give_to(&base, NOBODY);
    chown(repo.path(".dicast/evidence"), Some(0), Some(0)).unwrap();
    fs::set_permissions(repo.path(".dicast/evidence"), fs::Permissions::from_mode(0o755)).unwrap();
    // Nobody may not look into the folder that the program was built in.
    let program = base.join("dicast");
    fs::copy(env!("CARGO_BIN_EXE_dicast"), &program).unwrap();
    let mut command = repo.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(crash::RUN);
    infra(said(&mut command), &["permission denied", "make the folder writable"]);
}

#[test]
#[ignore = "slow: one of a row"]
fn a_lock_that_is_held_for_long_ends_the_run_at_its_deadline_and_names_the_holder() {
    let expected = crash::whole_run();
    let repo = crash::repo();
    let config = fs::read_to_string(repo.path(".dicast/config.toml")).unwrap();
    repo.write(".dicast/config.toml", format!("{config}[evidence]\nlock_timeout_ms = 300\n"));
    repo.dicast(&["trust", "approve"]).exits(0);
    let store = Store::real(repo.path(".dicast/evidence"));
    fs::create_dir_all(repo.path(".dicast/evidence/.locks")).unwrap();
    let note = Note::of_this_process(Moment(1_767_225_600_000));
    let Attempt::Taken(held) = store.try_lock(".locks/003-rate-limiter.lock", &note).unwrap() else {
        panic!("it is free")
    };
    let us = format!("pid {}", std::process::id());
    let refused = infra(run(&repo), &[&us, "since 2026-01-01", "dicast cancel"]);
    drop(held);
    goes_on(&repo, &refused, &expected, "a held lock");
}

#[test]
#[ignore = "slow: one of a row"]
fn a_lock_whose_owner_died_is_nobodys() {
    let expected = crash::whole_run();
    let repo = crash::repo();
    fs::create_dir_all(repo.path(".dicast/evidence/.locks")).unwrap();
    // This process, had it started at another time: its id was given to somebody else since.
    let dead = Note { started: Some(1), ..Note::of_this_process(Moment(1_767_225_600_000)) };
    for lock in ["003-rate-limiter.run.lock", "003-rate-limiter.lock"] {
        repo.write(&format!(".dicast/evidence/.locks/{lock}"), serde_json::to_string(&dead).unwrap());
    }
    repo.dicast(&["cancel", "003"]).exits(0).says("nothing is running");
    let whole = run(&repo).exits(expected.code);
    assert!(crash::verdict_hash(&whole.out).is_some());
}
