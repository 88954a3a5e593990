//! plan.md and tasks.md, in github/spec-kit's headings and line format
//! (<https://github.com/github/spec-kit/tree/main/templates>).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Desk;
use super::items::{Item, items};
use super::lists::Served;
use super::voices::codes;
use super::words::{code, inline, listed, section};
use crate::domain::claim::Kind;

/// Writes plan.md.
pub(super) fn plan(desk: &Desk<'_>) -> String {
    let spec = desk.inputs.spec;
    let (items, _) = items(desk);
    let mut out = format!("# Implementation Plan: {}\n\n", inline(&spec.title));
    let file = spec.file.rsplit('/').next().unwrap_or(&spec.file);
    let _ = writeln!(out, "**Branch**: `{}` | **Spec**: [{file}]({file}) | {}\n", spec.id, desk.standing());
    let _ = writeln!(out, "**Input**: Feature specification from `{}`", spec.file);
    section(&mut out, "Summary", &inline(&desk.base().1.summary));
    section(&mut out, "Technical Context", &desk.decisions());
    section(&mut out, "Constitution Check", &constitution(desk));
    section(&mut out, "Project Structure", &structure(&items));
    section(&mut out, "Work Breakdown", &steps(&items));
    section(&mut out, "Acceptance Mapping", &desk.requirements(Served::By("step", &items)));
    section(&mut out, "Risks", &desk.risks());
    section(&mut out, "Questions", &desk.questions());
    section(&mut out, "Open", &desk.open(&[]));
    section(&mut out, "Struck", &desk.voices.struck());
    out
}

/// What the host found against rules of the constitution.
fn constitution(desk: &Desk<'_>) -> String {
    let mut lines = String::new();
    for host in desk.inputs.panel.agents.iter().filter(|agent| !agent.voter) {
        for said in host.claims.iter().filter(|claim| claim.kind == Kind::Risk) {
            let _ = writeln!(
                lines,
                "- {}: it demands what the constitution forbids ({})",
                inline(&said.subject),
                host.name
            );
        }
    }
    if lines.is_empty() { "The host found nothing against it.".into() } else { lines }
}

fn structure(items: &[Item]) -> String {
    let files: BTreeSet<&str> = items.iter().flat_map(|item| &item.files).map(String::as_str).collect();
    files.into_iter().map(|file| format!("- {}\n", code(file))).collect()
}

fn steps(items: &[Item]) -> String {
    let mut out = String::new();
    for (n, item) in items.iter().enumerate() {
        let requirements =
            if item.requirements.is_empty() { String::new() } else { format!(" ({})", item.requirements.join(", ")) };
        let _ = writeln!(out, "{}. {}{requirements}", n + 1, inline(&item.title));
        for (name, text) in [("Why", &item.rationale), ("Done when", &item.check)] {
            if !text.trim().is_empty() {
                let _ = writeln!(out, "   - {name}: {}", inline(text));
            }
        }
        if !item.files.is_empty() {
            let _ = writeln!(out, "   - Files: {}", codes(&item.files));
        }
        let _ = writeln!(out, "   - {}", support(item));
    }
    out
}

/// Whose item it is, and who says the same.
fn support(item: &Item) -> String {
    let added = if item.is_added { ", added because it is agreed" } else { "" };
    let also = if item.also.is_empty() { String::new() } else { format!("; also {}", listed(&item.also)) };
    format!("From {}{also}{added}", item.from)
}

/// Writes tasks.md. Tasks are numbered anew, in an order in which each comes after what it needs.
pub(super) fn tasks(desk: &Desk<'_>) -> String {
    let spec = desk.inputs.spec;
    let (items, order) = items(desk);
    let (phases, stuck) = order.phases();
    let listed_as: Vec<usize> = phases.iter().flatten().chain(&stuck).copied().collect();
    let id = |at: usize| {
        let place = listed_as.iter().position(|other| *other == at).unwrap_or(0);
        format!("T{:03}", place + 1)
    };
    let mut out = format!("# Tasks: {}\n\n", inline(&spec.title));
    let _ = writeln!(out, "**Input**: Design documents from `{}/`", spec.dir.trim_end_matches('/'));
    let _ =
        writeln!(out, "**Prerequisites**: plan.md (required), {}\n", spec.file.rsplit('/').next().unwrap_or("spec.md"));
    let _ = writeln!(out, "{}", desk.standing());
    section(&mut out, "Format: `[ID] [P?] Description`", "- **[P]**: can be done beside the others of its phase");
    for (n, phase) in phases.iter().enumerate() {
        let after = match n {
            0 if phase.iter().all(|at| order.missing(*at).is_empty()) => "needs nothing else",
            0 => "needs no other task of this list",
            _ => "after the phases before",
        };
        let lines: String = phase.iter().map(|at| task_line(&items[*at], &id(*at))).collect();
        section(&mut out, &format!("Phase {}: {after}", n + 1), &lines);
    }
    let lines: String = stuck.iter().map(|at| task_line(&items[*at], &id(*at))).collect();
    section(&mut out, "Unordered: these wait for each other", &lines);
    let mut needs = String::new();
    for at in &listed_as {
        let before: Vec<String> = order.before(*at).iter().map(|before| id(*before)).collect();
        if !before.is_empty() {
            let _ = writeln!(needs, "- {} after {}", id(*at), listed(&before));
        }
        for missing in order.missing(*at) {
            let _ = writeln!(needs, "- {} after {}, which no task here does", id(*at), inline(missing));
        }
    }
    section(&mut out, "Dependencies & Execution Order", &needs);
    section(&mut out, "Decisions", &desk.decisions());
    section(&mut out, "Acceptance Coverage", &desk.requirements(Served::By("task", &items)));
    section(&mut out, "Open", &desk.open(&[]));
    section(&mut out, "Struck", &desk.voices.struck());
    out
}

/// `- [ ] T001 [P] Title in src/a.rs (FR-001)`, and what shows that it is done.
fn task_line(item: &Item, id: &str) -> String {
    let parallel = if item.parallel { "[P] " } else { "" };
    let title = inline(&item.title);
    let files: Vec<String> = item.files.iter().filter(|file| !item.title.contains(file.as_str())).cloned().collect();
    let place = if files.is_empty() { String::new() } else { format!(" in {}", codes(&files)) };
    let missing: Vec<&str> =
        item.requirements.iter().map(String::as_str).filter(|id| !item.title.contains(id)).collect();
    let requirements = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join(", ")) };
    let mut out = format!("- [ ] {id} {parallel}{title}{place}{requirements}\n");
    if !item.check.trim().is_empty() {
        let _ = writeln!(out, "  - Done when: {}", inline(&item.check));
    }
    let _ = writeln!(out, "  - {}", support(item));
    out
}
