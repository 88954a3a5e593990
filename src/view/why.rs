//! Why a claim has its label: who said what on which grounds, what the host found, how it was counted.
//!
//! ```text
//! redis   claude  src/store.rs:88                    seen
//!                 "2 nodes must share counters"
//! local   codex   src/limiter.rs                     seen
//! so      the losing side is major and was seen: it is not outvoted → conflict
//! votes   2 for local, 1 for redis, 0 silent: 3·2 ≥ 2·3 holds
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, nth};
use super::claims::{self, Standing, host, said};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::model::Model;
use crate::app::update::checkable;
use crate::domain::claim::host::HOST;
use crate::domain::claim::lookup::{self, Citation, Found};
use crate::domain::claim::{Polarity, Tier, Value};
use crate::domain::consensus::{Judged, Label, Merge};
use crate::domain::ids::AgentName;
use crate::domain::judgement::{Ground, Judgement};
use crate::domain::safe::Safe;

/// How much room there is, and for what.
#[derive(Debug, Clone, Copy)]
struct Widths {
    all: u16,
    with_words: bool,
}

/// One row: its text, and the host's word at its end.
#[derive(Debug, Default)]
pub(super) struct Reason<'t> {
    pub(super) left: Vec<Piece<'t>>,
    pub(super) right: Vec<Piece<'t>>,
    pub(super) weight: Weight,
}

/// What is left out first where not all rows fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Who said it where.
    #[default]
    Evidence,
    /// Which rule it follows from.
    Rule,
    /// How it was counted, and how to settle it.
    Outcome,
}

impl<'t> Reason<'t> {
    fn of(left: Vec<Piece<'t>>) -> Self {
        Self { left, ..Self::default() }
    }

    fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }
}

/// Draws as many reasons as fit: evidence is left out first, how it was counted and how to settle it last.
pub(super) fn draw(reasons: &[Reason<'_>], area: Rect, canvas: &mut Canvas<'_>) {
    let room = usize::from(area.height);
    let mut kept: Vec<usize> = (0..reasons.len()).collect();
    let mut gap = None;
    if reasons.len() > room {
        while kept.len() >= room.max(1) {
            // The lightest goes, and of the equally light ones the last.
            let weight = |at: &usize| reasons.get(*at).map(|reason| reason.weight);
            let Some(place) = (0..kept.len()).rev().min_by_key(|place| kept.get(*place).and_then(weight)) else {
                break;
            };
            let at = kept.remove(place);
            gap = Some(gap.map_or(at, |gap: usize| gap.min(at)));
        }
    }
    let hidden = reasons.len() - kept.len();
    let mut row = 0;
    for (at, reason) in reasons.iter().enumerate() {
        if gap == Some(at) {
            canvas.pieces(nth(area, row), &[dim(format!("… {hidden} more"))]);
            row += 1;
        }
        if kept.contains(&at) {
            canvas.row(nth(area, row), &reason.left, &reason.right);
            row += 1;
        }
    }
}

/// Returns the reasons behind a claim's label, for so many columns; the agents' own words only if they are wanted.
pub(super) fn reasons<'j>(
    model: &Model,
    judgement: &'j Judgement,
    claim: &'j Judged,
    width: u16,
    with_words: bool,
) -> Vec<Reason<'j>> {
    let grounds: Vec<&Ground> = judgement.grounds.iter().filter(|ground| is_of(claim, ground)).collect();
    let width = Widths { all: width, with_words };
    let mut out = Vec::new();
    let sides = sides(claim);
    let standing = Standing::of(judgement, claim);
    let label_width = sides.iter().map(|s| text::width(&said(s.value, s.polarity))).max().unwrap_or(0).clamp(6, 12) + 1;
    for side in &sides {
        said_by(side, &grounds, label_width, width, &mut out);
    }
    struck(judgement, claim, &grounds, label_width, width, &mut out);
    let head = |name: &'static str| dim(format!("{name:<label_width$}"));
    let room = usize::from(width.all).saturating_sub(label_width);
    for ground in grounds.iter().filter(|ground| ground.agent.as_str() == HOST && !ground.because.as_str().is_empty()) {
        for (at, line) in text::wrap(ground.because.as_str(), room, 3).into_iter().enumerate() {
            let name = head(if at == 0 { HOST } else { "" });
            out.push(Reason::of(vec![name, plain(line.into_owned())]).weighing(Weight::Outcome));
        }
    }
    let (_, ink) = standing.symbol();
    for (at, line) in text::wrap(&sentence(judgement, claim), room, 3).into_iter().enumerate() {
        let name = head(if at == 0 { "so" } else { "" });
        out.push(
            Reason::of(vec![name, piece(line.into_owned(), if ink == Ink::Good { Ink::Plain } else { ink })])
                .weighing(Weight::Rule),
        );
    }
    let comparison = judgement.reckoned.get(&claim.key).map(|reckoned| reckoned.comparison.as_str());
    for (at, line) in text::wrap(&counted(judgement, claim, &sides, comparison), room, 3).into_iter().enumerate() {
        let name = head(if at == 0 { "votes" } else { "" });
        out.push(Reason::of(vec![name, plain(line.into_owned())]).weighing(Weight::Outcome));
    }
    for merged in &claim.merged_from {
        let merge = Merge::of(&judgement.panel, &claim.subject, merged);
        out.push(Reason::of(vec![head("merged"), dim(Safe::line(&merged.subject).to_string())]).weighing(Weight::Rule));
        out.push(Reason::of(vec![head(""), dim(merge.words())]).weighing(Weight::Rule));
    }
    if let Some(waiver) = judgement.panel.waivers.iter().find(|waiver| waiver.claim == claim.key) {
        let text = format!("{}: {}", Safe::line(&waiver.by), Safe::line(&waiver.reason));
        out.push(Reason::of(vec![head("signed"), plain(text)]).weighing(Weight::Outcome));
    }
    if let Some((_, check)) = checkable(model) {
        let settle = vec![head("settle"), piece("t", Ink::Accent), plain(format!(" run {}", cited(&check)))];
        out.push(Reason::of(settle).weighing(Weight::Outcome));
    }
    out
}

/// Tells whether a ground was given for a claim, or for a text that was merged into it.
fn is_of(claim: &Judged, ground: &Ground) -> bool {
    ground.claim == claim.key || claim.merged_from.iter().any(|merged| merged.key == ground.claim)
}

/// What is said for one value, by how many families.
struct Side<'j> {
    value: &'j Value,
    polarity: Polarity,
    votes: usize,
    agents: Vec<&'j AgentName>,
}

/// Groups a claim's votes and dissents by what they say, in the order in which the conflict view numbers them.
fn sides<'j>(claim: &'j Judged) -> Vec<Side<'j>> {
    let mut sides: Vec<Side<'_>> = Vec::new();
    let votes = claim.votes.iter().map(|v| (&v.value, v.polarity, 1, v.agents.iter().collect::<Vec<_>>()));
    let dissents = claim.dissent.iter().map(|d| (&d.value, d.polarity, 0, vec![&d.agent]));
    for (value, polarity, votes, agents) in votes.chain(dissents) {
        if let Some(side) = sides.iter_mut().find(|side| side.value == value && side.polarity == polarity) {
            side.votes += votes;
            side.agents.extend(agents.into_iter().filter(|agent| !side.agents.contains(agent)).collect::<Vec<_>>());
        } else {
            sides.push(Side { value, polarity, votes, agents });
        }
    }
    let is_winner = |side: &Side<'_>| claim.value.as_ref() == Some(side.value) && claim.polarity == Some(side.polarity);
    for side in &mut sides {
        side.agents.sort();
    }
    sides.sort_by_key(|side| (!is_winner(side), std::cmp::Reverse(side.votes), side.value, side.polarity));
    sides
}

fn said_by<'j>(side: &Side<'j>, grounds: &[&'j Ground], label: usize, width: Widths, out: &mut Vec<Reason<'j>>) {
    let value = said(side.value, side.polarity);
    for (at, agent) in side.agents.iter().enumerate() {
        let name = if at == 0 { value.as_str() } else { "" };
        by(name, agent, grounds, label, width, Tier::E0, out);
    }
}

/// One agent with what it cited, or with the words it gave.
fn by<'j>(
    value: &str,
    agent: &'j AgentName,
    grounds: &[&'j Ground],
    label: usize,
    width: Widths,
    bare: Tier,
    out: &mut Vec<Reason<'j>>,
) {
    const NAMES: usize = 8;
    let head = |value: &str, agent: &str| {
        let (value, agent) = (text::fit(value, label - 1), text::fit(agent, NAMES + 4));
        let value_gap = label.saturating_sub(text::width(&value));
        [strong(format!("{value}{}", " ".repeat(value_gap))), plain(format!("{agent:<NAMES$}"))]
    };
    let mine: Vec<&&Ground> = grounds.iter().filter(|ground| &ground.agent == agent).collect();
    let cited_all: Vec<&(Citation, Option<Found>)> = mine.iter().flat_map(|ground| &ground.cited).collect();
    let [first, second] = head(value, agent.as_str());
    let mut line = vec![first, second];
    let known = mine.iter().find_map(|ground| ground.tier);
    if cited_all.is_empty() {
        line.push(dim("no citation"));
        let (word, ink) = host(known.unwrap_or(bare));
        out.push(Reason { left: std::mem::take(&mut line), right: vec![piece(word, ink)], ..Reason::default() });
    }
    for (at, (citation, found)) in cited_all.into_iter().enumerate() {
        if at > 0 {
            line = head("", "").into();
        }
        line.push(plain(cited(citation)));
        // Of a run that is known from its record alone one word is known, for all that was cited together.
        let right = match known {
            None => vec![found_word(found.as_ref())],
            Some(tier) if at == 0 => Some(host(tier)).map(|(word, ink)| piece(word, ink)).into_iter().collect(),
            Some(_) => Vec::new(),
        };
        out.push(Reason { left: std::mem::take(&mut line), right, ..Reason::default() });
        if let Some(Found::False { why }) = found {
            out.push(Reason::of(vec![plain(" ".repeat(label + NAMES)), piece(Safe::line(why).to_string(), Ink::Bad)]));
        }
    }
    if !width.with_words {
        return;
    }
    let room = usize::from(width.all).saturating_sub(label + NAMES + 2);
    for because in mine.iter().map(|ground| &ground.because).filter(|because| !because.as_str().trim().is_empty()) {
        let quote = text::fit(because.as_str().trim(), room.max(8)).into_owned();
        out.push(Reason::of(vec![plain(" ".repeat(label + NAMES)), dim(format!("\"{quote}\""))]));
    }
}

/// What was said and struck.
fn struck<'j>(
    judgement: &'j Judgement,
    claim: &Judged,
    grounds: &[&'j Ground],
    label: usize,
    width: Widths,
    out: &mut Vec<Reason<'j>>,
) {
    if claim.label != Label::Refuted {
        return;
    }
    for ground in grounds {
        by("struck", &ground.agent, &[ground], label, width, claim.tier, out);
        let phantoms = judgement.phantoms.iter().filter(|phantom| phantom.agent == ground.agent);
        for phantom in phantoms.filter(|phantom| phantom.said.as_str().contains(&claim.subject)) {
            let found = vec![dim(format!("{:<label$}", "found")), piece(phantom.found.as_str(), Ink::Bad)];
            out.push(Reason::of(found));
        }
    }
}

/// The rule behind the label, from the numbers that are shown with it.
fn sentence(judgement: &Judgement, claim: &Judged) -> String {
    match Standing::of(judgement, claim) {
        Standing::Decided(waiver) => return claims::decided(waiver),
        Standing::Remark => return "they differ, on something that never moves a verdict".to_owned(),
        Standing::Labelled(_) => {}
    }
    let rule = judgement.reckoned.get(&claim.key).map_or("", |reckoned| reckoned.rule.as_str());
    format!("{rule} → {}", claim.label)
}

/// How the votes were counted, with the numbers that decided the label.
fn counted(judgement: &Judgement, claim: &Judged, sides: &[Side<'_>], comparison: Option<&str>) -> String {
    let voted = sides.iter().filter(|side| side.votes > 0);
    let mut parts: Vec<String> =
        voted.map(|side| format!("{} for {}", side.votes, said(side.value, side.polarity))).collect();
    parts.push(format!("{} silent", judgement.verdict.families.ok.saturating_sub(claim.votes.len())));
    let votes = parts.join(", ");
    comparison.map_or_else(|| votes.clone(), |comparison| format!("{votes}: {comparison}"))
}

/// Returns what a citation names.
pub(super) fn cited(citation: &Citation) -> String {
    Safe::line(&citation.to_string()).to_string()
}

/// Returns the host's word on what was looked up: said, seen, ran, false.
pub(super) fn found_word(found: Option<&Found>) -> Piece<'static> {
    let word = lookup::found_word(found);
    match found {
        None | Some(Found::Absent) => dim(word),
        Some(Found::Seen { .. } | Found::Ran { passed: true, executed: 1.., .. }) => piece(word, Ink::Good),
        Some(Found::Ran { .. } | Found::False { .. } | Found::Outside) => piece(word, Ink::Bad),
    }
}
