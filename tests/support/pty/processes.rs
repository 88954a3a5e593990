//! The process table, as far as tests look at it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

/// Variable by which children of the program, and theirs, are found: `<pid>:<start>` of their owner.
const OWNER: &str = "DICAST_OWNER=";

/// Names every living process that a program with this id owns: id and command line.
pub(crate) fn owned_by(pid: u32) -> Vec<String> {
    let tag = format!("{OWNER}{pid}:");
    pids()
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|piece| piece.starts_with(tag.as_bytes()))
        })
        .filter(|pid| !has_ended(*pid))
        .map(|pid| format!("{pid} {}", command_line(pid)))
        .collect()
}

/// Finds the one living child of a process.
pub(crate) fn child_of(parent: u32) -> Option<u32> {
    pids().find(|pid| stat(*pid).is_some_and(|fields| fields[1] == parent.to_string()) && !has_ended(*pid))
}

/// Tells whether a process is gone or only waits to be noticed.
pub(crate) fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| matches!(fields[0].as_str(), "Z" | "X" | "x"))
}

/// Ends one process by its id, at once.
pub(crate) fn kill(pid: u32) {
    send(pid, rustix::process::Signal::KILL);
}

/// Sends a signal to one process by its id; one that is gone needs none.
pub(crate) fn send(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Tells whether a process was stopped by a signal.
pub(crate) fn is_stopped(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "T")
}

/// Continues a process that was stopped, with its whole group, as a shell's `fg` does.
pub(crate) fn go_on(pid: u32) {
    let group = stat(pid).and_then(|fields| fields[2].parse().ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::CONT);
    }
}

/// Counts how often the main thread of a process was put on a core or taken off it.
pub(crate) fn main_thread_switches(pid: u32) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{pid}/status")).unwrap_or_default();
    status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect()
}

/// What a process and its threads have used so far.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    /// For each thread that lives: how often it waited, so how often it woke, and its time on a core.
    threads: BTreeMap<OsString, (u64, Duration)>,
}

/// Reads what a process has used; its children are not counted.
pub(crate) fn usage(pid: u32) -> Usage {
    let mut usage = Usage { threads: BTreeMap::new() };
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let switches = read("status").lines().find_map(|line| {
            line.strip_prefix("voluntary_ctxt_switches:").and_then(|count| count.trim().parse::<u64>().ok())
        });
        let spent = read("schedstat").split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        usage.threads.insert(thread.file_name(), (switches.unwrap_or(0), Duration::from_nanos(spent)));
    }
    usage
}

impl Usage {
    /// Returns how often a thread woke and how long threads ran since an earlier look. A thread that has ended in
    /// between woke once, to end.
    pub(crate) fn since(&self, earlier: &Usage) -> (u64, Duration) {
        let mut wakeups = 0;
        let mut cpu = Duration::ZERO;
        for (thread, (switches, spent)) in &self.threads {
            let (before, used) = earlier.threads.get(thread).copied().unwrap_or_default();
            wakeups += switches.saturating_sub(before);
            cpu += spent.saturating_sub(used);
        }
        let ended = earlier.threads.keys().filter(|thread| !self.threads.contains_key(*thread)).count();
        (wakeups + u64::try_from(ended).unwrap_or(u64::MAX), cpu)
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces itself: state, parent, group, session, ….
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}
