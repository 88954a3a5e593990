//! The scribe over real files, without the rest of the program.

#![expect(clippy::disallowed_methods, reason = "a test waits for its future on a runtime of its own")]

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::actors::agents::process::Children;
use crate::disk::store::parent;
use crate::domain::failure::Failure;
use crate::domain::gate::{Answered, Entry, Say};
use crate::domain::hash::Sha;
use crate::domain::proposal::{self, Deed};
use crate::domain::redact::Redactor;

const WAIT: Duration = Duration::from_secs(30);

struct Desk {
    dir: tempfile::TempDir,
    scope: Scope,
    scribe: Handle,
    evidence: evidence::Handle,
}

fn desk_of(dir: tempfile::TempDir) -> Desk {
    let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
    let settings =
        evidence::Settings { root: ".dicast/evidence".into(), lock_timeout: WAIT, redactor: Redactor::default() };
    let evidence = evidence::spawn(&scope, Store::real(dir.path()), settings);
    let repo = repo::spawn(&scope, Children::new(&scope));
    let scribe = spawn(&scope, dir.path().to_owned(), Store::real(dir.path()), repo, evidence.clone());
    Desk { dir, scope, scribe, evidence }
}

const SPEC: &str = "# Limits\r\n\r\n- **FR-001**: It MUST wait [NEEDS CLARIFICATION: how long?]\r\n\
    - **FR-002**: It MUST keep counters in memory or Redis\r\n";

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk_of(dir);
        desk.write(SPEC);
        desk
    }

    fn store(&self) -> Store {
        Store::real(self.dir.path())
    }

    fn write(&self, text: &str) {
        self.store().make_dirs("specs/001-limits").unwrap();
        self.store().replace("specs/001-limits/spec.md", text.as_bytes()).unwrap();
    }

    fn spec(&self) -> String {
        String::from_utf8(self.store().read("specs/001-limits/spec.md", 1 << 20).unwrap().unwrap()).unwrap()
    }

    fn id() -> SpecId {
        SpecId::new("001-limits").unwrap()
    }

    /// Writes an entry into the ledger as somebody else could.
    async fn record(&self, answered: Answered) {
        let entry = serde_json::to_value(Entry::Answered(answered)).unwrap();
        let token = self.scope.cancel.child_token();
        self.evidence
            .append_ledger(Self::id(), Moment(7), vec![entry], token)
            .within(WAIT, "the ledger")
            .await
            .unwrap();
    }

    async fn held(&self) -> Held {
        let reply = self.scribe.hold(Self::id(), Gate::ALL.into(), self.scope.cancel.child_token());
        (*reply.within(WAIT, "the gates").await.unwrap()).clone()
    }

    async fn say(&self, issue: &str, what: Say) -> Result<Arc<Held>, Failure> {
        let response = Response { issue: issue.into(), what, by: "ada".into() };
        let token = self.scope.cancel.child_token();
        self.scribe.respond(Self::id(), Gate::ALL.into(), response, Moment(7), token).within(WAIT, "the answer").await
    }
}

#[tokio::test]
async fn an_answer_changes_the_spec_keeps_the_old_text_and_is_taken_back() {
    let desk = Desk::new();
    let before = desk.held().await;
    let critical = before.critical().next().unwrap().clone();
    let after = desk.say(&critical.id, Say::Answer("2 s".into())).await.unwrap();
    assert_eq!(after.critical().count(), 0);
    assert_eq!(desk.spec(), SPEC.replace("[NEEDS CLARIFICATION: how long?]", "2 s"), "line ends stay as they were");
    let ledger = desk.evidence.read_ledger(Desk::id(), desk.scope.cancel.child_token()).await.unwrap();
    let entry = crate::domain::gate::entry(&ledger[0].1).unwrap();
    let Entry::Answered(answered) = entry else { panic!("{entry:?}") };
    assert_eq!((answered.by.as_str(), answered.answer.as_str()), ("ada", "2 s"));
    assert_eq!(desk.store().read(&answered.backup, 1 << 20).unwrap().unwrap(), SPEC.as_bytes());
    assert!(desk.store().read(".dicast/.gitignore", 4096).unwrap().is_some());
    let undone = desk.say("", Say::Undo).await.unwrap();
    assert_eq!((desk.spec().as_str(), undone.critical().count()), (SPEC, 1));
    assert_eq!(desk.say("", Say::Undo).await.unwrap_err().exit(), 64, "nothing is left to take back");
}

#[tokio::test]
async fn what_a_hand_changed_meanwhile_is_never_overwritten() {
    let desk = Desk::new();
    let critical = desk.held().await.critical().next().unwrap().clone();
    desk.say(&critical.id, Say::Answer("2 s".into())).await.unwrap();
    let edited = format!("{}- more by hand\r\n", desk.spec());
    desk.write(&edited);
    assert_eq!(desk.say("", Say::Undo).await.unwrap_err().exit(), 10);
    assert_eq!(desk.spec(), edited);
}

#[tokio::test]
async fn what_was_said_last_is_taken_back_first_be_it_an_answer_or_a_deferral() {
    let desk = Desk::new();
    let held = desk.held().await;
    let critical = held.critical().next().unwrap().clone();
    let choice = held.issues.iter().find(|issue| issue.about == "FR-002").unwrap().clone();
    desk.say(&critical.id, Say::Answer("2 s".into())).await.unwrap();
    let answered = desk.spec();
    desk.say(&choice.id, Say::Defer("next week".into())).await.unwrap();
    let undone = desk.say("", Say::Undo).await.unwrap();
    assert_eq!((desk.spec(), undone.standing.len()), (answered, 0), "the deferral goes, the answer stays");
    desk.say("", Say::Undo).await.unwrap();
    assert_eq!(desk.spec(), SPEC);
}

#[tokio::test]
async fn a_ledger_that_came_with_the_repository_reads_and_writes_nothing_but_the_specs_documents() {
    let desk = Desk::new();
    let store = desk.store();
    let (old, new) = ("theirs", "mine");
    let digits: String = Sha::of(old).as_str().chars().take(12).collect();
    let outside = desk.dir.path().parent().unwrap().join(format!("{}-profile", desk.dir.path().display()));
    for folder in ["src", ".git/hooks", "specs/001-limits/x", "specs/002-other", ".dicast/backups/001-limits"] {
        store.make_dirs(folder).unwrap();
    }
    let backup = |name: &str| format!(".dicast/backups/001-limits/{digits}-{name}");
    let name = outside.file_name().unwrap().to_str().unwrap();
    let away = format!("specs/001-limits/../../../{name}");
    // All of them hold what the entry says that they hold.
    let rows: Vec<(String, String)> = vec![
        (away, backup(name)),
        (outside.to_str().unwrap().to_owned(), backup(name)),
        (".git/hooks/pre-commit".into(), backup("pre-commit")),
        ("src/lib.rs".into(), backup("lib.rs")),
        ("specs/002-other/spec.md".into(), backup("spec.md")),
        ("specs/001-limits/x/spec.md".into(), backup("spec.md")),
        ("specs/001-limits/tasks.md".into(), "src/theirs".into()),
        ("specs/001-limits/tasks.md".into(), ".dicast/backups/001-limits/../../../src/theirs".into()),
        ("specs/001-limits/tasks.md".into(), ".dicast/backups/002-other/theirs".into()),
    ];
    store.make_dirs(".dicast/backups/002-other").unwrap();
    for (n, (file, backup)) in rows.into_iter().enumerate() {
        store.replace(&backup, old.as_bytes()).unwrap();
        store.replace(&file, new.as_bytes()).unwrap();
        desk.record(Answered {
            issue: format!("CLR-{n}"),
            gate: Gate::Clarify,
            ask: "?".into(),
            answer: "!".into(),
            by: "mallory".into(),
            file: file.clone(),
            before: Sha::of(old),
            after: Sha::of(new),
            backup: backup.clone(),
        })
        .await;
        for issue in [String::new(), format!("CLR-{n}")] {
            let refused = desk.say(&issue, Say::Undo).await.unwrap_err();
            assert_eq!(refused.exit(), 3, "{file} {backup}: {refused}");
        }
        assert_eq!(store.read(&file, 1 << 20).unwrap().unwrap(), new.as_bytes(), "{file} {backup}");
    }
    store.remove(&outside).unwrap();
}

#[tokio::test]
async fn a_critical_question_is_put_off_with_a_reason_and_stays_so_in_another_process() {
    let desk = Desk::new();
    let critical = desk.held().await.critical().next().unwrap().clone();
    assert_eq!(desk.say(&critical.id, Say::Defer(" ".into())).await.unwrap_err().exit(), 64);
    desk.say(&critical.id, Say::Defer("next week".into())).await.unwrap();
    assert_eq!(desk.spec(), SPEC);
    desk.scope.cancel.cancel();
    desk.scope.closed().await;
    let again = desk_of(desk.dir);
    let held = again.held().await;
    assert_eq!((held.critical().count(), held.standing[&critical.id].reason.as_str()), (0, "next week"));
    again.say(&critical.id, Say::Undo).await.unwrap();
    assert_eq!(again.held().await.critical().count(), 1);
}

#[tokio::test]
async fn an_answer_that_has_no_place_is_refused_and_nothing_is_recorded() {
    let desk = Desk::new();
    let critical = desk.held().await.critical().next().unwrap().clone();
    assert_eq!(desk.say(&critical.id, Say::Accept).await.unwrap_err().exit(), 10, "only a person knows");
    assert_eq!(desk.say("CLR-zzzzzz", Say::Accept).await.unwrap_err().exit(), 64);
    let ledger = desk.evidence.read_ledger(Desk::id(), desk.scope.cancel.child_token()).await.unwrap();
    assert_eq!((desk.spec().as_str(), ledger.len()), (SPEC, 0));
}

#[tokio::test]
async fn specs_that_are_made_at_once_get_numbers_of_their_own() {
    let desk = Desk::new();
    let other = desk_of_same(&desk);
    let texts = ["Log in with magic links", "Export to CSV"];
    let made = (0..8).map(|n| {
        let handle = if n % 2 == 0 { &desk.scribe } else { &other };
        handle.create(Beginning::Sentence(texts[n % 2].into()), Moment(0), desk.scope.cancel.child_token())
    });
    let mut ids = BTreeSet::new();
    for reply in made.collect::<Vec<_>>() {
        let created = reply.within(WAIT, "a spec").await.unwrap();
        let text = desk.store().read(&created.file, 1 << 20).unwrap().unwrap();
        assert!(String::from_utf8(text).unwrap().contains("**Created**: 1970-01-01"));
        ids.insert(created.spec.as_str().get(..3).unwrap().to_owned());
    }
    let numbers: Vec<String> = (2..10).map(|n| format!("{n:03}")).collect();
    assert_eq!(ids, numbers.into_iter().collect());
}

/// A second scribe over the same files, as another process has one.
fn desk_of_same(desk: &Desk) -> Handle {
    let repo = repo::spawn(&desk.scope, Children::new(&desk.scope));
    spawn(&desk.scope, desk.dir.path().to_owned(), desk.store(), repo, desk.evidence.clone())
}

#[tokio::test]
async fn the_nearest_template_of_the_repository_is_used_and_spec_kit_is_told_of_the_new_spec() {
    let desk = Desk::new();
    let create = async || {
        let token = desk.scope.cancel.child_token();
        let made = desk.scribe.create(Beginning::Sentence("Log in".into()), Moment(0), token);
        let created = made.within(WAIT, "a spec").await.unwrap();
        let text = desk.store().read(&created.file, 1 << 20).unwrap().unwrap();
        (created.template, String::from_utf8(text).unwrap())
    };
    let (template, text) = create().await;
    assert!(template.is_none() && text.contains("# Feature Specification: Log in"), "{text}");
    assert_eq!(desk.store().read(".specify/feature.json", 99).unwrap(), None, "nobody asked for such a folder");
    // Each goes before those that stand here above it.
    for path in [
        ".specify/templates/spec-template.md",
        ".specify/templates/overrides/spec-template.md",
        ".dicast/templates/spec-template.md",
    ] {
        desk.store().make_dirs(parent(Path::new(path))).unwrap();
        desk.store().replace(path, format!("# [FEATURE NAME]\nof {path}: $ARGUMENTS").as_bytes()).unwrap();
        assert_eq!(create().await, (Some(path.to_owned()), format!("# Log in\nof {path}: Log in\n")));
    }
    let pointer = desk.store().read(".specify/feature.json", 99).unwrap().unwrap();
    assert_eq!(String::from_utf8(pointer).unwrap(), "{\"feature_directory\":\"specs/005-log-in\"}\n");
}

/// What a panel proposes for the spec.
const PROPOSED: &str = "# Limits\r\n\r\n- **FR-001**: It MUST wait 2 s\r\n- **FR-003**: It MUST tell how long\r\n";

impl Desk {
    /// Records a verdict of specify about the spec as it is, with a text.
    fn propose(&self, text: &str) {
        let mut panel = crate::domain::consensus::Panel::new(Self::id(), crate::domain::stage::Stage::Specify);
        panel.inputs.spec_sha256 = Some(Sha::of(self.spec()));
        let mut verdict = crate::domain::consensus::decide(&panel);
        verdict.published = [("specs/001-limits/review/spec.md".to_owned(), Sha::of(text))].into();
        for folder in ["verdicts", "review"] {
            self.store().make_dirs(format!("specs/001-limits/{folder}")).unwrap();
        }
        let json = serde_json::to_vec(&verdict).unwrap();
        self.store().replace("specs/001-limits/verdicts/specify.json", &json).unwrap();
        self.store().replace("specs/001-limits/review/spec.md", text.as_bytes()).unwrap();
    }

    async fn adopt(&self, by: &str) -> Result<Arc<Rewritten>, Failure> {
        let token = self.scope.cancel.child_token();
        self.scribe.adopt(Self::id(), None, by.into(), Moment(7), token).within(WAIT, "the proposal").await
    }

    async fn take_back(&self) -> Result<Arc<Rewritten>, Failure> {
        let token = self.scope.cancel.child_token();
        self.scribe.restore(Self::id(), "ada".into(), Moment(8), token).within(WAIT, "the old text").await
    }

    async fn adoptions(&self) -> Vec<proposal::Entry> {
        let ledger = self.evidence.read_ledger(Self::id(), self.scope.cancel.child_token()).await.unwrap();
        ledger.iter().filter_map(|(_, value)| proposal::entry(value)).collect()
    }
}

#[tokio::test]
async fn a_proposal_becomes_the_spec_with_a_backup_and_a_record_and_is_taken_back() {
    let desk = Desk::new();
    desk.propose(PROPOSED);
    let done = desk.adopt("ada").await.unwrap();
    assert_eq!((done.deed, done.change.added, done.held.open().count()), (Deed::Adopted, 2, 0));
    assert_eq!(desk.spec(), PROPOSED, "byte for byte");
    let backup = done.backup.clone().unwrap();
    assert_eq!(desk.store().read(&backup, 1 << 20).unwrap().unwrap(), SPEC.as_bytes());
    let [proposal::Entry::Adopted(adopted)] = &desk.adoptions().await[..] else { panic!("one entry") };
    assert_eq!((adopted.by.as_str(), &adopted.after, &adopted.backup), ("ada", &Sha::of(PROPOSED), &backup));
    assert_eq!(desk.adopt("ben").await.unwrap().deed, Deed::Already);
    assert_eq!(desk.adoptions().await.len(), 1, "who says it again changes nothing");
    assert_eq!(desk.take_back().await.unwrap().deed, Deed::Restored);
    assert_eq!(desk.spec(), SPEC);
    assert_eq!(desk.take_back().await.unwrap_err().exit(), 64, "nothing is left to take back");
    assert_eq!(desk.adopt("ada").await.unwrap().deed, Deed::Adopted, "it fits again");
}

#[tokio::test]
async fn a_proposal_that_is_missing_altered_or_about_another_text_writes_nothing() {
    let desk = Desk::new();
    assert_eq!(desk.adopt("ada").await.unwrap_err().exit(), 10, "nothing is proposed");
    desk.propose(PROPOSED);
    desk.store().replace("specs/001-limits/review/spec.md", b"# Mine\n").unwrap();
    assert_eq!(desk.adopt("ada").await.unwrap_err().exit(), 3, "not what was proposed");
    desk.propose(PROPOSED);
    let other = Some(Sha::of("another"));
    let token = desk.scope.cancel.child_token();
    let reply = desk.scribe.adopt(Desk::id(), other, "ada".into(), Moment(7), token);
    assert_eq!(reply.within(WAIT, "the proposal").await.unwrap_err().exit(), 7, "not what was looked at");
    assert_eq!(desk.spec(), SPEC);
    desk.write("# Limits\n\n- **FR-001**: It MUST be mine\n");
    let refused = desk.adopt("ada").await.unwrap_err();
    assert_eq!((refused.exit(), refused.hint().contains("dicast specify 001-limits")), (7, true), "{refused}");
    assert_eq!(desk.spec(), "# Limits\n\n- **FR-001**: It MUST be mine\n");
    assert_eq!(desk.adoptions().await.len(), 0);
}

#[tokio::test]
async fn an_edit_after_the_proposal_was_written_is_not_taken_back() {
    let desk = Desk::new();
    desk.propose(PROPOSED);
    desk.adopt("ada").await.unwrap();
    let edited = format!("{PROPOSED}- more by hand\r\n");
    desk.write(&edited);
    assert_eq!(desk.take_back().await.unwrap_err().exit(), 10);
    assert_eq!(desk.spec(), edited);
}

#[tokio::test]
async fn an_entry_that_a_crash_took_away_is_added_by_whoever_says_the_same_again() {
    let desk = Desk::new();
    desk.propose(PROPOSED);
    // As after a crash between the document and its entry.
    let backup = crate::actors::evidence::backup_of(&Desk::id(), "specs/001-limits/spec.md", &Sha::of(SPEC));
    desk.store().make_dirs(".dicast/backups/001-limits").unwrap();
    desk.store().replace(&backup, SPEC.as_bytes()).unwrap();
    desk.write(PROPOSED);
    assert_eq!(desk.adopt("ada").await.unwrap().deed, Deed::Already);
    assert_eq!(desk.take_back().await.unwrap().deed, Deed::Restored);
    assert_eq!(desk.spec(), SPEC);
}

#[tokio::test]
async fn a_forged_adoption_reads_and_writes_nothing() {
    let desk = Desk::new();
    let store = desk.store();
    for (file, backup) in [
        ("src/lib.rs", ".dicast/backups/001-limits/x-lib.rs"),
        ("specs/001-limits/tasks.md", ".dicast/backups/001-limits/x-tasks.md"),
        ("specs/001-limits/spec.md", "src/theirs"),
        ("specs/001-limits/spec.md", ".dicast/backups/001-limits/../../../src/theirs"),
    ] {
        let (before, after) = (Sha::of("theirs"), Sha::of(SPEC));
        let digits: String = before.as_str().chars().take(12).collect();
        let backup = backup.replace("/x-", &format!("/{digits}-"));
        for path in [file, &backup] {
            store.make_dirs(crate::disk::store::parent(std::path::Path::new(path))).unwrap();
        }
        store.replace(&backup, b"theirs").unwrap();
        store.replace(file, SPEC.as_bytes()).unwrap();
        let verdict = Sha::of("verdict");
        let adopted = proposal::Adopted { verdict, by: "mallory".into(), file: file.into(), before, after, backup };
        let entry = serde_json::to_value(proposal::Entry::Adopted(adopted)).unwrap();
        let token = desk.scope.cancel.child_token();
        let reply = desk.evidence.append_ledger(Desk::id(), Moment(7), vec![entry], token);
        reply.within(WAIT, "the ledger").await.unwrap();
        let refused = desk.take_back().await.unwrap_err();
        assert_eq!(refused.exit(), 3, "{file}: {refused}");
        assert_eq!(store.read(file, 1 << 20).unwrap().unwrap(), SPEC.as_bytes(), "{file}");
    }
}

#[tokio::test]
async fn of_two_who_adopt_at_once_one_writes_and_one_is_told_so() {
    let desk = Desk::new();
    desk.propose(PROPOSED);
    let other = desk_of_same(&desk);
    let ask = |handle: &Handle, by: &str| {
        handle.adopt(Desk::id(), None, by.into(), Moment(7), desk.scope.cancel.child_token())
    };
    let (one, two) = (ask(&desk.scribe, "ada"), ask(&other, "ben"));
    let mut deeds =
        [one.within(WAIT, "the proposal").await.unwrap().deed, two.within(WAIT, "the proposal").await.unwrap().deed];
    deeds.sort_by_key(|deed| *deed != Deed::Adopted);
    assert_eq!((deeds, desk.spec().as_str()), ([Deed::Adopted, Deed::Already], PROPOSED));
    assert_eq!(desk.adoptions().await.len(), 1);
}
