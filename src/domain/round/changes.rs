//! What a round changed: the verdict before beside the verdict after.
//!
//! It must not know votes: it compares results.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ballot;
use crate::domain::consensus::{Judged, Label, Status, Verdict};
use crate::domain::hash::Sha;

/// What became of the items, by the keys of the claims as they were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
    /// Families whose answer came, of those asked.
    pub answered: usize,
    /// How many were asked.
    pub asked: usize,
    /// Conflicts that are none any more.
    pub settled: Vec<Sha>,
    /// Claims of one voice, or of few, that others now stand behind.
    pub confirmed: Vec<Sha>,
    /// Claims against which somebody now stands.
    pub opposed: Vec<Sha>,
    /// Claims that turned out to say what another one says.
    pub merged: Vec<Sha>,
    /// Claims that nobody makes any more.
    pub withdrawn: Vec<Sha>,
    /// Claims that stand as they stood.
    pub unchanged: Vec<Sha>,
}

/// Says what a round changed. `asked` and `answered` count families.
pub fn changes(ballot: &Ballot, before: &Verdict, after: &Verdict, (answered, asked): (usize, usize)) -> Changes {
    let mut changes = Changes {
        from: before.status,
        to: after.status,
        answered,
        asked,
        settled: Vec::new(),
        confirmed: Vec::new(),
        opposed: Vec::new(),
        merged: Vec::new(),
        withdrawn: Vec::new(),
        unchanged: Vec::new(),
    };
    for key in ballot.items.iter().filter_map(|item| item.key()) {
        let (Some(was), is) = (named(before, key), named(after, key)) else { continue };
        let list = match is {
            None => &mut changes.withdrawn,
            Some(is) if is.merged_from.len() > was.merged_from.len() => &mut changes.merged,
            Some(is) if was.label == Label::Conflict && is.label != Label::Conflict => &mut changes.settled,
            Some(is) if is.label == Label::Conflict && was.label != Label::Conflict => &mut changes.opposed,
            Some(is) if is.dissent.len() > was.dissent.len() => &mut changes.opposed,
            Some(is) if supporters(is) > supporters(was) => &mut changes.confirmed,
            Some(_) => &mut changes.unchanged,
        };
        list.push(key.clone());
    }
    changes
}

fn named<'v>(verdict: &'v Verdict, key: &Sha) -> Option<&'v Judged> {
    verdict.claims.iter().find(|claim| claim.key == *key || claim.merged_from.iter().any(|merged| merged.key == *key))
}

/// How many families stand behind what won.
fn supporters(claim: &Judged) -> usize {
    let won = |value, polarity| claim.value.as_ref() == Some(value) && claim.polarity == Some(polarity);
    claim.votes.iter().filter(|vote| won(&vote.value, vote.polarity)).count()
}

impl fmt::Display for Changes {
    /// Writes one sentence without a full stop: `the round settled 1 and confirmed 3, 2 stand as they stood`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.answered == 0 {
            return write!(f, "nobody answered in the round");
        }
        let done = [
            ("settled", self.settled.len()),
            ("confirmed", self.confirmed.len()),
            ("opposed", self.opposed.len()),
            ("merged", self.merged.len()),
            ("withdrew", self.withdrawn.len()),
        ];
        let done: Vec<String> = done.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{word} {n}")).collect();
        match done.as_slice() {
            [] => write!(f, "the round changed nothing")?,
            [only] => write!(f, "the round {only}")?,
            [most @ .., last] => write!(f, "the round {} and {last}", most.join(", "))?,
        }
        match (done.len(), self.unchanged.len()) {
            (0, _) | (_, 0) => Ok(()),
            (_, 1) => write!(f, ", 1 stands as it stood"),
            (_, n) => write!(f, ", {n} stand as they stood"),
        }
    }
}
