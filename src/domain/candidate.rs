//! Candidates of stage implement: what each agent changed, as the host took it from its worktree, what was run on each,
//! and which of them is the best.
//!
//! Pure arithmetic over names of tests. It must not know git, files, or how anything was run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::artifact::body::Change;
use super::consensus;
use super::hash::Sha;
use super::hunks::{Diff, HunkId, Picks};
use super::ids::{AgentName, Family, SpecId};
use super::moment::Moment;
use super::safe::Safe;

mod looks;

pub use looks::{CHECK, Look, Worth};

/// What one agent changed, as git tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The commit that it starts from, in full.
    pub base: String,
    /// The git tree that it leads to.
    pub tree: String,
    /// How each file changed; a renamed one is gone under one name and new under the other.
    pub files: BTreeMap<String, Change>,
    /// Lines that are new. A binary file has none.
    pub added: u64,
    /// Lines that are gone.
    pub removed: u64,
    /// What it changed that is no part of it: our own folders, links, repositories in the repository. Foreign text.
    pub left_out: Vec<Safe>,
    /// Why it cannot be a candidate, if it cannot.
    pub unfit: Option<Safe>,
    /// The diff with its hunks. Foreign text.
    pub diff: Diff,
}

/// Which tests ran and whether each passed, by name.
pub type Heard = BTreeMap<String, bool>;

/// A command of the project that must succeed on every candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rail {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Whether it succeeded.
    pub passed: bool,
}

/// Everything that was run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The tests that were there before, on the code that was there before.
    pub base: Heard,
    /// The same tests on each candidate's code.
    pub yours: BTreeMap<AgentName, Heard>,
    /// One candidate's tests on another's code: whose tests, whose code.
    pub theirs: BTreeMap<(AgentName, AgentName), Heard>,
    /// The guardrails on each candidate.
    pub rails: BTreeMap<AgentName, Vec<Rail>>,
}

/// How many of some tests passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many passed.
    pub passed: u64,
    /// How many there are.
    pub of: u64,
}

/// One candidate with what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Whose it is.
    pub agent: AgentName,
    /// Of which family.
    pub family: Family,
    /// The git tree that it leads to.
    pub tree: String,
    /// The state of the code with it, as verdicts are bound to it.
    pub state: String,
    /// How many files it changes.
    pub files: u64,
    /// Lines that are new.
    pub added: u64,
    /// Lines that are gone.
    pub removed: u64,
    /// Of the tests that were there before.
    pub yours: Share,
    /// Of the tests that candidates wrote.
    pub theirs: Share,
    /// Names of the tests and guardrails that passed.
    pub passed: BTreeSet<String>,
    /// Names of those that did not.
    pub failed: BTreeSet<String>,
    /// Why it is out, if it is. Foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Safe>,
    /// Who else has the same pass set.
    pub alike: BTreeSet<AgentName>,
    /// What its agent changed that no task asked for, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// What was run on it that is no test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
}

/// What of an agent's change no task asked for. It is no part of its candidate, unless something is red without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// The git tree with all that the agent changed.
    pub whole: String,
    /// The hunks.
    pub hunks: Vec<Extra>,
    /// Whether something is red without them: then the candidate has them.
    pub needed: bool,
}

/// A hunk that no task asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// Its name.
    pub id: HunkId,
    /// Its place. Foreign text.
    pub place: Safe,
}

/// Most places of hunks that are named in one sentence.
const PLACES_MAX: usize = 3;

impl Extras {
    /// Names the first few places.
    pub fn named(&self) -> String {
        named(self.hunks.iter().map(|extra| extra.place.as_str()))
    }
}

/// Names the first few of some places, and how many more there are.
pub fn named<'p>(places: impl ExactSizeIterator<Item = &'p str>) -> String {
    let more = places.len().saturating_sub(PLACES_MAX);
    let first = places.take(PLACES_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

impl Candidate {
    /// Returns the tree with all that the agent changed.
    pub fn whole(&self) -> &str {
        self.extras.as_ref().map_or(&self.tree, |extras| &extras.whole)
    }

    /// Returns the hunks that are taken if nobody says otherwise: all that a task asked for.
    pub fn asked(&self, patch: &Patch) -> BTreeSet<HunkId> {
        let extras: BTreeSet<&HunkId> = self.extras.iter().flat_map(|e| &e.hunks).map(|extra| &extra.id).collect();
        patch.diff.hunks().iter().map(|hunk| &hunk.id).filter(|id| !extras.contains(id)).cloned().collect()
    }
}

/// A kept output of one test run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The name of its file.
    pub name: String,
    /// What was written. Foreign text.
    pub text: Arc<str>,
}

/// What became of all candidates of a stage, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The commit that they start from.
    pub base: String,
    /// The candidates, best first; those that are out come last.
    pub candidates: Vec<Candidate>,
}

/// A candidate's name for a test of its own.
fn theirs(agent: &AgentName, test: &str) -> String {
    format!("{agent}: {test}")
}

/// What the name of a guardrail begins with among the tests.
const RAIL: &str = "guardrail: ";

/// The name of a guardrail among the tests.
fn rail(argv: &[String]) -> String {
    format!("{RAIL}{}", argv.join(" "))
}

/// A candidate as it enters the arithmetic: whose it is, of which family, what it changed, and the state it leads to.
pub type Entered<'a> = (&'a AgentName, &'a Family, &'a Patch, &'a str);

/// Counts what was seen, and ranks: most agreement first (tests passed times the families with the same pass set), then
/// fewer changed lines, then the smaller tree id (product §3.5).
pub fn rank(entered: &[Entered<'_>], runs: &Runs) -> Vec<Candidate> {
    let suites = suites(entered, runs);
    let (shared, checks) = (yours(runs), looks::checks(runs));
    let count = |entered: &Entered<'_>| count(*entered, (&shared, &checks), &suites, runs);
    let mut all: Vec<Candidate> = entered.iter().map(count).collect();
    for at in 0..all.len() {
        let same =
            |other: &&Candidate| other.agent != all[at].agent && other.out.is_none() && is_alike(other, &all[at]);
        let alike = if all[at].out.is_none() {
            all.iter().filter(same).map(|c| c.agent.clone()).collect()
        } else {
            BTreeSet::new()
        };
        all[at].alike = alike;
    }
    let families: BTreeMap<AgentName, u64> = all.iter().map(|one| (one.agent.clone(), families(one, &all))).collect();
    let score = |one: &Candidate| one.passed.len() as u64 * families.get(&one.agent).copied().unwrap_or(0);
    all.sort_by(|a, b| {
        let is_out = a.out.is_some().cmp(&b.out.is_some());
        let lines = |one: &Candidate| one.added + one.removed;
        is_out
            .then(score(b).cmp(&score(a)))
            .then(lines(a).cmp(&lines(b)))
            .then(a.tree.cmp(&b.tree))
            .then(a.agent.cmp(&b.agent))
    });
    all
}

fn is_alike(a: &Candidate, b: &Candidate) -> bool {
    a.passed == b.passed
}

/// How many families have a surviving candidate with this one's pass set.
fn families(one: &Candidate, all: &[Candidate]) -> u64 {
    let same = all.iter().filter(|other| other.out.is_none() && is_alike(other, one));
    same.map(|other| &other.family).collect::<BTreeSet<_>>().len() as u64
}

/// The tests that were there before: those heard on the old code, and those heard on every candidate that ran any. (Where
/// the old code cannot be built, nothing is heard on it.) What never was more than a failed build is none.
fn yours(runs: &Runs) -> BTreeSet<String> {
    let mut everywhere: Option<BTreeSet<&String>> = None;
    for heard in runs.yours.values().filter(|heard| heard.values().any(|passed| *passed)) {
        let names: BTreeSet<&String> = heard.keys().collect();
        everywhere = Some(everywhere.map_or(names.clone(), |all| all.intersection(&names).copied().collect()));
    }
    let heard_again = |name: &String| runs.yours.values().any(|heard| heard.contains_key(name));
    let before = runs.base.iter().filter(|(name, passed)| **passed || heard_again(name)).map(|(name, _)| name);
    before.chain(everywhere.into_iter().flatten()).cloned().collect()
}

/// The tests that each candidate's test files bring: heard with them on its own code, and not without them.
fn suites(entered: &[Entered<'_>], runs: &Runs) -> BTreeMap<AgentName, BTreeSet<String>> {
    let of = |agent: &AgentName| -> BTreeSet<String> {
        let own = runs.theirs.get(&(agent.clone(), agent.clone()));
        let without = runs.yours.get(agent);
        let is_new = |name: &&String| without.is_none_or(|heard| !heard.contains_key(*name));
        own.into_iter().flat_map(BTreeMap::keys).filter(is_new).cloned().collect()
    };
    entered.iter().map(|(agent, ..)| ((*agent).clone(), of(agent))).filter(|(_, suite)| !suite.is_empty()).collect()
}

fn count(
    (agent, family, patch, state): Entered<'_>,
    (shared, checks): (&BTreeSet<String>, &BTreeSet<String>),
    suites: &BTreeMap<AgentName, BTreeSet<String>>,
    runs: &Runs,
) -> Candidate {
    let (mut passed, mut failed) = (BTreeSet::new(), BTreeSet::new());
    let mut note = |name: String, is: bool| {
        if is { &mut passed } else { &mut failed }.insert(name);
    };
    let silent = Heard::new();
    let heard = runs.yours.get(agent).unwrap_or(&silent);
    let has_passed = |heard: &Heard, name: &String| heard.get(name).copied().unwrap_or(false);
    let (mut own, mut others) = (Share::default(), Share::default());
    for name in shared {
        note(name.clone(), has_passed(heard, name));
        // A check that is no test stands for itself.
        if !checks.contains(name) {
            own.of += 1;
            own.passed += u64::from(has_passed(heard, name));
        }
    }
    for (whose, suite) in suites {
        let heard = runs.theirs.get(&(whose.clone(), agent.clone())).unwrap_or(&silent);
        for name in suite {
            others.of += 1;
            others.passed += u64::from(has_passed(heard, name));
            note(theirs(whose, name), has_passed(heard, name));
        }
    }
    let rails = runs.rails.get(agent).map(Vec::as_slice).unwrap_or_default();
    rails.iter().for_each(|one| note(rail(&one.argv), one.passed));
    let broke: Vec<&String> =
        runs.base.iter().filter(|(name, passed)| **passed && !has_passed(heard, name)).map(|(name, _)| name).collect();
    let is_dead = !heard.is_empty() && heard.values().all(|passed| !passed) && passed_none(&passed);
    let red = rails.iter().find(|one| !one.passed);
    let out = match (&patch.unfit, broke.as_slice(), red) {
        (Some(why), ..) => Some(why.clone()),
        _ if patch.files.is_empty() => Some(Safe::line("it changed nothing")),
        (None, [first, ..], _) => Some(Safe::line(&format!("broke {}: {first}", broke.len()))),
        (None, [], Some(red)) => Some(Safe::line(&format!("red: {}", red.argv.join(" ")))),
        (None, [], None) => is_dead.then(|| Safe::line("none of its tests passes")),
    };
    Candidate {
        agent: agent.clone(),
        family: family.clone(),
        tree: patch.tree.clone(),
        state: state.to_owned(),
        files: patch.files.len() as u64,
        added: patch.added,
        removed: patch.removed,
        yours: own,
        theirs: others,
        passed,
        failed,
        out,
        alike: BTreeSet::new(),
        extras: None,
        looks: looks::looks(agent, checks, runs),
    }
}

fn passed_none(passed: &BTreeSet<String>) -> bool {
    passed.is_empty()
}

impl Tried {
    /// Returns the best candidate; `None` if all are out.
    pub fn best(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|candidate| candidate.out.is_none())
    }

    /// Returns the candidate of an agent.
    pub fn of(&self, agent: &AgentName) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| &candidate.agent == agent)
    }

    /// Returns the candidate that is meant.
    pub fn meant(&self, which: &Which) -> Option<&Candidate> {
        match which {
            Which::Best => self.best(),
            Which::Of(agent) => self.of(agent),
        }
    }

    /// Returns the candidates as a panel carries them, in the order of their agents.
    pub fn panel(&self) -> Vec<consensus::Candidate> {
        let mut sorted: Vec<&Candidate> = self.candidates.iter().collect();
        sorted.sort_by(|a, b| a.agent.cmp(&b.agent));
        let carried = sorted.into_iter().map(|one| consensus::Candidate {
            family: one.family.clone(),
            tree: one.tree.clone(),
            passed: one.passed.clone(),
            failed: one.failed.clone(),
            changed_lines: one.added + one.removed,
            survived: one.out.is_none(),
        });
        carried.collect()
    }

    /// Tells whether exactly these changes were tried.
    pub fn is_of(&self, base: &str, patches: &BTreeMap<AgentName, Arc<Patch>>) -> bool {
        self.base == base
            && self.candidates.len() == patches.len()
            && self.candidates.iter().all(|one| patches.get(&one.agent).is_some_and(|patch| patch.tree == one.whole()))
    }
}

/// Which candidate is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The best one.
    Best,
    /// That of an agent.
    Of(AgentName),
}

/// Where a candidate is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On a branch of its own, as one commit.
    Branch,
    /// Into the working copy, not committed.
    Tree,
}

/// What is done about a landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The change is put where it goes.
    Put,
    /// It is taken back from there.
    TakeBack,
    /// What a process that was killed had put there and did not come to record is taken back, unless somebody has
    /// committed since: then it is theirs.
    Clear,
}

/// Which hunks of a candidate are taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// Those that a task asked for.
    #[default]
    Asked,
    /// All of them.
    Whole,
    /// Those that a person picked, also of other candidates.
    Picked(Picks),
}

/// What is to be done with a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// Which one.
    pub which: Which,
    /// Where it goes.
    pub place: Place,
    /// How much of it.
    #[serde(default)]
    pub portion: Portion,
}

/// What is put somewhere: the change of an agent, as far as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Whose it is, or most of it.
    pub agent: AgentName,
    /// The tree that it leads to.
    pub tree: String,
    /// The places of its hunks that were left out.
    pub left_out: Vec<Safe>,
    /// The places of hunks that were taken of other agents, each with its agent.
    pub also: Vec<Safe>,
    /// The places of hunks that were taken although no task asked for them, each with its agent.
    pub unasked: Vec<Safe>,
    /// Who says that it is taken.
    pub by: String,
}

/// A candidate on its way to where it is taken to: everything that makes it the same wherever it is done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// Whose it is.
    pub agent: AgentName,
    /// The commit that it starts from.
    pub base: String,
    /// The tree that it leads to.
    pub tree: String,
    /// Where it goes.
    pub place: Place,
    /// The branch, where it goes to one.
    pub branch: String,
    /// The commit's message.
    pub message: String,
    /// When it was decided: the commit's time, so that doing it twice makes the same commit.
    pub at: Moment,
    /// The places of its hunks that were left out. Foreign text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Safe>,
    /// The places of hunks that were taken of other agents. Foreign text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Safe>,
    /// The places of hunks that were taken although no task asked for them, each with its agent. Foreign text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<Safe>,
    /// Who said that it is taken.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

impl Landing {
    /// Makes the landing of what was chosen: on `dicast/SPEC`, with the run and the verdict as trailers.
    pub fn of(
        (spec, title): (&SpecId, &str),
        (base, chosen): (&str, Chosen),
        (run, verdict): (&str, &Sha),
        (place, at): (Place, Moment),
    ) -> Self {
        let title: String = Safe::line(title).as_str().chars().take(TITLE_MAX).collect();
        let title = if title.trim().is_empty() { spec.to_string() } else { title };
        let Chosen { agent, tree, left_out, also, unasked, by } = chosen;
        let told = |words: &str, places: &[Safe]| {
            let list: String = places.iter().map(|place| format!("- {place}\n")).collect();
            if places.is_empty() { String::new() } else { format!("\n{words}:\n{list}") }
        };
        let message = format!(
            "{title}\n\nThe change of {agent} for {spec}.\n{}{}{}\n\
             Dicast-Run: {run}\nDicast-Verdict: {verdict}\n",
            told("With it", &also),
            told("Taken although no task asked for it", &unasked),
            told("Left out of it", &left_out)
        );
        Self {
            agent,
            base: base.to_owned(),
            tree,
            place,
            branch: branch(spec),
            message,
            at,
            left_out,
            also,
            unasked,
            by,
        }
    }
}

/// Hunks that were taken, to be built and tested together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picked {
    /// The commit that all changes start from.
    pub base: String,
    /// The changes that they are of.
    pub patches: BTreeMap<AgentName, Arc<Patch>>,
    /// The hunks.
    pub picks: Picks,
}

/// What came of testing them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The tree that they lead to.
    pub tree: String,
    /// The tests that ran on it.
    pub heard: Heard,
    /// The guardrails that ran on it.
    pub rails: Vec<Rail>,
}

impl Tried {
    /// Says what is red on picked hunks that was not red on the candidate that they are mostly of; `None` if nothing is.
    pub fn red(&self, main: &Candidate, tested: &Tested) -> Option<Safe> {
        let is_theirs = |name: &str| {
            self.candidates.iter().any(|one| name.strip_prefix(one.agent.as_str()).is_some_and(|n| n.starts_with(": ")))
        };
        let is_yours = |name: &&String| !name.starts_with(RAIL) && !is_theirs(name);
        let passes = |name: &&String| tested.heard.get(*name).copied().unwrap_or(false);
        let was_red = |name: &str| {
            let own = |one: &Candidate| theirs(&one.agent, name);
            main.failed.contains(name) || self.candidates.iter().any(|one| main.failed.contains(&own(one)))
        };
        let broken = main.passed.iter().filter(is_yours).find(|name| !passes(name));
        let failed = || tested.heard.iter().find(|(name, passed)| !**passed && !was_red(name)).map(|(name, _)| name);
        let rail = || tested.rails.iter().find(|rail| !rail.passed).map(|rail| rail.argv.join(" "));
        broken.or_else(failed).cloned().or_else(rail).map(|name| Safe::line(&name))
    }
}

/// Longest first line of the commit's message, in characters: what tools show of one.
const TITLE_MAX: usize = 68;

/// Returns the branch that a spec's candidate goes to.
pub fn branch(spec: &SpecId) -> String {
    format!("dicast/{spec}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> AgentName {
        AgentName::new(name).unwrap()
    }

    fn family(name: &str) -> Family {
        Family::new(name).unwrap()
    }

    fn patch(tree: &str, added: u64) -> Patch {
        Patch {
            base: "b".repeat(40),
            tree: tree.into(),
            files: BTreeMap::from([("src/a.rs".to_owned(), Change::Modify)]),
            added,
            removed: 0,
            left_out: Vec::new(),
            unfit: None,
            diff: Diff::default(),
        }
    }

    fn heard(words: &[&str]) -> Heard {
        words.iter().map(|word| (word[1..].to_owned(), word.starts_with('+'))).collect()
    }

    /// Ranks candidates given as agent, family, lines and what was heard of the old tests and of each suite.
    fn ranked(base: &[&str], all: &[(&str, &str, u64, &[&str])], theirs: &[(&str, &str, &[&str])]) -> Vec<Candidate> {
        let named: Vec<(AgentName, Family, Patch)> =
            all.iter().map(|(a, f, lines, _)| (agent(a), family(f), patch(&format!("tree-{a}"), *lines))).collect();
        let runs = Runs {
            base: heard(base),
            yours: all.iter().map(|(a, _, _, said)| (agent(a), heard(said))).collect(),
            theirs: theirs.iter().map(|(t, c, said)| ((agent(t), agent(c)), heard(said))).collect(),
            rails: BTreeMap::new(),
        };
        let entered: Vec<Entered<'_>> = named.iter().map(|(a, f, p)| (a, f, p, "state")).collect();
        rank(&entered, &runs)
    }

    fn order(ranked: &[Candidate]) -> Vec<&str> {
        ranked.iter().map(|one| one.agent.as_str()).collect()
    }

    #[test]
    fn agreement_of_families_outweighs_a_lone_candidate_and_fewer_lines_break_the_tie() {
        let ranked = ranked(
            &["+a", "+b"],
            &[("ann", "x", 90, &["+a", "+b"]), ("bob", "y", 40, &["+a", "+b"]), ("cat", "z", 10, &["+a", "+b"])],
            &[
                ("ann", "ann", &["+a", "+b", "+new"]),
                ("ann", "bob", &["+a", "+b", "+new"]),
                ("ann", "cat", &["+a", "+b", "-new"]),
            ],
        );
        assert_eq!(order(&ranked), ["bob", "ann", "cat"]);
        assert_eq!((ranked[0].yours, ranked[0].theirs), (Share { passed: 2, of: 2 }, Share { passed: 1, of: 1 }));
        assert_eq!(ranked[0].alike, BTreeSet::from([agent("ann")]));
        assert_eq!(ranked[2].failed, BTreeSet::from(["ann: new".to_owned()]));
        assert!(ranked[2].alike.is_empty() && ranked[2].out.is_none());
    }

    #[test]
    fn whoever_breaks_a_test_that_was_green_is_out_however_few_lines_it_took() {
        let ranked = ranked(
            &["+a", "-b"],
            &[("ann", "x", 90, &["+a", "-b"]), ("bob", "y", 1, &["-a", "+b"]), ("cat", "z", 1, &["-check cargo"])],
            &[],
        );
        assert_eq!(order(&ranked), ["ann", "bob", "cat"]);
        assert_eq!(ranked[0].out, None);
        assert_eq!(ranked[1].out.as_ref().map(Safe::as_str), Some("broke 1: a"));
        assert!(ranked[2].out.is_some(), "what cannot be built broke all there was");
    }

    #[test]
    fn tests_inside_the_code_of_one_candidate_are_nobody_elses_suite() {
        // Heard with and without ann's test files: it is part of ann's code.
        let ranked = ranked(
            &["+a"],
            &[("ann", "x", 5, &["+a", "+inline"]), ("bob", "y", 6, &["+a"])],
            &[("ann", "ann", &["+a", "+inline"]), ("ann", "bob", &["+a"])],
        );
        assert_eq!(ranked[0].passed, BTreeSet::from(["a".to_owned()]));
        assert_eq!(ranked[0].alike, BTreeSet::from([agent("bob")]));
    }

    #[test]
    fn where_the_old_code_cannot_be_built_the_tests_that_all_candidates_run_count() {
        let ranked = ranked(
            &["-check cargo"],
            &[("ann", "x", 5, &["+a", "+b"]), ("bob", "y", 6, &["+a", "-b"]), ("cat", "z", 1, &["-check cargo"])],
            &[],
        );
        assert_eq!(order(&ranked), ["ann", "bob", "cat"]);
        assert_eq!(ranked[1].yours, Share { passed: 1, of: 3 }, "a build that failed on a candidate is heard of");
        assert_eq!(ranked[2].out.as_ref().map(Safe::as_str), Some("none of its tests passes"));
    }

    #[test]
    fn nothing_changed_and_a_red_guardrail_are_out() {
        let (ann, x) = (agent("ann"), family("x"));
        let empty = Patch { files: BTreeMap::new(), ..patch("t", 0) };
        let out = rank(&[(&ann, &x, &empty, "s")], &Runs::default()).remove(0).out;
        assert_eq!(out.as_ref().map(Safe::as_str), Some("it changed nothing"));
        let rails = BTreeMap::from([(ann.clone(), vec![Rail { argv: vec!["lint".into()], passed: false }])]);
        let red = rank(&[(&ann, &x, &patch("t", 1), "s")], &Runs { rails, ..Runs::default() }).remove(0);
        assert_eq!(red.out.as_ref().map(Safe::as_str), Some("red: lint"));
        assert_eq!(red.failed, BTreeSet::from(["guardrail: lint".to_owned()]));
    }

    fn chosen(candidate: &Candidate, left_out: &[&str]) -> Chosen {
        Chosen {
            agent: candidate.agent.clone(),
            tree: candidate.tree.clone(),
            left_out: left_out.iter().map(|place| Safe::line(place)).collect(),
            also: Vec::new(),
            unasked: Vec::new(),
            by: "ana".into(),
        }
    }

    #[test]
    fn picked_hunks_are_red_where_the_candidate_was_green_and_nowhere_else() {
        let ranked = ranked(
            &["+a", "+b", "-c"],
            &[("ann", "x", 5, &["+a", "+b", "-c"]), ("bob", "y", 9, &["+a", "+b", "-c"])],
            &[("ann", "ann", &["+a", "+b", "-c", "-new"]), ("ann", "bob", &["+a", "+b", "-c", "+new"])],
        );
        let tried = Tried { base: "b".repeat(40), candidates: ranked };
        let ann = tried.of(&agent("ann")).unwrap();
        let red = |words: &[&str], rails: &[(&str, bool)]| {
            let rails = rails.iter().map(|(name, passed)| Rail { argv: vec![(*name).to_owned()], passed: *passed });
            let tested = Tested { tree: "t".into(), heard: heard(words), rails: rails.collect() };
            tried.red(ann, &tested).map(|why| why.to_string())
        };
        assert_eq!(red(&["+a", "+b", "-c", "-new"], &[("lint", true)]), None, "red as it was");
        assert_eq!(red(&["+a", "-b"], &[]).as_deref(), Some("b"));
        assert_eq!(red(&["+a"], &[]).as_deref(), Some("b"), "a test that is gone is red");
        assert_eq!(red(&["-check cargo"], &[]).as_deref(), Some("a"), "what cannot be built");
        assert_eq!(red(&["+a", "+b", "-other"], &[]).as_deref(), Some("other"));
        assert_eq!(red(&["+a", "+b"], &[("lint", false)]).as_deref(), Some("lint"));
    }

    #[test]
    fn the_same_landing_has_the_same_message_and_names_run_and_verdict() {
        let ranked = ranked(&["+a"], &[("ann", "x", 5, &["+a"])], &[]);
        let spec = SpecId::new("003-rate-limiter").unwrap();
        let make = || {
            let candidate = ("c".repeat(40), &ranked[0]);
            Landing::of(
                (&spec, "Rate limiter"),
                (&candidate.0, chosen(candidate.1, &[])),
                ("RUN", &Sha::of("v")),
                (Place::Branch, Moment(5)),
            )
        };
        assert_eq!(make(), make());
        assert!(make().message.starts_with("Rate limiter\n\n"));
        assert!(make().message.ends_with(&format!("Dicast-Run: RUN\nDicast-Verdict: {}\n", Sha::of("v"))));
        assert_eq!(make().branch, "dicast/003-rate-limiter");
        let without = ("c", chosen(&ranked[0], &["src/ws.rs:31"]));
        let part = Landing::of((&spec, "Rate"), without, ("RUN", &Sha::of("v")), (Place::Branch, Moment(5)));
        assert!(part.message.contains("for 003-rate-limiter.\n\nLeft out of it:\n- src/ws.rs:31\n\nDicast-Run"));
    }
}
