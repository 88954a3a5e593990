//! How a dissent is asked about: in words that name nobody and can be answered yes or no, or with a value.
//!
//! It must not know who dissents.

use super::{ANSWER, Dissent, Ledger, Said, Unanswered, is_about};
use crate::domain::agenda::{OpenQuestion, Topic};
use crate::domain::claim::{Kind, Polarity};
use crate::domain::consensus::{Choice, Judged, Label, OUTCOME};
use crate::domain::hash::Sha;
use crate::domain::spec::Spec;
use crate::domain::stage::Stage;

/// Most open questions of earlier stages that are asked again: dissents are never left out, questions may be many.
const QUESTIONS_MAX: usize = 12;

/// Longest value in a question, in characters.
const VALUE_MAX: usize = 60;

/// Hex digits of a key in the id of its topic: enough that two open dissents do not meet.
const DIGITS: usize = 7;

/// Returns the id of the topic that asks about a claim. It depends on nothing else, so that later stages know it again.
pub fn topic_id(key: &Sha) -> String {
    // The zero makes it an id wherever it stands: those have a digit.
    let digits: String = key.as_str().chars().take(DIGITS).collect();
    format!("D-0{}", digits.to_uppercase())
}

/// Tells whether a claim is the answer to the topic that asks about a claim of an earlier stage, named by its key or the
/// start of it.
pub fn asks_about(claim: &Judged, key: &str) -> bool {
    let is_answer = claim.kind == Kind::Decision && claim.predicate == ANSWER;
    let digits = key.get(..DIGITS).map(str::to_uppercase);
    is_answer && digits.is_some_and(|digits| claim.subject.strip_prefix("D-0") == Some(&digits))
}

/// What a claim asks.
pub(super) struct Words {
    pub(super) ask: String,
    pub(super) topic: Option<String>,
    pub(super) about: Option<String>,
    pub(super) unit: Option<String>,
}

/// Returns what a claim is about in words, and the topic that asks it anyway.
pub(super) fn words(spec: &Spec, topics: &[Topic], claim: &Judged, said: &Said) -> Words {
    let about = spec.requirement(&claim.subject).map(|requirement| requirement.id.clone());
    let asked = topics.iter().find(|topic| match claim.kind {
        Kind::Covers => topic.requirement.as_deref() == Some(&claim.subject),
        Kind::Decision => topic.requirement.is_none() && topic.id == claim.subject,
        Kind::FileChange | Kind::Test | Kind::Risk | Kind::Finding => false,
    });
    if let Some(topic) = asked {
        return Words {
            ask: topic.ask.clone(),
            topic: Some(topic.id.clone()),
            about: topic.requirement.clone().or_else(|| topic.about.clone()),
            unit: topic.unit.clone(),
        };
    }
    let (subject, predicate) = (&claim.subject, &claim.predicate);
    let ask = said.asked.get(&claim.key).cloned().unwrap_or_else(|| match claim.kind {
        Kind::Covers => format!("{subject} is covered"),
        Kind::Decision if (subject.as_str(), predicate.as_str()) == OUTCOME => "the outcome of that stage".to_owned(),
        Kind::Decision => format!("question {subject}, which the spec does not ask any more"),
        Kind::Test if predicate == "passes" => format!("test {subject} passes"),
        Kind::Test => format!("what checks {subject}"),
        Kind::FileChange => format!("{subject} is {predicate}"),
        Kind::Risk => format!("risk: {subject} ({predicate})"),
        Kind::Finding => format!("finding: {subject} ({predicate})"),
    });
    Words { ask, topic: None, about, unit: None }
}

/// Returns what a claim is about, as a question or a statement that names nobody.
pub fn asked(spec: &Spec, topics: &[Topic], claim: &Judged) -> String {
    words(spec, topics, claim, &Said::default()).ask
}

/// Tells whether a claim is a question that somebody left: something is unclear, and nobody showed that it is not.
pub(super) fn is_question(claim: &Judged) -> bool {
    let is_unclear = matches!(claim.kind, Kind::Finding | Kind::Risk) && claim.predicate == "unclear";
    is_unclear && claim.label != Label::Refuted && claim.polarity == Some(Polarity::Yes)
}

pub(super) fn unanswered(spec: &Spec, claim: &Judged, stage: Stage) -> Unanswered {
    let about = spec.requirement(&claim.subject).map(|requirement| requirement.id.clone());
    let ask = match &about {
        Some(id) => format!("{id} was called unclear: what does it ask for?"),
        None => claim.subject.clone(),
    };
    Unanswered { key: claim.key.clone(), opened: stage, ask, about }
}

/// Returns what stands open as questions for the next agenda: one for each claim, however many dissent on it.
pub fn questions(ledger: &Ledger, topics: &[Topic]) -> Vec<OpenQuestion> {
    let mut keys: Vec<&Sha> = Vec::new();
    for dissent in ledger.standing() {
        if !keys.contains(&&dissent.key) {
            keys.push(&dissent.key);
        }
    }
    let dissents = keys.into_iter().filter_map(|key| {
        let open: Vec<&Dissent> = ledger.standing().filter(|dissent| dissent.key == *key).collect();
        let first = *open.first()?;
        // The same question under the same id: then the topic that is there carries it.
        let is_same = |topic: &&Topic| Some(&topic.id) == first.topic.as_ref() && topic.ask == first.ask;
        let topic = topics.iter().find(is_same);
        let sides = sides(&open);
        let ask = match (topic, is_statement(first)) {
            (Some(_), _) => sides,
            (None, true) => format!("{sides} Does this hold, yes or no: {}", first.ask),
            (None, false) => format!("{sides} Which holds: {}", first.ask),
        };
        Some(OpenQuestion {
            id: topic.map_or_else(|| topic_id(key), |topic| topic.id.clone()),
            from: format!("{}, dissent", first.opened),
            about: first.about.clone(),
            ask,
            unit: first.unit.clone(),
        })
    });
    let asked = ledger.questions.iter().filter(|question| !ledger.standing().any(|d| d.key == question.key));
    let asked = asked.take(QUESTIONS_MAX).map(|question| OpenQuestion {
        id: topic_id(&question.key),
        from: format!("{}, question", question.opened),
        about: question.about.clone(),
        ask: question.ask.clone(),
        unit: None,
    });
    dissents.chain(asked).collect()
}

/// Tells whether a dissent is about whether something holds, not about which value does.
fn is_statement(dissent: &Dissent) -> bool {
    let is_yes = |side: &Choice| matches!(side.value.as_text(), Some("yes" | "no"));
    is_yes(&dissent.said) && dissent.against.as_ref().is_none_or(is_yes)
}

fn sides(open: &[&Dissent]) -> String {
    let mut held: Vec<String> = open.iter().map(|dissent| side(&dissent.said)).collect();
    held.sort();
    held.dedup();
    let held = held.join(", ");
    match open.first().and_then(|dissent| dissent.against.as_ref()) {
        Some(won) => format!("{} was decided, {held} was held against it.", side(won)),
        None => format!("nothing was decided, {held} was held."),
    }
}

/// Writes a side in words, quantities in the unit that a person would use.
pub fn side(side: &Choice) -> String {
    let value = side.value.as_text().map_or_else(|| side.value.to_string(), quantity);
    let short: String = value.chars().take(VALUE_MAX).collect();
    let short = if short.len() < value.len() { format!("{short}…") } else { short };
    match (side.polarity, short.as_str()) {
        (Polarity::No, "yes") => "no".to_owned(),
        (Polarity::No, _) => format!("not {short}"),
        (Polarity::Yes, _) => short,
    }
}

/// Units of time and size as canonical values hold them, largest first.
const UNITS: [(&str, &[(u128, &str)]); 2] = [
    (
        " ns",
        &[(3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")],
    ),
    (" bytes", &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")]),
];

/// Writes a canonical quantity in the largest unit that it is a whole number of.
fn quantity(text: &str) -> String {
    for (suffix, units) in UNITS {
        let Some(number) = text.strip_suffix(suffix).and_then(|digits| digits.parse::<u128>().ok()) else { continue };
        let unit = units.iter().find(|(size, _)| number > 0 && number.is_multiple_of(*size));
        return unit.map_or_else(|| text.to_owned(), |(size, unit)| format!("{} {unit}", number / size));
    }
    text.to_owned()
}

impl Ledger {
    /// Returns the open dissents that a claim is about.
    pub fn of_claim<'l>(&'l self, claim: &'l Judged) -> impl Iterator<Item = &'l Dissent> {
        self.standing().filter(|dissent| is_about(claim, &dissent.key))
    }
}

impl Dissent {
    /// Says in one line what is held, by whom, against what.
    pub fn line(&self) -> String {
        let against = self.against.as_ref().map(|won| format!(", {} was decided", side(won))).unwrap_or_default();
        format!("{} holds {}{against}", self.agent, side(&self.said))
    }

    /// Returns the topic of the next agenda that asks it.
    pub fn topic_on_agenda(&self) -> String {
        self.topic.clone().unwrap_or_else(|| topic_id(&self.key))
    }

    /// Says what would close it at a later stage.
    pub fn closes(&self) -> String {
        let what = self.topic_on_agenda();
        let value = match &self.against {
            Some(won) => format!("{} answering {what} with {}", self.agent, side(won)),
            None => format!("an agreed answer to {what}"),
        };
        format!("{value}, a decision for {}, a check that proves a side, or a waiver", side(&self.said))
    }
}
