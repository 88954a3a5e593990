//! Documents that a hand has edited: merged with what is new, or left as they are.

use super::*;
use crate::domain::merge::Unmerged;

/// A run that published a plan, and what a hand may have begun with.
fn published_plan(vault: &Vault, n: u64, text: &str) -> (Book, Base) {
    let (mut book, _) = Book::open(vault, spec("001-x"), run_id(n), &note()).unwrap();
    let kept = new_file("documents/plan/plan.md", text);
    let named = FileRef { path: kept.path.clone(), sha256: Sha::of(text), bytes: text.len() as u64 };
    let texts = [("specs/001-x/plan.md".to_owned(), named.clone())].into();
    let intended = Record::PublishIntended { stage: Stage::Plan, documents: vec![], texts };
    let closed = Record::RunClosed { why: Closed::Decided, survivors: None };
    book.write(vault, vec![commit(n, vec![kept], vec![intended, closed])]).remove(0).unwrap();
    (book, Base { run: run_id(n), text: named, beside: None })
}

fn plan_over(text: &str, bases: &[Base]) -> Document {
    let (path, bases) = ("specs/001-x/plan.md".to_owned(), bases.to_vec());
    let ours = bases.iter().map(|base| base.text.sha256.clone()).collect();
    Document { path, bytes: text.into(), ours, edited: Edited::Stays, bases }
}

#[test]
fn a_hands_edit_is_merged_with_what_is_new_and_kept_as_it_was() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let read = |path: &str| vault.repository.read(path, 999).unwrap().map(|b| String::from_utf8(b).unwrap());
    let publish =
        |text: &str, bases: &[Base]| publish::publish(&vault, &spec("001-x"), &[plan_over(text, bases)]).unwrap();
    let one = "a\nb\nc\nd\n";
    let (book, base) = published_plan(&vault, 1, one);
    publish(one, &[]);
    twin.tamper("specs/001-x/plan.md", |bytes| *bytes = b"a\nb\nc\nd\nby hand\n".into());
    let two = "a\nB\nc\nd\n";
    let report = publish(two, std::slice::from_ref(&base));
    assert_eq!((report.written.len(), report.merged.len(), report.kept_aside.len()), (0, 1, 0));
    let merged = "a\nB\nc\nd\nby hand\n";
    assert_eq!(read("specs/001-x/plan.md").unwrap(), merged);
    assert_eq!((&report.merged[0].file.sha256, report.merged[0].stays.lines[0].first), (&Sha::of(merged), 5));
    let backup = report.merged[0].backup.clone().unwrap();
    assert_eq!(read(&backup).unwrap(), "a\nb\nc\nd\nby hand\n");
    assert_eq!(publish(two, std::slice::from_ref(&base)), report, "as after a kill before it was recorded");
    // The next time a hand has begun with ours, not with what it was merged to.
    book.close(&vault).unwrap();
    let (second, newer) = published_plan(&vault, 2, two);
    let report = publish("a\nB\nC\nd\n", std::slice::from_ref(&newer));
    assert_eq!(read("specs/001-x/plan.md").unwrap(), "a\nB\nC\nd\nby hand\n");
    assert_eq!(report.merged.len(), 1);
    twin.tamper("specs/001-x/plan.md", |bytes| bytes.extend(b"more by hand\n"));
    let unchanged = publish(two, std::slice::from_ref(&newer));
    assert_eq!((unchanged.merged.len(), &unchanged.merged[0].backup), (1, &None), "nothing is new: nothing is written");
    second.close(&vault).unwrap();
    assert_verified(&vault, "merged");
    // What collides stays, and ours is beside it, for as long as nobody took from it what they want.
    let report = publish("a\nB\nC\nd\nours\n", std::slice::from_ref(&newer));
    let aside = &report.kept_aside[0];
    assert_eq!(
        (aside.path.as_str(), aside.beside.path.as_str()),
        ("specs/001-x/plan.md", "specs/001-x/plan.dicast-new.md")
    );
    assert!(matches!(&aside.why, Unmerged::Collides(places) if places[0].hand.first == 5), "{:?}", aside.why);
    let (third, mut latest) = published_plan(&vault, 3, "a\nB\nC\nd\nours\n");
    third.close(&vault).unwrap();
    latest.beside = Some(aside.beside.path.clone());
    let bases = [latest, newer];
    assert_eq!(publish("a\nB\nC\nd\nnews\n", &bases).kept_aside.len(), 1, "what is beside it waits");
    vault.repository.remove("specs/001-x/plan.dicast-new.md").unwrap();
    vault.repository.remove("specs/001-x/plan.dicast-new.2.md").unwrap();
    assert_eq!(publish("A\nB\nC\nd\nours\n", &bases).merged.len(), 1);
    assert_eq!(
        read("specs/001-x/plan.md").unwrap(),
        "A\nB\nC\nd\nby hand\nmore by hand\n",
        "what a hand left out stays out"
    );
}

#[test]
fn an_edit_whose_beginning_is_gone_or_altered_keeps_its_name() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (book, base) = published_plan(&vault, 1, "a\n");
    book.close(&vault).unwrap();
    let publish = |bases: &[Base]| {
        twin.tamper("specs/001-x/plan.md", |bytes| *bytes = b"a\nby hand\n".into());
        publish::publish(&vault, &spec("001-x"), &[plan_over("A\n", bases)]).unwrap()
    };
    vault.repository.make_dirs("specs/001-x").unwrap();
    vault.repository.replace("specs/001-x/plan.md", b"a\n").unwrap();
    assert_eq!(publish(&[]).kept_aside[0].why, Unmerged::NoBase, "a fresh clone");
    twin.tamper(&format!("{ROOT}/consensus/001-x/{}/documents/plan/plan.md", run_id(1)), |bytes| bytes.push(b'x'));
    assert_eq!(
        publish(std::slice::from_ref(&base)).kept_aside[0].why,
        Unmerged::NoBase,
        "never merged with what was altered"
    );
    assert_eq!(vault.repository.read("specs/001-x/plan.md", 99).unwrap().unwrap(), b"a\nby hand\n");
    assert!(!inspect::verify(&vault, &Filter::default()).unwrap().problems.is_empty(), "and verify says so");
}
