//! Steps and tasks: the base draft's, and what the panel agrees on that it lacks.
//!
//! It must not know Markdown.

use std::collections::BTreeSet;

use super::Desk;
use super::order::Order;
use super::words::folded;
use crate::domain::artifact::Body;
use crate::domain::artifact::body::{Coverage, Plan, Tasks};
use crate::domain::claim::Kind;
use crate::domain::claim::derive::file_path;
use crate::domain::ids::AgentName;
use crate::domain::spec::Spec;

/// What a draft calls an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// Whose draft.
    pub from: String,
    /// The id in it.
    pub id: String,
}

/// A step or a task.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// What its own draft calls it, then the names of those that were united with it; none for a step.
    pub names: Vec<Name>,
    /// What is done.
    pub title: String,
    /// Why.
    pub rationale: String,
    /// What shows that it is done.
    pub check: String,
    /// Requirement ids that are in the spec.
    pub requirements: Vec<String>,
    /// Paths.
    pub files: Vec<String>,
    /// What must be done before.
    pub needs: Vec<Name>,
    /// What must be done before those that were united with it.
    pub inherited: Vec<Name>,
    /// Whether it can be done beside others.
    pub parallel: bool,
    /// Whose draft it is from.
    pub from: String,
    /// Whether the base lacks it.
    pub is_added: bool,
    /// Others whose draft says the same.
    pub also: Vec<String>,
}

impl Item {
    /// Two items with the same words are one.
    fn words(&self) -> String {
        Some(folded(&self.title)).filter(|words| !words.is_empty()).unwrap_or_else(|| self.title.to_lowercase())
    }

    /// Tells whether another item is about the same: its words, or a requirement and a file of it.
    pub(super) fn shares(&self, other: &Item) -> bool {
        let any = |a: &[String], b: &[String]| a.iter().any(|x| b.contains(x));
        self.words() == other.words()
            || (any(&self.requirements, &other.requirements) && any(&self.files, &other.files))
    }
}

/// The items of the document: the base's without repeats and without what is false, then what is agreed beside it; and
/// the order that they have.
pub(super) fn items(desk: &Desk<'_>) -> (Vec<Item>, Order) {
    let drafts: Vec<Vec<Item>> = desk.drafts.iter().map(|(name, _)| draft(desk, name)).collect();
    let (base, others) = drafts.split_first().map_or((&[][..], &[][..]), |(base, others)| (base, others));
    let mut items: Vec<Item> = Vec::new();
    for item in base {
        push(&mut items, item.clone());
    }
    add_requirements(desk, &mut items, others);
    add_files(desk, &mut items, others);
    for item in &mut items {
        let mut also = BTreeSet::new();
        for other in drafts.iter().flatten().filter(|other| other.from != item.from && item.shares(other)) {
            also.insert(other.from.clone());
        }
        item.also = also.into_iter().collect();
    }
    let order = Order::of(&items, &drafts);
    (items, order)
}

/// Adds an item, or unites it with the one that has the same words.
fn push(items: &mut Vec<Item>, item: Item) {
    let words = item.words();
    let Some(kept) = items.iter_mut().find(|kept| kept.words() == words) else {
        items.push(item);
        return;
    };
    add_new(&mut kept.requirements, item.requirements);
    add_new(&mut kept.files, item.files);
    add_new(&mut kept.names, item.names);
    add_new(&mut kept.inherited, item.needs);
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}

/// Adds, for each requirement whose coverage is agreed and that no item serves, the items of the best draft that do.
fn add_requirements(desk: &Desk<'_>, items: &mut Vec<Item>, others: &[Vec<Item>]) {
    for requirement in &desk.inputs.spec.requirements {
        let id = &requirement.id;
        let is_served = items.iter().any(|item| item.requirements.contains(id));
        if is_served || !desk.voices.is_agreed(Kind::Covers, id, "covered") {
            continue;
        }
        let serving = |draft: &&Vec<Item>| draft.iter().any(|item| item.requirements.contains(id));
        for item in others.iter().find(serving).into_iter().flatten().filter(|item| item.requirements.contains(id)) {
            push(items, Item { is_added: true, ..item.clone() });
        }
    }
}

/// Adds each file that the panel agrees to touch and no item names: to the item that serves the same requirement, or
/// with the item that names it.
fn add_files(desk: &Desk<'_>, items: &mut Vec<Item>, others: &[Vec<Item>]) {
    for item in others.iter().flatten() {
        for file in &item.files {
            let is_named = items.iter().any(|kept| kept.files.contains(file));
            if is_named || !desk.voices.is_agreed(Kind::FileChange, file, "touched") {
                continue;
            }
            let beside =
                items.iter_mut().find(|kept| kept.requirements.iter().any(|id| item.requirements.contains(id)));
            match beside {
                Some(kept) => kept.files.push(file.clone()),
                None => push(items, Item { is_added: true, ..item.clone() }),
            }
        }
    }
}

/// The items of one draft, without what the host found false.
fn draft(desk: &Desk<'_>, name: &AgentName) -> Vec<Item> {
    let Some(artifact) = desk.inputs.artifacts.get(name) else { return Vec::new() };
    let mut items = match &artifact.body {
        Body::Plan(plan) => of_plan(plan, name),
        Body::Tasks(tasks) => of_tasks(tasks, name),
        Body::Specify(_) | Body::Implement(_) | Body::Validate(_) | Body::Audit(_) | Body::Unlock(_) => Vec::new(),
    };
    for item in &mut items {
        item.requirements = known(desk.inputs.spec, &item.requirements);
        item.requirements.retain(|id| !desk.voices.is_struck(name, Kind::Covers, id, "covered"));
        item.files.retain(|file| !desk.voices.is_struck(name, Kind::FileChange, file, "touched"));
    }
    items
}

fn of_plan(plan: &Plan, name: &AgentName) -> Vec<Item> {
    let item = |step: &crate::domain::artifact::body::Step| Item {
        names: Vec::new(),
        title: step.step.clone(),
        rationale: step.rationale.clone(),
        check: step.success_signal.clone(),
        requirements: step.requirements.clone(),
        files: step.files.iter().map(|file| file_path(file)).collect(),
        needs: Vec::new(),
        inherited: Vec::new(),
        parallel: false,
        from: name.to_string(),
        is_added: false,
        also: Vec::new(),
    };
    plan.work_breakdown.iter().map(item).collect()
}

fn of_tasks(tasks: &Tasks, name: &AgentName) -> Vec<Item> {
    let mut sorted: Vec<_> = tasks.tasks.iter().collect();
    sorted.sort_by_key(|task| task.order);
    let named = |id: &String| Name { from: name.to_string(), id: id.trim().to_owned() };
    let item = |task: &crate::domain::artifact::body::TaskItem| Item {
        names: vec![named(&task.task_id)],
        title: task.title.clone(),
        rationale: String::new(),
        check: task.validation_step.clone(),
        requirements: task.requirements.clone(),
        files: task.files.iter().map(|file| file_path(file)).collect(),
        needs: task.depends_on.iter().map(named).collect(),
        inherited: Vec::new(),
        parallel: task.parallel,
        from: name.to_string(),
        is_added: false,
        also: Vec::new(),
    };
    sorted.into_iter().map(item).collect()
}

/// The spec's own ids of those that a draft names; unknown ones are left out.
fn known(spec: &Spec, ids: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for id in ids {
        let id = id.trim().to_uppercase();
        if let Some(requirement) = spec.requirement(&id)
            && !out.contains(&requirement.id)
        {
            out.push(requirement.id.clone());
        }
    }
    out
}

/// What the base says will show a requirement to be met.
pub(super) fn validation_of(body: &Body, spec: &Spec, requirement: &str) -> String {
    let is_it = |id: &str| spec.requirement(&id.trim().to_uppercase()).is_some_and(|found| found.id == requirement);
    match body {
        Body::Plan(plan) => {
            let row = plan.acceptance_mapping.iter().find(|row| is_it(&row.requirement));
            row.map(|row| row.validation_step.clone()).unwrap_or_default()
        }
        Body::Tasks(tasks) => tasks
            .acceptance_coverage
            .iter()
            .find_map(|coverage| match coverage {
                Coverage::Row { requirement, validation_step, .. } if is_it(requirement) => {
                    Some(validation_step.clone())
                }
                Coverage::Row { .. } | Coverage::Text(_) => None,
            })
            .unwrap_or_default(),
        Body::Specify(_) | Body::Implement(_) | Body::Validate(_) | Body::Audit(_) | Body::Unlock(_) => String::new(),
    }
}
