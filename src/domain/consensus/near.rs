//! How near two texts are: the runs of three words that they share.
//!
//! A subject's words, padded with two `^` before and two `$` after, are cut into runs of three, as a set. Two subjects
//! are near if q·|A∩B| ≥ p·|A∪B| for the threshold p/q. It must not know who said what, nor what becomes of near texts.

use std::collections::{BTreeSet, HashMap};

use super::policy::Ratio;

/// A run of three words, by their numbers in the dictionary.
type Gram = [u32; 3];

const BEFORE: u32 = 0;
const AFTER: u32 = 1;

/// How many runs of three words two texts share, of how many that either has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearness {
    /// Runs in both: |A∩B|.
    pub shared: usize,
    /// Runs in either: |A∪B|.
    pub all: usize,
}

impl Nearness {
    /// Compares two canonical subjects.
    pub fn of(a: &str, b: &str) -> Self {
        let (sets, _) = gram_sets([a, b].into_iter());
        let [a, b] = [0, 1].map(|at| sets.get(at).into_iter().flatten().collect::<BTreeSet<_>>());
        let shared = a.intersection(&b).count();
        Self { shared, all: a.len() + b.len() - shared }
    }

    /// Tells whether it is enough to be near.
    pub fn reaches(self, threshold: Ratio) -> bool {
        self.all > 0 && threshold.is_reached(self.shared, self.all)
    }
}

/// How many of a set's rarest grams are enough to meet every near set in one of them.
pub(super) fn prefix(len: usize, threshold: Ratio) -> usize {
    if len == 0 {
        return 0;
    }
    let needed = (len as u64 * threshold.p()).div_ceil(threshold.q());
    len - usize::try_from(needed).unwrap_or(len) + 1
}

/// Tells whether two ascending sets are near, and how many of their grams were looked at to know.
pub(super) fn is_near(a: &[u32], b: &[u32], threshold: Ratio) -> (bool, usize) {
    let (p, q, all) = (threshold.p(), threshold.q(), (a.len() + b.len()) as u64);
    // With |A∪B| = |A| + |B| − |A∩B| the rule reads (p + q)·|A∩B| ≥ p·(|A| + |B|); what is not shared is the rest.
    let shared = (p * all).div_ceil(p + q);
    let Some(mut alone) = all.checked_sub(2 * shared) else { return (false, 1) };
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if alone == 0 {
            return (false, i + j + 1);
        }
        alone -= 1;
        if a[i] < b[j] { i += 1 } else { j += 1 }
    }
    ((a.len() - i + b.len() - j) as u64 <= alone, i + j + 1)
}

/// Returns what two ascending sets have in common, ascending.
pub(super) fn common(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (mut i, mut j, mut both) = (0, 0, Vec::with_capacity(a.len().min(b.len())));
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both.push(a[i]);
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    both
}

/// Returns each subject's set of grams, numbered so that rarer ones come first, ascending, and how many grams there
/// are. A subject without a word has an empty set and is near nothing.
pub(super) fn gram_sets<'a>(subjects: impl Iterator<Item = &'a str>) -> (Vec<Vec<u32>>, usize) {
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
pub(super) fn words(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_is_exact_at_the_threshold() {
        // Ten words with the last one changed: 12 runs each, 9 shared, 15 in all: 9/15 = 6/10.
        let base = "a b c d e f g h i";
        let subjects = [format!("{base} j"), format!("{base} k")];
        let (sets, _) = gram_sets(subjects.iter().map(String::as_str));
        assert!(is_near(&sets[0], &sets[1], Ratio::SIX_TENTHS).0);
        assert!(!is_near(&sets[0], &sets[1], "601/1000".parse().unwrap()).0);
        let nearness = Nearness::of(&subjects[0], &subjects[1]);
        assert_eq!(nearness, Nearness { shared: 9, all: 15 });
        assert!(nearness.reaches(Ratio::SIX_TENTHS) && !nearness.reaches("601/1000".parse().unwrap()));
        assert!(!Nearness::of("?", "!").reaches("1/10".parse().unwrap()), "nothing is not near nothing");
    }
}
