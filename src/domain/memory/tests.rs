//! Names, fits and notes.

use super::*;

fn subject() -> Subject {
    Subject {
        spec: SpecId::new("SPEC-1").unwrap(),
        stage: Stage::Plan,
        run: RunId::mint(crate::domain::moment::Moment(1), 1, 1),
        asked: Sha::of("question"),
    }
}

fn agent() -> AgentName {
    AgentName::new("far").unwrap()
}

fn held(content: &str, tags: &[&str]) -> Held {
    Held { content: content.into(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
}

#[test]
fn an_entry_is_named_after_its_content() {
    let one = Entry::answer(&subject(), &agent(), "{}".into());
    let other = Entry::answer(&subject(), &agent(), "{ }".into());
    assert_ne!(one.key, other.key);
    assert_eq!(one, Entry::answer(&subject(), &agent(), "{}".into()));
    assert!(one.tags.contains(&format!("sha256:{}", Sha::of("{}"))));
    assert!(one.key.ends_with(Sha::of("{}").as_str()));
}

#[test]
fn a_secret_is_taken_out_before_the_entry_is_named() {
    let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
    let entry = Entry::note(&subject(), "the word is hunter2hunter2").cleaned(&redactor);
    assert_eq!(&*entry.content, "the word is [redacted]");
    assert_eq!(entry, Entry::note(&subject(), "the word is [redacted]"));
    assert!(!format!("{entry:?}").contains("hunter2"));
}

#[test]
fn tags_are_whole() {
    assert!(!held("", &["spec:SPEC-10"]).carries(&["spec:SPEC-1".into()]));
    assert!(held("", &["spec:SPEC-1", "x:y"]).carries(&["spec:SPEC-1".into()]));
}

#[test]
fn an_entry_comes_back_only_with_its_bytes_and_all_its_tags() {
    let entry = Entry::answer(&subject(), &agent(), "{}".into());
    let back = Held { content: "{}".into(), tags: entry.tags.clone() };
    assert!(entry.is(&back));
    assert!(!entry.is(&Held { content: "{} ".into(), ..back.clone() }));
    assert!(!entry.is(&Held { tags: back.tags[1..].to_vec(), ..back }));
}

#[test]
fn this_run_comes_before_the_same_question_and_that_before_what_says_nothing() {
    let subject = subject();
    let (run, asked) = (format!("run:{}", subject.run), format!("asked:{}", subject.asked));
    let all = [
        held("unsaid", &[]),
        held("another run", &["run:01J"]),
        held("another question", &["asked:00"]),
        held("same question", &["run:01J", &asked]),
        held("this run", &[&run]),
        held("the ask itself", &["kind:ask", &run, &asked]),
        held("a verdict", &["kind:verdict"]),
        held("an answer", &["kind:answer", &run]),
        held("unsaid, and older than the question", &[]),
    ];
    let found: Vec<&str> = answers(&subject, &all).iter().map(|(_, held)| held.content.as_str()).collect();
    assert_eq!(found, ["this run", "an answer", "same question", "unsaid"]);
    // While nothing was asked, nothing that names no question answers it.
    assert_eq!(answers(&subject, &all[..1]), []);
}

#[test]
fn the_question_is_the_spec_and_the_prompts_and_nothing_else() {
    let inputs = Inputs { spec_sha256: Some(Sha::of("s")), prompts_sha256: Some(Sha::of("p")), ..Inputs::default() };
    let other = Inputs { commit: Some("c".into()), config_sha256: Some(Sha::of("x")), ..inputs.clone() };
    assert_eq!(asked(&inputs), asked(&other));
    assert_ne!(asked(&inputs), asked(&Inputs { spec_sha256: Some(Sha::of("t")), ..inputs }));
}

#[test]
fn notes_of_other_specs_that_share_most_words_come_first_and_five_at_most() {
    let spec = SpecId::new("003-rate-limiter").unwrap();
    let mut all = vec![
        held("the limiter counts in a window", &["kind:note", "spec:001-x"]),
        held("a limiter of requests: the rate was open", &["kind:note", "spec:002-y"]),
        held("own limiter rate", &["kind:note", "spec:003-rate-limiter"]),
        held("nothing shared here", &["kind:note", "spec:004-z"]),
        held("no note: limiter rate", &["kind:verdict", "spec:005-z"]),
    ];
    let texts = |notes: &[Note]| notes.iter().map(|note| note.text.to_string()).collect::<Vec<_>>();
    let found = texts(&notes(&spec, "003-rate-limiter", &all));
    assert_eq!(found, ["a limiter of requests: the rate was open", "the limiter counts in a window"]);
    all.extend((0..9).map(|n| held(&format!("limiter {n}"), &["kind:note", "spec:002-y"])));
    assert_eq!(notes(&spec, "003-rate-limiter", &all).len(), NOTES_MAX);
}

#[test]
fn a_note_is_one_harmless_line_of_bounded_length() {
    let spec = SpecId::new("003-rate-limiter").unwrap();
    let text = format!("limiter\n\u{1b}[31m```\n{}", "x".repeat(5_000));
    let found = notes(&spec, "limiter", &[held(&text, &["kind:note"])]);
    assert!(!found[0].text.as_str().contains(['\n', '\u{1b}']));
    assert!(found[0].text.as_str().chars().count() <= NOTE_MAX + 20);
}
