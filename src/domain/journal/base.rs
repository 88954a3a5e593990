//! What a hand that edited a document began with: the text that was published there last.
//!
//! It must not know files, nor how texts are merged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FileRef, Record};
use crate::domain::ids::RunId;

/// Put before the ending of a document that goes beside what a hand had edited: `plan.dicast-new.md`.
pub const BESIDE: &str = "dicast-new";

/// A text that was published, and is kept in a run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The run.
    pub run: RunId,
    /// The file in its folder.
    pub text: FileRef,
    /// Where it went if a hand's edit kept the name: as long as it is there, nobody has taken from it what they want.
    pub beside: Option<String>,
}

/// By document, newest first: the first that is not still waiting beside it is what a hand began with.
pub type Bases = BTreeMap<String, Vec<Base>>;

/// What a stage published, as it became durable.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// Documents that say what was to be published.
    pub written: &'a [FileRef],
    /// Documents that it was merged into.
    pub merged: &'a [FileRef],
    /// Where it is if it went beside.
    pub beside: &'a [FileRef],
}

/// Learns what was published. A text that is at its place makes older ones worthless.
pub fn learn(bases: &mut Bases, run: &RunId, texts: BTreeMap<String, FileRef>, outcome: Outcome<'_>) {
    for (path, text) in texts {
        let known = bases.entry(path.clone()).or_default();
        let is_there = outcome.written.iter().chain(outcome.merged).any(|file| file.path == path);
        let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem);
        let of_it = format!("{stem}.{BESIDE}");
        let is_beside = |file: &&FileRef| file.path.starts_with(&of_it);
        let beside = outcome.beside.iter().find(is_beside).map(|file| file.path.clone());
        if is_there {
            known.clear();
        } else if beside.is_none() {
            continue;
        }
        known.insert(0, Base { run: run.clone(), text, beside });
    }
}

/// Reads what a run published from its records. What was intended and not recorded as done may be there or not: it is
/// no base.
pub fn of_run<'r>(run: &RunId, records: impl IntoIterator<Item = &'r Record>) -> Bases {
    let (mut bases, mut intended) = (Bases::new(), BTreeMap::new());
    for record in records {
        if let Record::PublishIntended { texts, .. } = record {
            intended.clone_from(texts);
        } else if let Record::Published { documents, kept_aside, merged, .. } = record {
            let outcome = Outcome { written: documents, merged, beside: kept_aside };
            learn(&mut bases, run, std::mem::take(&mut intended), outcome);
        }
    }
    bases
}

/// Adds what an older run published, as far as it still counts.
pub fn add_older(bases: &mut Bases, older: Bases) {
    for (path, more) in older {
        let known = bases.entry(path).or_default();
        if known.last().is_none_or(|last| last.beside.is_some()) {
            known.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hash::Sha;
    use crate::domain::moment::Moment;
    use crate::domain::stage::Stage;

    fn file(path: &str, text: &str) -> FileRef {
        FileRef { path: path.into(), sha256: Sha::of(text), bytes: text.len() as u64 }
    }

    fn intended(text: &str) -> Record {
        let texts = [("s/plan.md".to_owned(), file("documents/plan/plan.md", text))].into();
        Record::PublishIntended { stage: Stage::Plan, documents: vec![file("s/plan.md", text)], texts }
    }

    fn published(written: &[&str], beside: &[&str], merged: &[&str]) -> Record {
        let files = |paths: &[&str]| paths.iter().map(|path| file(path, "x")).collect();
        Record::Published {
            stage: Stage::Plan,
            documents: files(written),
            kept_aside: files(beside),
            merged: files(merged),
        }
    }

    #[test]
    fn what_a_hand_began_with_is_what_was_published_last_and_what_still_lies_beside_waits() {
        let run = |n: u64| RunId::mint(Moment(n), 7, n);
        let texts = |bases: &Bases| -> Vec<(Sha, Option<String>)> {
            bases["s/plan.md"].iter().map(|base| (base.text.sha256.clone(), base.beside.clone())).collect()
        };
        let first = [intended("one"), published(&["s/plan.md"], &[], &[]), intended("two")];
        let mut bases = of_run(&run(1), &first);
        assert_eq!(texts(&bases), [(Sha::of("one"), None)], "what was not recorded as done is none");
        let aside = [intended("three"), published(&["s/other.md"], &["s/plan.dicast-new.2.md"], &[])];
        let mut newer = of_run(&run(2), &aside);
        assert_eq!(texts(&newer), [(Sha::of("three"), Some("s/plan.dicast-new.2.md".into()))]);
        add_older(&mut newer, bases.clone());
        assert_eq!(texts(&newer)[1], (Sha::of("one"), None));
        let merged = [intended("four"), published(&[], &[], &["s/plan.md"])];
        let mut newest = of_run(&run(3), &merged);
        add_older(&mut newest, newer);
        assert_eq!(texts(&newest), [(Sha::of("four"), None)], "ours, not what it was merged to");
        let none = Outcome { written: &[], merged: &[], beside: &[] };
        learn(&mut bases, &run(1), [("s/plan.md".to_owned(), file("x", "five"))].into(), none);
        assert_eq!(texts(&bases), [(Sha::of("one"), None)]);
    }
}
