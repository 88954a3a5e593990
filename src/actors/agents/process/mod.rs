//! Children of this program: each in its own process group, with a cleared environment and a tag by which its
//! descendants are found again, and none left behind.
//!
//! It owns every child, also those of the mcp and repo actors. It must not know what a child is for: who starts one
//! gives a [`Program`], talks to it ([`converse()`] or its own streams) and ends it ([`Child::stop`], [`Child::finish`]).
//!
//! **Invariant:** a group is signalled only while its leader was not waited for, so a pid that was used again is never
//! hit (`tests/agents.rs`).

mod capture;
pub(super) mod clock;
mod converse;
pub(super) mod ear;
mod strays;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio_util::sync::CancellationToken;

pub use self::capture::Capture;
pub(super) use self::capture::EVIDENCE_END;
pub use self::converse::{Cut, Listener, Spoken, Stream, converse};
pub use self::strays::Stray;
use crate::actors::Scope;
use crate::disk::proc;
use crate::disk::text::{is_executable, on_path};
use crate::domain::classify::Exit;

/// Variable that names the run (or other purpose) a child belongs to.
pub const RUN_VAR: &str = "DICAST_RUN";
/// Variable that names the child's place in it.
pub const SEAT_VAR: &str = "DICAST_SEAT";
/// Variable that names the process that owns the child: pid and start time, so that a reused pid is another owner.
pub const OWNER_VAR: &str = "DICAST_OWNER";

/// How long the system may take to hand over a killed process before it is left to itself: longer means that it hangs
/// in the kernel.
const REAP: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Program and arguments, never through a shell.
    pub command: Vec<String>,
    /// Variables set for it. A value that is exactly `$NAME` is taken from our own environment at the start, so that
    /// secrets stay out of messages; the variable is left out if we do not have it.
    pub env: BTreeMap<String, String>,
    /// Names of our own variables that it may see (`NAME` or `PREFIX_*`, and `… if OTHER` where the other one is set);
    /// everything else is dropped.
    pub env_pass: Vec<String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// By what its descendants are found.
    pub tag: Tag,
}

/// Names a child among all children of this program; its descendants inherit it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The run, or what else it was started for.
    pub run: String,
    /// Its place in it; no two living children have the same.
    pub seat: String,
}

/// Who owns a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Start time, in clock ticks since boot; 0 where the system does not say.
    pub start: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.start)
    }
}

impl Owner {
    fn parse(text: &str) -> Option<Self> {
        let (pid, start) = text.split_once(':')?;
        Some(Self { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }
}

/// Why a program could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// There is no such program (or no such working directory).
    #[error("{command:?} was not found")]
    NotFound {
        /// The first word of the command.
        command: String,
    },
    /// It may not be executed.
    #[error("{command:?} may not be executed")]
    Denied {
        /// The first word of the command.
        command: String,
    },
    /// Anything else, in the system's words.
    #[error("{command:?} could not be started: {why}")]
    Other {
        /// The first word of the command.
        command: String,
        /// The system's words.
        why: String,
    },
}

/// Starts children and knows which live; cheap to clone, one for the whole program.
#[derive(Debug, Clone)]
pub struct Children {
    scope: Scope,
    owner: Owner,
    groups: Arc<Mutex<BTreeSet<u32>>>,
}

impl Children {
    /// Makes the one set of children of this process.
    pub fn new(scope: &Scope) -> Self {
        let owner = Owner { pid: std::process::id(), start: proc::this().map_or(0, |this| this.start) };
        Self { scope: scope.clone(), owner, groups: Arc::default() }
    }

    /// Returns the owner that this program's children name.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Returns the groups that live now, by the pid of their leaders.
    pub fn living(&self) -> Vec<u32> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Asks every group to stop (TERM); returns how many there are. Never waits: for shutdown.
    pub fn terminate_all(&self) -> usize {
        self.signal_all(Signal::TERM)
    }

    /// Kills every group (KILL); returns how many there are. Never waits: for shutdown.
    pub fn kill_all(&self) -> usize {
        self.signal_all(Signal::KILL)
    }

    fn signal_all(&self, signal: Signal) -> usize {
        // The lock is held while signalling: a group leaves the set, under the lock, before its leader is waited for.
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups.iter() {
            signal_group(*group, signal);
        }
        groups.len()
    }

    /// Starts a program with all three streams piped. Must be called inside the runtime.
    ///
    /// # Errors
    /// [`NotStarted`] says why it does not run.
    pub fn start(&self, program: &Program) -> Result<Child, NotStarted> {
        let name = program.command.first().cloned().unwrap_or_default();
        let refused = |error: std::io::Error| {
            let command = name.clone();
            if error.kind() == std::io::ErrorKind::NotFound {
                NotStarted::NotFound { command }
            } else if error.kind() == std::io::ErrorKind::PermissionDenied {
                NotStarted::Denied { command }
            } else {
                NotStarted::Other { command, why: error.to_string() }
            }
        };
        if name.is_empty() {
            return Err(NotStarted::NotFound { command: name });
        }
        // Before the start, so that no death is missed.
        let deaths = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child()).map_err(refused)?;
        let env = environment(program, std::env::vars_os().filter_map(as_text));
        let Some(found) = located(&name, env.get("PATH").map(String::as_str)) else {
            return Err(NotStarted::NotFound { command: name });
        };
        let mut inner = tokio::process::Command::new(found)
            .args(program.command.iter().skip(1))
            .env_clear()
            .envs(env)
            .env(RUN_VAR, &program.tag.run)
            .env(SEAT_VAR, &program.tag.seat)
            .env(OWNER_VAR, self.owner.to_string())
            .current_dir(&program.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(refused)?;
        widen(inner.stdout.as_ref());
        let pid = inner.id().unwrap_or_default();
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Ok(Child {
            stdin: inner.stdin.take(),
            stdout: inner.stdout.take(),
            stderr: inner.stderr.take(),
            children: self.clone(),
            tag: program.tag.clone(),
            pid,
            inner,
            deaths,
        })
    }
}

/// Room in the pipe of a child's output: the most that Linux gives everybody. Programs that end the hard way (node's
/// `process.exit`) lose what did not fit into the pipe by then, and with the usual 64 KiB that can be their last word.
const PIPE_ROOM: usize = 1 << 20;

#[cfg(target_os = "linux")]
fn widen(stdout: Option<&ChildStdout>) {
    // Refused (somebody used up this user's share): the usual room has to do.
    let _ = stdout.map(|stdout| rustix::pipe::fcntl_setpipe_size(stdout, PIPE_ROOM));
}

#[cfg(not(target_os = "linux"))]
fn widen(_: Option<&ChildStdout>) {}

/// How a child came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How its leader ended; `None` if it could not be killed.
    pub exit: Option<Exit>,
    /// Processes of its group or tag that are still there; 0 unless something is very wrong.
    pub survivors: u32,
}

/// A running child. Dropping it kills its group.
#[derive(Debug)]
pub struct Child {
    /// Its input; drop it for end of file.
    pub stdin: Option<ChildStdin>,
    /// Its output.
    pub stdout: Option<ChildStdout>,
    /// Its error output. Whoever takes it must read it, or the child may block.
    pub stderr: Option<ChildStderr>,
    children: Children,
    tag: Tag,
    pid: u32,
    inner: tokio::process::Child,
    deaths: tokio::signal::unix::Signal,
}

impl Child {
    /// Returns its pid, which is also its group's.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it has ended, and leaves it unreaped: its pid stays its own until [`Child::finish`]. Safe to drop
    /// and to call again.
    pub async fn ended(&mut self) -> Exit {
        loop {
            if let Some(exit) = exit_of(self.pid) {
                return exit;
            }
            if self.deaths.recv().await.is_none() {
                // Without a signal stream (the runtime ends) nobody can tell when.
                return Exit::Unknown;
            }
        }
    }

    /// Asks its group to stop (TERM). A stopped one is continued, or it would not hear.
    pub fn terminate(&self) {
        signal_group(self.pid, Signal::TERM);
        signal_group(self.pid, Signal::CONT);
    }

    /// Kills its group (KILL).
    pub fn kill(&self) {
        signal_group(self.pid, Signal::KILL);
    }

    /// Stops it for good: end of input, TERM, `grace` for its leader to end, then [`Child::finish`]; `kill` cuts the
    /// grace short. Drain its output meanwhile if it may fill a pipe.
    pub async fn stop(mut self, grace: Duration, kill: &CancellationToken) -> Ended {
        drop(self.stdin.take());
        self.terminate();
        tokio::select! {
            biased;
            () = kill.cancelled() => {}
            _ = self.ended() => {}
            () = tokio::time::sleep(grace) => {}
        }
        self.finish().await
    }

    /// Kills what is left of its group, sweeps its descendants by tag, and reaps it.
    pub async fn finish(mut self) -> Ended {
        self.kill();
        let exit = tokio::time::timeout(REAP, self.ended()).await.ok();
        let survivors = strays::sweep(&self.children, &self.tag, self.pid).await;
        self.forget();
        // Reaps it. A leader that could not be killed is left to the runtime, which reaps what is dropped.
        let _ = self.inner.try_wait();
        Ended { exit, survivors }
    }

    fn forget(&self) -> bool {
        self.children.groups.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Still in the set: nobody finished it, so nobody waited for its leader.
        if self.children.living().contains(&self.pid) {
            self.kill();
            self.forget();
        }
    }
}

/// Tells how a child of ours ended, without reaping it; `None` while it runs.
fn exit_of(pid: u32) -> Option<Exit> {
    let Some(pid) = raw(pid) else { return Some(Exit::Unknown) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::Pid(pid), options) {
        Ok(None) => None,
        Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unknown,
        }),
        Err(rustix::io::Errno::INTR) => None,
        Err(_) => Some(Exit::Unknown),
    }
}

fn signal_group(group: u32, signal: Signal) {
    if let Some(group) = raw(group) {
        // ESRCH: all of it has ended, which is what was wanted.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Makes a pid of the system's type; refuses 0 and 1, which as groups would mean ourselves and everybody.
fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok().filter(|pid| *pid > 1)?)
}

fn as_text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Finds the program that a name stands for, as the child's own PATH says. Its relative entries are passed over, as when
/// programs are looked for: they would mean the folder that it works in, and what a repository brings was not chosen by
/// anybody. What is written with a `/` is what it says.
fn located(name: &str, path: Option<&str>) -> Option<PathBuf> {
    let Some(path) = path.filter(|_| !name.contains('/')) else { return Some(name.into()) };
    let there: Vec<PathBuf> = on_path(name, path.as_ref()).collect();
    // One that may not be executed is found last, so that the system says so.
    there.iter().find(|file| is_executable(file)).or(there.first()).cloned()
}

/// Builds a child's environment from ours.
fn environment(program: &Program, ours: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let ours: BTreeMap<String, String> = ours.collect();
    let is_set = |name: &str| {
        let of_it = program.env.get(name).or_else(|| ours.get(name));
        of_it.is_some_and(|value| !value.is_empty())
    };
    let passes = |name: &str| {
        program.env_pass.iter().any(|allowed| {
            let (allowed, needs) = allowed.split_once(" if ").map_or((allowed.as_str(), None), |(a, b)| (a, Some(b)));
            let is_named = match allowed.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == allowed,
            };
            is_named && needs.is_none_or(is_set)
        })
    };
    let mut env: BTreeMap<String, String> =
        ours.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in &program.env {
        let reference = value
            .strip_prefix('$')
            .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        match reference {
            None => drop(env.insert(name.clone(), value.clone())),
            Some(named) => match ours.get(named) {
                Some(value) => drop(env.insert(name.clone(), value.clone())),
                None => drop(env.remove(name)),
            },
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_child_sees_only_what_is_allowed_and_set() {
        let program = Program {
            command: vec!["x".into()],
            env: strings(&[("KEY", "$MY_KEY"), ("GONE", "$NOT_THERE"), ("PRICE", "$ 5"), ("PATH", "/only")]),
            env_pass: vec!["PATH".into(), "LC_*".into(), "GONE".into()],
            cwd: "/".into(),
            tag: Tag { run: "r".into(), seat: "s".into() },
        };
        let ours = strings(&[
            ("PATH", "/bin"),
            ("PATHS", "x"),
            ("LC_ALL", "C"),
            ("XLC_A", "x"),
            ("MY_KEY", "secret"),
            ("GONE", "kept"),
        ]);
        assert_eq!(
            environment(&program, ours.into_iter()),
            strings(&[("KEY", "secret"), ("LC_ALL", "C"), ("PATH", "/only"), ("PRICE", "$ 5")])
        );
    }

    #[test]
    fn what_belongs_to_a_cloud_is_seen_only_where_that_cloud_is_asked() {
        let known = crate::domain::preset::preset("claude").unwrap();
        let program = |set: &[(&str, &str)]| Program {
            command: vec!["claude".into()],
            env: strings(set),
            env_pass: known.env_pass.iter().map(|name| (*name).to_owned()).collect(),
            cwd: "/".into(),
            tag: Tag { run: "r".into(), seat: "s".into() },
        };
        let clouds = [
            ("AWS_REGION", "eu"),
            ("AWS_SESSION_TOKEN", "t"),
            ("AWS_LAMBDA", "x"),
            ("CLOUD_ML_REGION", "us"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/f"),
        ];
        let seen = |set: &[(&str, &str)], ours: &[(&str, &str)]| -> Vec<String> {
            let ours = strings(&clouds).into_iter().chain(strings(ours));
            environment(&program(set), ours).into_keys().filter(|name| !name.starts_with("CLAUDE")).collect()
        };
        assert!(seen(&[], &[("CLAUDE_CODE_USE_BEDROCK", "")]).is_empty());
        assert_eq!(seen(&[], &[("CLAUDE_CODE_USE_BEDROCK", "1")]), ["AWS_REGION", "AWS_SESSION_TOKEN"]);
        let vertex = [("CLAUDE_CODE_USE_VERTEX", "1")];
        assert_eq!(seen(&vertex, &[]), ["CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS"], "also by its config");
    }

    #[test]
    fn a_program_is_taken_from_the_absolute_folders_of_its_path_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        crate::disk::text::write_atomic_text(&at("tool"), "").unwrap();
        assert_eq!(located("tool", Some("")), None);
        assert_eq!(located("tool", Some(".:bin::")), None, "what the folder that it works in brings was not chosen");
        let path = format!(".:/no-such-folder:{}", folder.path().display());
        assert_eq!(located("tool", Some(&path)), Some(at("tool")), "one that may not be executed says so itself");
        assert_eq!(located("./tool", Some(&path)), Some("./tool".into()));
        assert_eq!(located("tool", None), Some("tool".into()), "without a PATH the system's own holds");
    }

    #[test]
    fn no_signal_ever_goes_to_everybody() {
        for pid in [0, 1, u32::MAX, 1 << 31] {
            assert!(raw(pid).is_none());
        }
        assert!(raw(2).is_some());
    }

    #[test]
    fn an_owner_is_read_back_as_written() {
        let owner = Owner { pid: 7, start: 99 };
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        assert_eq!(Owner::parse("7"), None);
    }
}
