//! Claims as a matrix: what each agent says about each of them, what the host found, and what it amounts to.
//!
//! ```text
//!     claim                     claude  codex   gemini  host   label
//! ▸ ! FR-003 counter store      redis   local   local   seen   conflict
//!   ✗ test limiter::burst       –       ●       –       false  struck
//! ```
//!
//! Only visible claims are looked at, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::layout::Rect;

use super::canvas::{Canvas, columns, nth};
use super::text::{self, Piece, dim, piece};
use super::theme::Ink;
use crate::app::model::{Run, SeatState};
use crate::domain::claim::derive::{DEMANDED, REWORDED, WITHDRAWN};
use crate::domain::claim::{Kind, Polarity, Severity, Tier, Value};
use crate::domain::consensus::{Judged, Label, OUTCOME, Waiver};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::judgement::Judgement;
use crate::domain::safe::Safe;

/// Columns of the host's word.
const HOST: u16 = 6;
/// Columns that a claim's name needs before anything beside it is worth showing.
const TITLE_LEAST: u16 = 16;
/// Columns before a claim's name: the selection and the symbol.
const MARKS: u16 = 5;

/// Writes a sentence with what its topics ask instead of their ids.
pub(super) fn in_words(run: &Run, text: &str) -> String {
    let spoken = run.preparation.as_ref().map_or_else(|| text.to_owned(), |p| p.in_words(text));
    Safe::line(&spoken).to_string()
}

/// A matrix of claims, laid out for a width.
pub(super) struct Matrix<'m> {
    run: &'m Run,
    judgement: &'m Judgement,
    agents: Vec<(&'m AgentName, bool)>,
    agent_width: u16,
    title_width: u16,
    label_width: u16,
    /// Who said what was struck, for the claims in sight.
    struck: BTreeMap<&'m Sha, BTreeSet<&'m AgentName>>,
}

impl<'m> Matrix<'m> {
    /// Lays a matrix out for so many columns and the claims that are in sight. `label` is what the last column would
    /// like to have.
    pub(super) fn new(run: &'m Run, judgement: &'m Judgement, width: u16, label: u16, visible: &[Sha]) -> Self {
        let agents: Vec<_> = run.seats.iter().map(|seat| (&seat.who.agent, has_spoken(&seat.state))).collect();
        let widest = agents.iter().map(|(name, _)| text::width(name.as_str())).max().unwrap_or(0);
        let least = if width < 90 { 6 } else { 8 };
        let agent_width = columns(widest.clamp(least, 10)) + 1;
        let fixed = |agents: u16, host: u16, label: u16| MARKS + agents + host + label;
        let all = agent_width.saturating_mul(columns(agents.len()));
        let (mut agents, mut agent_width, mut label_width) = (agents, agent_width, label);
        if fixed(all, HOST, label) + TITLE_LEAST > width {
            let left = width.saturating_sub(fixed(all, HOST, 0) + TITLE_LEAST);
            label_width = left.clamp(label.min(12), label);
        }
        if fixed(all, HOST, label_width) + TITLE_LEAST > width {
            (agents, agent_width) = (Vec::new(), 0);
        }
        let taken = fixed(agent_width * columns(agents.len()), HOST, label_width);
        let title_width = width.saturating_sub(taken);
        let struck = struck(judgement, visible);
        Self { run, judgement, agents, agent_width, title_width, label_width, struck }
    }

    /// Draws the names of the columns.
    pub(super) fn head(&self, row: Rect, last: &str, canvas: &mut Canvas<'_>) {
        let mut x = row.x + MARKS;
        canvas.put(x, row.y, self.title_width, "claim", Ink::Dim);
        x += self.title_width;
        for (agent, _) in &self.agents {
            canvas.put(x, row.y, self.agent_width - 1, agent.as_str(), Ink::Dim);
            x += self.agent_width;
        }
        canvas.put(x, row.y, HOST - 1, "host", Ink::Dim);
        canvas.put(x + HOST, row.y, row.right().saturating_sub(x + HOST), last, Ink::Dim);
    }

    /// Draws one claim; `last` says what the last column says.
    pub(super) fn line(&self, row: Rect, claim: &Judged, is_chosen: bool, last: &str, canvas: &mut Canvas<'_>) {
        let standing = Standing::of(self.judgement, claim);
        let (symbol, ink) = standing.symbol();
        let title = title(self.run, claim);
        let strength = if standing.wants_somebody() { Ink::Strong } else { Ink::Plain };
        if is_chosen {
            canvas.put(row.x + 1, row.y, 1, "▸", Ink::Accent);
        }
        canvas.put(row.x + 3, row.y, 1, symbol, ink);
        let mut x = row.x + MARKS;
        canvas.put(x, row.y, self.title_width.saturating_sub(1), &title, strength);
        x += self.title_width;
        for (agent, has_spoken) in &self.agents {
            let (word, ink) = self.cell(claim, agent, *has_spoken);
            canvas.put(x, row.y, self.agent_width - 1, &word, ink);
            x += self.agent_width;
        }
        let (word, host) = host(claim.tier);
        canvas.put(x, row.y, HOST - 1, word, host);
        x += HOST;
        let ink = if ink == Ink::Good { Ink::Plain } else { ink };
        canvas.put(x, row.y, row.right().saturating_sub(x).max(self.label_width.min(1)), last, ink);
        if is_chosen {
            canvas.choose(row);
        }
    }

    /// Draws a must-requirement that nobody has said anything about.
    pub(super) fn uncovered(&self, row: Rect, id: &str, canvas: &mut Canvas<'_>) {
        let title = format!("{} {}", Safe::line(id), requirement(self.run, id));
        canvas.put(row.x + 3, row.y, 1, "○", Ink::Warn);
        let is_final = self.run.verdicts.contains_key(&self.run.stage);
        let words = if is_final { "nobody covers it (MUST)" } else { "nobody covers it yet (MUST)" };
        canvas.put(row.x + MARKS, row.y, self.title_width.saturating_sub(1), title.trim_end(), Ink::Strong);
        let x = row.x + MARKS + self.title_width;
        canvas.put(x, row.y, row.right().saturating_sub(x), words, Ink::Warn);
    }

    fn cell(&self, claim: &Judged, agent: &AgentName, has_spoken: bool) -> (String, Ink) {
        if self.struck.get(&claim.key).is_some_and(|agents| agents.contains(agent)) {
            return ("●".to_owned(), Ink::Bad);
        }
        let Some(vote) = claim.votes.iter().find(|vote| vote.agents.contains(agent)) else {
            return match claim.dissent.iter().find(|dissent| &dissent.agent == agent) {
                Some(dissent) => (said(&dissent.value, dissent.polarity), Ink::Warn),
                None if has_spoken => ("–".to_owned(), Ink::Dim),
                None => (String::new(), Ink::Dim),
            };
        };
        let is_winner = claim.value.as_ref() == Some(&vote.value) && claim.polarity == Some(vote.polarity);
        match claim.label {
            Label::Conflict => (said(&vote.value, vote.polarity), Ink::Strong),
            Label::Proven | Label::Refuted | Label::Agreed | Label::AgreedOver | Label::Single | Label::Hollow => {
                if is_winner {
                    ("●".to_owned(), Ink::Good)
                } else {
                    ("○".to_owned(), Ink::Warn)
                }
            }
        }
    }

    /// Returns a claim by its key: the verdict lists them by key.
    pub(super) fn claim(&self, key: &Sha) -> Option<&'m Judged> {
        find(self.judgement, key)
    }
}

/// Returns a claim of a judgement by its key.
pub(super) fn find<'j>(judgement: &'j Judgement, key: &Sha) -> Option<&'j Judged> {
    let claims = &judgement.verdict.claims;
    claims.binary_search_by(|claim| claim.key.cmp(key)).ok().and_then(|at| claims.get(at))
}

/// Returns who said what was struck, for some claims: one pass over the grounds.
fn struck<'m>(judgement: &'m Judgement, visible: &[Sha]) -> BTreeMap<&'m Sha, BTreeSet<&'m AgentName>> {
    let refuted: BTreeSet<&Sha> =
        visible.iter().filter(|key| find(judgement, key).is_some_and(|claim| claim.label == Label::Refuted)).collect();
    let mut struck: BTreeMap<&Sha, BTreeSet<&AgentName>> = BTreeMap::new();
    if refuted.is_empty() {
        return struck;
    }
    for ground in judgement.grounds.iter().filter(|ground| refuted.contains(&ground.claim)) {
        struck.entry(&ground.claim).or_default().insert(&ground.agent);
    }
    struck
}

/// How a claim stands with the user: what its label alone does not say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'j> {
    /// A human chose a side of it, or let it pass.
    Decided(&'j Waiver),
    /// They differ on something that never moves a verdict.
    Remark,
    /// As its label says; a conflict is the user's to settle.
    Labelled(Label),
}

impl<'j> Standing<'j> {
    /// Returns how a claim stands.
    pub(super) fn of(judgement: &'j Judgement, claim: &Judged) -> Self {
        let waiver = judgement.panel.waivers.iter().find(|waiver| waiver.claim == claim.key);
        match (waiver, claim.label) {
            (Some(waiver), label) if waiver.choice.is_some() || label == Label::Conflict => Standing::Decided(waiver),
            (_, Label::Conflict) if claim.severity < Severity::Minor => Standing::Remark,
            (_, label) => Standing::Labelled(label),
        }
    }

    /// Tells whether it is a conflict that the user has to settle.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Standing::Labelled(Label::Conflict))
    }

    /// Returns its symbol.
    pub(super) fn symbol(self) -> (&'static str, Ink) {
        match self {
            Standing::Decided(_) => ("✔", Ink::Good),
            Standing::Remark => ("·", Ink::Dim),
            Standing::Labelled(label) => symbol(label),
        }
    }

    fn wants_somebody(self) -> bool {
        match self {
            Standing::Decided(_) | Standing::Remark => false,
            Standing::Labelled(label) => label.attention() < Label::Agreed.attention(),
        }
    }
}

/// Returns what a human decided: `decided 20 by ana`.
pub(super) fn decided(waiver: &Waiver) -> String {
    let by = Safe::line(&waiver.by);
    match &waiver.choice {
        Some(choice) => format!("decided {} by {by}", said(&choice.value, choice.polarity)),
        None => format!("waived by {by}"),
    }
}

/// Returns how many conflicts of a judgement are the user's to settle.
pub(super) fn open(judgement: &Judgement) -> usize {
    judgement.verdict.claims.iter().filter(|claim| Standing::of(judgement, claim).is_open()).count()
}

/// Returns how many conflicts of a judgement a human settled.
pub(super) fn settled(judgement: &Judgement) -> usize {
    let is_settled = |claim: &&Judged| matches!(Standing::of(judgement, claim), Standing::Decided(_));
    judgement.verdict.claims.iter().filter(is_settled).count()
}

/// Returns who settled conflicts: `you` for the user at the screen, else names.
pub(super) fn settlers(judgement: &Judgement, user: &str) -> String {
    let name = |by: &str| if by == user { "you".to_owned() } else { Safe::line(by).to_string() };
    let by: BTreeSet<String> = judgement.panel.waivers.iter().map(|waiver| name(&waiver.by)).collect();
    by.into_iter().collect::<Vec<_>>().join(", ")
}

/// Returns how many agents stand against what was chosen for them: their dissents go on to the next stage.
pub(super) fn carried(judgement: &Judgement) -> usize {
    let against = |claim: &Judged| {
        let Standing::Decided(waiver) = Standing::of(judgement, claim) else { return 0 };
        let Some(choice) = &waiver.choice else { return 0 };
        let lost = claim.votes.iter().filter(|vote| (&vote.value, vote.polarity) != (&choice.value, choice.polarity));
        lost.map(|vote| vote.agents.len()).sum()
    };
    judgement.verdict.claims.iter().map(against).sum()
}

/// Says how many claims are not shown: `… 12 more agreed`, `… 12 more, 3 of them differ (info)`, `… 5 more`.
pub(super) fn hidden(judgement: &Judgement, shown: &BTreeSet<&Sha>) -> String {
    let hidden: Vec<&Judged> = judgement.verdict.claims.iter().filter(|claim| !shown.contains(&claim.key)).collect();
    let differ: Vec<&&Judged> = hidden.iter().filter(|claim| claim.label == Label::Conflict).collect();
    let count = hidden.len();
    // Of one answer nothing is agreed: nobody could disagree.
    if judgement.verdict.families.ok < 2 {
        return format!("… {count} more");
    }
    if !differ.is_empty() {
        let is_info = differ.iter().all(|claim| claim.severity < Severity::Minor);
        return format!("… {count} more, {} of them differ{}", differ.len(), if is_info { " (info)" } else { "" });
    }
    let is_agreed = hidden.iter().all(|claim| claim.label.attention() >= Label::AgreedOver.attention());
    format!("… {count} more{}", if is_agreed { " agreed" } else { "" })
}

fn has_spoken(state: &SeatState) -> bool {
    match state {
        SeatState::Answered | SeatState::Failed(_) => true,
        SeatState::Queued(_)
        | SeatState::Launching(_)
        | SeatState::Asking(_)
        | SeatState::Keeping
        | SeatState::Waiting { .. } => false,
    }
}

/// Returns the symbol of a label.
pub(super) fn symbol(label: Label) -> (&'static str, Ink) {
    match label {
        Label::Conflict => ("!", Ink::Warn),
        Label::Refuted => ("✗", Ink::Bad),
        Label::Hollow => ("◌", Ink::Warn),
        Label::Single => ("·", Ink::Dim),
        Label::AgreedOver => ("~", Ink::Warn),
        Label::Agreed | Label::Proven => ("✔", Ink::Good),
    }
}

/// Returns the host's word on a tier, with its ink.
pub(super) fn host(tier: Tier) -> (&'static str, Ink) {
    let ink = match tier {
        Tier::EFalse | Tier::E3False => Ink::Bad,
        Tier::E0 | Tier::E1 => Ink::Dim,
        Tier::E2 | Tier::E3True => Ink::Good,
    };
    (tier.word(), ink)
}

/// Returns what is said: `yes` and `no` for what only holds or not, else the value.
pub(super) fn said(value: &Value, polarity: Polarity) -> String {
    let is_plain_yes = value.as_text() == Some("yes");
    match (polarity, is_plain_yes) {
        (Polarity::Yes, true) => "yes".to_owned(),
        (Polarity::No, true) => "no".to_owned(),
        (Polarity::Yes, false) => Safe::line(&value.to_string()).to_string(),
        (Polarity::No, false) => format!("not {}", Safe::line(&value.to_string())),
    }
}

/// Returns a claim's name: its id with the words of the spec or the agenda where it has one.
pub(super) fn title(run: &Run, claim: &Judged) -> String {
    let subject = Safe::line(&claim.subject).to_string();
    let words = requirement(run, &claim.subject);
    let with_words = |id: String| if words.is_empty() { id } else { format!("{id} {words}") };
    match claim.kind {
        Kind::Covers => with_words(subject),
        Kind::Decision if claim.subject == OUTCOME.0 => format!("outcome of {}", run.stage),
        Kind::Decision if claim.predicate == DEMANDED => format!("should also ask: {subject}"),
        Kind::Decision if claim.predicate == WITHDRAWN && words.is_empty() => format!("{subject} should go"),
        Kind::Decision if claim.predicate == WITHDRAWN => format!("{subject} should go: {words}"),
        Kind::Decision if claim.predicate == REWORDED => match claim.value.as_ref().and_then(Value::as_text) {
            Some(words) => format!("{subject} should say: {}", Safe::line(words)),
            None => format!("what {subject} should say"),
        },
        Kind::Decision => with_words(subject),
        Kind::Test => format!("test {subject}"),
        Kind::FileChange if claim.predicate == "touched" => format!("touches {subject}"),
        Kind::FileChange => format!("changes {subject}"),
        Kind::Risk => format!("risk {}", with_words(subject)),
        Kind::Finding => format!("{} {}", Safe::line(&claim.predicate), with_words(subject)),
    }
}

/// Returns the words behind an id: a requirement's text without "the system must", a topic's question.
fn requirement(run: &Run, id: &str) -> String {
    let Some(preparation) = &run.preparation else { return String::new() };
    if let Some(requirement) = preparation.spec.requirement(id) {
        return Safe::line(without_modal(&requirement.text).trim_end_matches('.')).to_string();
    }
    let topic = preparation.agenda.iter().find(|topic| topic.id == id);
    topic.map(|topic| Safe::line(&topic.ask).to_string()).unwrap_or_default()
}

/// Drops the words that every requirement begins with.
pub(super) fn without_modal(text: &str) -> &str {
    const SUBJECTS: [&str; 3] = ["the system ", "system ", "it "];
    const MODALS: [&str; 4] = ["must ", "shall ", "should ", "may "];
    let cut = |text: &'_ str, words: &[&str]| {
        let found =
            words.iter().find(|word| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)));
        found.map(|word| word.len())
    };
    let Some(subject) = cut(text, &SUBJECTS) else { return text };
    match cut(&text[subject..], &MODALS) {
        Some(modal) => &text[subject + modal..],
        None => text,
    }
}

/// Returns a bar of coverage: `▮▮▮▮▮▯`, at most ten wide.
pub(super) fn bar(done: usize, all: usize) -> Vec<Piece<'static>> {
    const WIDEST: usize = 10;
    let shown = all.min(WIDEST);
    let filled = (done.min(all) * shown).checked_div(all).unwrap_or(0);
    let ink = if done >= all { Ink::Good } else { Ink::Warn };
    vec![piece("▮".repeat(filled), ink), dim("▯".repeat(shown - filled))]
}

/// Writes what follows below a list that does not fit.
pub(super) fn more(area: Rect, at: usize, text: &str, canvas: &mut Canvas<'_>) {
    let row = nth(area, at);
    if row.height > 0 {
        canvas.put(row.x + MARKS, row.y, row.width.saturating_sub(MARKS), text, Ink::Dim);
    }
}
