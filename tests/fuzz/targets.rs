//! What must hold for any bytes that reach a parser: one function for each target. They panic when it does not.
//!
//! They must not know who makes the bytes: `tests/fuzz.rs` gives them the seeds and mutations of these, `engine.rs`
//! what libFuzzer finds.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use dicast::domain::artifact::{Expect, Unusable, UnusableKind, answer_schema, extract, parse, sent_objects, validate};
use dicast::domain::claim::derive::{DeriveInputs, Prior, derive};
use dicast::domain::claim::lookup::Lookups;
use dicast::domain::consensus::{
    Answer, Decision, Label, Panel, PanelError, Participant, Requirement, Status, Verdict, decide, digest, explain,
    parse_panel,
};
use dicast::domain::document::{DocumentInputs, render};
use dicast::domain::failure::Failure;
use dicast::domain::hash::{Sha, canonical};
use dicast::domain::ids::{AgentName, Family, SpecId};
use dicast::domain::safe::Safe;
use dicast::domain::spec;
use dicast::domain::stage::Stage;
use serde_json::{Value, json};

/// One target: its name, and what it does with bytes.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 4] =
    [("panel", panel), ("artifact", artifact), ("answer", answer), ("spec", spec_documents)];

/// Longest reason that an unusable answer may have, in characters.
const WHY_MAX: usize = 600;

/// A panel is refused with a place, or decided to a verdict that keeps its promises.
pub(crate) fn panel(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let panel = match parse_panel(text) {
        Ok(panel) => panel,
        Err(error) => return refusal_names_its_place(text, error),
    };
    let written = serde_json::to_string(&panel).unwrap();
    assert_eq!(parse_panel(&written).as_ref(), Ok(&panel), "a panel does not survive its own JSON");
    let verdict = decide(&panel);
    verdict_is_sound(&panel, &verdict);
    let mut turned = panel.clone();
    turned.agents.reverse();
    turned.requirements.reverse();
    turned.waivers.reverse();
    turned.agents.iter_mut().for_each(|agent| agent.claims.reverse());
    assert_eq!(decide(&turned), verdict, "the order of arrival changes the verdict");
    for claim in &verdict.claims {
        let explanation = explain(&panel, &verdict, claim.key.as_str()).unwrap();
        assert_eq!((&explanation.key, explanation.label), (&claim.key, claim.label));
        shown_is_clean(&explanation.to_string());
        // A waiver of what nobody can have signed yet: whatever it does, it does without a panic.
        let _ = digest(&panel, &claim.key);
    }
}

fn refusal_names_its_place(text: &str, error: PanelError) {
    shown_is_clean(&error.to_string());
    let PanelError::Malformed { agent, field, why } = &error else { panic!("{error:?} is no refusal of a panel") };
    assert!(!field.is_empty() && !why.is_empty(), "{error:?}");
    if let Some(agent) = agent {
        // Whoever is named stands in the text; one whose name is escaped there, or cut, is not looked for.
        assert!(text.contains(agent.as_str()) || text.contains('\\') || agent.chars().count() == 80, "{error:?}");
    }
    assert_eq!(Failure::from(error).exit(), 3);
}

fn verdict_is_sound(panel: &Panel, v: &Verdict) {
    assert!(!matches!(v.status, Status::Cancelled | Status::Infra), "{} is never computed", v.status);
    let (policy, absent) = (&panel.policy, panel.agents.iter().filter(|a| !a.is_ok()).count());
    let allowed =
        v.status == Status::Degraded && policy.allow_degraded || v.status == Status::Hollow && policy.allow_hollow;
    assert_eq!(v.exit, if allowed { 0 } else { v.status.exit() });
    assert_eq!(v.consensus_ok, matches!(v.status, Status::Agree | Status::AgreeWithDissent));
    assert_eq!((v.degraded, v.missing_agents.len()), (absent > 0, absent));
    let is_fine = v.consensus_ok || v.status == Status::Hollow;
    assert!(!(is_fine && absent > 0), "{} with somebody missing", v.status);
    assert!(!(v.exit == 0 && v.outcome == Decision::Fail), "exit 0 while the outcome is no");
    let spoke = panel.agents.iter().any(|a| a.is_ok() && !a.claims.is_empty()) || !panel.candidates.is_empty();
    assert!(spoke || !v.consensus_ok, "nobody spoke, and it is {}", v.status);
    let first = v.reasons.iter().find_map(|reason| reason.code.status());
    assert_eq!(first.unwrap_or(Status::Agree), v.status, "the first reason does not give the status");
    assert!(v.families.ok <= v.families.expected && v.coverage.covered <= v.coverage.must);
    assert_eq!(v.coverage.must - v.coverage.covered, v.coverage.uncovered.len());
    assert!(v.claims.is_sorted_by(|a, b| a.key < b.key), "claims are not in the order of their keys");
    assert_eq!(v.agreements.len(), v.claims.iter().filter(|c| c.label.is_decided()).count());
    assert_eq!(v.conflicts.len(), v.claims.iter().filter(|c| c.label == Label::Conflict).count());
    let canon = panel.canon();
    for claim in &v.claims {
        assert_eq!(canon.key(claim.kind, &claim.subject, &claim.predicate), claim.key, "a key of other words");
        let families: BTreeSet<_> = claim.votes.iter().map(|vote| &vote.family).collect();
        assert_eq!(families.len(), claim.votes.len(), "a family votes twice");
        assert!(claim.votes.len() <= v.families.ok, "more votes than families that answered");
    }
    assert_eq!(v.hash, v.computed_hash());
    let written = serde_json::to_string(v).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&written).unwrap(), *v);
}

/// An artifact is refused with a reason, or survives being written down and what is added to it.
pub(crate) fn artifact(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut read = 0;
    for stage in Stage::RECORDED {
        let artifact = match parse(stage, text) {
            Ok(artifact) => artifact,
            Err(unusable) => {
                reason_is_clean(&unusable);
                assert!(matches!(unusable.kind, UnusableKind::Syntax | UnusableKind::Schema), "{unusable:?}");
                continue;
            }
        };
        read += 1;
        assert_eq!(artifact.body.stage(), stage);
        let mut value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(stage, &value.to_string()).as_ref(), Ok(&artifact), "it does not survive its own JSON");
        value["a field of tomorrow"] = json!({"deep": [1, 2]});
        assert_eq!(parse(stage, &value.to_string()).as_ref(), Ok(&artifact), "an unknown field is not ignored");
        let topics: Vec<String> = artifact.answers.iter().map(|answer| answer.topic.clone()).collect();
        let asked = Expect { stage, topics, sent: Vec::new() };
        match validate(&asked, text) {
            Ok(validated) => assert_eq!(validated, artifact),
            Err(unusable) => reason_names(&unusable, "answers"),
        }
        let more = Expect { topics: [asked.topics, vec!["D-unasked".into()]].concat(), ..asked };
        if !more.topics[..more.topics.len() - 1].iter().any(|topic| topic == "D-unasked") {
            reason_names(&validate(&more, text).unwrap_err(), "answers");
        }
    }
    assert!(read <= 1, "one text is an answer of {read} stages");
}

/// An extracted answer is valid, stands in the text, and is nothing that we sent; a valid one is found whatever stands
/// before it, broken JSON, odd quotes and open fences too, and whatever stands behind it that does not call itself one.
pub(crate) fn answer(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let asked = asked();
    match extract(asked, text) {
        Ok(found) => {
            validate(asked, &found).unwrap();
            let value: Value = serde_json::from_str(&found).unwrap();
            let written = canonical(&value);
            assert!(!written.is_ok_and(|w| asked.sent.contains(&Sha::of(w))), "what we sent was taken for an answer");
            assert_eq!(extract(asked, &found).as_deref(), Ok(&*found), "extracting twice finds something else");
        }
        Err(unusable) => {
            reason_is_clean(&unusable);
            let is_blank = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty();
            assert!(!is_blank || unusable.kind == UnusableKind::Empty, "{unusable:?}");
        }
    }
    let own = own_answer();
    let found = extract(asked, &format!("{text}\n{own}"));
    assert!(found.is_ok(), "a valid answer at the end is not found: {found:?}");
    if !text.contains("dicast.artifact") {
        let found = extract(asked, &format!("{own}\n{text}"));
        assert!(found.is_ok(), "a valid answer at the start is not found: {found:?}");
    }
    let echoed = extract(asked, &example().to_string()).unwrap_err();
    assert_eq!(echoed.kind, UnusableKind::Echo);
}

/// What the answers are asked for; the schema and the example that a prompt holds are what must not come back.
fn asked() -> &'static Expect {
    static ASKED: OnceLock<Expect> = OnceLock::new();
    ASKED.get_or_init(expectation)
}

fn expectation() -> Expect {
    let topics = vec!["D-001".to_owned(), "D-002".to_owned()];
    let ask = json!({"schema": "dicast.ask/1", "stage": "plan", "answer_schema": answer_schema(Stage::Plan, &topics)});
    let prompt = format!("Answer like this: {}\n```json\n{ask}\n```\n", example());
    Expect { stage: Stage::Plan, topics, sent: sent_objects(&prompt) }
}

fn example() -> Value {
    plan("what you would do")
}

fn own_answer() -> Value {
    plan("an answer of its own")
}

fn plan(summary: &str) -> Value {
    json!({"schema": "dicast.artifact/1", "stage": "plan", "summary": summary,
        "answers": [{"topic": "D-001", "value": "10"}, {"topic": "D-002", "abstain": true}]})
}

/// Any text is a spec and a list of tasks whose parts stand where they say.
pub(crate) fn spec_documents(bytes: &[u8]) {
    let text = match spec::text_of("specs/001-a/spec.md", bytes) {
        Ok(text) => text,
        Err(failure) => {
            assert!(failure.to_string().contains("specs/001-a/spec.md") && failure.exit() == 10, "{failure}");
            return;
        }
    };
    let lines = text.lines().count();
    let stands = |line: u32| (1..=lines).contains(&(line as usize));
    let id = SpecId::new("001-a").unwrap();
    let read = spec::parse(id, "specs/001-a", "specs/001-a/spec.md", &text);
    assert_eq!(read.asked().is_err(), read.requirements.is_empty());
    let ids: BTreeSet<&str> = read.requirements.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), read.requirements.len(), "an id is defined twice: {ids:?}");
    for requirement in read.requirements.iter().chain(&read.restated) {
        assert!(stands(requirement.line) && !requirement.id.is_empty(), "{requirement:?}");
        assert!(ids.contains(requirement.id.as_str()), "{} is restated and never stated", requirement.id);
        assert_eq!(read.requirement(&requirement.id).map(|r| &r.id), Some(&requirement.id));
        shown_is_clean(&requirement.text);
    }
    for story in &read.stories {
        assert!(stands(story.line) && read.has_story(&story.id), "{story:?}");
        assert!(story.scenarios.iter().all(|s| stands(s.line) && read.has_story(&s.id)), "{story:?}");
    }
    assert_eq!(serde_json::from_value::<spec::Spec>(serde_json::to_value(&read).unwrap()).unwrap(), read);
    let tasks = spec::parse_tasks(&text);
    assert!(tasks.is_sorted_by_key(|task| task.line), "tasks are not in the order of the text");
    for task in &tasks {
        assert!(stands(task.line) && !task.id.is_empty(), "{task:?}");
        let leaves = |path: &String| path.starts_with('/') || path.split('/').any(|part| part == "..");
        assert!(!task.files.iter().any(leaves), "a task names a file outside the repository: {task:?}");
    }
    let named = spec::requirement_ids(&text);
    assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len(), "an id is named twice");
    proposal_keeps_what_is_asked(&read, &text);
    // A name from the text, as a user would give it.
    let all = [SpecId::new("001-a").unwrap(), SpecId::new("001-b").unwrap()];
    if let Err(failure) = spec::resolve(&all, text.lines().next().unwrap_or_default()) {
        assert_eq!(failure.exit(), 64);
        shown_is_clean(&failure.to_string());
    }
}

/// Whatever a document looks like, what a panel of two proposes for it keeps each requirement, gives no id twice, and
/// leaves the very same text where nobody asks for anything.
fn proposal_keeps_what_is_asked(read: &spec::Spec, text: &str) {
    assert_eq!(proposed(read, text, &json!([])).0, text);
    let id = read.requirements.last().map_or("FR-001", |requirement| requirement.id.as_str());
    let asked =
        json!([{"text": "The system MUST say why it refuses."}, {"requirement": id, "text": "It MUST say more."}]);
    let (proposal, told) = proposed(read, text, &asked);
    let new = spec::parse(read.id.clone(), &read.dir, &read.file, &proposal);
    let ids: BTreeSet<&str> = new.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    // Where stories counted and a section is made, the section counts.
    let begins = told.contains("from now on those of its new section count");
    for requirement in read.requirements.iter().filter(|_| !begins) {
        let is_template = told.contains(&format!("{}: a placeholder", requirement.id));
        assert!(is_template || ids.contains(requirement.id.as_str()), "{} is gone:\n{proposal}", requirement.id);
    }
    assert_eq!(new.restated.len(), read.restated.len(), "an id is defined once more:\n{proposal}");
}

/// The two documents of two agents that ask for the same.
fn proposed(spec: &spec::Spec, text: &str, requirements: &Value) -> (String, String) {
    let answer = json!({"schema": "dicast.artifact/1", "stage": "specify", "requirements": requirements, "edge_cases": ["It is late."]});
    let answer = if requirements.as_array().is_some_and(Vec::is_empty) {
        json!({"schema": "dicast.artifact/1", "stage": "specify"})
    } else {
        answer
    };
    let artifact = parse(Stage::Specify, &answer.to_string()).unwrap();
    let names = ["ada", "brook"].map(|name| AgentName::new(name).unwrap());
    let artifacts = names.clone().into_iter().map(|name| (name, artifact.clone())).collect();
    let inputs = DeriveInputs {
        spec,
        agenda: &[],
        lookups: &Lookups::default(),
        guardrails_ok: true,
        constitution: &BTreeSet::new(),
        prior: &Prior::default(),
        diff: None,
    };
    let claims = derive(&artifact, &inputs).plain();
    let mut panel = Panel::new(spec.id.clone(), Stage::Specify);
    panel.requirements = spec.requirements.iter().map(|r| Requirement { id: r.id.clone(), level: r.level }).collect();
    let participant = |name: &AgentName| Participant {
        name: name.clone(),
        family: Family::new(name.as_str()).unwrap(),
        voter: true,
        status: Answer::Ok,
        open_dissent: Vec::new(),
        artifact: None,
        claims: claims.clone(),
    };
    panel.agents = names.iter().map(participant).collect();
    let verdict = decide(&panel);
    let inputs =
        DocumentInputs { spec, agenda: &[], verdict: &verdict, panel: &panel, text: Some(text), artifacts: &artifacts };
    let mut documents = render(Stage::Specify, &inputs).into_iter().map(|(_, text)| text);
    (documents.next().unwrap(), documents.next().unwrap())
}

fn reason_names(unusable: &Unusable, field: &str) {
    reason_is_clean(unusable);
    assert!(unusable.kind == UnusableKind::Schema && unusable.why.starts_with(field), "{unusable:?}");
}

fn reason_is_clean(unusable: &Unusable) {
    let why = unusable.why.as_str();
    assert!(!why.is_empty() && why.chars().count() <= WHY_MAX, "{unusable:?}");
    assert!(!why.contains(|c: char| c.is_control()), "a reason can steer a terminal: {unusable:?}");
}

/// Whatever a text holds, what is shown of it cannot steer a terminal, and cleaning it again changes nothing.
fn shown_is_clean(text: &str) {
    let line = Safe::line(text);
    assert!(!line.as_str().contains(|c: char| c.is_control()), "{:?}", line.as_str());
    let block = Safe::block(text);
    assert!(!block.as_str().contains(|c: char| c != '\n' && c.is_control()), "{:?}", block.as_str());
    assert_eq!(Safe::block(block.as_str()), block);
}
