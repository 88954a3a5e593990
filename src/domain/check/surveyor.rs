//! The surveyor: does what a task names exist, and did anybody touch it since the spec was written?
//!
//! It must not read words for their sense: that is the critic's.

use std::collections::BTreeSet;

use super::sight::{Sight, Sighting};
use super::{Counts, Findings, Place, Rule, Seen, Severity};
use crate::domain::spec::{Spec, Task};

/// Looks at every task of a spec.
pub(super) fn survey(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) -> Option<Counts> {
    let tasks = spec.tasks.as_ref()?;
    let mut counts = Counts { all: u32::try_from(tasks.len()).unwrap_or(u32::MAX), ..Counts::default() };
    let mut untouched = Vec::new();
    let since = Since::written(seen, spec);
    for task in tasks {
        let look = look_at(seen, spec, task);
        if !task.done {
            if look.is_proof() {
                let message =
                    format!("{} is not ticked, but all that it names is there: {}", task.id, look.there.join(", "));
                out.add(
                    Rule::OpenTaskDone,
                    &task.id,
                    out.in_tasks(task.line),
                    &message,
                    "tick it, or say what is missing",
                );
            }
            continue;
        }
        counts.ticked += 1;
        if !look.lacks.is_empty() {
            counts.absent += 1;
        } else if look.there.is_empty() {
            counts.unnamed += 1;
        } else {
            counts.seen += 1;
            let is_old = |since: &Since<'_>| !look.files.is_empty() && !look.files.iter().any(|f| since.touched(f));
            if since.as_ref().is_some_and(is_old) {
                untouched.push(task);
            }
        }
        for lack in &look.lacks {
            let message = format!("{} ticked, {}", task.id, lack.message);
            out.add(lack.rule, &task.id, out.in_tasks(task.line), &message, &lack.clear);
        }
    }
    report_untouched(seen, &untouched, counts, out);
    Some(counts)
}

/// What was seen of one task.
#[derive(Default)]
struct Look {
    there: Vec<String>,
    files: Vec<String>,
    has_code: bool,
    lacks: Vec<Lack>,
}

/// Something that a task names and that is not there.
struct Lack {
    rule: Rule,
    message: String,
    clear: String,
}

impl Look {
    /// Tells whether an open task looks done: all is there, and it is more than a file that was there before.
    fn is_proof(&self) -> bool {
        self.lacks.is_empty() && !self.there.is_empty() && self.has_code
    }
}

fn look_at(seen: &Seen<'_>, spec: &Spec, task: &Task) -> Look {
    let mut look = Look::default();
    for written in &task.files {
        match seen.paths.resolve(&spec.dir, written) {
            Some(path) => {
                look.there.push(written.clone());
                look.files.push(path);
            }
            None if seen.tree.ignored.contains(written) => {}
            None => look_for_gone(seen, written, &mut look),
        }
    }
    for name in &task.symbols {
        match seen.sights.symbol(name, &look.files) {
            Sighting::Seen(sight) => {
                look.there.push(name.clone());
                look.has_code = true;
                add_once(&mut look.files, sight.file.to_owned());
                look.lacks.extend(hollow(name, &sight));
            }
            Sighting::Absent(elsewhere) => look.lacks.push(Lack {
                rule: Rule::TickedSymbolMissing,
                message: match elsewhere {
                    Some(Place { file, line }) => format!("{name} is defined nowhere (only used: {file}:{line})"),
                    None => format!("{name} is nowhere in the code"),
                },
                clear: format!("write {name}, correct its name in the task, or untick the task"),
            }),
        }
    }
    for id in &task.tests {
        match seen.sights.test(id) {
            Some(sight) => {
                look.there.push(id.clone());
                look.has_code = true;
                add_once(&mut look.files, sight.file.to_owned());
                look.lacks.extend(hollow(id, &sight));
            }
            None => look.lacks.push(Lack {
                rule: Rule::TickedTestMissing,
                message: format!("test {id} does not exist"),
                clear: format!("write the test {id}, correct its name in the task, or untick the task"),
            }),
        }
    }
    look
}

fn hollow(name: &str, sight: &Sight<'_>) -> Option<Lack> {
    let Place { file, line } = sight.place();
    sight.is_hollow.then(|| Lack {
        rule: Rule::TickedHollow,
        message: format!("{name} does nothing yet ({file}:{line})"),
        clear: format!("write the body of {name}, or untick the task"),
    })
}

fn add_once(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

fn look_for_gone(seen: &Seen<'_>, written: &str, look: &mut Look) {
    let history = seen.tree.history.as_ref();
    let gone = history.and_then(|h| h.last(written).and_then(|at| h.commits.get(at)));
    let is_dirty = |path: &str| history.is_some_and(|h| h.dirty.contains(path));
    // One commit (or what is not committed yet) took it away and brought a file of that name elsewhere.
    let moved = seen.paths.moved(written).filter(|now| match gone {
        Some(_) if is_dirty(written) => is_dirty(now),
        Some(commit) => commit.files.iter().any(|f| f == now),
        None => false,
    });
    match (gone, moved) {
        (Some(_), Some(now)) => {
            look.there.push(written.to_owned());
            look.files.push(now.to_owned());
        }
        (Some(commit), None) => {
            let since = if is_dirty(written) {
                "deleted since the last commit".into()
            } else {
                format!("gone since commit {}", commit.sha.get(..7).unwrap_or(&commit.sha))
            };
            look.lacks.push(Lack {
                rule: Rule::TickedFileGone,
                message: format!("{written} does not exist any more ({since})"),
                clear: format!("bring {written} back, name what replaced it in the task, or untick the task"),
            });
        }
        (None, _) => look.lacks.push(Lack {
            rule: Rule::TickedFileMissing,
            message: format!("{written} does not exist"),
            clear: format!("create {written}, correct the path in the task, or untick the task"),
        }),
    }
}

/// First words of tasks that change nothing.
const LOOKING: [&str; 14] = [
    "verify",
    "review",
    "check",
    "confirm",
    "ensure",
    "validate",
    "run",
    "read",
    "manual",
    "manually",
    "investigate",
    "research",
    "analyze",
    "measure",
];

/// What was worked on since a spec was written.
struct Since<'t> {
    paths: BTreeSet<&'t str>,
}

impl<'t> Since<'t> {
    /// Returns `None` where nothing can be said: no history, or not back to the commit that brought the spec.
    fn written(seen: &Seen<'t>, spec: &Spec) -> Option<Self> {
        let history = seen.tree.history.as_ref()?;
        let born = history.first_under(&spec.dir)?;
        let is_known = history.whole || born + 1 < history.commits.len();
        let committed = history.commits[..=born].iter().flat_map(|c| &c.files);
        let now = history.dirty.iter().chain(&seen.tree.besides);
        is_known.then(|| Self { paths: committed.chain(now).map(String::as_str).collect() })
    }

    fn touched(&self, path: &str) -> bool {
        if path.ends_with('/') { self.paths.iter().any(|f| f.contains(path)) } else { self.paths.contains(path) }
    }
}

fn report_untouched(seen: &Seen<'_>, untouched: &[&Task], counts: Counts, out: &mut Findings<'_>) {
    let is_look = |t: &&&Task| {
        let title = t.title.trim_start_matches(|c: char| !c.is_alphabetic());
        let first = title.split_whitespace().find(|w| !w.starts_with('[')).unwrap_or("").to_lowercase();
        LOOKING.contains(&first.trim_matches(|c: char| !c.is_alphabetic()))
    };
    let untouched: Vec<&&Task> = untouched.iter().filter(|t| !is_look(t)).collect();
    let Some(first) = untouched.first() else { return };
    // A spec that was written after its code has every box ticked at once: one remark, not one for each task.
    if untouched.len() > 1 && untouched.len() * 2 > usize::try_from(counts.seen).unwrap_or(usize::MAX) {
        let message = format!(
            "the code that {} ticked tasks name is older than the spec and was not touched since",
            untouched.len()
        );
        let clear = "nothing to do if the spec describes what was there before";
        out.add_as(Rule::TickedUntouched, Severity::Info, "", out.in_tasks(first.line), &message, clear);
        return;
    }
    let shallow = if seen.tree.history.as_ref().is_some_and(|h| h.whole) { "" } else { " in the history that is here" };
    for task in untouched {
        let named: Vec<&str> = task.files.iter().chain(&task.symbols).chain(&task.tests).map(String::as_str).collect();
        let message = format!(
            "{} ticked, but nothing it names was changed since the spec was written{shallow}: {}",
            task.id,
            named.join(", ")
        );
        let clear = "do the task, name what was changed for it, or untick it";
        out.add(Rule::TickedUntouched, &task.id, out.in_tasks(task.line), &message, clear);
    }
}
