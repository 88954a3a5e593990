//! Locks between processes: an advisory lock (flock) on a file of its own, with a note that says who holds it.
//!
//! The lock belongs to the open file, so two opens exclude each other even inside one process. A lock file is never
//! renamed or deleted: a second holder would get in on the new one. On network file systems flock may be emulated or
//! local to a machine; the note names the host for that reason.
//!
//! Nothing here waits: [`Store::try_lock`](super::Store::try_lock) tries once, [`pauses`] says how long a caller waits
//! before it tries again, so that the caller's deadline and cancel are honoured.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Lockable;
use crate::domain::failure::LockOwner;
use crate::domain::moment::Moment;

/// The first pause between two attempts: a group commit takes less than this on a quiet disk.
const FIRST_PAUSE_MS: u64 = 1;

/// The longest pause between two attempts: a hand-over is not felt, and a waiter costs nothing.
const LONGEST_PAUSE_MS: u64 = 25;

/// What the owner of a lock leaves in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its process id.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// Since when it holds the lock.
    pub since: Moment,
    /// When the process started, in the system's clock ticks since boot, where the system tells: with it, a process id
    /// that was given to another process is recognised.
    pub started: Option<u64>,
}

impl Note {
    /// Makes the note of this process.
    pub fn of_this_process(since: Moment) -> Self {
        let pid = std::process::id();
        Self { pid, host: host().to_owned(), since, started: started(pid) }
    }

    /// Reads a note; `None` when it is empty or cut off.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Tells whether its process is known to be gone. On another machine nothing is known.
    pub fn is_dead(&self) -> bool {
        self.host == host() && self.started.is_some() && started(self.pid) != self.started
    }

    /// Returns what a failure says of the owner.
    pub fn owner(&self) -> LockOwner {
        LockOwner { pid: self.pid, host: self.host.clone(), since: self.since }
    }
}

/// What trying once to take a lock came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours until the guard is dropped.
    Taken(Guard),
    /// Somebody else has it.
    Held(LockOwner),
}

/// A lock that is held. Dropping it, also in a panic, gives it back.
#[derive(Debug)]
pub struct Guard {
    file: Box<dyn Lockable>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // An empty note names nobody. Unlocked by hand: a child between fork and exec would keep a lock that only
        // goes with the file. Should both fail, closing the file is what is left.
        let _ = self.file.set_note("");
        let _ = self.file.unlock();
    }
}

/// Tries once to take the lock of an open file.
///
/// # Errors
/// The system's; that somebody has it is no error.
pub fn attempt(mut file: Box<dyn Lockable>, note: &Note) -> io::Result<Attempt> {
    if file.try_lock()? {
        let mut guard = Guard { file };
        let text = serde_json::to_string(note).map_err(io::Error::other)?;
        guard.file.set_note(&text)?;
        return Ok(Attempt::Taken(guard));
    }
    // The note of a dead process is an old one: the new owner has not written its own yet.
    let owner = Note::parse(&file.note()?).filter(|note| !note.is_dead());
    let nobody = || LockOwner { pid: 0, host: String::new(), since: Moment::default() };
    Ok(Attempt::Held(owner.map_or_else(nobody, |note| note.owner())))
}

/// Returns the pauses between attempts: 1, 2, 4, 8, 16, 25, 25… ms, without end.
pub fn pauses() -> impl Iterator<Item = Duration> + Send {
    std::iter::successors(Some(FIRST_PAUSE_MS), |ms| Some((ms * 2).min(LONGEST_PAUSE_MS))).map(Duration::from_millis)
}

/// Returns this machine's name.
pub fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        read_small("/proc/sys/kernel/hostname")
            .or_else(|| std::env::var("HOSTNAME").ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "this machine".to_owned())
    })
}

/// Returns when a process started, in clock ticks since boot; `None` where it is gone or the system does not tell.
pub fn started(pid: u32) -> Option<u64> {
    let stat = read_small(&format!("/proc/{pid}/stat"))?;
    // Field 22 of proc_pid_stat(5); the name before it stands in parentheses and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "files of /proc belong to the disk layer as well")]
fn read_small(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Store;

    fn note() -> Note {
        Note::of_this_process(Moment(7))
    }

    #[test]
    fn a_second_open_is_refused_and_told_the_owner_until_the_guard_drops() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::real(dir.path());
        let Attempt::Taken(guard) = store.try_lock("x.lock", &note()).unwrap() else { panic!("it is free") };
        let Attempt::Held(owner) = store.try_lock("x.lock", &note()).unwrap() else { panic!("it is held") };
        assert_eq!(owner, LockOwner { pid: std::process::id(), host: host().into(), since: Moment(7) });
        drop(guard);
        assert_eq!(store.read("x.lock", 100).unwrap().unwrap(), b"", "the file stays, the note goes");
        assert!(matches!(store.try_lock("x.lock", &note()).unwrap(), Attempt::Taken(_)));
    }

    #[test]
    fn a_lock_is_given_back_when_its_holder_panics() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::real(dir.path());
        let theirs = store.clone();
        let ended = std::thread::spawn(move || {
            let _guard = theirs.try_lock("x.lock", &note()).unwrap();
            panic!("on purpose");
        })
        .join();
        assert!(ended.is_err());
        assert!(matches!(store.try_lock("x.lock", &note()).unwrap(), Attempt::Taken(_)));
    }

    #[test]
    fn the_note_of_a_dead_process_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::real(dir.path());
        // Our own process id with another start: the id was given to somebody else.
        let old = Note { started: Some(1), ..note() };
        assert!(old.is_dead() && !note().is_dead());
        let Attempt::Taken(_guard) = store.try_lock("x.lock", &old).unwrap() else { panic!("it is free") };
        let Attempt::Held(owner) = store.try_lock("x.lock", &note()).unwrap() else { panic!("it is held") };
        assert_eq!(owner.pid, 0);
    }

    #[test]
    fn pauses_grow_to_25_ms() {
        let ms: Vec<u128> = pauses().take(7).map(|pause| pause.as_millis()).collect();
        assert_eq!(ms, [1, 2, 4, 8, 16, 25, 25]);
    }
}
