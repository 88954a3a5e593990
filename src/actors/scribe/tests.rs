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
