//! Finding processes by their tag, and ending them: what moved out of its group (`setsid`), and what a dead owner left.
//!
//! It must not know how children are started or talked to.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::{Children, OWNER_VAR, Owner, RUN_VAR, SEAT_VAR, Tag, raw};
use crate::disk::proc::{self, Process};

/// How often a sweep looks again: a process may fork between the look and the blow.
const ROUNDS: u32 = 5;

/// Pause before the second look; it doubles each round (10, 20, 40, 80 ms). A killed process leaves the table late when
/// it holds much memory.
const PAUSE: Duration = Duration::from_millis(10);

/// How long strays may take to end after TERM.
const STRAY_GRACE: Duration = Duration::from_millis(200);

/// A process that a dead owner left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its id.
    pub pid: u32,
    /// The run, or what else it was started for.
    pub run: String,
    /// Its place in it.
    pub seat: String,
    /// Whether it is gone now.
    pub is_gone: bool,
}

impl Children {
    /// Ends what owners that are dead left behind: TERM, a short grace, KILL. Never touches a process of a living
    /// owner, of another user or of another pid namespace, nor this process and its ancestors (a user may start us
    /// in a shell that an agent had opened). For the start of the program.
    pub async fn reap_strays(&self) -> Vec<Stray> {
        let found = self.look(find_strays).await;
        if found.is_empty() {
            return Vec::new();
        }
        for (process, _) in &found {
            strike(process, Signal::TERM);
        }
        tokio::time::sleep(STRAY_GRACE).await;
        let mut left = found.clone();
        for round in 0..ROUNDS {
            left = self.look(move || left.into_iter().filter(|(process, _)| is_there(process)).collect()).await;
            if left.is_empty() {
                break;
            }
            for (process, _) in &left {
                strike(process, Signal::KILL);
            }
            tokio::time::sleep(PAUSE * 2u32.pow(round)).await;
        }
        found
            .into_iter()
            .map(|(process, tag)| {
                let is_gone = !left.iter().any(|(other, _)| other.pid == process.pid);
                Stray { pid: process.pid, run: tag.run, seat: tag.seat, is_gone }
            })
            .collect()
    }

    /// Looks at the process table on the blocking pool. A look that panicked saw nothing; its log says why.
    async fn look<T: Send + 'static>(&self, at: impl FnOnce() -> Vec<T> + Send + 'static) -> Vec<T> {
        self.scope.spawn_blocking(at).await.unwrap_or_default()
    }
}

/// Kills everything that bears the tag or is in the group of the leader `group`, whose pid is still its own. Returns
/// how many are left.
pub(super) async fn sweep(children: &Children, tag: &Tag, group: u32) -> u32 {
    let mut left = 0;
    for round in 0..ROUNDS {
        let (owner, tag) = (children.owner, tag.clone());
        let found = children.look(move || members(owner, &tag, group)).await;
        left = u32::try_from(found.len()).unwrap_or(u32::MAX);
        if left == 0 {
            break;
        }
        for process in &found {
            strike(process, Signal::KILL);
        }
        tokio::time::sleep(PAUSE * 2u32.pow(round)).await;
    }
    left
}

fn members(owner: Owner, tag: &Tag, group: u32) -> Vec<Process> {
    let owner = owner.to_string();
    let bears_tag = |pid: u32| {
        let environment = proc::environment(pid);
        let says = |name: &str, value: &str| proc::variable(&environment, name) == Some(value);
        says(OWNER_VAR, &owner) && says(RUN_VAR, &tag.run) && says(SEAT_VAR, &tag.seat)
    };
    let this = std::process::id();
    proc::living()
        .into_iter()
        .filter(|process| process.pid != this && (process.group == group || bears_tag(process.pid)))
        .collect()
}

fn find_strays() -> Vec<(Process, Tag)> {
    let living = proc::living();
    let kin = ancestors(&living);
    living
        .into_iter()
        .filter(|process| !kin.contains(&process.pid))
        .filter_map(|process| {
            let environment = proc::environment(process.pid);
            let read = |name: &str| proc::variable(&environment, name).map(str::to_owned);
            let owner = Owner::parse(&read(OWNER_VAR)?)?;
            if is_alive(owner) || !proc::shares_our_pids(process.pid) {
                return None;
            }
            Some((process, Tag { run: read(RUN_VAR)?, seat: read(SEAT_VAR)? }))
        })
        .collect()
}

fn is_alive(owner: Owner) -> bool {
    proc::look(owner.pid).is_some_and(|process| process.start == owner.start && !process.has_ended)
}

/// Lists this process and its ancestors.
fn ancestors(living: &[Process]) -> Vec<u32> {
    let parents: BTreeMap<u32, u32> = living.iter().map(|process| (process.pid, process.parent)).collect();
    std::iter::successors(Some(std::process::id()), |pid| parents.get(pid).copied()).collect()
}

fn is_there(process: &Process) -> bool {
    proc::look(process.pid).is_some_and(|now| now.start == process.start && !now.has_ended)
}

/// Signals exactly this process. A pid may be used again between the look and the blow, so the process is pinned by a
/// file descriptor first and looked at once more.
fn strike(process: &Process, signal: Signal) {
    let Some(pid) = raw(process.pid) else { return };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        if let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty())
            && is_there(process)
        {
            // ESRCH: it has just ended, which is what was wanted.
            let _ = pidfd_send_signal(pinned, signal);
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Without /proc nothing is ever found to strike.
        let _ = (pid, signal);
    }
}
