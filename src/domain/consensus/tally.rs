//! From assertions to labelled claims: gathering on keys, merging, striking, family votes, labels.
//!
//! It must not know what a label means for the stage's status: that is [`super::ruling`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::canon::{CHECKED_BY, Canon, Form, key};
use super::label::Label;
use super::merge::{Mergeable, merge};
use super::panel::{Choice, Panel, Participant};
use super::parse::is_outcome;
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::hash::Sha;
use crate::domain::stage::Stage;

/// The panel in canonical order, with what is counted once.
#[derive(Debug)]
pub(super) struct Bench<'p> {
    pub(super) panel: &'p Panel,
    pub(super) canon: Canon,
    /// All participants, by name.
    pub(super) agents: Vec<&'p Participant>,
    /// Families of the voters, expected and answered.
    pub(super) expected: BTreeSet<&'p str>,
    pub(super) ok: BTreeSet<&'p str>,
}

impl<'p> Bench<'p> {
    pub(super) fn seat(panel: &'p Panel) -> Self {
        let mut agents: Vec<&Participant> = panel.agents.iter().collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        let voters = || agents.iter().filter(|a| a.voter);
        let expected = voters().map(|a| a.family.as_str()).collect();
        let ok = voters().filter(|a| a.is_ok()).map(|a| a.family.as_str()).collect();
        Self { panel, canon: panel.canon(), agents, expected, ok }
    }

    pub(super) fn name(&self, agent: usize) -> &'p str {
        self.agents[agent].name.as_str()
    }
}

/// One assertion of an agent that answered, in canonical form.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Index in [`Bench::agents`].
    pub(super) agent: usize,
    /// Which of the claim's members it was said of.
    pub(super) member: usize,
    /// Shared by all who say the same.
    pub(super) side: Rc<Choice>,
    pub(super) severity: Severity,
    pub(super) tier: Tier,
    pub(super) requirement: Option<String>,
}

impl Said {
    pub(super) fn is_struck(&self) -> bool {
        self.tier.is_false()
    }
}

/// One key that became part of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: Sha,
    pub(super) subject: String,
    pub(super) form: Form,
}

/// Everything said on one key, or on several that were merged.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) kind: Kind,
    pub(super) predicate: String,
    /// By ascending key; the first names the claim.
    pub(super) members: Vec<Member>,
    /// By agent, then as the agent ordered them.
    pub(super) said: Vec<Said>,
}

impl Claim {
    pub(super) fn key(&self) -> &Sha {
        &self.members[0].key
    }

    pub(super) fn subject(&self) -> &str {
        &self.members[0].subject
    }

    pub(super) fn is_outcome(&self) -> bool {
        is_outcome(self.kind, self.subject(), &self.predicate)
    }

    /// Returns the assertions that are not struck.
    pub(super) fn left(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(|s| !s.is_struck())
    }
}

/// The claims of a panel, and what merging found.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By ascending key.
    pub(super) list: Vec<Claim>,
    /// The claim that each key, merged or not, went to.
    pub(super) of_key: HashMap<Sha, usize>,
    /// Pairs of claims that would be one but for their polarity.
    pub(super) possible_conflicts: Vec<(usize, usize)>,
    /// Keys in `same_as` that cannot be merged.
    pub(super) unmergeable: BTreeSet<Sha>,
}

/// Gathers the assertions of all agents that answered into claims.
pub(super) fn gather(bench: &Bench<'_>) -> Claims {
    let singles = on_keys(bench);
    let free: Vec<usize> = (0..singles.len()).filter(|&i| singles[i].members[0].form == Form::FreeText).collect();
    let mergeable: Vec<Mergeable<'_>> = free
        .iter()
        .map(|&i| Mergeable {
            kind: singles[i].kind,
            predicate: &singles[i].predicate,
            subject: singles[i].subject(),
            polarities: singles[i].said.iter().map(|s| s.side.polarity).collect(),
        })
        .collect();
    let merging = merge(&mergeable, bench.panel.policy.merge_threshold);
    let mut leader: Vec<usize> = (0..singles.len()).collect();
    for (place, &i) in free.iter().enumerate() {
        leader[i] = free[merging.leader[place]];
    }
    let mut claims = Claims::default();
    unite_same(bench, &singles, &mut leader, &mut claims.unmergeable);
    let claim_of = join(singles, &leader, &mut claims);
    let conflicts = merging.possible_conflicts.into_iter().map(|(a, b)| (claim_of[free[a]], claim_of[free[b]]));
    let apart: BTreeSet<(usize, usize)> =
        conflicts.filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b))).collect();
    claims.possible_conflicts = apart.into_iter().collect();
    claims
}

/// Makes one claim per key, by ascending key.
fn on_keys(bench: &Bench<'_>) -> Vec<Claim> {
    let mut places: HashMap<(Kind, &str, &str), usize> = HashMap::new();
    let mut canonical: HashMap<Sha, usize> = HashMap::new();
    let mut claims: Vec<Claim> = Vec::new();
    let mut sides = Sides::default();
    for (agent, participant) in bench.agents.iter().enumerate().filter(|(_, a)| a.is_ok()) {
        for a in &participant.claims {
            let place = *places.entry((a.kind, &a.subject, &a.predicate)).or_insert_with(|| {
                let (subject, form) = bench.canon.subject(a.kind, &a.subject);
                let predicate = bench.canon.predicate(&a.predicate);
                let key = key(a.kind, &subject, &predicate);
                *canonical.entry(key.clone()).or_insert_with(|| {
                    let members = vec![Member { key, subject, form }];
                    claims.push(Claim { kind: a.kind, predicate, members, said: Vec::new() });
                    claims.len() - 1
                })
            });
            let claim = &mut claims[place];
            let said = Said {
                agent,
                member: 0,
                side: sides.of(bench, claim, a),
                severity: a.severity,
                tier: a.tier,
                requirement: a.requirement.as_deref().map(|r| bench.canon.requirement(r)),
            };
            claim.said.push(said);
        }
    }
    claims.sort_by(|a, b| a.key().cmp(b.key()));
    claims
}

/// The sides met so far: most assertions say what another has said, and need no second copy.
#[derive(Default)]
struct Sides<'p> {
    known: HashMap<(&'p Value, Polarity, bool, bool), Rc<Choice>>,
}

impl<'p> Sides<'p> {
    fn of(&mut self, bench: &Bench<'_>, claim: &Claim, a: &'p Assertion) -> Rc<Choice> {
        let (is_outcome, is_set) = (claim.is_outcome(), claim.predicate == CHECKED_BY);
        let side = self.known.entry((&a.value, a.polarity, is_outcome, is_set)).or_insert_with(|| {
            // What an outcome may be is checked with the panel; its values are names, not words.
            let value = match a.value.as_text() {
                Some(name) if is_outcome => Value::Text(name.trim().to_owned()),
                _ => bench.canon.value(&claim.predicate, &a.value),
            };
            Rc::new(Choice { value, polarity: a.polarity })
        });
        Rc::clone(side)
    }
}

/// Joins the clusters of keys that a round found to mean the same.
fn unite_same(bench: &Bench<'_>, singles: &[Claim], leader: &mut [usize], unmergeable: &mut BTreeSet<Sha>) {
    let find = |key: &Sha| singles.binary_search_by(|claim| claim.key().cmp(key)).ok();
    let is_free = |i: usize| singles[i].members[0].form == Form::FreeText;
    for (a, b) in &bench.panel.same_as {
        let pair = find(a).zip(find(b)).filter(|&(a, b)| {
            let alike = (singles[a].kind, &singles[a].predicate) == (singles[b].kind, &singles[b].predicate);
            alike && is_free(a) && is_free(b)
        });
        let Some((a, b)) = pair else {
            unmergeable.extend([a.clone(), b.clone()]);
            continue;
        };
        let (one, two) = (leader[a].min(leader[b]), leader[a].max(leader[b]));
        for l in leader.iter_mut().filter(|l| **l == two) {
            *l = one;
        }
    }
}

/// Moves each single claim into its leader's, and returns the claim that each became part of.
fn join(singles: Vec<Claim>, leader: &[usize], claims: &mut Claims) -> Vec<usize> {
    // A leader has the smallest key of its cluster, so it comes before all that follow it.
    let mut claim_of: Vec<usize> = Vec::with_capacity(singles.len());
    for (i, single) in singles.into_iter().enumerate() {
        let key = single.key().clone();
        if leader[i] == i {
            claim_of.push(claims.list.len());
            claims.list.push(single);
        } else {
            let target = claim_of[leader[i]];
            claim_of.push(target);
            let claim = &mut claims.list[target];
            let member = claim.members.len();
            claim.members.extend(single.members);
            claim.said.extend(single.said.into_iter().map(|said| Said { member, ..said }));
        }
        claims.of_key.insert(key, claim_of[i]);
    }
    for claim in &mut claims.list {
        claim.said.sort_by_key(|said| said.agent);
    }
    claim_of
}

/// Which line of the table of labels matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    OneSideRan,
    TwoSidesRan,
    NothingLeft,
    NobodyCouldVote,
    Tie,
    OneFamily,
    OnlyTheHost,
    DissentHasEvidence,
    TooFewForTheTop,
    WordsOnly,
    Unanimous,
    FewAddressedIt,
    Outvoted,
}

impl Rule {
    pub(super) fn label(self) -> Label {
        match self {
            Rule::OneSideRan => Label::Proven,
            Rule::NothingLeft => Label::Refuted,
            Rule::TwoSidesRan
            | Rule::NobodyCouldVote
            | Rule::Tie
            | Rule::DissentHasEvidence
            | Rule::TooFewForTheTop => Label::Conflict,
            Rule::OneFamily | Rule::OnlyTheHost => Label::Single,
            Rule::WordsOnly => Label::Hollow,
            Rule::Unanimous => Label::Agreed,
            Rule::FewAddressedIt | Rule::Outvoted => Label::AgreedOver,
        }
    }
}

/// One family's vote: its side and the agents that took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ballot<'p> {
    pub(super) family: &'p str,
    pub(super) side: Rc<Choice>,
    pub(super) agents: Vec<usize>,
}

/// A claim's votes, label and winner.
#[derive(Debug, Clone)]
pub(super) struct Tally<'p> {
    pub(super) rule: Rule,
    /// The winning side, if there is one.
    pub(super) winner: Option<Rc<Choice>>,
    pub(super) severity: Severity,
    /// By family.
    pub(super) ballots: Vec<Ballot<'p>>,
    /// How many families the strongest side has.
    pub(super) top: usize,
    /// What the agents hold, struck assertions left out and sets united; by agent.
    pub(super) standing: Vec<Said>,
}

impl Tally<'_> {
    pub(super) fn label(&self) -> Label {
        self.rule.label()
    }

    /// Returns the assertions left standing for anything but the winner.
    pub(super) fn dissent(&self) -> impl Iterator<Item = &Said> {
        self.standing.iter().filter(|said| Some(&said.side) != self.winner.as_ref())
    }

    /// Returns the highest tier of the winning side; without a winner, of any side.
    pub(super) fn tier(&self) -> Tier {
        let of_winner = |said: &&Said| self.winner.as_ref().is_none_or(|winner| said.side == *winner);
        self.standing.iter().filter(of_winner).map(|said| said.tier).max().unwrap_or_default()
    }
}

/// Counts the votes on a claim and labels it.
pub(super) fn tally<'p>(bench: &Bench<'p>, claim: &Claim) -> Tally<'p> {
    let standing = standing(claim);
    let votes = votes(&standing);
    let ballots = ballots(bench, &votes);
    let (top, voted) = strongest(ballots.iter().map(|b| &b.side));
    let host_only = !standing.iter().any(|s| bench.agents[s.agent].voter);
    let hosts = if host_only { strongest(votes.iter().map(|(_, side)| *side)).1 } else { None };
    let ran: BTreeSet<&Rc<Choice>> = standing.iter().filter(|s| s.tier == Tier::E3True).map(|s| &s.side).collect();
    let ran = (ran.len(), ran.first().map(|side| Rc::clone(side)));
    let severity = standing.iter().map(|s| s.severity).max().unwrap_or(Severity::Info);
    let is_silent = standing.is_empty();
    let mut tally = Tally { rule: Rule::NothingLeft, winner: None, severity, ballots, top, standing };
    (tally.rule, tally.winner) = match ran {
        (1, side) => (Rule::OneSideRan, side),
        (2.., _) => (Rule::TwoSidesRan, None),
        (0, _) if is_silent => (Rule::NothingLeft, None),
        (0, _) if host_only => (Rule::OnlyTheHost, hosts),
        (0, _) => {
            tally.winner = voted;
            (voted_rule(bench, claim, &tally), tally.winner)
        }
    };
    tally
}

/// Labels a claim that voters spoke on and nobody ran.
fn voted_rule(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> Rule {
    let answered = tally.ballots.len();
    let all_words = || tally.standing.iter().all(|s| s.tier == Tier::E0);
    let counts_twice = matches!(claim.kind, Kind::Decision | Kind::Covers) && tally.severity >= Severity::Major;
    if answered == 0 {
        Rule::NobodyCouldVote
    } else if tally.winner.is_none() {
        Rule::Tie
    } else if answered == 1 {
        Rule::OneFamily
    } else if tally.dissent().any(|s| s.severity >= Severity::Major && s.tier >= Tier::E1) {
        Rule::DissentHasEvidence
    } else if !bench.panel.policy.agree.is_reached(tally.top, answered) {
        Rule::TooFewForTheTop
    } else if tally.dissent().next().is_some() {
        Rule::Outvoted
    } else if bench.panel.stage >= Stage::Implement && counts_twice && all_words() {
        Rule::WordsOnly
    } else if 2 * answered >= bench.ok.len() {
        Rule::Unanimous
    } else {
        Rule::FewAddressedIt
    }
}

/// Returns what is left, with the pieces of each agent's `checked-by` united at the highest tier.
fn standing(claim: &Claim) -> Vec<Said> {
    if claim.predicate != CHECKED_BY {
        return claim.left().cloned().collect();
    }
    let mut united: BTreeMap<(usize, Polarity), Said> = BTreeMap::new();
    for said in claim.left() {
        let entry = united.entry((said.agent, said.side.polarity)).or_insert_with(|| said.clone());
        let value = Value::set(set(&entry.side.value).chain(set(&said.side.value)));
        entry.side = Rc::new(Choice { value, polarity: said.side.polarity });
        entry.severity = entry.severity.max(said.severity);
        entry.tier = entry.tier.max(said.tier);
    }
    united.into_values().collect()
}

fn set(value: &Value) -> impl Iterator<Item = &String> {
    match value {
        Value::Text(text) => std::slice::from_ref(text).iter(),
        Value::Set(members) => members.iter(),
    }
}

/// Returns each agent's vote: the one side it holds. One that holds two abstains.
fn votes(standing: &[Said]) -> Vec<(usize, &Rc<Choice>)> {
    debug_assert!(standing.is_sorted_by_key(|s| s.agent), "assertions come by agent");
    standing
        .chunk_by(|a, b| a.agent == b.agent)
        .filter(|own| own.iter().all(|said| said.side == own[0].side))
        .map(|own| (own[0].agent, &own[0].side))
        .collect()
}

/// Returns each family's vote: the side that most of its agents hold; a tie abstains.
fn ballots<'p>(bench: &Bench<'p>, votes: &[(usize, &Rc<Choice>)]) -> Vec<Ballot<'p>> {
    let family = |agent: usize| bench.agents[agent].family.as_str();
    let mut voters: Vec<_> = votes.iter().filter(|(agent, _)| bench.agents[*agent].voter).collect();
    voters.sort_by_key(|(agent, _)| (family(*agent), *agent));
    voters
        .chunk_by(|a, b| family(a.0) == family(b.0))
        .filter_map(|own| {
            let (_, side) = strongest(own.iter().map(|(_, side)| *side));
            let side = side?;
            let agents = own.iter().filter(|(_, s)| **s == side).map(|(agent, _)| *agent).collect();
            Some(Ballot { family: family(own[0].0), side, agents })
        })
        .collect()
}

/// Returns how many votes the strongest side has, and that side if no other has as many.
fn strongest<'s>(votes: impl Iterator<Item = &'s Rc<Choice>>) -> (usize, Option<Rc<Choice>>) {
    // Sides are few, so a list beats a map.
    let mut counts: Vec<(&Rc<Choice>, usize)> = Vec::new();
    for side in votes {
        match counts.iter_mut().find(|(known, _)| *known == side) {
            Some((_, n)) => *n += 1,
            None => counts.push((side, 1)),
        }
    }
    let top = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let mut leaders = counts.into_iter().filter(|(_, n)| *n == top);
    let first = leaders.next().map(|(side, _)| Rc::clone(side));
    (top, first.filter(|_| leaders.next().is_none()))
}
