//! Rows of the fields that belong to one stage.

use std::collections::{BTreeMap, BTreeSet};

use super::common::FINDING;
use super::named::{Asked, asked, checks_named, citations, file_entry};
use super::weigh::{Run, Support, Weighed};
use super::{Desk, Rule, Said};
use crate::domain::artifact::body::{
    Audit, Change, Coverage, Implement, Plan, Status, TaskItem, Tasks, Trial, Unlock, Validate,
};
use crate::domain::claim::lookup::Citation;
use crate::domain::claim::{Polarity, Severity, Tier, Value};

/// How evidence counts for what is to be done: it may have to be created.
const PLANNED: Support<'static> = Support { planned: true, spec_counts: false, ..FINDING };

/// What one step, task or row says that it serves.
struct Served<'a> {
    field: String,
    requirements: &'a [String],
    /// Whether the step or task can be done: a row alone cannot, nor can a task whose dependencies do not resolve.
    is_sound: bool,
    files: &'a [String],
    /// Text that may name a test.
    check: &'a str,
}

impl Desk<'_> {
    pub(super) fn plan(&mut self, plan: &Plan) {
        for (i, row) in plan.acceptance_mapping.iter().enumerate() {
            let field = format!("acceptance_mapping[{i}]");
            let requirements = std::slice::from_ref(&row.requirement);
            self.served(&Served { field: field.clone(), requirements, is_sound: false, files: &[], check: "" });
            for text in [&row.validation_step, &row.artifact] {
                self.checked_by(&field, requirements, text);
            }
        }
        for (i, step) in plan.work_breakdown.iter().enumerate() {
            let field = format!("work_breakdown[{i}]");
            self.touched(&field, &step.files);
            let (requirements, check) = (step.requirements.as_slice(), step.success_signal.as_str());
            self.served(&Served { field, requirements, is_sound: true, files: &step.files, check });
        }
        self.remarks(Rule::Unclear, "questions", &plan.questions);
    }

    pub(super) fn tasks(&mut self, tasks: &Tasks) {
        let sound = sound_tasks(&tasks.tasks);
        for (i, task) in tasks.tasks.iter().enumerate() {
            let field = format!("tasks[{i}]");
            self.touched(&field, &task.files);
            self.checked_by(&field, &task.requirements, &task.validation_step);
            let is_sound = sound.contains(task.task_id.as_str());
            let (requirements, check) = (task.requirements.as_slice(), task.validation_step.as_str());
            self.served(&Served { field, requirements, is_sound, files: &task.files, check });
        }
        for (i, coverage) in tasks.acceptance_coverage.iter().enumerate() {
            let field = format!("acceptance_coverage[{i}]");
            match coverage {
                Coverage::Text(text) => self.note(field, text),
                Coverage::Row { requirement, validation_step, .. } => {
                    self.checked_by(&field, std::slice::from_ref(requirement), validation_step);
                }
            }
        }
        self.noted("followups", &tasks.followups);
    }

    /// Covers: each requirement that a step, task or row lists.
    fn served(&mut self, served: &Served<'_>) {
        let mut evidence: Vec<Citation> = Vec::new();
        let mut is_named = false;
        for entry in served.files.iter().map(|file| file_entry(file)) {
            let tier = self.scales().weigh(std::slice::from_ref(&entry.citation), PLANNED).tier;
            is_named |= tier == Tier::E2 || (entry.is_new && !tier.is_false());
            evidence.push(entry.citation);
        }
        for (_, citation) in checks_named(served.check) {
            is_named |= self.scales().weigh(std::slice::from_ref(&citation), PLANNED).tier == Tier::E2;
            evidence.push(citation);
        }
        let tier = if served.is_sound && is_named { Tier::E2 } else { Tier::E1 };
        for requirement in served.requirements {
            let (subject, weighed) = match asked(self.inputs.spec, requirement) {
                Asked::Known(id) => (id, Weighed::of(tier)),
                Asked::Story => continue,
                Asked::Unknown(id) => {
                    let why = format!("the spec has no {id}");
                    (id, Weighed::is_false(why))
                }
            };
            let said = Said::yes(&subject, self.severity_of(&subject));
            self.say(Rule::Covers, served.field.clone(), said, weighed, evidence.clone());
        }
    }

    fn touched(&mut self, field: &str, files: &[String]) {
        for (i, file) in files.iter().enumerate() {
            let entry = file_entry(file);
            let evidence = vec![entry.citation];
            let weighed = self.scales().weigh(&evidence, PLANNED);
            let said = Said::yes(entry.path, Severity::Info);
            self.say(Rule::Touched, format!("{field}.files[{i}]"), said, weighed, evidence);
        }
    }

    /// Checked-by: what a text names for each requirement, or the text itself where it names nothing.
    fn checked_by(&mut self, field: &str, requirements: &[String], text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let named = checks_named(text);
        for requirement in requirements {
            let Asked::Known(id) = asked(self.inputs.spec, requirement) else { continue };
            let said = |value: &str| Said { value: Value::from(value), ..Said::yes(&id, Severity::Info) };
            if named.is_empty() {
                let weighed = Weighed::of(Tier::E0);
                self.say(Rule::CheckedBy, field.to_owned(), said(text.trim()), weighed, Vec::new());
            }
            for (name, citation) in &named {
                let evidence = vec![citation.clone()];
                let weighed = self.scales().weigh(&evidence, PLANNED);
                self.say(Rule::CheckedBy, field.to_owned(), said(name), weighed, evidence);
            }
        }
    }

    pub(super) fn implement(&mut self, implement: &Implement) {
        let said = |path: &str, change: &str| Said { value: change.into(), ..Said::yes(path, Severity::Info) };
        for (path, change) in self.inputs.diff.into_iter().flatten() {
            self.say(Rule::Diff, "diff".into(), said(path, change.name()), Weighed::of(Tier::E2), Vec::new());
        }
        for (i, operation) in implement.operations.iter().enumerate() {
            let entry = file_entry(&operation.file);
            let weighed = match self.inputs.diff {
                None => self.scales().weigh(std::slice::from_ref(&entry.citation), PLANNED),
                Some(diff) => against(diff, &entry.path, Some(operation.change_type)),
            };
            let said = said(&entry.path, operation.change_type.name());
            self.say(Rule::Operation, format!("operations[{i}]"), said, weighed, vec![entry.citation]);
        }
    }

    pub(super) fn validate(&mut self, validate: &Validate) {
        let mut by_requirement: BTreeMap<String, Vec<&Trial>> = BTreeMap::new();
        for (i, trial) in validate.scenarios.iter().enumerate() {
            let field = format!("scenarios[{i}]");
            let requirement = match asked(self.inputs.spec, &trial.requirement) {
                Asked::Known(id) => Some(id),
                Asked::Story => None,
                Asked::Unknown(id) if id.is_empty() => None,
                Asked::Unknown(id) => {
                    let weighed = Weighed::is_false(format!("the spec has no {id}"));
                    self.say(Rule::ScenarioCovers, field.clone(), Said::yes(id, Severity::Minor), weighed, vec![]);
                    None
                }
            };
            self.passes(field, trial, requirement.clone());
            if let Some(id) = requirement {
                by_requirement.entry(id).or_default().push(trial);
            }
        }
        for (requirement, trials) in &by_requirement {
            self.scenario_covers(requirement, trials);
        }
        self.noted("remediation", &validate.remediation);
    }

    fn passes(&mut self, field: String, trial: &Trial, requirement: Option<String>) {
        let (Some(citation), Some(polarity)) = (test_of(trial), trial.status.polarity()) else {
            return self.note(field, &format!("{} ({:?})", trial.name, trial.status));
        };
        let Citation::Test { id, .. } = &citation else { return };
        let severity = self.major_if_must(requirement.as_deref());
        let said = Said { polarity, requirement, ..Said::yes(id.clone(), severity) };
        let evidence = vec![citation];
        let support = Support { polarity, run: Run::Proves, spec_counts: false, planned: false };
        let weighed = self.scales().weigh(&evidence, support);
        self.say(Rule::Passes, field, said, weighed, evidence);
    }

    /// Covers, for one requirement: one failed scenario says no, else one that passed says yes.
    fn scenario_covers(&mut self, requirement: &str, trials: &[&Trial]) {
        let has = |status: Status| trials.iter().any(|trial| trial.status == status);
        let (status, polarity) = if has(Status::Fail) {
            (Status::Fail, Polarity::No)
        } else if has(Status::Pass) {
            (Status::Pass, Polarity::Yes)
        } else {
            return;
        };
        let evidence: Vec<Citation> =
            trials.iter().filter(|trial| trial.status == status).filter_map(|trial| test_of(trial)).collect();
        let support = Support { polarity, run: Run::ProvesIfTied(requirement), spec_counts: false, planned: false };
        let weighed = match polarity {
            Polarity::No => self.scales().weigh_strongest(&evidence, support),
            Polarity::Yes => self.scales().weigh(&evidence, support),
        };
        let said = Said { polarity, ..Said::yes(requirement, self.severity_of(requirement)) };
        self.say(Rule::ScenarioCovers, format!("scenarios of {requirement}"), said, weighed, evidence);
    }

    pub(super) fn audit(&mut self, audit: &Audit) {
        for (i, check) in audit.checks.iter().enumerate() {
            let field = format!("checks[{i}]");
            let Some(polarity) = check.status.polarity() else {
                self.note(field, &check.item);
                continue;
            };
            let (subject, severity, missing) = self.audited(&check.item);
            let evidence = citations(&check.evidence);
            let support = Support { polarity, run: Run::ProvesIfTied(&subject), ..FINDING };
            let weighed = missing.unwrap_or_else(|| self.scales().weigh(&evidence, support));
            let said = Said { polarity, ..Said::yes(&subject, severity) };
            self.say(Rule::Satisfied, field, said, weighed, evidence);
        }
        self.remarks(Rule::Open, "open_items", &audit.open_items);
    }

    pub(super) fn unlock(&mut self, unlock: &Unlock) {
        self.note("rationale".into(), &unlock.rationale);
        self.noted("safeguards", &unlock.safeguards);
        self.noted("accepted_risks", &unlock.accepted_risks);
        self.noted("followups", &unlock.followups);
    }
}

/// Holds it against the diff that a file changed, and how.
pub(super) fn against(diff: &BTreeMap<String, Change>, path: &str, said: Option<Change>) -> Weighed {
    match (diff.get(path), said) {
        (None, _) => Weighed::is_false("the diff does not touch it"),
        (Some(change), Some(said)) if *change != said => Weighed::is_false(format!("the diff says {}", change.name())),
        (Some(_), _) => Weighed::of(Tier::E2),
    }
}

fn test_of(trial: &Trial) -> Option<Citation> {
    let id = trial.test_id.as_deref().map(str::trim).filter(|id| !id.is_empty())?.to_owned();
    let check = Some(trial.check.trim()).filter(|check| !check.is_empty()).map(str::to_owned);
    Some(Citation::Test { check, id })
}

/// The tasks that can be done: their ids are their own, and all they depend on is among them, without a cycle.
fn sound_tasks(tasks: &[TaskItem]) -> BTreeSet<&str> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut waiting_for: BTreeMap<&str, Vec<&TaskItem>> = BTreeMap::new();
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for task in tasks {
        *times.entry(task.task_id.as_str()).or_default() += 1;
        let needs: BTreeSet<&str> = task.depends_on.iter().map(String::as_str).collect();
        missing.insert(&task.task_id, needs.len());
        for need in needs {
            waiting_for.entry(need).or_default().push(task);
        }
    }
    let is_own = |id: &str| times.get(id) == Some(&1);
    let mut ready: Vec<&str> =
        missing.iter().filter(|(id, count)| **count == 0 && is_own(id)).map(|(id, _)| *id).collect();
    let mut sound = BTreeSet::new();
    while let Some(id) = ready.pop() {
        sound.insert(id);
        for task in waiting_for.get(id).into_iter().flatten() {
            // Tasks that share an id share a count; none of them gets ready.
            if let Some(left) = missing.get_mut(task.task_id.as_str()).filter(|left| **left > 0) {
                *left -= 1;
                if *left == 0 && is_own(&task.task_id) {
                    ready.push(&task.task_id);
                }
            }
        }
    }
    sound
}
