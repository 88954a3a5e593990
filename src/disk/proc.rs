//! The kernel's table of processes, read from `/proc` (proc(5)): who lives, since when, in which group, with which
//! environment. On a system without `/proc` the table is empty and nobody is found.
//!
//! It must not know what a process is to us, nor end one.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// When it started, in clock ticks since boot: with the pid it names one process for good, since pids are used
    /// again.
    pub start: u64,
    /// Whether it has ended and only waits for its parent to notice (states `Z` and `X`).
    pub has_ended: bool,
}

/// Looks one process up; `None` if there is none of that id.
pub fn look(pid: u32) -> Option<Process> {
    parse(&read(pid, "stat")?)
}

/// Looks this process up.
pub fn this() -> Option<Process> {
    look(std::process::id())
}

/// Lists every process that belongs to this user and has not ended, by id.
pub fn living() -> Vec<Process> {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the process table")]
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let user = rustix::process::geteuid().as_raw();
    let mut found: Vec<Process> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.metadata().is_ok_and(|known| known.uid() == user))
        .filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?))
        .filter(|process| !process.has_ended)
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Reads the environment a process was started with, as `NAME=value` pieces separated by NUL; empty if it is gone
/// or not ours to read.
pub fn environment(pid: u32) -> Vec<u8> {
    read(pid, "environ").unwrap_or_default()
}

/// Finds a variable in what [`environment`] returned.
pub fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a str> {
    environment.split(|byte| *byte == 0).find_map(|piece| {
        let value = piece.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok()
    })
}

/// Tells whether a process counts pids as we do. One in a container does not: the pids in its environment mean
/// others here.
pub fn shares_our_pids(pid: u32) -> bool {
    let namespace = |who: &str| std::fs::read_link(Path::new("/proc").join(who).join("ns/pid")).ok();
    let ours = namespace("self");
    ours.is_some() && namespace(&pid.to_string()) == ours
}

fn read(pid: u32, file: &str) -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the process table")]
    std::fs::read(format!("/proc/{pid}/{file}")).ok()
}

/// Reads a line of `/proc/PID/stat`. The second field is the program's name in parentheses and may itself hold spaces
/// and parentheses, so fields are counted from the last `)`.
fn parse(stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let (pid, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // proc(5) counts from 1 with the state as field 3: the state is our 0, the start time (22) our 19.
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        has_ended: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) S) (b c) Z 7 41 40 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 0 0\n";
        let found = parse(line).unwrap();
        assert_eq!(found, Process { pid: 42, parent: 7, group: 41, start: 9876, has_ended: true });
        assert_eq!(parse(b"42 (short) S 1"), None);
    }

    #[test]
    fn this_process_is_in_the_table_and_shares_its_own_pids() {
        let this = this().unwrap();
        assert_eq!(this.pid, std::process::id());
        assert!(living().contains(&this));
        assert!(shares_our_pids(this.pid));
        assert_eq!(look(u32::MAX), None);
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"XA=1\0A=2\0AB=3\0A=4\0EMPTY=\0";
        assert_eq!(variable(environment, "A"), Some("2"));
        assert_eq!(variable(environment, "AB"), Some("3"));
        assert_eq!(variable(environment, "EMPTY"), Some(""));
        assert_eq!(variable(environment, "B"), None);
    }
}
