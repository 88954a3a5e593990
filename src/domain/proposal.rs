//! What a panel proposes for the text of a spec, held against the text as it stands; and what people did with proposals.
//!
//! Pure: it is given a [`Tree`]. It must not know how a document is written, nor who asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check::{self, Tree};
use super::compare::Change;
use super::consensus::Status;
use super::failure::Failure;
use super::gate::Held;
use super::hash::Sha;
use super::ids::SpecId;
use super::preparation::{recorded, unreadable};
use super::spec::Spec;
use super::stage::Stage;

/// The exit code where a verdict or what it published is not what was recorded.
const ALTERED: u8 = 3;

/// Why a text is not the one that was proposed.
const NOT_IT: &str = "it is not the text that was proposed: it was altered, or the spec holds what is never written (a secret, the path of \
     your home) and has to do without first";

/// The exit code of a proposal about a spec that says something else by now.
const STALE: u8 = 7;

/// How a proposal stands to the document that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The document is the one that the panel was asked about.
    Fits,
    /// The panel would leave the document as it is.
    Unchanged,
    /// The document is what was proposed.
    Adopted,
    /// The document was changed since the panel was asked about it.
    Outdated,
}

/// A text that a panel proposes for a spec's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Of which spec.
    pub spec: SpecId,
    /// The document that it is for, relative to the repository.
    pub file: String,
    /// Where the proposed text is.
    pub path: String,
    /// Where it is written what is proposed and why, if that is there.
    pub notes: Option<String>,
    /// How the stage ended.
    pub status: Status,
    /// Whether that lets it through.
    pub is_advancing: bool,
    /// Hash of its verdict.
    pub verdict: Sha,
    /// Hash of the document that the panel was asked about.
    pub judged: Sha,
    /// Hash of the document as it stands.
    pub before: Sha,
    /// Hash of the proposed text.
    pub after: Sha,
    /// How the two stand to each other.
    pub fit: Fit,
    /// What the document would have to become.
    pub change: Change,
    /// The proposed text.
    pub text: Arc<str>,
}

/// Reads what is proposed for a spec.
///
/// # Errors
/// Exit 64 for an unknown spec; exit 10 where nothing is proposed; exit 3 where the verdict or the text is not what was
/// recorded.
pub fn read(tree: &Tree, id: &SpecId) -> Result<Proposal, Failure> {
    let reading = check::read(tree);
    match reading.specs.iter().find(|spec| spec.id == *id) {
        Some(spec) => of_spec(tree, spec),
        None => Err(unreadable(&reading, id)),
    }
}

/// Reads what is proposed for a spec that was read.
///
/// # Errors
/// As [`read`].
pub fn of_spec(tree: &Tree, spec: &Spec) -> Result<Proposal, Failure> {
    let (path, again) = (spec.proposal_path(), format!("run `dicast specify {}`", spec.id));
    let Some(verdict) = recorded(tree, spec, Stage::Specify)? else {
        return Err(Failure::needs_input(path, "nothing is proposed for this spec", again));
    };
    let Some((after, judged)) = verdict.published.get(&path).zip(verdict.inputs.spec_sha256.clone()) else {
        let why = format!("the panel proposed no text: {}", verdict.status.words());
        return Err(Failure::needs_input(path, why, format!("{again} again")));
    };
    let altered = |why: &str| Failure::BadInput {
        place: path.clone(),
        why: why.to_owned(),
        next: format!("restore it with git, or {again} again; your own words go into {}", spec.file),
        exit: ALTERED,
    };
    let text = tree.text(&path).ok_or_else(|| altered("the text that was proposed is not there any more"))?;
    if Sha::of(text) != *after {
        return Err(altered(NOT_IT));
    }
    let now = tree.text(&spec.file).unwrap_or_default();
    let notes = format!("{}/review/{}.md", spec.own, Stage::Specify);
    let is_judged = Sha::of(now) == judged;
    let fit = match (now == text, is_judged) {
        (true, true) => Fit::Unchanged,
        (true, false) => Fit::Adopted,
        (false, true) => Fit::Fits,
        (false, false) => Fit::Outdated,
    };
    Ok(Proposal {
        spec: spec.id.clone(),
        file: spec.file.clone(),
        notes: tree.text(&notes).map(|_| notes),
        status: verdict.status,
        is_advancing: verdict.is_advancing(),
        before: Sha::of(now),
        after: after.clone(),
        fit,
        change: Change::between(now, text),
        text: text.into(),
        verdict: verdict.hash,
        judged,
        path,
    })
}

impl Proposal {
    /// Tells whether it waits for a person: it would change the document as it stands.
    pub fn waits(&self) -> bool {
        self.fit == Fit::Fits
    }

    /// Refuses one that is about another text than the document has now.
    ///
    /// # Errors
    /// Exit 7.
    pub fn fits(&self) -> Result<(), Failure> {
        match self.fit {
            Fit::Fits | Fit::Unchanged | Fit::Adopted => Ok(()),
            Fit::Outdated => Err(outdated(&self.spec, &self.file)),
        }
    }
}

/// Says that a spec is not the one any more that a proposal is about.
pub fn outdated(spec: &SpecId, file: &str) -> Failure {
    Failure::BadInput {
        place: file.to_owned(),
        why: "it was changed since the panel was asked about it".into(),
        next: format!("your words were kept: run `dicast specify {spec}` again"),
        exit: STALE,
    }
}

/// Says that another text is proposed by now than the one that was looked at.
pub fn replaced(proposal: &Proposal) -> Failure {
    Failure::BadInput {
        place: proposal.path.clone(),
        why: "another text took its place since you looked at it".into(),
        next: "look at what is proposed now".into(),
        exit: STALE,
    }
}

/// Something that a person did with a proposal: an entry of the spec's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Entry {
    /// The document became what was proposed.
    #[serde(rename = "spec.adopted")]
    Adopted(Adopted),
    /// The document got the text back that it had before.
    #[serde(rename = "spec.restored")]
    Restored {
        /// By whom.
        by: String,
        /// The document, relative to the repository.
        file: String,
        /// Hash of the text that went.
        before: Sha,
        /// Hash of the text that it has again.
        after: Sha,
    },
}

/// A proposal that became the spec's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Hash of the verdict that published it.
    pub verdict: Sha,
    /// By whom.
    pub by: String,
    /// The document, relative to the repository.
    pub file: String,
    /// Hash of the document before.
    pub before: Sha,
    /// Hash of the document after.
    pub after: Sha,
    /// Where the document before is kept, relative to the repository.
    pub backup: String,
}

/// Reads an entry; `None` for one that is about something else.
pub fn entry(value: &serde_json::Value) -> Option<Entry> {
    serde_json::from_value(value.clone()).ok()
}

/// Returns the proposal that was adopted last and not taken back.
pub fn last_adopted(entries: &[Entry]) -> Option<&Adopted> {
    let mut standing: Vec<&Adopted> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Adopted(adopted) => standing.push(adopted),
            Entry::Restored { .. } => drop(standing.pop()),
        }
    }
    standing.pop()
}

/// What became of a spec's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is what was proposed.
    Adopted,
    /// It was that already.
    Already,
    /// The panel left it as it is.
    Unchanged,
    /// It has the text again that it had before.
    Restored,
}

/// A document after a person's word about what is proposed for it, and what the clarify gate asks of it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// Of which spec.
    pub spec: SpecId,
    /// The document, relative to the repository.
    pub file: String,
    /// What became of it.
    pub deed: Deed,
    /// By whom.
    pub by: String,
    /// What changed.
    pub change: Change,
    /// Where the text before is kept, if something changed.
    pub backup: Option<String>,
    /// What is asked of it now.
    pub held: Arc<Held>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::FileText;
    use crate::domain::consensus::{Panel, Verdict, decide};

    const OLD: &str = "# Login\n\n- **FR-001**: It MUST ask.\n";
    const NEW: &str = "# Login\n\n- **FR-001**: It MUST ask twice.\n";

    fn verdict(published: &[(&str, &str)]) -> Verdict {
        let mut panel = Panel::new(SpecId::new("001-login").unwrap(), Stage::Specify);
        panel.inputs.spec_sha256 = Some(Sha::of(OLD));
        let mut verdict = decide(&panel);
        verdict.published = published.iter().map(|(path, text)| ((*path).to_owned(), Sha::of(text))).collect();
        verdict
    }

    fn proposed(document: &str, text: Option<&str>, verdict: Option<&Verdict>) -> Result<Proposal, Failure> {
        let file = |path: &str, text: &str| (format!("specs/001-login/{path}"), FileText::text(text));
        let files = [file("spec.md", document)].into_iter().chain(text.map(|text| file("review/spec.md", text)));
        let recorded = verdict.map(|verdict| file("verdicts/specify.json", &serde_json::to_string(verdict).unwrap()));
        let tree = Tree { files: files.chain(recorded).collect(), ..Tree::default() };
        read(&tree, &SpecId::new("001-login").unwrap())
    }

    const PATH: &str = "specs/001-login/review/spec.md";

    #[test]
    fn a_proposal_fits_the_document_that_it_is_about_and_no_other() {
        let verdict = verdict(&[(PATH, NEW)]);
        let fit = |document: &str| proposed(document, Some(NEW), Some(&verdict)).unwrap();
        let fits = fit(OLD);
        assert_eq!((fits.fit, fits.change.added, fits.change.removed), (Fit::Fits, 1, 1));
        assert_eq!(fit(NEW).fit, Fit::Adopted);
        let outdated = fit("# Login\n\n- **FR-001**: It MAY ask.\n");
        assert_eq!((outdated.fit, outdated.fits().unwrap_err().exit()), (Fit::Outdated, 7));
    }

    #[test]
    fn a_panel_that_leaves_the_document_as_it_is_proposes_nothing_new() {
        let same = proposed(OLD, Some(OLD), Some(&verdict(&[(PATH, OLD)]))).unwrap();
        assert_eq!((same.fit, same.change.is_empty()), (Fit::Unchanged, true));
    }

    #[test]
    fn what_is_not_there_or_not_as_it_was_recorded_is_refused_with_the_next_step() {
        let good = verdict(&[(PATH, NEW)]);
        let altered = Verdict { exit: 0, status: Status::Agree, ..good.clone() };
        let none = verdict(&[]);
        for (text, verdict, exit) in [
            (None, None, 10),
            (Some(NEW), Some(&none), 10),
            (None, Some(&good), 3),
            (Some(OLD), Some(&good), 3),
            (Some(NEW), Some(&altered), 3),
        ] {
            let failure = proposed(OLD, text, verdict).unwrap_err();
            assert_eq!(failure.exit(), exit, "{failure}");
            assert!(failure.hint().contains("dicast specify 001-login"), "{}", failure.hint());
        }
    }

    #[test]
    fn what_was_adopted_last_is_taken_back_first() {
        let adopted = |n: &str| {
            let sha = Sha::of(n);
            let (before, after, verdict) = (sha.clone(), sha.clone(), sha);
            Entry::Adopted(Adopted { verdict, by: n.into(), file: n.into(), before, after, backup: n.into() })
        };
        let restored = Entry::Restored { by: "b".into(), file: "f".into(), before: Sha::of("x"), after: Sha::of("y") };
        let by = |entries: &[Entry]| last_adopted(entries).map(|adopted| adopted.by.clone());
        assert_eq!(by(&[adopted("1"), adopted("2")]).as_deref(), Some("2"));
        assert_eq!(by(&[adopted("1"), adopted("2"), restored.clone()]).as_deref(), Some("1"));
        assert_eq!(by(&[adopted("1"), restored.clone(), restored]), None);
        let value = serde_json::to_value(adopted("1")).unwrap();
        assert_eq!(value["type"], "spec.adopted");
        assert!(crate::domain::gate::entry(&value).is_none(), "a reader of gates leaves it alone");
        assert!(entry(&serde_json::json!({"type": "gate.undone", "issue": "CLR-1", "by": "me"})).is_none());
    }
}
