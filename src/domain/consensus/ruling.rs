//! From labelled claims to a status: every line of the table of verdicts, as reasons.
//!
//! A reason knows the status that it causes, and reasons are ordered as the table is; so the status is that of the
//! first reason found. It must not know how claims were labelled.

use std::collections::{BTreeMap, BTreeSet};

use super::canon::key;
use super::label::Label;
use super::panel::Participant;
use super::parse::Outcome;
use super::policy::Quorum;
use super::reason::ReasonCode;
use super::tally::{Bench, Claim, Claims, Said, Tally};
use super::verdict::Decision;
use crate::domain::claim::{Kind, Polarity, Severity, Tier};
use crate::domain::hash::Sha;
use crate::domain::spec::Level;
use crate::domain::stage::Stage;

/// What was found, by reason: the agents and claims that each names.
pub(super) type Findings = BTreeMap<ReasonCode, Named>;

/// The agents (by index) and claims that a reason names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) agents: BTreeSet<usize>,
    /// In any order, some perhaps twice.
    pub(super) claims: Vec<Sha>,
}

/// A labelled panel.
#[derive(Debug)]
pub(super) struct Case<'p> {
    pub(super) bench: Bench<'p>,
    pub(super) claims: &'p Claims,
    /// One for each claim.
    pub(super) tallies: Vec<Tally<'p>>,
    /// Ids of the must-requirements, canonical.
    pub(super) musts: BTreeSet<String>,
    /// Claims with a waiver that holds.
    pub(super) waived: BTreeSet<usize>,
    /// Conflicts among them of which a human chose a side.
    pub(super) chosen: BTreeSet<usize>,
    /// Keys of uncovered must-requirements that are waived though nobody made a claim about them.
    pub(super) waived_gaps: BTreeSet<Sha>,
    findings: Findings,
}

impl<'p> Case<'p> {
    /// Opens the case: resolves the waivers, and gives each conflict the side that a human chose.
    pub(super) fn open(bench: Bench<'p>, claims: &'p Claims, tallies: Vec<Tally<'p>>) -> Self {
        let required = bench.panel.requirements.iter().filter(|r| r.level == Level::Must);
        let musts = required.map(|r| bench.canon.requirement(&r.id)).collect();
        let mut case = Case {
            bench,
            claims,
            tallies,
            musts,
            waived: BTreeSet::new(),
            chosen: BTreeSet::new(),
            waived_gaps: BTreeSet::new(),
            findings: Findings::new(),
        };
        case.resolve_waivers();
        case
    }

    /// Finds every reason there is.
    pub(super) fn rule(mut self) -> (Self, Findings) {
        self.note_objections();
        self.note_refuted_musts();
        self.note_upheld();
        self.note_missing();
        if self.bench.panel.stage == Stage::Implement {
            self.note_candidates();
        } else {
            self.note_denials();
            self.note_conflicts();
            self.note_quorum();
            self.note_gaps();
            self.note_softness();
        }
        self.note_struck();
        self.note_merging();
        let findings = std::mem::take(&mut self.findings);
        (self, findings)
    }

    pub(super) fn note(
        &mut self,
        code: ReasonCode,
        agents: impl IntoIterator<Item = usize>,
        claims: impl IntoIterator<Item = Sha>,
    ) {
        let named = self.findings.entry(code).or_default();
        named.agents.extend(agents);
        named.claims.extend(claims);
    }

    fn each(&self) -> impl Iterator<Item = (usize, &Claim, &Tally<'p>)> {
        self.claims.list.iter().zip(&self.tallies).enumerate().map(|(i, (claim, tally))| (i, claim, tally))
    }

    /// Notes each claim that `pick` picks agents of.
    fn note_claims(&mut self, code: ReasonCode, pick: impl Fn(usize, &Claim, &Tally<'p>) -> Option<Vec<usize>>) {
        let mut named = Named::default();
        for (i, claim, tally) in self.each() {
            if let Some(agents) = pick(i, claim, tally) {
                named.agents.extend(agents);
                named.claims.push(claim.key().clone());
            }
        }
        if !named.claims.is_empty() {
            self.note(code, named.agents, named.claims);
        }
    }

    // Blocked

    fn objectors(&self, i: usize, claim: &Claim, tally: &Tally<'_>, seen: bool) -> Option<Vec<usize>> {
        if tally.severity < Severity::Critical || self.waived.contains(&i) {
            return None;
        }
        let objects = |polarity| polarity == Polarity::No || matches!(claim.kind, Kind::Risk | Kind::Finding);
        let agents: Vec<usize> = tally
            .standing
            .iter()
            .filter(|s| s.severity == Severity::Critical && objects(s.side.polarity) && (s.tier >= Tier::E2) == seen)
            .map(|s| s.agent)
            .collect();
        (!agents.is_empty()).then_some(agents)
    }

    fn note_objections(&mut self) {
        let picked: Vec<_> = self
            .each()
            .filter_map(|(i, claim, tally)| Some((self.objectors(i, claim, tally, true)?, claim.key().clone())))
            .collect();
        for (agents, key) in picked {
            self.note(ReasonCode::CriticalObjection, agents, [key]);
        }
    }

    /// A must-requirement whose cover is struck, with nothing of weight left beside it. Assertions of severity info
    /// must not change a status, so they do not hide this one.
    fn note_refuted_musts(&mut self) {
        let musts = self.musts.clone();
        self.note_claims(ReasonCode::MustRefuted, |_, claim, tally| {
            let is_bare =
                tally.severity == Severity::Info && claim.kind == Kind::Covers && &*claim.predicate == COVERED;
            if !is_bare || !musts.contains(claim.subject()) {
                return None;
            }
            let struck: Vec<usize> = claim.said.iter().filter(|s| s.is_struck()).map(|s| s.agent).collect();
            (!struck.is_empty()).then_some(struck)
        });
    }

    fn note_candidates(&mut self) {
        let survivors: Vec<_> = self.bench.panel.candidates.iter().filter(|c| c.survived).collect();
        let mut families: BTreeMap<&BTreeSet<String>, BTreeSet<&str>> = BTreeMap::new();
        for candidate in &survivors {
            families.entry(&candidate.passed).or_default().insert(candidate.family.as_str());
        }
        let alike = families.values().any(|same| same.len() >= 2);
        if survivors.is_empty() {
            self.note(ReasonCode::NoCandidate, [], []);
        } else if !alike {
            self.note(ReasonCode::PassSetsDiffer, [], []);
        }
    }

    // Rejected

    fn note_upheld(&mut self) {
        for key in &self.bench.panel.rejected {
            let claim = self.claims.find(key).map_or(key, |i| self.claims.list[i].key()).clone();
            self.note(ReasonCode::ObjectionUpheld, [], [claim]);
        }
    }

    fn note_denials(&mut self) {
        match self.decided_outcome() {
            Some((i, Outcome::Fail)) => self.note_winner(ReasonCode::OutcomeFailed, i),
            Some((_, Outcome::IfAccepted)) if !self.are_conditions_accepted() => {
                self.note(ReasonCode::ConditionOpen, [], []);
                self.note_claims(ReasonCode::ConditionOpen, |_, claim, _| {
                    is_condition(claim).then(|| claim.said.iter().map(|s| s.agent).collect())
                });
            }
            Some((_, Outcome::Pass | Outcome::IfAccepted)) | None => {}
        }
        let denied: Vec<usize> = self.each().filter(|(i, ..)| self.is_denied(*i)).map(|(i, ..)| i).collect();
        for i in denied {
            self.note_winner(ReasonCode::MustDenied, i);
        }
        let musts = self.musts.clone();
        self.note_claims(ReasonCode::MustTestFailed, |_, claim, tally| {
            if claim.kind != Kind::Test || &*claim.predicate != "passes" {
                return None;
            }
            let failed = |tier, polarity| {
                let weighs = tally.severity >= Severity::Minor;
                (tier, polarity) == (Tier::E3False, Polarity::Yes)
                    || (weighs && (tier, polarity) == (Tier::E3True, Polarity::No))
            };
            let names_must = |r: &Option<String>| r.as_ref().is_some_and(|r| musts.contains(r));
            let seen: Vec<usize> = claim
                .said
                .iter()
                .filter(|s| failed(s.tier, s.side.polarity) && names_must(&s.requirement))
                .map(|s| s.agent)
                .collect();
            (!seen.is_empty()).then_some(seen)
        });
    }

    fn note_winner(&mut self, code: ReasonCode, i: usize) {
        let tally = &self.tallies[i];
        let agents: Vec<usize> =
            tally.standing.iter().filter(|s| Some(&s.side) == tally.winner.as_ref()).map(|s| s.agent).collect();
        let key = self.claims.list[i].key().clone();
        self.note(code, agents, [key]);
    }

    fn decided_outcome(&self) -> Option<(usize, Outcome)> {
        let i = self.claims.list.iter().position(Claim::is_outcome)?;
        Some((i, Outcome::of(&self.settled(i)?.value)?))
    }

    /// Returns what the panel decided about the stage.
    pub(super) fn outcome(&self) -> Decision {
        match self.decided_outcome() {
            Some((_, Outcome::Pass)) => Decision::Pass,
            Some((_, Outcome::Fail)) => Decision::Fail,
            Some((_, Outcome::IfAccepted)) if self.are_conditions_accepted() => Decision::Pass,
            Some((_, Outcome::IfAccepted)) => Decision::Fail,
            None => Decision::None,
        }
    }

    fn are_conditions_accepted(&self) -> bool {
        let canon = &self.bench.canon;
        let accepted: BTreeSet<String> =
            self.bench.panel.accepted_conditions.iter().map(|text| canon.subject(Kind::Finding, text).0).collect();
        let mut conditions = self.claims.list.iter().filter(|c| is_condition(c)).flat_map(Claim::members).peekable();
        conditions.peek().is_some() && conditions.all(|member| accepted.contains(&member.subject))
    }

    fn is_denied(&self, i: usize) -> bool {
        let is_weighty = self.tallies[i].severity >= Severity::Minor;
        let says_no = self.settled(i).is_some_and(|side| side.polarity == Polarity::No);
        self.is_about_must(&self.claims.list[i]) && is_weighty && says_no
    }

    /// Tells whether a claim says that a must-requirement is covered or satisfied.
    fn is_about_must(&self, claim: &Claim) -> bool {
        let says = matches!((claim.kind, &*claim.predicate), (Kind::Covers, COVERED) | (Kind::Finding, SATISFIED));
        says && self.musts.contains(claim.subject())
    }

    // Conflict

    fn is_open_conflict(&self, i: usize, claim: &Claim, tally: &Tally<'_>) -> bool {
        if tally.label() != Label::Conflict {
            return false;
        }
        let on_must = self.musts.contains(claim.subject());
        let needed = if on_must { Severity::Minor } else { Severity::Major };
        tally.severity >= needed && !self.waived.contains(&i)
    }

    fn note_conflicts(&mut self) {
        let open: Vec<(ReasonCode, Vec<usize>, Sha)> = self
            .each()
            .flat_map(|(i, claim, tally)| {
                let speakers = || tally.standing.iter().map(|s| s.agent).collect();
                let conflict = self.is_open_conflict(i, claim, tally).then(|| (ReasonCode::Conflict, speakers()));
                let unseen =
                    self.objectors(i, claim, tally, false).map(|agents| (ReasonCode::UnverifiedCritical, agents));
                conflict.into_iter().chain(unseen).map(|(code, agents)| (code, agents, claim.key().clone()))
            })
            .collect();
        for (code, agents, key) in open {
            self.note(code, agents, [key]);
        }
    }

    // No quorum

    fn note_quorum(&mut self) {
        let (expected, ok) = (self.bench.expected.len(), self.bench.ok.len());
        let absent: Vec<usize> = self.absent(|a| a.voter);
        match self.quorum() {
            Quorum::Solo if ok >= 1 => {}
            Quorum::Solo => self.note(ReasonCode::NoQuorum, absent, []),
            Quorum::Share(share) => {
                if expected == 1 {
                    self.note(ReasonCode::OneVoice, [], []);
                }
                let is_short = ok < 2 || !share.is_reached(ok, expected);
                if is_short && (expected != 1 || ok == 0) {
                    self.note(ReasonCode::NoQuorum, absent, []);
                }
            }
        }
    }

    /// Returns the quorum that holds at this stage.
    fn quorum(&self) -> Quorum {
        self.bench.panel.policy.quorum.at(self.bench.panel.stage)
    }

    fn absent(&self, who: impl Fn(&Participant) -> bool) -> Vec<usize> {
        let agents = self.bench.agents.iter().enumerate();
        agents.filter(|(_, a)| !a.is_ok() && who(a)).map(|(i, _)| i).collect()
    }

    fn note_gaps(&mut self) {
        let stage = self.bench.panel.stage;
        if stage.is_held_to_coverage() {
            let open: Vec<Sha> = self
                .uncovered()
                .filter(|id| !self.is_gap_waived(id))
                .map(|id| key(Kind::Covers, id, COVERED))
                .collect();
            if !open.is_empty() {
                self.note(ReasonCode::MustUncovered, [], open);
            }
        }
        if stage.has_outcome() && self.decided_outcome().is_none() {
            let outcome = self.claims.list.iter().find(|c| c.is_outcome()).map(|c| c.key().clone());
            self.note(ReasonCode::NoOutcome, [], outcome);
        }
        // That nothing is to be said otherwise is an answer about a spec.
        if stage != Stage::Specify && !self.tallies.iter().any(|t| t.severity >= Severity::Minor) {
            self.note(ReasonCode::NothingDecided, [], []);
        }
        let weighty = |claim: &Claim, tally: &Tally<'_>| {
            tally.severity >= Severity::Major && !matches!(claim.kind, Kind::Risk | Kind::Finding)
        };
        let major = self.each().filter(|(_, c, t)| weighty(c, t)).count();
        let alone = |t: &Tally<'_>| t.label() == Label::Single;
        let single = self.each().filter(|(_, c, t)| weighty(c, t) && alone(t)).count();
        if 2 * single > major && self.quorum() != Quorum::Solo {
            self.note_claims(ReasonCode::TalkedPastEachOther, |_, c, t| {
                (weighty(c, t) && alone(t)).then(|| t.standing.iter().map(|s| s.agent).collect())
            });
        }
        let owed = self.absent(|a| a.voter && !a.open_dissent.is_empty());
        if !owed.is_empty() {
            let keys: Vec<Sha> = owed.iter().flat_map(|&i| self.bench.agents[i].open_dissent.clone()).collect();
            self.note(ReasonCode::DissenterMissing, owed, keys);
        }
    }

    /// Returns the must-requirements that nothing positive covers, ascending.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = &String> {
        self.musts.iter().filter(|id| !must_keys(id).iter().any(|key| self.is_positive(key)))
    }

    fn is_positive(&self, key: &Sha) -> bool {
        let Some(i) = self.claims.find(key) else { return false };
        let tally = &self.tallies[i];
        let side = match tally.label() {
            Label::Single | Label::Hollow => tally.winner.as_deref(),
            Label::Proven | Label::Agreed | Label::AgreedOver | Label::Conflict => self.settled(i),
            Label::Refuted => None,
        };
        tally.severity >= Severity::Minor && side.is_some_and(|side| side.polarity == Polarity::Yes)
    }

    fn is_gap_waived(&self, id: &str) -> bool {
        must_keys(id).iter().any(|key| {
            self.waived_gaps.contains(key) || self.claims.find(key).is_some_and(|i| self.waived.contains(&i))
        })
    }

    // Degraded, hollow, agree with dissent

    /// Also the host: what it would have found, it cannot have.
    fn note_missing(&mut self) {
        let absent = self.absent(|_| true);
        if !absent.is_empty() {
            self.note(ReasonCode::AgentMissing, absent, []);
        }
    }

    fn note_softness(&mut self) {
        let waived = self.waived.clone();
        let mut soft = Findings::new();
        for (i, claim, tally) in self.each().filter(|(_, _, tally)| tally.severity >= Severity::Minor) {
            let is_dissent = || tally.dissent().next().is_some();
            let code = match tally.label() {
                Label::Hollow => ReasonCode::Hollow,
                Label::AgreedOver if is_dissent() => ReasonCode::Outvoted,
                Label::AgreedOver => ReasonCode::FewAddressed,
                Label::Single => ReasonCode::Single,
                Label::Conflict if !self.is_open_conflict(i, claim, tally) && !waived.contains(&i) => {
                    ReasonCode::MinorConflict
                }
                Label::Conflict | Label::Proven | Label::Refuted | Label::Agreed => continue,
            };
            let is_named = |s: &&Said| code != ReasonCode::Outvoted || Some(&s.side) != tally.winner.as_ref();
            let named = soft.entry(code).or_default();
            named.agents.extend(tally.standing.iter().filter(is_named).map(|s| s.agent));
            named.claims.push(claim.key().clone());
        }
        for (code, named) in soft {
            self.note(code, named.agents, named.claims);
        }
        let gaps = self.waived_gaps.clone();
        let about_must: Vec<bool> = self.claims.list.iter().map(|c| self.is_about_must(c)).collect();
        self.note_claims(ReasonCode::Waived, |i, _, tally| {
            // A waiver of something that cannot move the status moves nothing either.
            (waived.contains(&i) && (tally.severity >= Severity::Minor || about_must[i])).then(Vec::new)
        });
        if !gaps.is_empty() {
            self.note(ReasonCode::Waived, [], gaps);
        }
    }

    // What only informs

    fn note_struck(&mut self) {
        for (code, tier) in [(ReasonCode::PhantomCompletion, Tier::EFalse), (ReasonCode::RanFalse, Tier::E3False)] {
            self.note_claims(code, |_, claim, _| {
                let liars: Vec<usize> = claim.said.iter().filter(|s| s.tier == tier).map(|s| s.agent).collect();
                (!liars.is_empty()).then_some(liars)
            });
        }
    }

    fn note_merging(&mut self) {
        let claims = self.claims;
        for &(a, b) in &claims.possible_conflicts {
            let pair = [&claims.list[a], &claims.list[b]];
            let agents: Vec<usize> = pair.iter().flat_map(|c| c.said.iter().map(|s| s.agent)).collect();
            let keys = pair.map(|c| c.key().clone());
            self.note(ReasonCode::PossibleConflict, agents, keys);
        }
        if !claims.not_compared.is_empty() {
            self.note(ReasonCode::MergingStopped, [], claims.not_compared.iter().cloned());
        }
        if !claims.unmergeable.is_empty() {
            self.note(ReasonCode::SameAsIgnored, [], claims.unmergeable.iter().cloned());
        }
    }
}

/// The predicate of a covers claim.
pub(super) const COVERED: &str = "covered";

/// The predicate of a finding that a requirement is met.
const SATISFIED: &str = "satisfied";

/// Returns the two keys whose claims can cover a must-requirement.
pub(super) fn must_keys(id: &str) -> [Sha; 2] {
    [key(Kind::Covers, id, COVERED), key(Kind::Finding, id, SATISFIED)]
}

fn is_condition(claim: &Claim) -> bool {
    claim.kind == Kind::Finding && &*claim.predicate == "condition"
}
