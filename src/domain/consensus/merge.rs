//! Which free-text subjects mean the same: near-duplicates by their words, and nothing that a number, a negation or a
//! quoted name tells apart, nor a person.
//!
//! Keys in ascending order join the first cluster all of whose members are near, else open one (complete linkage; the
//! result does not depend on who came first). It must not know who said what: it gets keys, subjects and the
//! polarities said of them.
//!
//! To find near texts without comparing all with all:
//!
//! - Two sets whose Jaccard similarity reaches t share one of their |A| − ⌈t·|A|⌉ + 1 rarest runs (prefix filtering:
//!   Bayardo, Ma, Srikant, "Scaling Up All Pairs Similarity Search", 2007). Only these are indexed, so that subjects
//!   which are not near cost next to nothing.
//! - What all members of a cluster have in common is kept: who shares enough of that is near all of them at once, so
//!   that a flood of near-duplicates costs a comparison each, not one with each other.
//!
//! Texts can be made for which both are not enough. The work is counted, and once [`GRAMS_MAX`] runs were looked at the
//! rest stays apart, and is named.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::FoldMap;
use super::marks::Marks;
use super::near::{common, gram_sets, is_near, prefix};
use super::policy::Ratio;
use crate::domain::claim::{Kind, Polarity};

/// Most runs of words that are looked at to merge the texts of one panel: a tenth of a second on one core. 4,000 near
/// texts of twenty words need a hundredth of that.
const GRAMS_MAX: u64 = 100_000_000;

/// One key that may be merged. The caller gives them in ascending order of key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mergeable<'a> {
    pub(super) kind: Kind,
    pub(super) predicate: &'a str,
    pub(super) subject: &'a str,
    pub(super) polarities: BTreeSet<Polarity>,
}

/// What became of the keys, by their index in the list that was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Merging {
    /// For each key the smallest key of its cluster.
    pub(super) leader: Vec<usize>,
    /// The smallest keys of clusters of which a pair would have merged but for its polarity, ascending.
    pub(super) possible_conflicts: BTreeSet<(usize, usize)>,
    /// Keys that were compared with nothing, because too much had been compared before.
    pub(super) not_compared: Vec<usize>,
}

/// Clusters near-duplicates. Of a pair in `apart` (the smaller first) a person said that it is not the same.
pub(super) fn merge(keys: &[Mergeable<'_>], threshold: Ratio, apart: &BTreeSet<(usize, usize)>) -> Merging {
    merge_within(keys, threshold, apart, GRAMS_MAX).0
}

/// Clusters with so much work. Returns how much of it was left, too.
fn merge_within(
    keys: &[Mergeable<'_>],
    threshold: Ratio,
    apart: &BTreeSet<(usize, usize)>,
    most: u64,
) -> (Merging, u64) {
    let mut merging = Merging { leader: (0..keys.len()).collect(), ..Merging::default() };
    let mut met: FoldMap<(Kind, &str, Marks), Vec<usize>> = FoldMap::default();
    for (i, key) in keys.iter().enumerate() {
        met.entry((key.kind, key.predicate, Marks::of(key.subject))).or_default().push(i);
    }
    // Most texts have numbers of their own: only the others are put in order.
    let blocks: BTreeMap<_, _> = met.into_iter().filter(|(_, members)| members.len() > 1).collect();
    let mut left = most;
    for members in blocks.values() {
        let (sets, grams) = gram_sets(members.iter().map(|&i| keys[i].subject));
        let index = vec![Vec::new(); grams];
        let block = Block { keys, members, sets, threshold, apart, index, clusters: Vec::new(), left };
        left = block.merge(&mut merging);
    }
    merging.not_compared.sort_unstable();
    (merging, left)
}

/// The keys of one kind and predicate, with the same numbers, negations and quoted names.
struct Block<'b> {
    keys: &'b [Mergeable<'b>],
    /// Which of the keys, ascending; a *place* is an index in this list.
    members: &'b [usize],
    /// The grams of each place.
    sets: Vec<Vec<u32>>,
    threshold: Ratio,
    apart: &'b BTreeSet<(usize, usize)>,
    /// For each gram, who has it among its rarest.
    index: Vec<Vec<Posting>>,
    clusters: Vec<Cluster>,
    /// How many grams may still be looked at.
    left: u64,
}

/// That a cluster has a member of this size which has a gram there in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Posting {
    cluster: usize,
    len: usize,
    at: usize,
}

/// Places that are all near each other.
#[derive(Debug, Default)]
struct Cluster {
    /// Ascending.
    members: Vec<usize>,
    /// The polarities that its members are said with, each combination once.
    said: BTreeSet<BTreeSet<Polarity>>,
    /// What all of their sets have in common.
    common: Vec<u32>,
    /// The size of the largest set.
    longest: usize,
}

impl Block<'_> {
    /// Clusters the block. Returns how many grams may still be looked at.
    fn merge(mut self, merging: &mut Merging) -> u64 {
        for place in 0..self.members.len() {
            if self.left == 0 {
                merging.not_compared.extend(&self.members[place..]);
                return 0;
            }
            let near = self.reached(place);
            let joined = near.iter().copied().find(|&cluster| self.takes(cluster, place));
            let own = joined.unwrap_or(self.clusters.len());
            for other in near.into_iter().filter(|other| *other != own) {
                self.oppose(place, other, own, merging);
            }
            self.join(place, own);
            merging.leader[self.members[place]] = self.name(own, place);
        }
        self.left
    }

    fn spend(&mut self, grams: usize) {
        self.left = self.left.saturating_sub(grams as u64);
    }

    /// Returns the key that names a cluster; a new one is named by who opens it.
    fn name(&self, cluster: usize, opener: usize) -> usize {
        self.members[self.clusters.get(cluster).map_or(opener, |cluster| cluster.members[0])]
    }

    fn polarities(&self, place: usize) -> &BTreeSet<Polarity> {
        &self.keys[self.members[place]].polarities
    }

    fn is_apart(&self, one: usize, two: usize) -> bool {
        self.apart.contains(&(self.members[one], self.members[two]))
    }

    fn is_near(&mut self, one: usize, two: usize) -> bool {
        let (is_near, looked_at) = is_near(&self.sets[one], &self.sets[two], self.threshold);
        self.spend(looked_at);
        is_near
    }

    /// Returns the clusters that may have a near member, ascending.
    fn reached(&mut self, place: usize) -> Vec<usize> {
        let set = &self.sets[place];
        let (mut found, mut looked_at) = (Vec::new(), set.len());
        for (at, gram) in set[..prefix(set.len(), self.threshold)].iter().enumerate() {
            let postings = &self.index[*gram as usize];
            looked_at += postings.len();
            for posting in postings {
                // If this is the first gram that both have, then no more than what stands behind it can be shared.
                let shared = (set.len() - at).min(posting.len - posting.at);
                if self.threshold.is_reached(shared, set.len() + posting.len - shared) {
                    found.push(posting.cluster);
                }
            }
        }
        self.spend(looked_at);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Tells whether all members of a cluster are near a text, on its side, and not to be kept apart from it.
    fn takes(&mut self, cluster: usize, place: usize) -> bool {
        let Cluster { members, said, .. } = &self.clusters[cluster];
        let is_opposed = said.iter().any(|said| said.is_disjoint(self.polarities(place)));
        if is_opposed || !self.apart.is_empty() && members.iter().any(|&member| self.is_apart(member, place)) {
            return false;
        }
        if members.len() > 1 && self.is_near_all(cluster, place) {
            return true;
        }
        let members = std::mem::take(&mut self.clusters[cluster].members);
        let is_near = members.iter().all(|&member| self.is_near(member, place));
        self.clusters[cluster].members = members;
        is_near
    }

    /// Tells whether what all members have in common is enough for a text to be near each of them.
    fn is_near_all(&mut self, cluster: usize, place: usize) -> bool {
        let (set, Cluster { common: all, longest, .. }) = (&self.sets[place], &self.clusters[cluster]);
        let shared = common(set, all).len();
        let looked_at = set.len() + all.len();
        // Nobody shares less with it, and nobody has more that it does not share.
        let is_enough = self.threshold.is_reached(shared, set.len() + longest - shared);
        self.spend(looked_at);
        is_enough
    }

    /// Notes that a text and a member of another cluster are near, and said with opposite polarity.
    fn oppose(&mut self, place: usize, other: usize, own: usize, merging: &mut Merging) {
        let (a, b) = (self.name(other, place), self.name(own, place));
        let pair = (a.min(b), a.max(b));
        let is_opposed = self.clusters[other].said.iter().any(|said| said.is_disjoint(self.polarities(place)));
        if !is_opposed || merging.possible_conflicts.contains(&pair) {
            return;
        }
        let members = std::mem::take(&mut self.clusters[other].members);
        let is_opposed = members.iter().any(|&member| {
            self.polarities(member).is_disjoint(self.polarities(place))
                && !self.is_apart(member, place)
                && self.is_near(member, place)
        });
        self.spend(members.len());
        self.clusters[other].members = members;
        if is_opposed {
            merging.possible_conflicts.insert(pair);
        }
    }

    /// Puts a text into its cluster, which it may open.
    fn join(&mut self, place: usize, own: usize) {
        let set = &self.sets[place];
        let is_new = own == self.clusters.len();
        if is_new {
            self.clusters.push(Cluster { common: set.clone(), ..Cluster::default() });
        }
        let polarities = &self.keys[self.members[place]].polarities;
        let cluster = &mut self.clusters[own];
        if !is_new {
            cluster.common = common(&cluster.common, set);
        }
        cluster.longest = cluster.longest.max(set.len());
        cluster.members.push(place);
        if !cluster.said.contains(polarities) {
            cluster.said.insert(polarities.clone());
        }
        for (at, gram) in set[..prefix(set.len(), self.threshold)].iter().enumerate() {
            let posting = Posting { cluster: own, len: set.len(), at };
            let postings = &mut self.index[*gram as usize];
            // A member that is found where one before it is found adds nothing.
            if is_new || !postings.contains(&posting) {
                postings.push(posting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consensus::near::words;

    /// The rule as it is written, comparing all with all.
    fn merge_slowly(keys: &[Mergeable<'_>], threshold: Ratio, apart: &BTreeSet<(usize, usize)>) -> Merging {
        let grams = |subject: &str| -> BTreeSet<[String; 3]> {
            let words: Vec<String> = words(subject).map(str::to_owned).collect();
            if words.is_empty() {
                return BTreeSet::new();
            }
            let pad = |c: &str| vec![c.to_owned(), c.to_owned()];
            let all = [pad("^"), words, pad("$")].concat();
            all.windows(3).map(|w| [w[0].clone(), w[1].clone(), w[2].clone()]).collect()
        };
        let alike = |a: &Mergeable<'_>, b: &Mergeable<'_>| {
            let (x, y) = (grams(a.subject), grams(b.subject));
            let near = threshold.is_reached(x.intersection(&y).count(), x.union(&y).count());
            let marks = Marks::of(a.subject) == Marks::of(b.subject);
            !x.is_empty() && near && marks && (a.kind, a.predicate) == (b.kind, b.predicate)
        };
        let is_apart = |a: usize, b: usize| apart.contains(&(a.min(b), a.max(b)));
        let mut clusters: Vec<Vec<usize>> = Vec::new();
        let mut merging = Merging::default();
        let mut opposed: Vec<(usize, usize)> = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let is_near = |o: usize| alike(key, &keys[o]) && !is_apart(i, o);
            let agrees = |o: &usize| is_near(*o) && !key.polarities.is_disjoint(&keys[*o].polarities);
            opposed.extend((0..i).filter(|&o| is_near(o) && !agrees(&o)).map(|o| (o, i)));
            match clusters.iter_mut().find(|cluster| cluster.iter().all(agrees)) {
                Some(cluster) => cluster.push(i),
                None => clusters.push(vec![i]),
            }
            merging.leader.push(clusters.iter().find(|c| c.contains(&i)).map_or(i, |c| c[0]));
        }
        for (a, b) in opposed {
            let (a, b) = (merging.leader[a], merging.leader[b]);
            merging.possible_conflicts.insert((a.min(b), a.max(b)));
        }
        merging
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, cases: 500, ..Default::default() })]
        #[test]
        fn the_index_finds_exactly_what_comparing_all_with_all_finds(
            subjects in proptest::collection::vec("(a|b|c|not|7|x)( (a|b|c|d|x)){2,9}", 0..24),
            signs in proptest::collection::vec(0usize..6, 24),
            p in 1u32..=10,
            split in proptest::collection::vec((0usize..24, 0usize..24), 0..4),
        ) {
            let polarities = |sign: usize| match sign {
                0 => BTreeSet::from([Polarity::No]),
                1 => BTreeSet::from([Polarity::No, Polarity::Yes]),
                _ => BTreeSet::from([Polarity::Yes]),
            };
            let keys: Vec<Mergeable<'_>> = subjects
                .iter()
                .zip(&signs)
                .map(|(subject, sign)| Mergeable {
                    kind: if *sign == 5 { Kind::Finding } else { Kind::Risk },
                    predicate: "open",
                    subject,
                    polarities: polarities(*sign),
                })
                .collect();
            let threshold: Ratio = format!("{p}/10").parse().unwrap();
            let apart = split.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b))).collect();
            let merging = merge(&keys, threshold, &apart);
            proptest::prop_assert!(apart.iter().all(|(a, b)| merging.leader.get(*a).is_none_or(|l| merging.leader.get(*b) != Some(l))));
            proptest::prop_assert_eq!(merging, merge_slowly(&keys, threshold, &apart));
        }
    }

    fn risks<'a>(subjects: &'a [String], polarities: impl Fn(usize) -> BTreeSet<Polarity>) -> Vec<Mergeable<'a>> {
        let key = |(i, subject): (usize, &'a String)| Mergeable {
            kind: Kind::Risk,
            predicate: "open",
            subject,
            polarities: polarities(i),
        };
        subjects.iter().enumerate().map(key).collect()
    }

    /// Texts of so many words, each with other words at the places that `differ` gives.
    fn texts(count: usize, words: usize, differ: impl Fn(usize) -> Vec<usize>) -> Vec<String> {
        // A number would tell them apart.
        let letters = |n: usize| n.to_string().chars().map(|c| char::from(b'a' + c as u8 - b'0')).collect::<String>();
        let text = |n: usize| {
            let own = differ(n);
            let word =
                |at: usize| if own.contains(&at) { format!("x{}", letters(n)) } else { format!("w{}", letters(at)) };
            (0..words).map(word).collect::<Vec<_>>().join(" ")
        };
        (0..count).map(text).collect()
    }

    /// Merges texts of both polarities. Returns how many grams were looked at, too.
    fn flood(subjects: &[String], most: u64) -> (Merging, u64) {
        let keys = risks(subjects, |i| BTreeSet::from([if i % 2 == 0 { Polarity::Yes } else { Polarity::No }]));
        let (merging, left) = merge_within(&keys, Ratio::SIX_TENTHS, &BTreeSet::new(), most);
        (merging, most - left)
    }

    #[test]
    fn a_flood_of_near_texts_costs_a_comparison_each() {
        for (words, differ) in [(12, vec![4]), (20, vec![7, 8]), (30, vec![0, 29]), (60, vec![3, 30, 57])] {
            let cost = |count: usize| {
                let (merging, looked_at) = flood(&texts(count, words, |_| differ.clone()), GRAMS_MAX);
                let names: BTreeSet<usize> = merging.leader.into_iter().collect();
                assert_eq!((names.len(), merging.possible_conflicts.len()), (2, 1), "{words} {differ:?}");
                looked_at
            };
            let (some, many) = (cost(500), cost(2_000));
            assert!(many < 5 * some, "{words} {differ:?}: {some} for 500, {many} for 2000");
        }
    }

    #[test]
    fn what_would_take_too_long_stays_apart_and_is_named() {
        // Each differs from most others in two places: near all of them, and nothing is common to all.
        let subjects = texts(400, 30, |n| vec![n % 30]);
        let (whole, looked_at) = flood(&subjects, GRAMS_MAX);
        assert!(whole.not_compared.is_empty());
        let (cut, all) = flood(&subjects, looked_at / 2);
        assert_eq!(all, looked_at / 2);
        let first = cut.not_compared[0];
        assert!(first > 100 && cut.not_compared.iter().copied().eq(first..400), "{first}");
        assert_eq!(cut.leader[..first], whole.leader[..first], "what was compared is as it would have been");
        assert!((first..400).all(|i| cut.leader[i] == i));
    }
}
