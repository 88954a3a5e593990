//! From assertions to labelled claims: gathering on keys, merging, striking, family votes, labels.
//!
//! It must not know what a label means for the stage's status: that is [`super::ruling`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::canon::{CHECKED_BY, Canon, Form, key_digest};
use super::fold::FoldMap;
use super::label::Label;
use super::merge::{Mergeable, merge};
use super::panel::{Choice, Panel, Participant};
use super::parse::is_outcome;
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::hash::Sha;
use crate::domain::ids::Family;
use crate::domain::stage::Stage;

/// The panel in canonical order, with what is counted once.
#[derive(Debug)]
pub(super) struct Bench<'p> {
    pub(super) panel: &'p Panel,
    pub(super) canon: Canon,
    /// All participants, by name.
    pub(super) agents: Vec<&'p Participant>,
    /// Each one's place in the order of families, then names.
    rank: Vec<usize>,
    /// Families of the voters, expected and answered.
    pub(super) expected: BTreeSet<&'p str>,
    pub(super) ok: BTreeSet<&'p str>,
}

impl<'p> Bench<'p> {
    pub(super) fn seat(panel: &'p Panel) -> Self {
        let mut agents: Vec<&Participant> = panel.agents.iter().collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        let mut by_family: Vec<usize> = (0..agents.len()).collect();
        by_family.sort_by_key(|&i| (&agents[i].family, i));
        let mut rank = vec![0; agents.len()];
        by_family.iter().enumerate().for_each(|(place, &i)| rank[i] = place);
        let voters = || agents.iter().filter(|a| a.voter);
        let expected = voters().map(|a| a.family.as_str()).collect();
        let ok = voters().filter(|a| a.is_ok()).map(|a| a.family.as_str()).collect();
        Self { panel, canon: panel.canon(), agents, rank, expected, ok }
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
    pub(super) predicate: Rc<str>,
    /// The smallest of its keys, which names it.
    pub(super) first: Member,
    /// The keys that were merged into it, ascending.
    pub(super) others: Vec<Member>,
    /// By agent, then as the agent ordered them.
    pub(super) said: Vec<Said>,
}

impl Claim {
    pub(super) fn key(&self) -> &Sha {
        &self.first.key
    }

    pub(super) fn subject(&self) -> &str {
        &self.first.subject
    }

    /// Returns all of its keys, by the places that [`Said::member`] names.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns the key that an assertion was made of.
    pub(super) fn member(&self, place: usize) -> &Member {
        place.checked_sub(1).map_or(&self.first, |place| &self.others[place])
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
    /// Claim and member of each key, merged or not, by ascending key.
    places: Vec<(usize, usize)>,
    /// Pairs of claims that would be one but for their polarity.
    pub(super) possible_conflicts: Vec<(usize, usize)>,
    /// Keys in `same_as` that cannot be merged.
    pub(super) unmergeable: BTreeSet<Sha>,
    /// Keys that were compared with no other, because too much had been compared before.
    pub(super) not_compared: Vec<Sha>,
}

impl Claims {
    /// Returns the claim that a key, merged or not, went to.
    pub(super) fn find(&self, key: &Sha) -> Option<usize> {
        let of = |&(claim, member): &(usize, usize)| self.list[claim].member(member).key.cmp(key);
        let found = self.places.binary_search_by(of).ok()?;
        Some(self.places[found].0)
    }
}

/// Gathers the assertions of all agents that answered into claims.
pub(super) fn gather(bench: &Bench<'_>) -> Claims {
    let singles = on_keys(bench);
    let free: Vec<usize> = (0..singles.len()).filter(|&i| singles[i].first.form == Form::FreeText).collect();
    let mergeable: Vec<Mergeable<'_>> = free
        .iter()
        .map(|&i| Mergeable {
            kind: singles[i].kind,
            predicate: &singles[i].predicate,
            subject: singles[i].subject(),
            polarities: singles[i].said.iter().map(|s| s.side.polarity).collect(),
        })
        .collect();
    let apart = split_pairs(bench.panel, |key| free.binary_search_by(|&i| singles[i].key().cmp(key)).ok());
    let merging = merge(&mergeable, bench.panel.policy.merge_threshold, &apart);
    let mut leader: Vec<usize> = (0..singles.len()).collect();
    for (place, &i) in free.iter().enumerate() {
        leader[i] = free[merging.leader[place]];
    }
    let mut claims = Claims::default();
    claims.not_compared.extend(merging.not_compared.iter().map(|&place| singles[free[place]].key().clone()));
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
    let answered = || bench.agents.iter().enumerate().filter(|(_, a)| a.is_ok());
    let mut gathering = Gathering::default();
    let most = answered().map(|(_, a)| a.claims.len()).max().unwrap_or(0);
    gathering.wordings.reserve(most);
    gathering.places.reserve(most);
    let mut spoken: Vec<(usize, Said)> = Vec::with_capacity(answered().map(|(_, a)| a.claims.len()).sum());
    for (agent, participant) in answered() {
        let mut before = None;
        for a in &participant.claims {
            let wording = gathering.wording(bench, a, before);
            before = Some(wording);
            let side = gathering.side(bench, a, wording);
            let requirement = a.requirement.as_deref().map(|r| bench.canon.requirement(r));
            let said = Said { agent, member: 0, side, severity: a.severity, tier: a.tier, requirement };
            spoken.push((wording, said));
        }
    }
    claims(gathering.wordings, spoken)
}

/// Makes the claims of wordings, by ascending key: different words can have one key. What is asked of all claims one
/// after the other is laid out in their order here, not in that of the agents' words.
fn claims(mut wordings: Vec<Wording<'_>>, spoken: Vec<(usize, Said)>) -> Vec<Claim> {
    let mut order: Vec<([u8; 32], usize)> = wordings.iter().map(|w| w.digest).zip(0..).collect();
    order.sort_unstable();
    let mut of_wording: Vec<usize> = vec![0; wordings.len()];
    let mut sizes: Vec<usize> = Vec::with_capacity(wordings.len());
    let mut firsts: Vec<usize> = Vec::with_capacity(wordings.len());
    for same in order.chunk_by(|(a, _), (b, _)| a == b) {
        same.iter().for_each(|(_, wording)| of_wording[*wording] = firsts.len());
        firsts.push(same[0].1);
        sizes.push(0);
    }
    spoken.iter().for_each(|(wording, _)| sizes[of_wording[*wording]] += 1);
    let made = |(first, size): (usize, usize)| {
        let Wording { first, digest, subject, form, predicate, .. } = &mut wordings[first];
        let member = Member { key: Sha::of_digest(*digest), subject: std::mem::take(subject), form: *form };
        Claim {
            kind: first.kind,
            predicate: Rc::clone(predicate),
            first: member,
            others: Vec::new(),
            said: Vec::with_capacity(size),
        }
    };
    let mut claims: Vec<Claim> = firsts.into_iter().zip(sizes).map(made).collect();
    spoken.into_iter().for_each(|(wording, said)| claims[of_wording[wording]].said.push(said));
    claims
}

/// The wordings met so far, and what saves doing work twice: agents answer the same questions, mostly in the same order
/// and mostly alike.
#[derive(Default)]
struct Gathering<'p> {
    wordings: Vec<Wording<'p>>,
    places: FoldMap<(Kind, &'p str, &'p str), usize>,
    predicates: FoldMap<&'p str, Rc<str>>,
    sides: FoldMap<(&'p Value, Polarity, bool, bool), Rc<Choice>>,
}

/// A key as somebody wrote it.
struct Wording<'p> {
    first: &'p Assertion,
    digest: [u8; 32],
    subject: String,
    form: Form,
    predicate: Rc<str>,
    is_outcome: bool,
    is_set: bool,
    /// What was said of it last.
    last: Option<(&'p Assertion, Rc<Choice>)>,
    /// Which wording came next when it was last used.
    next: usize,
}

impl<'p> Gathering<'p> {
    /// Returns the place of an assertion's wording: mostly the one that followed `before` the last time, too.
    fn wording(&mut self, bench: &Bench<'_>, a: &'p Assertion, before: Option<usize>) -> usize {
        let is_it = |w: &&Wording<'_>| {
            w.first.kind == a.kind && w.first.subject == a.subject && w.first.predicate == a.predicate
        };
        let guess = before.map_or(0, |before| self.wordings[before].next);
        if self.wordings.get(guess).filter(is_it).is_some() {
            return guess;
        }
        let (wordings, predicates) = (&mut self.wordings, &mut self.predicates);
        let place = *self.places.entry((a.kind, &a.subject, &a.predicate)).or_insert_with(|| {
            let canonical = || Rc::from(bench.canon.predicate(&a.predicate));
            let predicate = predicates.entry(&a.predicate).or_insert_with(canonical);
            wordings.push(wording(bench, a, Rc::clone(predicate)));
            wordings.len() - 1
        });
        if let Some(before) = before {
            self.wordings[before].next = place;
        }
        place
    }

    fn side(&mut self, bench: &Bench<'_>, a: &'p Assertion, wording: usize) -> Rc<Choice> {
        let wording = &mut self.wordings[wording];
        if let Some((last, side)) = &wording.last
            && last.polarity == a.polarity
            && last.value == a.value
        {
            return Rc::clone(side);
        }
        let (is_outcome, is_set) = (wording.is_outcome, wording.is_set);
        let side = self.sides.entry((&a.value, a.polarity, is_outcome, is_set)).or_insert_with(|| {
            // What an outcome may be is checked with the panel; its values are names, not words.
            let value = match a.value.as_text() {
                Some(name) if is_outcome => Value::from(name.trim()),
                _ => bench.canon.value(if is_set { CHECKED_BY } else { "" }, &a.value),
            };
            Rc::new(Choice { value, polarity: a.polarity })
        });
        wording.last = Some((a, Rc::clone(side)));
        Rc::clone(side)
    }
}

/// Meets a wording for the first time: makes it canonical.
fn wording<'p>(bench: &Bench<'_>, first: &'p Assertion, predicate: Rc<str>) -> Wording<'p> {
    let (subject, form) = bench.canon.subject(first.kind, &first.subject);
    let digest = key_digest(first.kind, &subject, &predicate);
    let (is_outcome, is_set) = (is_outcome(first.kind, &subject, &predicate), &*predicate == CHECKED_BY);
    Wording { first, digest, subject, form, predicate, is_outcome, is_set, last: None, next: 0 }
}

/// Returns the pairs that a person split, by their places, the smaller first. Pairs of which one is not there say
/// nothing.
fn split_pairs(panel: &Panel, place: impl Fn(&Sha) -> Option<usize>) -> BTreeSet<(usize, usize)> {
    let pairs = panel.splits.iter().filter_map(|split| place(&split.pair.0).zip(place(&split.pair.1)));
    pairs.map(|(a, b)| (a.min(b), a.max(b))).collect()
}

/// Joins the clusters of keys that a round found to mean the same, pair by pair in the order of keys, unless that would
/// bring together what a person split.
fn unite_same(bench: &Bench<'_>, singles: &[Claim], leader: &mut [usize], unmergeable: &mut BTreeSet<Sha>) {
    let find = |key: &Sha| singles.binary_search_by(|claim| claim.key().cmp(key)).ok();
    let is_free = |i: usize| singles[i].first.form == Form::FreeText;
    let apart = split_pairs(bench.panel, find);
    let mut same: Vec<(&Sha, &Sha)> = bench.panel.same_as.iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
    same.sort();
    for (a, b) in same {
        let pair = find(a).zip(find(b)).filter(|&(a, b)| {
            let alike = (singles[a].kind, &singles[a].predicate) == (singles[b].kind, &singles[b].predicate);
            let meet = |x: usize, y: usize| (leader[x], leader[y]) == (leader[a], leader[b]);
            alike && is_free(a) && is_free(b) && !apart.iter().any(|&(x, y)| meet(x, y) || meet(y, x))
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
        if leader[i] == i {
            claims.places.push((claims.list.len(), 0));
            claim_of.push(claims.list.len());
            claims.list.push(single);
        } else {
            let target = claim_of[leader[i]];
            claim_of.push(target);
            let claim = &mut claims.list[target];
            claim.others.push(single.first);
            let member = claim.others.len();
            claims.places.push((target, member));
            claim.said.extend(single.said.into_iter().map(|said| Said { member, ..said }));
        }
    }
    for claim in claims.list.iter_mut().filter(|claim| !claim.others.is_empty()) {
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
    pub(super) family: &'p Family,
    pub(super) side: Rc<Choice>,
    /// Which of the tally's voters are its agents.
    agents: Range<usize>,
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
    /// The agents of all ballots, one ballot after the other.
    voters: Vec<usize>,
    /// How many families the strongest side has.
    pub(super) top: usize,
    /// What the agents hold, struck assertions left out and sets united; by agent.
    pub(super) standing: Cow<'p, [Said]>,
}

impl Tally<'_> {
    pub(super) fn label(&self) -> Label {
        self.rule.label()
    }

    /// Returns the agents that took a ballot's side.
    pub(super) fn voters_of(&self, ballot: &Ballot<'_>) -> &[usize] {
        &self.voters[ballot.agents.clone()]
    }

    /// Returns the assertions left standing for anything but the winner.
    pub(super) fn dissent(&self) -> impl Iterator<Item = &Said> {
        self.standing.iter().filter(|said| Some(&said.side) != self.winner.as_ref())
    }

    /// Returns how many sides the host ran and saw hold.
    pub(super) fn sides_that_ran(&self) -> usize {
        let ran = self.standing.iter().filter(|said| said.tier == Tier::E3True);
        ran.map(|said| &said.side).collect::<BTreeSet<_>>().len()
    }

    /// Returns the highest tier of the winning side; without a winner, of any side.
    pub(super) fn tier(&self) -> Tier {
        let of_winner = |said: &&Said| self.winner.as_ref().is_none_or(|winner| said.side == *winner);
        self.standing.iter().filter(of_winner).map(|said| said.tier).max().unwrap_or_default()
    }
}

/// Counts the votes on a claim and labels it.
pub(super) fn tally<'p>(bench: &Bench<'p>, claim: &'p Claim) -> Tally<'p> {
    let standing = standing(claim);
    let mut votes = votes(&standing);
    let host_only = !standing.iter().any(|s| bench.agents[s.agent].voter);
    let hosts = if host_only { strongest(votes.iter().map(|(_, side)| *side)).1 } else { None };
    votes.retain(|(agent, _)| bench.agents[*agent].voter);
    let (ballots, voters) = ballots(bench, votes);
    let (top, voted) = strongest(ballots.iter().map(|b| &b.side));
    let ran: BTreeSet<&Rc<Choice>> = standing.iter().filter(|s| s.tier == Tier::E3True).map(|s| &s.side).collect();
    let ran = (ran.len(), ran.first().map(|side| Rc::clone(side)));
    let severity = standing.iter().map(|s| s.severity).max().unwrap_or(Severity::Info);
    let is_silent = standing.is_empty();
    let mut tally = Tally { rule: Rule::NothingLeft, winner: None, severity, ballots, voters, top, standing };
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
fn standing(claim: &Claim) -> Cow<'_, [Said]> {
    if &*claim.predicate != CHECKED_BY {
        let is_whole = !claim.said.iter().any(Said::is_struck);
        return if is_whole { Cow::Borrowed(&claim.said) } else { claim.left().cloned().collect() };
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

fn set(value: &Value) -> impl Iterator<Item = &str> {
    let (text, members) = match value {
        Value::Text(text) => (Some(&**text), [].as_slice()),
        Value::Set(members) => (None, &**members),
    };
    text.into_iter().chain(members.iter().map(String::as_str))
}

/// Returns each agent's vote: the one side it holds. One that holds two abstains.
fn votes(standing: &[Said]) -> Vec<(usize, &Rc<Choice>)> {
    debug_assert!(standing.is_sorted_by_key(|s| s.agent), "assertions come by agent");
    let mut votes = Vec::with_capacity(standing.len());
    let undivided = standing
        .chunk_by(|a, b| a.agent == b.agent)
        .filter(|own| own.iter().all(|said| said.side == own[0].side))
        .map(|own| (own[0].agent, &own[0].side));
    votes.extend(undivided);
    votes
}

/// Returns each family's vote (the side that most of its agents hold; a tie abstains) and all their agents.
fn ballots<'p>(bench: &Bench<'p>, mut votes: Vec<(usize, &Rc<Choice>)>) -> (Vec<Ballot<'p>>, Vec<usize>) {
    let family = |agent: usize| &bench.agents[agent].family;
    votes.sort_unstable_by_key(|(agent, _)| bench.rank[*agent]);
    let mut ballots = Vec::with_capacity(votes.len());
    let mut voters = Vec::with_capacity(votes.len());
    for own in votes.chunk_by(|a, b| family(a.0) == family(b.0)) {
        let (_, side) = strongest(own.iter().map(|(_, side)| *side));
        let Some(side) = side else { continue };
        let first = voters.len();
        voters.extend(own.iter().filter(|(_, s)| **s == side).map(|(agent, _)| *agent));
        ballots.push(Ballot { family: family(own[0].0), side, agents: first..voters.len() });
    }
    (ballots, voters)
}

/// Returns how many votes the strongest side has, and that side if no other has as many.
fn strongest<'s>(mut votes: impl Iterator<Item = &'s Rc<Choice>>) -> (usize, Option<Rc<Choice>>) {
    let Some(first) = votes.next() else { return (0, None) };
    // Most claims have one side, and the others few: a list beats a map.
    let mut counts: (usize, Vec<(&Rc<Choice>, usize)>) = (1, Vec::new());
    for side in votes {
        if side == first {
            counts.0 += 1;
            continue;
        }
        match counts.1.iter_mut().find(|(known, _)| *known == side) {
            Some((_, n)) => *n += 1,
            None => counts.1.push((side, 1)),
        }
    }
    let (of_first, others) = counts;
    let top = others.iter().map(|(_, n)| *n).max().unwrap_or(0).max(of_first);
    let mut leaders = std::iter::once((first, of_first)).chain(others).filter(|(_, n)| *n == top);
    let leader = leaders.next().map(|(side, _)| Rc::clone(side));
    (top, leader.filter(|_| leaders.next().is_none()))
}
