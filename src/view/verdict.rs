//! A verdict: what it is, why, what comes next; every claim, and why it has its label; coverage and the record.
//!
//! ```text
//!  YOUR CALL 2  2 conflicts, 1 false claim            003-rate-limiter › plan · run 7Q4F · 05:12
//!  Why   claude and codex want different stores for FR-003
//!  False codex said test limiter::burst passes: no test has this name
//!  Next  Enter decide the first   p read plan.md
//! ┌Claims ─ needs you first ──────────────────────┬ Why this label ─────────────────────────────┐
//! ├Coverage and record ───────────────────────────┴─────────────────────────────────────────────┤
//! └─────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! On a narrow screen the reasons stand below the claims.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::claims::{self, Matrix, Standing};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, why};
use crate::app::keymap::Action;
use crate::app::model::{Model, Run};
use crate::app::update::{can, carried, rows};
use crate::domain::absent;
use crate::domain::consensus::{Call, Judged, Label};
use crate::domain::dissent::{Dissent, side};
use crate::domain::hash::Sha;
use crate::domain::ids::RunId;
use crate::domain::judgement::{Judgement, Phantom};
use crate::domain::moment::clock;
use crate::domain::range::Ends;
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// Columns from which the reasons stand beside the claims.
const BESIDE: u16 = 104;

/// Where the user is in a verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) stage: Stage,
    pub(super) cursor: usize,
    pub(super) all: bool,
}

/// Draws a verdict.
pub(super) fn draw(model: &Model, id: &RunId, at: At, area: Rect, canvas: &mut Canvas<'_>) {
    let run = model.runs.get(id);
    let judgement = run.and_then(|run| run.judged(at.stage));
    let (Some(run), Some(judgement)) = (run, judgement) else {
        header::line(nth(area, 0), &header::trail(model, [plain(format!("{} verdict", at.stage))]), &[], canvas);
        canvas.pieces(padded(nth(area, 2)), &[dim("there is no verdict yet: it forms as answers arrive · Esc back")]);
        return;
    };
    let keys = rows(run, at.stage, at.all);
    let cursor = at.cursor.min(keys.len().saturating_sub(1));
    let chosen = keys.get(cursor).and_then(|key| claims::find(judgement, key));
    let used = head(model, run, judgement, at.stage, area, canvas);
    let body = below(area, used);
    let is_wide = area.width >= BESIDE;
    let record = record(run, judgement, area.width);
    let body = if is_wide { body } else { footnotes(&record, judgement, body, canvas) };
    let listed = keys.len() + 2;
    let reasons_rows = if is_wide { 0 } else { 4 };
    let record_rows = if is_wide { record.len() } else { 0 };
    let wants = [
        Want { least: 4, best: listed.min(if is_wide { usize::MAX } else { usize::from(body.height / 2) }).max(4) },
        Want { least: reasons_rows, best: 8 },
        Want { least: record_rows, best: record_rows },
    ];
    let heights = spare(body.height, &wants, is_wide);
    let name = chosen.map_or_else(
        || "Why".to_owned(),
        |c| format!("Why {} {}", Safe::line(&c.subject), is_what(Standing::of(judgement, c))),
    );
    let shown_hint = if at.all { "a show fewer" } else { "a show all" };
    let stack = [
        Pane {
            title: vec![strong("Claims"), dim(" ─ needs you first")],
            note: if is_wide { Vec::new() } else { coverage_note(judgement) },
            rows: heights[0],
        },
        Pane { title: vec![strong(name)], rows: heights[1], ..Pane::default() },
        Pane { title: vec![strong("Coverage and record")], note: vec![dim(shown_hint)], rows: heights[2] },
    ];
    let places = canvas.stack(body, &stack);
    let [list, below_it, records] = places.as_slice() else { return };
    let (list, beside) = if is_wide {
        let left = list.width * 5 / 8;
        canvas.split(*list, left, &[strong("Why this label")], &[])
    } else {
        (*list, *below_it)
    };
    table(run, judgement, &keys, cursor, list, canvas);
    if let Some(claim) = chosen.filter(|_| beside.height > 0) {
        let inner = padded(beside);
        let mut reasons = why::reasons(model, judgement, claim, inner.width, is_wide);
        if is_wide {
            let title = format!("{} · {} · {}", claims::title(run, claim), claim.predicate, claim.severity);
            let title = vec![strong(Safe::line(&title).to_string())];
            reasons.insert(0, why::Reason { left: title, weight: why::Weight::Outcome, ..why::Reason::default() });
        }
        why::draw(&reasons, inner, canvas);
    }
    for (at, line) in record.iter().enumerate().take(usize::from(records.height)) {
        canvas.pieces(padded(nth(*records, at)), line);
    }
}

/// Returns what a label says of a claim, as the end of a sentence.
fn is_what(standing: Standing<'_>) -> &'static str {
    let label = match standing {
        Standing::Decided(_) => return "was decided",
        Standing::Remark => return "differs (info)",
        Standing::Labelled(label) => label,
    };
    match label {
        Label::Conflict => "is a conflict",
        Label::Refuted => "is struck",
        Label::Hollow => "is hollow",
        Label::Single => "has one voice only",
        Label::AgreedOver => "is agreed over a dissent",
        Label::Agreed => "is agreed",
        Label::Proven => "is proven",
    }
}

/// Shares the height: on a wide screen all that is left goes to the claims, else to the reasons below them.
fn spare(height: u16, wants: &[Want; 3], is_wide: bool) -> [u16; 3] {
    let order = if is_wide { [wants[0], wants[2], wants[1]] } else { *wants };
    match (share(height, &order, usize::from(!is_wide)).as_slice(), is_wide) {
        ([claims, record, reasons], true) => [*claims, *reasons, *record],
        ([claims, reasons, record], false) => [*claims, *reasons, *record],
        _ => [0, 0, 0],
    }
}

/// Returns what a verdict asks of the user, counting what is theirs to settle.
pub(super) fn called(judgement: &Judgement) -> Call {
    match (judgement.verdict.call(), claims::open(judgement)) {
        (Call::YourCall(_), open @ 1..) => Call::YourCall(open),
        (call, _) => call,
    }
}

/// Returns PASS, YOUR CALL or STOP, with the numbers behind it.
pub(super) fn call(judgement: &Judgement, user: &str) -> Vec<Piece<'static>> {
    let verdict = &judgement.verdict;
    let call = called(judgement);
    let ink = match call {
        Call::Pass => Ink::BadgeGood,
        Call::YourCall(_) => Ink::BadgeWarn,
        Call::Stop => Ink::BadgeBad,
    };
    let (conflicts, settled) = (claims::open(judgement), claims::settled(judgement));
    let mut parts = Vec::new();
    if conflicts > 0 {
        parts.push(text::count(conflicts, "conflict"));
    }
    if settled > 0 {
        let what = if conflicts > 0 { settled.to_string() } else { text::count(settled, "conflict") };
        parts.push(format!("{what} settled by {}", claims::settlers(judgement, user)));
        match claims::carried(judgement) {
            0 => {}
            1 => parts.push("1 dissent goes on".to_owned()),
            many => parts.push(format!("{many} dissents go on")),
        }
    }
    if parts.is_empty() {
        parts.push(verdict.status.words().to_owned());
    }
    if !judgement.phantoms.is_empty() {
        parts.push(text::count(judgement.phantoms.len(), "false claim"));
    }
    if !verdict.missing_agents.is_empty() {
        let missing: Vec<&str> = verdict.missing_agents.iter().map(|agent| agent.as_str()).collect();
        parts.push(format!("without {}", missing.join(", ")));
    }
    let left_out = absent::of(&verdict.inputs);
    if !left_out.is_empty() {
        let names = left_out.iter().filter_map(|named| named.split(' ').next()).collect::<Vec<_>>();
        parts.push(format!("{} left out", names.join(", ")));
    }
    vec![piece(format!(" {call} "), ink), strong(format!("  {}", parts.join(", ")))]
}

/// Tells whether what is shown is only what the answers so far would come to.
fn is_forming(run: &Run, stage: Stage) -> bool {
    run.phase.is_live() && !run.verdicts.contains_key(&stage)
}

/// Says that there is no verdict yet, and who is still out.
fn forming(run: &Run) -> Vec<Piece<'static>> {
    let out: Vec<&str> =
        run.seats.iter().filter(|seat| !seat.state.is_settled()).map(|seat| seat.who.agent.as_str()).collect();
    let waits = match out.as_slice() {
        [] => "all answers are in, being decided".to_owned(),
        [one] => format!("{one} is still out"),
        [first, second] => format!("{first} and {second} are still out"),
        many => format!("{} of {} are still out", many.len(), run.seats.len()),
    };
    vec![piece(" FORMING ", Ink::BadgeNote), strong(format!("  {waits}"))]
}

/// Draws the first lines. Returns how many it took.
fn head(model: &Model, run: &Run, judgement: &Judgement, stage: Stage, area: Rect, canvas: &mut Canvas<'_>) -> usize {
    let verdict = &judgement.verdict;
    let mut right = vec![dim(format!("{} › {stage}", run.spec))];
    if area.width >= 100 {
        let elapsed = clock(run.elapsed_ms(model.now));
        right.push(dim(format!(" · run {} · {elapsed}", run.id.short())));
    }
    let is_forming = is_forming(run, stage);
    let mut left = if is_forming { forming(run) } else { call(judgement, &model.boot.user) };
    if run.phase.is_live() && !is_forming {
        left.extend([plain("  "), piece(super::spinner::frame(model), Ink::Accent), dim(" may still change")]);
    }
    header::line(nth(area, 0), &left, &right, canvas);
    let room = usize::from(area.width).saturating_sub(9);
    let why = claims::in_words(run, &verdict.why());
    let lines = text::wrap(&why, room, if area.height >= 28 { 2 } else { 1 });
    for (at, line) in lines.iter().enumerate() {
        let name = if at > 0 {
            "      "
        } else if is_forming {
            "Now   "
        } else {
            "Why   "
        };
        canvas.pieces(padded(nth(area, 1 + at)), &[piece(name, Ink::Dim), plain(&**line)]);
    }
    // A false claim is a claim about the code that the code does not bear out: it stands beside the verdict, whatever
    // the verdict says.
    let struck = usize::from(area.height >= 20 && !judgement.phantoms.is_empty());
    if let Some(phantom) = judgement.phantoms.first().filter(|_| struck > 0) {
        let row = padded(nth(area, 1 + lines.len()));
        canvas.pieces(row, &false_claim(phantom, judgement.phantoms.len() - 1));
    }
    let row = padded(nth(area, 1 + lines.len() + struck));
    let taken = canvas.pieces(row, &[dim("Next  ")]);
    let rest = Rect { x: row.x + taken, width: row.width.saturating_sub(taken), ..row };
    canvas.groups(rest, &steps(model, run, judgement, stage), 3);
    2 + lines.len() + struck
}

/// Names an agent and what it said that is not so, and how many more such claims there are.
fn false_claim(phantom: &Phantom, more: usize) -> Vec<Piece<'_>> {
    let more = if more > 0 { format!(" · {more} more struck") } else { String::new() };
    let text = format!(" said {}: {}{more}", phantom.said, phantom.found);
    vec![piece("False ", Ink::Bad), strong(phantom.agent.as_str()), plain(text)]
}

/// Returns what can be done next, with its keys; only what works now.
fn steps(model: &Model, run: &Run, judgement: &Judgement, stage: Stage) -> Vec<Vec<Piece<'static>>> {
    let missing: Vec<&str> = judgement.verdict.missing_agents.iter().map(|agent| agent.as_str()).collect();
    let mut steps: Vec<Vec<Piece<'static>>> = Vec::new();
    let mut offer = |action: Action, name: &'static str, does: String| {
        if can(model, action) {
            steps.push(vec![piece(name, Ink::Accent), plain(format!(" {does}"))]);
        }
    };
    offer(Action::Proposal, "w", "see what would change, and apply it".to_owned());
    offer(Action::Open, "Enter", "decide the first".to_owned());
    offer(Action::Check, "t", "run the check that settles it".to_owned());
    offer(Action::Round, "R", "let them answer each other once".to_owned());
    if !missing.is_empty() {
        offer(Action::AskMissing, "m", format!("ask only {} again", missing.join(", ")));
    }
    let has_document = judgement.documents.iter().any(|(path, _)| path.ends_with(".md"));
    if has_document && run.verdicts.contains_key(&stage) {
        offer(Action::Document, "p", "read the document".to_owned());
    }
    if judgement.verdict.stage != Stage::Specify && judgement.verdict.is_advancing() && !run.phase.is_live() {
        let next = stage
            .next()
            .map_or_else(|| "nothing: this was the last stage".to_owned(), |next| format!(":{next} {}", run.spec));
        steps.push(vec![plain(next)]);
    }
    if steps.is_empty() {
        steps.push(vec![dim(if run.phase.is_live() { "wait: answers are still out" } else { "Esc back" })]);
    }
    steps
}

/// Draws the most important lines of the record below a frame that is too narrow for all. Returns what is left.
fn footnotes(record: &[Vec<Piece<'_>>], judgement: &Judgement, body: Rect, canvas: &mut Canvas<'_>) -> Rect {
    let lines = if body.height >= 16 { 2 } else { 0 };
    // Coverage stands above the claims already, unless something is uncovered.
    let told = usize::from(judgement.verdict.coverage.uncovered.is_empty());
    let left = body.height - lines;
    for (at, line) in record.iter().skip(told).take(usize::from(lines)).enumerate() {
        canvas.pieces(padded(nth(body, usize::from(left) + at)), line);
    }
    Rect { height: left, ..body }
}

fn coverage_note(judgement: &Judgement) -> Vec<Piece<'static>> {
    let Some(coverage) = judgement.verdict.covered() else { return Vec::new() };
    let mut note = vec![plain(format!("MUST {} of {} ", coverage.covered, coverage.must))];
    note.extend(claims::bar(coverage.covered, coverage.must));
    note
}

fn table(run: &Run, judgement: &Judgement, keys: &[Sha], cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    if area.height == 0 {
        return;
    }
    if keys.is_empty() {
        canvas.pieces(padded(nth(area, 0)), &[dim("nothing of weight was said: no claim to show")]);
        return;
    }
    let list = below(area, 1);
    let all = judgement.verdict.claims.len();
    let room = usize::from(list.height);
    let shown = if keys.len() < all || keys.len() > room { room.saturating_sub(1) } else { room }.min(keys.len());
    let first = first_shown(cursor, shown, keys.len());
    let visible = keys.get(first..first + shown).unwrap_or_default();
    let matrix = Matrix::new(run, judgement, area.width, labels_width(judgement, visible), visible);
    matrix.head(nth(area, 0), "label", canvas);
    for (at, key) in visible.iter().enumerate() {
        if let Some(claim) = matrix.claim(key) {
            matrix.line(nth(list, at), claim, first + at == cursor, &label(judgement, claim), canvas);
        }
    }
    let above = if first > 0 { format!("{first} above, ") } else { String::new() };
    if all > first + shown || first > 0 {
        claims::more(list, shown, &format!("… {above}{} more below", all.saturating_sub(first + shown)), canvas);
    }
    legend(below(list, shown + 2), canvas);
}

/// Returns the columns that the labels in sight need: what they leave goes to the claims' names.
fn labels_width(judgement: &Judgement, visible: &[Sha]) -> u16 {
    let labels = visible.iter().filter_map(|key| claims::find(judgement, key)).map(|claim| label(judgement, claim));
    super::canvas::columns(labels.map(|label| text::width(&label)).max().unwrap_or(0).clamp(9, 24) + 1)
}

/// Says what the signs mean, where there is room for it.
fn legend(area: Rect, canvas: &mut Canvas<'_>) {
    if area.height < 4 {
        return;
    }
    let lines = [
        "● for   ○ against   – silent   a value: they differ on it",
        "host: said = nobody looked   seen = it is there",
        "      ran = the command passed   false = looked, not so",
    ];
    for (at, line) in lines.iter().enumerate() {
        canvas.put(area.x + 4, area.y + super::canvas::columns(at), area.width.saturating_sub(5), line, Ink::Dim);
    }
}

/// What a claim amounts to, in a word or two with the count.
fn label(judgement: &Judgement, claim: &Judged) -> String {
    match Standing::of(judgement, claim) {
        Standing::Decided(waiver) => return claims::decided(waiver),
        Standing::Remark => return "differ (info)".to_owned(),
        Standing::Labelled(_) => {}
    }
    let (winners, votes) = (winners(claim), claim.votes.len());
    match claim.label {
        Label::AgreedOver if votes > winners => format!("agreed {winners}–{}", votes - winners),
        Label::Agreed | Label::AgreedOver => format!("agreed {winners}"),
        Label::Single if votes == 0 => "host alone".to_owned(),
        Label::Single => "one voice".to_owned(),
        Label::Proven | Label::Refuted | Label::Conflict | Label::Hollow => claim.label.words().to_owned(),
    }
}

fn winners(claim: &Judged) -> usize {
    let is_winner = |value, polarity| claim.value.as_ref() == Some(value) && claim.polarity == Some(polarity);
    claim.votes.iter().filter(|vote| is_winner(&vote.value, vote.polarity)).count()
}

/// Says which dissents go on, and where they are asked again.
fn left_open(judgement: &Judgement, stage: Stage) -> Option<Vec<Piece<'static>>> {
    let open: Vec<&Dissent> = carried(judgement).collect();
    let first = open.first()?;
    let holds = format!("{} holds {}", first.agent, Safe::line(&side(&first.said)));
    let more = if open.len() > 1 { format!(", {} more", open.len() - 1) } else { String::new() };
    let again = stage.next().map_or_else(String::new, |next| format!(", asked again at {next}"));
    let ask = Safe::line(&first.ask).to_string();
    Some(vec![
        dim("Dissent carried to the next stage: "),
        plain(format!("{holds}{more}{again}")),
        dim(format!(" · {ask}")),
    ])
}

/// Returns the lines about coverage, who is missing, what was struck, dissents, documents and the record.
fn record<'j>(run: &Run, judgement: &'j Judgement, width: u16) -> Vec<Vec<Piece<'j>>> {
    let verdict = &judgement.verdict;
    let mut lines = Vec::new();
    let mut first = coverage_note(judgement);
    if let Some(coverage) = verdict.covered().filter(|coverage| !coverage.uncovered.is_empty()) {
        let ids = Safe::line(&coverage.uncovered.join(", ")).to_string();
        first.push(piece(format!("  nobody covers {ids}"), Ink::Warn));
    }
    let gap = if first.is_empty() { "" } else { "   " };
    first.push(dim(format!("{gap}families {} of {} answered", verdict.families.ok, verdict.families.expected)));
    lines.push(first);
    let left_out = absent::of(&verdict.inputs);
    if !left_out.is_empty() {
        lines.push(vec![
            piece("left out ", Ink::Warn),
            plain(format!("by a person, not asked: {}", left_out.join(", "))),
        ]);
    }
    // The first stands under the verdict already.
    for phantom in judgement.phantoms.iter().skip(1).take(2) {
        let text = format!(" said {}: {}", phantom.said, phantom.found);
        lines.push(vec![piece("struck   ", Ink::Bad), strong(phantom.agent.as_str()), plain(text)]);
    }
    if judgement.phantoms.len() > 3 {
        lines.push(vec![dim(format!("         … {} more struck", judgement.phantoms.len() - 3))]);
    }
    if let Some(changes) = &judgement.round {
        let asked = format!(" · {} of {} families voted", changes.answered, changes.asked);
        lines.push(vec![dim("round    "), plain(changes.to_string()), dim(asked)]);
    }
    if let Some(help) = &judgement.helped {
        let name = if width >= BESIDE { "Did the panel help?  " } else { "panel helped? " };
        lines.push(vec![dim(name), plain(claims::in_words(run, &help.to_string()))]);
    }
    lines.extend(left_open(judgement, verdict.stage));
    if let Some((path, _)) = judgement.documents.iter().find(|(path, _)| path.ends_with(".md")) {
        // First, where there is room for one line only.
        lines.extend(run.edited.get(path).map(|what| vec![piece("by hand  ", Ink::Warn), plain(what.to_string())]));
        lines.push(vec![dim("document "), plain(Safe::line(path).to_string())]);
    }
    let hash = verdict.hash.as_str();
    let short = |hash: &str| format!("{}…", hash.get(..8).unwrap_or(hash));
    let mut bound = vec![
        dim("verdict  "),
        plain(format!("sha256 {}", if width >= BESIDE { hash.to_owned() } else { short(hash) })),
    ];
    if let Some(ends) = Ends::of(&verdict.inputs) {
        bound.push(dim(format!(" · commits {}", Safe::line(&ends.short()))));
    } else if let Some(commit) = &verdict.inputs.commit {
        bound.push(dim(format!(" · base {}", text::fit(&Safe::line(commit).to_string(), 9))));
    }
    if let Some(sha) = &verdict.inputs.spec_sha256 {
        bound.push(dim(format!(" · spec {}", short(sha.as_str()))));
    }
    lines.push(bound);
    for warning in judgement.warnings.iter().take(2) {
        lines.push(vec![piece("warning  ", Ink::Warn), plain(warning.as_str())]);
    }
    lines
}
