//! Which free-text subjects mean the same: near-duplicates by their words, and nothing that a number, a negation or a
//! quoted name tells apart.
//!
//! The rule: the subject's words, padded with two `^` before and two `$` after, are cut into runs of three; two
//! subjects are near if q·|A∩B| ≥ p·|A∪B| of these runs, for the threshold p/q. Keys in ascending order join the first
//! cluster all of whose members are near, else open one (complete linkage; the result does not depend on who came
//! first). It must not know who said what: it gets keys, subjects and the polarities said of them.
//!
//! To find near pairs without comparing all: two sets whose Jaccard similarity reaches t share one of their
//! |A| − ⌈t·|A|⌉ + 1 rarest runs (prefix filtering: Bayardo, Ma, Srikant, "Scaling Up All Pairs Similarity Search",
//! 2007). Only these are indexed, so that subjects which are not near cost next to nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::policy::Ratio;
use crate::domain::claim::{Kind, Polarity};

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
    /// Pairs that would have merged but for their polarity, ascending.
    pub(super) possible_conflicts: Vec<(usize, usize)>,
}

/// A run of three words, by their numbers in the dictionary.
type Gram = [u32; 3];

const BEFORE: u32 = 0;
const AFTER: u32 = 1;

/// Clusters near-duplicates.
pub(super) fn merge(keys: &[Mergeable<'_>], threshold: Ratio) -> Merging {
    let mut merging = Merging { leader: (0..keys.len()).collect(), possible_conflicts: Vec::new() };
    let mut blocks: BTreeMap<(Kind, &str, Marks), Vec<usize>> = BTreeMap::new();
    for (i, key) in keys.iter().enumerate() {
        blocks.entry((key.kind, key.predicate, Marks::of(key.subject))).or_default().push(i);
    }
    for members in blocks.values().filter(|members| members.len() > 1) {
        merge_block(keys, members, threshold, &mut merging);
    }
    merging.possible_conflicts.sort_unstable();
    merging
}

/// Clusters the keys of one block: same kind and predicate, same numbers, negations and quoted names.
fn merge_block(keys: &[Mergeable<'_>], members: &[usize], threshold: Ratio, merging: &mut Merging) {
    let sets = gram_sets(members.iter().map(|&i| keys[i].subject));
    let mut index: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    let mut cluster_of: Vec<usize> = Vec::with_capacity(members.len());
    for (place, set) in sets.iter().enumerate() {
        let polarities = &keys[members[place]].polarities;
        let (mut friends, mut opposed) = (BTreeMap::<usize, usize>::new(), Vec::new());
        for other in near_before(place, &sets, &index, threshold) {
            if polarities.is_disjoint(&keys[members[other]].polarities) {
                opposed.push(other);
            } else {
                *friends.entry(cluster_of[other]).or_default() += 1;
            }
        }
        let joined = friends.into_iter().find(|(cluster, near)| clusters[*cluster].len() == *near);
        let cluster = joined.map_or(clusters.len(), |(cluster, _)| cluster);
        if cluster == clusters.len() {
            clusters.push(Vec::new());
        }
        clusters[cluster].push(place);
        cluster_of.push(cluster);
        merging.leader[members[place]] = members[clusters[cluster][0]];
        merging.possible_conflicts.extend(opposed.into_iter().map(|other| (members[other], members[place])));
        for gram in &set[..prefix(set.len(), threshold)] {
            index.entry(*gram).or_default().push(place);
        }
    }
}

/// Returns the earlier places whose set is near, ascending.
fn near_before(place: usize, sets: &[Vec<u32>], index: &HashMap<u32, Vec<usize>>, threshold: Ratio) -> Vec<usize> {
    let set = &sets[place];
    let mut found: Vec<usize> =
        set[..prefix(set.len(), threshold)].iter().filter_map(|gram| index.get(gram)).flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    found.retain(|&other| is_near(set, &sets[other], threshold));
    found
}

/// How many of a set's rarest grams are enough to meet every near set in one of them.
fn prefix(len: usize, threshold: Ratio) -> usize {
    if len == 0 {
        return 0;
    }
    let needed = (len as u64 * threshold.p()).div_ceil(threshold.q());
    len - usize::try_from(needed).unwrap_or(len) + 1
}

fn is_near(a: &[u32], b: &[u32], threshold: Ratio) -> bool {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    // Even if one held the other, they could not be near.
    if !threshold.is_reached(short, long) {
        return false;
    }
    let (mut i, mut j, mut both) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, both) = (i + 1, j + 1, both + 1),
        }
    }
    threshold.is_reached(both, a.len() + b.len() - both)
}

/// Returns each subject's set of grams, numbered so that rarer ones come first, ascending. A subject without a word
/// has an empty set and is near nothing.
fn gram_sets<'a>(subjects: impl Iterator<Item = &'a str>) -> Vec<Vec<u32>> {
    let mut dictionary: HashMap<&str, u32> = HashMap::new();
    let mut counts: HashMap<Gram, u32> = HashMap::new();
    let mut sets: Vec<Vec<Gram>> = Vec::new();
    for subject in subjects {
        let mut padded = vec![BEFORE, BEFORE];
        for word in words(subject) {
            let next = dictionary.len() as u32 + AFTER + 1;
            padded.push(*dictionary.entry(word).or_insert(next));
        }
        let mut grams: Vec<Gram> = Vec::new();
        if padded.len() > 2 {
            padded.extend([AFTER, AFTER]);
            grams.extend(padded.windows(3).map(|w| [w[0], w[1], w[2]]));
            grams.sort_unstable();
            grams.dedup();
        }
        for gram in &grams {
            *counts.entry(*gram).or_default() += 1;
        }
        sets.push(grams);
    }
    let mut by_rarity: Vec<(u32, Gram)> = counts.into_iter().map(|(gram, count)| (count, gram)).collect();
    by_rarity.sort_unstable();
    let numbers: HashMap<Gram, u32> = by_rarity.into_iter().zip(0..).map(|((_, gram), n)| (gram, n)).collect();
    sets.into_iter()
        .map(|grams| {
            let mut set: Vec<u32> = grams.iter().map(|gram| numbers[gram]).collect();
            set.sort_unstable();
            set
        })
        .collect()
}

/// Returns the maximal runs of letters and digits.
fn words(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// What tells two subjects apart however near they are: each a list in the order of the text, numbers in digits before
/// those in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Marks {
    numbers: Vec<String>,
    negations: Vec<&'static str>,
    quoted: Vec<String>,
}

/// Words that deny, and what they count as.
const NEGATIONS: [(&str, &str); 9] = [
    ("not", "not"),
    ("cannot", "not"),
    ("no", "no"),
    ("never", "never"),
    ("none", "none"),
    ("nor", "nor"),
    ("neither", "neither"),
    ("nothing", "nothing"),
    ("without", "without"),
];

/// Numbers that are written as words.
const NUMBER_WORDS: [(&str, &str); 15] = [
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("hundred", "100"),
    ("thousand", "1000"),
];

/// Quotation marks: opening, closing, and whether they also occur inside words.
const QUOTES: [(char, char, bool); 6] =
    [('`', '`', false), ('"', '"', false), ('“', '”', false), ('«', '»', false), ('\'', '\'', true), ('‘', '’', true)];

impl Marks {
    fn of(subject: &str) -> Self {
        let mut marks = Marks { numbers: numerals(subject), negations: Vec::new(), quoted: quoted(subject) };
        let look_up = |table: &[(&'static str, &'static str)], word: &str| {
            table.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
        };
        for word in subject.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’'))) {
            let bare = word.trim_matches(['\'', '’']);
            if bare.ends_with("n't") || bare.ends_with("n’t") {
                marks.negations.push("not");
            }
            marks.negations.extend(look_up(&NEGATIONS, bare));
            marks.numbers.extend(look_up(&NUMBER_WORDS, bare).map(str::to_owned));
        }
        marks
    }
}

/// Returns the numbers written in digits, with sign and decimals, canonical.
fn numerals(subject: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = subject.char_indices().peekable();
    let (mut before, mut ahead) = (' ', ' ');
    while let Some((start, c)) = chars.next() {
        if !c.is_numeric() {
            (ahead, before) = (before, c);
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some(&(i, c)) = chars.peek() {
            let next_is_digit = subject[i + c.len_utf8()..].starts_with(char::is_numeric);
            if !(c.is_numeric() || (matches!(c, '.' | ',') && next_is_digit)) {
                break;
            }
            end = i + c.len_utf8();
            chars.next();
        }
        let sign = if before == '-' && !ahead.is_alphanumeric() { "-" } else { "" };
        let number = format!("{sign}{}", &subject[start..end]);
        found.push(super::canon::quantity(&number).unwrap_or(number));
        (ahead, before) = ('0', '0');
    }
    found
}

/// Returns what stands between quotation marks.
fn quoted(subject: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = subject;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let pair = QUOTES.iter().find(|(open, _, in_words)| *open == c && !(*in_words && before.is_alphanumeric()));
        let end = pair.and_then(|(_, close, in_words)| {
            after.char_indices().find(|(i, c)| {
                let next = after[i + c.len_utf8()..].chars().next();
                c == close && !(*in_words && next.is_some_and(char::is_alphanumeric))
            })
        });
        if let Some((end, close)) = end {
            found.push(after[..end].to_owned());
            before = close;
            rest = &after[end + close.len_utf8()..];
        } else {
            before = c;
            rest = after;
        }
    }
    found
}
