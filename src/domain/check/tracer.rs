//! The tracer: requirement → task → test → code, and where the chain has a hole.
//!
//! It must not judge whether a test shows what it should: only whether there is one.

use std::collections::BTreeSet;

use super::sight::Sight;
use super::{Findings, Place, Rule, Seen, Severity, Trace, whose};
use crate::domain::spec::{self, Level, Requirement, Spec, Task, is_test_path};

/// Follows every requirement of a spec.
pub(super) fn trace(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) -> Vec<Trace> {
    if spec.requirements.is_empty() {
        let clear = "add a line such as `- **FR-001**: The system MUST …`";
        out.add(
            Rule::NoRequirements,
            "",
            out.in_spec(1),
            "the spec demands nothing: no requirement, story or scenario",
            clear,
        );
    }
    stale_plan(seen, spec, out);
    let traces: Vec<Trace> = spec.requirements.iter().map(|r| trace_one(seen, spec, r)).collect();
    let Some(tasks) = &spec.tasks else { return traces };
    orphans(seen, spec, tasks, out);
    without_task(spec, tasks, &traces, out);
    without_test(spec, tasks, &traces, out);
    traces
}

/// Reports where the documents of a spec have drifted apart: a plan older than its spec, tasks that name what is not
/// there.
pub(super) fn drifted(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) {
    stale_plan(seen, spec, out);
    orphans(seen, spec, spec.tasks.as_deref().unwrap_or_default(), out);
}

fn names(task: &Task, requirement: &Requirement) -> bool {
    let is_named = |id: &String| *id == requirement.id || requirement.criteria.contains(id);
    task.requirements.iter().any(is_named)
}

fn trace_one(seen: &Seen<'_>, spec: &Spec, requirement: &Requirement) -> Trace {
    let mut trace =
        Trace { requirement: requirement.id.clone(), tasks: Vec::new(), tests: Vec::new(), code: Vec::new() };
    for task in spec.tasks.iter().flatten().filter(|t| names(t, requirement)) {
        trace.tasks.push(task.id.clone());
        for written in &task.files {
            let Some(path) = seen.paths.resolve(&spec.dir, written).filter(|p| !p.ends_with('/')) else { continue };
            if !is_test_path(&path) {
                trace.code.push(Place { file: path, line: 1 });
            } else if task.tests.is_empty() {
                // Of a task that names its test, the file alone shows nothing.
                trace.tests.push(Place { file: path, line: 1 });
            }
        }
        trace.tests.extend(task.tests.iter().filter_map(|id| seen.sights.test(id)).map(|s| s.place()));
    }
    for sight in seen.sights.requirement(&requirement.id).iter().filter(|s| belongs(seen, spec, &requirement.id, s)) {
        if sight.in_test { &mut trace.tests } else { &mut trace.code }.push(sight.place());
    }
    for list in [&mut trace.tests, &mut trace.code] {
        list.sort();
        list.dedup();
    }
    trace
}

/// Tells whether an id in code is this spec's: every spec has its own FR-001. The line decides which spec is meant, else
/// its file, and where neither names any, only an id that no other spec defines.
fn belongs(seen: &Seen<'_>, spec: &Spec, id: &str, sight: &Sight<'_>) -> bool {
    let specs = &seen.reading.specs;
    let whole = seen.tree.text(sight.file).unwrap_or_default();
    for text in [sight.text, sight.file, whole] {
        if whose::names(text, &spec.id) {
            return true;
        }
        if specs.iter().any(|s| whose::names(text, &s.id)) {
            return false;
        }
    }
    specs.iter().all(|s| s.id == spec.id || s.requirement(id).is_none())
}

fn without_task(spec: &Spec, tasks: &[Task], traces: &[Trace], out: &mut Findings<'_>) {
    // A list whose tasks name stories only cannot be traced by requirement: that is one remark, not one for each.
    let named = traces.iter().filter(|t| !t.tasks.is_empty()).count();
    let musts = spec.requirements.iter().filter(|r| r.level == Level::Must).count();
    if named == 0 && musts > 1 && !tasks.is_empty() {
        let message = format!("no task names any of the {musts} must requirements, so none can be followed to code");
        let clear = "name the ids in tasks.md: `- [ ] T001 … (FR-001)`";
        out.add(Rule::RequirementWithoutTask, "", out.in_tasks(1), &message, clear);
        return;
    }
    for (requirement, trace) in spec.requirements.iter().zip(traces).filter(|(_, t)| t.tasks.is_empty()) {
        let severity = if requirement.level == Level::Must { Severity::Warning } else { Severity::Info };
        let and_test = if trace.tests.is_empty() { " and no test" } else { "" };
        let message = format!("{} ({}) has no task{and_test}", requirement.id, requirement.level.word());
        let clear = format!("add a task that names {0}, or take {0} out of the spec", requirement.id);
        out.add_as(
            Rule::RequirementWithoutTask,
            severity,
            &requirement.id,
            out.in_spec(requirement.line),
            &message,
            &clear,
        );
    }
}

fn without_test(spec: &Spec, tasks: &[Task], traces: &[Trace], out: &mut Findings<'_>) {
    let lacks = |r: &Requirement, t: &Trace| {
        let planned = tasks.iter().any(|task| !task.done && names(task, r) && plans_test(task));
        r.level == Level::Must && !t.tasks.is_empty() && t.tests.is_empty() && !planned
    };
    let pairs = spec.requirements.iter().zip(traces);
    let lacking: Vec<(&Requirement, &Trace)> = pairs.filter(|(r, t)| lacks(r, t)).collect();
    // Work that is open may still bring its test: that is one remark for all of it.
    let (done, open): (Vec<_>, Vec<_>) =
        lacking.into_iter().partition(|(r, _)| tasks.iter().filter(|t| names(t, r)).all(|t| t.done));
    for (requirement, trace) in done {
        let id = &requirement.id;
        let message = format!("{id} (MUST) has no test; tasks: {}", trace.tasks.join(", "));
        let clear = format!("name {id} in its test, or name the test in a task of {id}");
        out.add(Rule::RequirementWithoutTest, id, out.in_spec(requirement.line), &message, &clear);
    }
    if !open.is_empty() {
        let ids: Vec<&str> = open.iter().map(|(r, _)| r.id.as_str()).collect();
        let message = format!("no test is planned yet for {}", ids.join(", "));
        let clear = "name each id in its test, or name the test in a task";
        out.add_as(Rule::RequirementWithoutTest, Severity::Info, "", out.in_tasks(1), &message, clear);
    }
}

fn plans_test(task: &Task) -> bool {
    !task.tests.is_empty() || task.files.iter().any(|f| is_test_path(f))
}

fn orphans(seen: &Seen<'_>, spec: &Spec, tasks: &[Task], out: &mut Findings<'_>) {
    for task in tasks {
        let unknown: Vec<&str> =
            task.requirements.iter().filter(|id| !is_known(seen, spec, id)).map(String::as_str).collect();
        if !unknown.is_empty() {
            let list = unknown.join(", ");
            let message = format!("{} names {list}, which the spec does not have", task.id);
            let clear = format!("correct the id in {}, or define {list} in the spec", task.id);
            out.add(Rule::OrphanTask, &task.id, out.in_tasks(task.line), &message, &clear);
        }
    }
}

fn is_known(seen: &Seen<'_>, spec: &Spec, id: &str) -> bool {
    if spec.requirement(id).is_some() || spec.has_story(id) {
        return true;
    }
    // `R2` is also what products and releases are called: it is an id only where the spec has such ids.
    if id.starts_with("R-") && !spec.requirements.iter().any(|r| r.id.starts_with("R-")) {
        return true;
    }
    if id.starts_with("US") {
        // Stories without headings have no numbers to compare with.
        return spec.stories.is_empty();
    }
    let text = seen.tree.text(&spec.file).unwrap_or_default();
    // Criteria may be written in ways that have no definition line; another spec of the repository may be meant.
    let is_written = spec::requirement_ids(text).iter().any(|known| known == id);
    is_written || seen.reading.specs.iter().any(|other| other.id != spec.id && task_means(spec, other, id))
}

fn task_means(spec: &Spec, other: &Spec, id: &str) -> bool {
    let text = spec.tasks.iter().flatten().filter(|t| t.requirements.iter().any(|r| r == id));
    other.requirement(id).is_some() && text.into_iter().any(|t| t.title.contains(other.id.as_str()))
}

/// Milliseconds of difference between two files' times that mean nothing: tools write documents one after the other.
const SAME_TIME_MS: u64 = 60_000;

fn stale_plan(seen: &Seen<'_>, spec: &Spec, out: &mut Findings<'_>) {
    let plan = seen.tree.path_of(spec, "plan.md");
    let (Some(plan_file), Some(spec_file)) = (seen.tree.files.get(&plan), seen.tree.files.get(&spec.file)) else {
        return;
    };
    let clear = "plan again, or bring plan.md up to date and save it";
    let Some(history) = &seen.tree.history else {
        if spec_file.modified.since(plan_file.modified) > SAME_TIME_MS {
            let days = days(spec_file.modified.since(plan_file.modified));
            out.add(Rule::StalePlan, "", out.in_spec(1), &format!("spec changed after its plan{days}"), clear);
        }
        return;
    };
    if history.dirty.contains(&plan) {
        return;
    }
    let (spec_at, plan_at) = (history.last(&spec.file), history.last(&plan));
    let is_newer = history.dirty.contains(&spec.file) || matches!((spec_at, plan_at), (Some(s), Some(p)) if s < p);
    let Some(before) = history.planned.get(&spec.id).filter(|_| is_newer) else { return };
    let before = spec::parse(spec.id.clone(), &spec.dir, &spec.file, before);
    let changed = changed_ids(&before, spec);
    if changed.is_empty() {
        return;
    }
    let at = |index: Option<usize>| index.and_then(|i| history.commits.get(i)).map(|c| c.at);
    let days = match (at(spec_at), at(plan_at)) {
        _ if history.dirty.contains(&spec.file) => " (not committed)".into(),
        (Some(spec_at), Some(plan_at)) => days(spec_at.since(plan_at)),
        _ => String::new(),
    };
    let message = format!("spec changed after its plan{days}: {}", changed.join(", "));
    out.add(Rule::StalePlan, "", out.in_spec(1), &message, clear);
}

/// Returns the ids whose words or level differ, the new and the lost ones.
fn changed_ids(before: &Spec, now: &Spec) -> Vec<String> {
    let words = |s: &Spec| {
        s.requirements
            .iter()
            .map(|r| (r.id.clone(), (r.level, r.text.clone())))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (old, new) = (words(before), words(now));
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    ids.into_iter().filter(|id| old.get(*id) != new.get(*id)).cloned().collect()
}

fn days(ms: u64) -> String {
    match ms / 86_400_000 {
        0 => String::new(),
        1 => " (1 day)".into(),
        n => format!(" ({n} days)"),
    }
}
