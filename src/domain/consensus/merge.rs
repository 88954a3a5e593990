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
    let (sets, grams) = gram_sets(members.iter().map(|&i| keys[i].subject));
    let mut index: Index = vec![Vec::new(); grams];
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
        for (at, gram) in set[..prefix(set.len(), threshold)].iter().enumerate() {
            index[*gram as usize].push((place, at));
        }
    }
}

/// For each gram, the places whose set has it among its rarest, and where in that set it stands.
type Index = Vec<Vec<(usize, usize)>>;

/// Returns the earlier places whose set is near, ascending.
fn near_before(place: usize, sets: &[Vec<u32>], index: &[Vec<(usize, usize)>], threshold: Ratio) -> Vec<usize> {
    let set = &sets[place];
    let mut found = Vec::new();
    for (at, gram) in set[..prefix(set.len(), threshold)].iter().enumerate() {
        for &(other, other_at) in &index[*gram as usize] {
            // If this is the first gram that both have, then no more than what stands behind it can be shared.
            let len = sets[other].len();
            let shared = (set.len() - at).min(len - other_at);
            if threshold.is_reached(shared, set.len() + len - shared) {
                found.push(other);
            }
        }
    }
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

/// Tells whether two ascending sets are near: q·|A∩B| ≥ p·|A∪B|.
fn is_near(a: &[u32], b: &[u32], threshold: Ratio) -> bool {
    let (p, q, all) = (threshold.p(), threshold.q(), (a.len() + b.len()) as u64);
    // With |A∪B| = |A| + |B| − |A∩B| the rule reads (p + q)·|A∩B| ≥ p·(|A| + |B|); what is not shared is the rest.
    let shared = (p * all).div_ceil(p + q);
    let Some(mut alone) = all.checked_sub(2 * shared) else { return false };
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if alone == 0 {
            return false;
        }
        alone -= 1;
        if a[i] < b[j] { i += 1 } else { j += 1 }
    }
    (a.len() - i + b.len() - j) as u64 <= alone
}

/// Returns each subject's set of grams, numbered so that rarer ones come first, ascending, and how many grams there
/// are. A subject without a word has an empty set and is near nothing.
fn gram_sets<'a>(subjects: impl Iterator<Item = &'a str>) -> (Vec<Vec<u32>>, usize) {
    let mut dictionary: HashMap<&str, u32> = HashMap::new();
    let mut numbers: HashMap<Gram, u32> = HashMap::new();
    let mut counts: Vec<u32> = Vec::new();
    let mut sets: Vec<Vec<u32>> = Vec::new();
    for subject in subjects {
        let mut padded = vec![BEFORE, BEFORE];
        for word in words(subject) {
            let next = dictionary.len() as u32 + AFTER + 1;
            padded.push(*dictionary.entry(word).or_insert(next));
        }
        let mut set: Vec<u32> = Vec::new();
        if padded.len() > 2 {
            padded.extend([AFTER, AFTER]);
            for gram in padded.windows(3).map(|w| [w[0], w[1], w[2]]) {
                let fresh = numbers.len() as u32;
                set.push(*numbers.entry(gram).or_insert(fresh));
            }
            set.sort_unstable();
            set.dedup();
        }
        counts.resize(numbers.len(), 0);
        set.iter().for_each(|&gram| counts[gram as usize] += 1);
        sets.push(set);
    }
    let mut by_rarity: Vec<u32> = (0..counts.len() as u32).collect();
    by_rarity.sort_by_key(|&gram| counts[gram as usize]);
    let mut rank = vec![0; counts.len()];
    by_rarity.iter().zip(0..).for_each(|(&gram, n)| rank[gram as usize] = n);
    for set in &mut sets {
        set.iter_mut().for_each(|gram| *gram = rank[*gram as usize]);
        set.sort_unstable();
    }
    (sets, counts.len())
}

/// Returns the maximal runs of letters and digits.
fn words(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Tells whether a number, a negation or a quoted name tells two canonical subjects apart.
pub(super) fn is_told_apart(a: &str, b: &str) -> bool {
    Marks::of(a) != Marks::of(b)
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
    if !subject.contains(|c| QUOTES.iter().any(|(open, ..)| *open == c)) {
        return found;
    }
    let mut rest = subject;
    let mut before = ' ';
    // A mark that was not closed once is not closed further on: the text is searched at most once for each.
    let mut is_never_closed = [false; QUOTES.len()];
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let opens = |(open, _, in_words): &(char, char, bool)| *open == c && !(*in_words && before.is_alphanumeric());
        let pair = QUOTES.iter().position(opens).filter(|&pair| !is_never_closed[pair]);
        let end = pair.and_then(|pair| {
            let (_, close, in_words) = QUOTES[pair];
            let end = after.char_indices().find(|(i, c)| {
                let next = after[i + c.len_utf8()..].chars().next();
                *c == close && !(in_words && next.is_some_and(char::is_alphanumeric))
            });
            is_never_closed[pair] = end.is_none();
            end
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule as it is written, comparing all with all.
    fn merge_slowly(keys: &[Mergeable<'_>], threshold: Ratio) -> Merging {
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
        let mut clusters: Vec<Vec<usize>> = Vec::new();
        let mut merging = Merging { leader: Vec::new(), possible_conflicts: Vec::new() };
        for (i, key) in keys.iter().enumerate() {
            let agrees =
                |other: &usize| alike(key, &keys[*other]) && !key.polarities.is_disjoint(&keys[*other].polarities);
            let opposed = (0..i).filter(|o| alike(key, &keys[*o]) && key.polarities.is_disjoint(&keys[*o].polarities));
            merging.possible_conflicts.extend(opposed.map(|o| (o, i)));
            match clusters.iter_mut().find(|cluster| cluster.iter().all(agrees)) {
                Some(cluster) => cluster.push(i),
                None => clusters.push(vec![i]),
            }
            let own = clusters.iter().find(|c| c.contains(&i)).map_or(i, |c| c[0]);
            merging.leader.push(own);
        }
        merging.possible_conflicts.sort_unstable();
        merging
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, cases: 500, ..Default::default() })]
        #[test]
        fn the_index_finds_exactly_what_comparing_all_with_all_finds(
            subjects in proptest::collection::vec("(a|b|c|not|7|x)( (a|b|c|d|x)){2,9}", 0..24),
            signs in proptest::collection::vec(0usize..6, 24),
            p in 1u32..=10,
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
            proptest::prop_assert_eq!(merge(&keys, threshold), merge_slowly(&keys, threshold));
        }
    }

    #[test]
    fn nearness_is_exact_at_the_threshold() {
        // Ten words with the last one changed: 12 runs each, 9 shared, 15 in all: 9/15 = 6/10.
        let base = "a b c d e f g h i";
        let subjects = [format!("{base} j"), format!("{base} k")];
        let (sets, _) = gram_sets(subjects.iter().map(String::as_str));
        assert!(is_near(&sets[0], &sets[1], Ratio::SIX_TENTHS));
        assert!(!is_near(&sets[0], &sets[1], "601/1000".parse().unwrap()));
    }

    #[test]
    fn marks_are_numbers_negations_and_quoted_names() {
        let marks = Marks::of("don't keep `a b` for 1.50 s, -3 or three; it isn't 'its' node's \"x\"");
        assert_eq!(marks.numbers, ["1.5", "-3", "3"]);
        assert_eq!(marks.negations, ["not", "not"]);
        assert_eq!(marks.quoted, ["a b", "its", "x"]);
        assert_eq!(Marks::of("3-4").numbers, ["3", "4"]);
    }
}
