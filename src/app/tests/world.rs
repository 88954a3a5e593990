//! A world that answers effects: a journal and a lock for each spec, agents that play what they are told, and the
//! real `decide` on a small panel. It refuses what the real actors would refuse.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::app::effect::{Effect, RunEffect};
use crate::app::msg::{Found, FoundRun, MirrorReport, Msg, PublishReport, RunMsg};
use crate::domain::absent;
use crate::domain::artifact::Expect;
use crate::domain::artifact::body::Change;
use crate::domain::back::Back;
use crate::domain::candidate::{Extra, Extras, Landing, Patch, Picked, Place, Runs, Step, Tested, Tried, rank};
use crate::domain::check::{self, FileText, Tree};
use crate::domain::claim::lookup::{Citation, Found as Shown};
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::compare;
use crate::domain::consensus::{self, Answer, Inputs, Kept, Level, Panel, Participant, Requirement};
use crate::domain::dissent::{Ledger, Standing};
use crate::domain::failure::{AgentError, DiskError, Failure, LockOwner};
use crate::domain::gate::{self, Gate, Held, Response, Say};
use crate::domain::guardrail::{Ran, Report, When};
use crate::domain::hash::Sha;
use crate::domain::hunks::Picks;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{self, Closed, FileRef, Record};
use crate::domain::judgement::{self, Ground, Judgement, Question};
use crate::domain::moment::Moment;
use crate::domain::overview::{Overview, SpecOverview};
use crate::domain::preparation::Preparation;
use crate::domain::proposal::{self, Deed, Fit, Proposal, Rewritten};
use crate::domain::round::{self, Asking, Ballot, Cast, Changes};
use crate::domain::run::{Captured, SeatKey, TurnEnded, TurnFailed, TurnKind, Wanted};
use crate::domain::safe::Safe;
use crate::domain::spec;
use crate::domain::stage::Stage;
use crate::domain::stream::{Session, Usage};
use crate::domain::transcript::Page;

/// What an agent does when it is asked.
#[derive(Debug, Clone)]
pub(super) enum Play {
    /// Answers.
    Says(Vec<Assertion>),
    /// Ends without an answer.
    Fails(AgentError),
    /// Writes something that a repair turn could mend.
    Babbles,
    /// Works until it is stopped.
    Hangs,
}

/// One run in the evidence.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    pub(super) spec: SpecId,
    pub(super) records: Vec<(Moment, Record)>,
    pub(super) files: BTreeMap<String, Arc<str>>,
}

/// Everything outside the brain.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) journals: BTreeMap<RunId, Journal>,
    /// Which run holds a spec's lock.
    pub(super) locks: BTreeMap<SpecId, RunId>,
    /// Specs whose lock another process holds.
    pub(super) taken: BTreeSet<SpecId>,
    /// What each agent does next; an agent without a script agrees with everybody.
    pub(super) plays: BTreeMap<String, VecDeque<Play>>,
    /// Whether the disk is full.
    pub(super) is_full: bool,
    /// Whether documents can be prepared.
    pub(super) unreadable: bool,
    /// The spec's text: other words are other inputs.
    pub(super) words: String,
    /// The project's config: another one is another input.
    pub(super) config: String,
    /// Runs that were asked to stop.
    pub(super) stopped: BTreeSet<RunId>,
    /// Agents that were asked to stop.
    pub(super) stopped_seats: BTreeSet<SeatKey>,
    /// Whether everybody finishes although they were asked to stop: an answer that beats the stop.
    pub(super) is_deaf: bool,
    /// Tests that agents cite, by claim.
    pub(super) cited: Vec<(Sha, Citation)>,
    /// Stages that were decided about another text of the spec, until they are decided again.
    pub(super) outdated: BTreeSet<Stage>,
    /// What the verdicts in the specs' folders say is ours.
    pub(super) standing: BTreeMap<String, Sha>,
    /// Why memory does not answer.
    pub(super) memory_away: Option<String>,
    /// Whether consensus lists what stands open.
    pub(super) lists_open: bool,
    /// What each agent votes in the round: JSON votes. `None` hangs; an agent without a script votes nothing.
    pub(super) votes: BTreeMap<String, Option<serde_json::Value>>,
    /// The text that gates are held over; empty: one in which nothing is open.
    pub(super) gate_text: String,
    /// The text of every spec's document, once somebody wrote one; empty: a usual one.
    pub(super) document: String,
    /// The text that panels propose for it, if any.
    pub(super) proposes: Option<String>,
    /// What was in the document before each proposal that was written.
    pub(super) backups: Vec<String>,
    /// What was said about its questions.
    pub(super) said: Vec<gate::Entry>,
    /// Guardrails that fail.
    pub(super) red: BTreeSet<(Stage, When)>,
    /// Prompts of the round, in the order in which they were asked.
    pub(super) ballots: Vec<(AgentName, Arc<str>)>,
    /// What stood open after each spec's last verdict that was published.
    pub(super) ledgers: BTreeMap<SpecId, Ledger>,
    /// What each turn of an agent says that it used.
    pub(super) uses: BTreeMap<String, Usage>,
    /// The sessions of an agent's draft and of its turn of the round.
    pub(super) sessions: BTreeMap<String, [&'static str; 2]>,
    /// Whose change breaks a test that was there.
    pub(super) breaks: BTreeSet<String>,
    /// Candidates that were put somewhere (or taken back, with a `-` before).
    pub(super) landed: Vec<String>,
    /// How many candidates have to land before the guardrail of validate is green. Where any, agents say their outcome.
    pub(super) mended_by: usize,
    /// Why no candidate can be put anywhere.
    pub(super) no_landing: Option<Failure>,
    /// The trees of what was put somewhere.
    pub(super) trees: Vec<String>,
    /// Whether each candidate has a hunk that nobody asked for, and cannot do without it.
    pub(super) unasked: Option<bool>,
    /// Picks that were tested.
    pub(super) tested: Vec<Picks>,
    /// Whether each candidate brings tests, which pass on every other.
    pub(super) suites: bool,
    /// Whether what was picked is red.
    pub(super) red_picks: bool,
    /// What the real actors would have refused.
    pub(super) refused: Vec<String>,
}

pub(super) fn says(value: &str) -> Play {
    Play::Says(vec![covers("FR-001"), decides(value)])
}

pub(super) fn covers(id: &str) -> Assertion {
    assertion(Kind::Covers, id, "covered", "yes")
}

pub(super) fn decides(value: &str) -> Assertion {
    assertion(Kind::Decision, "D-001", "answer", value)
}

fn assertion(kind: Kind, subject: &str, predicate: &str, value: &str) -> Assertion {
    Assertion {
        kind,
        subject: subject.into(),
        predicate: predicate.into(),
        value: Value::from(value),
        polarity: Polarity::Yes,
        severity: Severity::Major,
        tier: Tier::E2,
        requirement: None,
    }
}

/// The key of the question that agents can differ on.
pub(super) fn open_key() -> Sha {
    panel_of(&SpecId::new("001-login").unwrap(), Stage::Plan).canon().key(Kind::Decision, "D-001", "answer")
}

fn panel_of(spec: &SpecId, stage: Stage) -> Panel {
    let mut panel = Panel::new(spec.clone(), stage);
    panel.requirements = vec![Requirement { id: "FR-001".into(), level: Level::Must }];
    panel
}

/// What is known of the repository: two specs.
pub(super) fn overview() -> Arc<Overview> {
    let text = "# Login\n\n- **FR-001**: The system MUST ask for a password.\n";
    let files = ["specs/001-login/spec.md", "specs/002-audit/spec.md"];
    let files = files.into_iter().map(|path| (path.to_owned(), FileText::text(text))).collect();
    let tree = Tree { files, ..Tree::default() };
    let reading = check::read(&tree);
    let report = check::check(&reading, &tree, None, None);
    let of = |(spec, survey): (&spec::Spec, &check::Survey)| SpecOverview {
        spec: Arc::new(spec.clone()),
        survey: survey.clone(),
        findings: report.of(&spec.id).cloned().collect(),
        verdicts: BTreeMap::new(),
        is_proposed: false,
        is_blank: false,
    };
    let specs = reading.specs.iter().zip(&report.specs).map(of).collect();
    Arc::new(Overview {
        name: "repo".into(),
        git: None,
        specs,
        report: Arc::new(report),
        context: Vec::new(),
        hooks: Vec::new(),
        checks: BTreeMap::new(),
        took_ms: 1,
    })
}

impl World {
    /// Does what needs no answer, at once.
    pub(super) fn hear(&mut self, effect: &Effect) {
        let Effect::Run(id, effect) = effect else { return };
        match effect {
            RunEffect::Stop | RunEffect::Kill => drop(self.stopped.insert(id.clone())),
            RunEffect::StopSeat(seat) | RunEffect::KillSeat(seat) => drop(self.stopped_seats.insert(seat.clone())),
            _ => {}
        }
    }

    /// Answers an effect; nothing while the agent hangs.
    pub(super) fn answer(&mut self, now: Moment, effect: &Effect) -> Option<Msg> {
        let (id, effect) = match effect {
            Effect::Survey => return Some(Msg::Surveyed(Ok(overview()))),
            Effect::ReadPage(request) => return Some(Msg::PageRead(Ok(Arc::new(page(&request.seat))))),
            Effect::Hold { spec, gates } => {
                return Some(Msg::Held(spec.clone(), Ok(Arc::new(self.gates(spec, gates)))));
            }
            Effect::Respond { spec, gates, response } => {
                let held = self.respond(spec, gates, response);
                return Some(Msg::Held(spec.clone(), held.map(Arc::new)));
            }
            Effect::ReadProposal(spec) => return Some(Msg::Proposed(spec.clone(), self.proposal(spec).map(Arc::new))),
            Effect::Adopt { spec, .. } | Effect::Restore { spec, .. } => {
                return Some(Msg::Rewritten(spec.clone(), self.rewrite(effect).map(Arc::new)));
            }
            Effect::ReadLedger(spec) => return Some(Msg::LedgerRead(spec.clone(), Ok(Arc::new(self.ledger(spec))))),
            Effect::Run(id, effect) => (id, effect),
            _ => return None,
        };
        let is_cut = self.stopped.contains(id) && !self.is_deaf;
        let msg = match effect {
            RunEffect::Find { spec, closed, stage } => RunMsg::Found(Ok(self.find(spec, *closed, *stage))),
            RunEffect::Open { spec, abandon } => RunMsg::Opened(self.open(now, id, spec, abandon.as_ref())),
            RunEffect::Hold { at, .. } if is_cut => RunMsg::Held(*at, Err(Failure::Cancelled)),
            RunEffect::Hold { spec, at, gates } => RunMsg::Held(*at, Ok(Arc::new(self.gates(spec, gates)))),
            RunEffect::Guard { stage, when, .. } if is_cut => RunMsg::Guarded(*stage, *when, Err(Failure::Cancelled)),
            RunEffect::Guard { spec, stage, when } => {
                RunMsg::Guarded(*stage, *when, Ok(Arc::new(self.guard(spec, *stage, *when))))
            }
            RunEffect::Prepare { stage, .. } if is_cut => RunMsg::Prepared(*stage, Err(Failure::Cancelled)),
            RunEffect::Prepare { spec, stage, roster, back, left_out, .. } => {
                RunMsg::Prepared(*stage, without(self.prepare(spec, *stage, roster, back.as_deref()), left_out))
            }
            RunEffect::Commit { id: commit, files, records, .. } => {
                RunMsg::Committed(*commit, self.commit(now, id, files, records))
            }
            RunEffect::TakeTurn { seat, kind: TurnKind::Round, prompt, wanted, .. } => {
                let outcome = self.vote(seat, prompt, wanted)?;
                RunMsg::TurnEnded(seat.clone(), TurnKind::Round, outcome)
            }
            RunEffect::AskElsewhere { seat, .. } => {
                RunMsg::TurnEnded(seat.clone(), TurnKind::Draft, self.turn(seat, TurnKind::Draft)?)
            }
            RunEffect::TakeTurn { seat, kind, .. } => RunMsg::TurnEnded(seat.clone(), *kind, self.turn(seat, *kind)?),
            RunEffect::Judge(question) => {
                let stage = question.preparation.stage;
                let judged = if is_cut { Err(Failure::Cancelled) } else { Ok(Arc::new(self.judge(question))) };
                RunMsg::Judged(stage, question.provisional, judged)
            }
            RunEffect::RunCheck(citation) => RunMsg::CheckRan(citation.clone(), Ok(passed())),
            RunEffect::TestPicked(picked) => RunMsg::Tested(self.test(picked)),
            RunEffect::TakeBack(landing) => RunMsg::Landed(self.land(landing, Step::TakeBack)),
            RunEffect::Land { landing, step } => RunMsg::Landed(self.land(landing, *step)),
            RunEffect::Clear(landing) => RunMsg::Cleared(self.land(landing, Step::Clear).map(drop)),
            RunEffect::Publish { stage, judgement, .. } => {
                let standing = judgement.standing.as_ref().unwrap();
                self.ledgers.insert(judgement.panel.spec_id.clone(), standing.ledger.clone());
                self.outdated.remove(stage);
                RunMsg::Published(*stage, Ok(self.publish(&judgement.documents)))
            }
            RunEffect::Adopt { spec, seen, by } => RunMsg::Adopted(self.adopt(spec, seen, by).map(Arc::new)),
            RunEffect::Mirror { stage, entries, .. } => {
                let waiting = if is_cut { Some("stopped".to_owned()) } else { self.memory_away.clone() };
                let stored = if waiting.is_some() { 0 } else { u32::try_from(entries.len()).unwrap() };
                RunMsg::Mirrored(*stage, Ok(MirrorReport { stored, waiting }))
            }
            RunEffect::Uproot => RunMsg::Uprooted(Ok(())),
            RunEffect::Release { spec, .. } => {
                if self.locks.remove(spec).as_ref() != Some(id) {
                    self.refused.push(format!("release of {spec}, which {id} does not hold"));
                }
                RunMsg::Released(Ok(()))
            }
            RunEffect::Dismiss => RunMsg::Dismissed(Ok(0)),
            _ => return None,
        };
        Some(Msg::Run(id.clone(), msg))
    }

    fn document(&self) -> &str {
        let usual = "# Login\n\n- **FR-001**: The system MUST ask for a password.\n";
        if self.document.is_empty() { usual } else { &self.document }
    }

    fn proposal(&self, spec: &SpecId) -> Result<Proposal, Failure> {
        let now = self.document();
        let text =
            self.proposes.clone().ok_or_else(|| Failure::needs_input("spec.md", "nothing is proposed", "ask"))?;
        let judged = self.backups.last().map_or(now, String::as_str);
        let fit = if now == text { Fit::Adopted } else { Fit::Fits };
        Ok(Proposal {
            spec: spec.clone(),
            file: format!("specs/{spec}/spec.md"),
            path: format!("specs/{spec}/review/spec.md"),
            notes: Some(format!("specs/{spec}/review/specify.md")),
            status: consensus::Status::Agree,
            is_advancing: true,
            verdict: Sha::of("verdict"),
            judged: Sha::of(judged),
            before: Sha::of(now),
            after: Sha::of(&text),
            fit,
            change: compare::Change::between(now, &text),
            text: text.into(),
        })
    }

    fn rewrite(&mut self, effect: &Effect) -> Result<Rewritten, Failure> {
        match effect {
            Effect::Adopt { spec, seen, by } => self.adopt(spec, seen, by),
            Effect::Restore { spec, by } => self.restore(spec, by),
            _ => Err(Failure::Cancelled),
        }
    }

    fn adopt(&mut self, spec: &SpecId, seen: &Sha, by: &str) -> Result<Rewritten, Failure> {
        let proposal = self.proposal(spec)?;
        if proposal.after != *seen {
            return Err(proposal::replaced(&proposal));
        }
        self.backups.push(self.document().to_owned());
        self.document = proposal.text.to_string();
        Ok(self.rewritten(spec, by, Deed::Adopted, proposal.change))
    }

    fn restore(&mut self, spec: &SpecId, by: &str) -> Result<Rewritten, Failure> {
        let Some(before) = self.backups.pop() else { return Err(Failure::Cancelled) };
        let change = compare::Change::between(&self.document, &before);
        self.document = before;
        Ok(self.rewritten(spec, by, Deed::Restored, change))
    }

    fn rewritten(&self, spec: &SpecId, by: &str, deed: Deed, change: compare::Change) -> Rewritten {
        let held = Arc::new(self.gates(spec, &[Gate::Clarify].into()));
        let file = format!("specs/{spec}/spec.md");
        Rewritten { spec: spec.clone(), file, deed, by: by.to_owned(), change, backup: Some("backup".into()), held }
    }

    fn gates(&self, spec: &SpecId, gates: &BTreeSet<Gate>) -> Held {
        let text =
            if self.gate_text.is_empty() { "# X\n\n- **FR-001**: It MUST wait a second\n" } else { &self.gate_text };
        let files = [(format!("specs/{spec}/spec.md"), FileText::text(text))].into();
        gate::hold_in(&Tree { files, ..Tree::default() }, spec, gates, &self.said).unwrap()
    }

    fn respond(&mut self, spec: &SpecId, gates: &BTreeSet<Gate>, response: &Response) -> Result<Held, Failure> {
        let held = self.gates(spec, gates);
        let issue = held.issue(&response.issue).ok_or(Failure::Cancelled)?;
        let ask = issue.ask.to_string();
        match &response.what {
            Say::Answer(text) => self.gate_text = issue.edit_for(text).unwrap().apply(&self.gate_text)?,
            Say::Defer(reason) => self.said.push(gate::Entry::Deferred {
                issue: issue.id.clone(),
                gate: issue.gate,
                ask,
                by: response.by.clone(),
                reason: reason.clone(),
            }),
            Say::Accept | Say::Undo => return Err(Failure::Cancelled),
        }
        Ok(self.gates(spec, gates))
    }

    pub(super) fn guard(&self, spec: &SpecId, stage: Stage, when: When) -> Report {
        // What lands twice lands once.
        let mut moves: Vec<&String> = self.landed.iter().filter(|one| !one.starts_with('~')).collect();
        moves.dedup();
        let landed = moves.iter().filter(|one| !one.starts_with('-')).count();
        let is_mended = stage != Stage::Validate || landed >= self.mended_by;
        let passed = !self.red.contains(&(stage, when)) && is_mended;
        let ran = Ran {
            argv: vec!["cargo".into(), "test".into()],
            passed,
            exit: Some(if passed { 0 } else { 101 }),
            ended: None,
            took_ms: 1,
            lines: vec![Safe::line("test burst ... FAILED")],
            output_sha256: Sha::of("output"),
            log: None,
        };
        Report { spec: spec.clone(), stage, when, dirty: Vec::new(), ran: vec![ran], survivors: 0 }
    }

    fn find(&self, spec: &SpecId, closed: bool, stage: Stage) -> Found {
        let mut found = Found::default();
        let ours = |journal: &&Journal| &journal.spec == spec && !journal.records.is_empty();
        for (id, journal) in self.journals.iter().rev().filter(|(_, journal)| ours(journal)) {
            let records = || journal.records.iter().map(|(_, record)| record);
            let is_wanted = if closed {
                records().any(|r| matches!(r, Record::StageOpened { stage: s, .. } if *s == stage))
            } else {
                journal::closed(records()).is_none()
            };
            if is_wanted && found.run.is_none() {
                let kept = |record: &Record| match record {
                    Record::AgentAnswered { stage, agent, artifact, .. } => {
                        Some((*stage, agent.clone(), artifact.clone(), Arc::clone(&journal.files[&artifact.path])))
                    }
                    _ => None,
                };
                let answers = records().filter_map(kept).collect();
                let file = |record: &Record| Some(record.of_round()?.path.clone());
                let rounds = records().filter_map(file).map(|path| (path.clone(), Arc::clone(&journal.files[&path])));
                let rounds = rounds.collect();
                let file = |record: &Record| Some(record.of_change()?.path.clone());
                let changes = records().filter_map(file).map(|path| (path.clone(), Arc::clone(&journal.files[&path])));
                let changes = changes.collect();
                let opened = |record: &Record| match record {
                    Record::StageOpened { stage, inputs, .. } => {
                        Some((*stage, serde_json::from_str(&journal.files[&inputs.path]).unwrap()))
                    }
                    _ => None,
                };
                let inputs = records().filter_map(opened).collect();
                let records = journal.records.clone();
                let gathered = BTreeMap::new();
                found.run = Some(FoundRun {
                    changes,
                    run: id.clone(),
                    records,
                    rounds,
                    answers,
                    inputs,
                    agendas: BTreeMap::new(),
                    gathered,
                });
            }
        }
        found
    }

    fn open(&mut self, now: Moment, id: &RunId, spec: &SpecId, abandon: Option<&RunId>) -> Result<(), Failure> {
        let holder = self.locks.get(spec);
        if self.taken.contains(spec) || holder.is_some_and(|holder| holder != id) {
            let owner = LockOwner { pid: 4711, host: "x".into(), since: Moment(1) };
            return Err(Failure::LockHeld { what: format!("a run of {spec}"), owner });
        }
        if let Some(other) = abandon.and_then(|other| self.journals.get_mut(other)) {
            other.records.push((now, Record::RunClosed { why: Closed::Abandoned, survivors: None }));
        }
        self.stopped.remove(id);
        self.locks.insert(spec.clone(), id.clone());
        let empty = Journal { spec: spec.clone(), records: Vec::new(), files: BTreeMap::new() };
        self.journals.entry(id.clone()).or_insert(empty);
        Ok(())
    }

    fn commit(
        &mut self,
        now: Moment,
        id: &RunId,
        files: &[(String, Arc<str>)],
        records: &[Record],
    ) -> Result<Vec<FileRef>, Failure> {
        if !self.locks.values().any(|holder| holder == id) {
            self.refused.push(format!("a commit of {id}, which is not open: {records:?}"));
            return Err(Failure::BadReply { from: "evidence".into(), why: "not open".into() });
        }
        if self.is_full {
            return Err(full());
        }
        let journal = self.journals.get_mut(id).unwrap();
        journal.files.extend(files.iter().cloned());
        journal.records.extend(records.iter().map(|record| (now, record.clone())));
        Ok(files.iter().map(|(path, text)| file(path, text)).collect())
    }

    fn prepare(
        &self,
        spec: &SpecId,
        stage: Stage,
        roster: &[AgentName],
        back: Option<&Back>,
    ) -> Result<Preparation, Failure> {
        if self.unreadable {
            return Err(Failure::needs_input("spec.md", "it asks for nothing", "write what it must do"));
        }
        let dir = format!("specs/{spec}");
        let text = self.document();
        Ok(Preparation {
            recalled: Vec::new(),
            range: None,
            text: (stage == Stage::Specify).then(|| text.into()),
            unseen: None,
            standing: self.standing.clone(),
            outdated: stage.needs().filter(|needed| self.outdated.contains(needed)),
            start: None,
            host: Vec::new(),
            spec: Arc::new(spec::parse(spec.clone(), &dir, &format!("{dir}/spec.md"), text)),
            stage,
            agenda: Vec::new(),
            expect: Expect { stage, topics: Vec::new(), sent: Vec::new() },
            prompts: roster.iter().map(|agent| (agent.clone(), format!("{stage} for {agent}").into())).collect(),
            inputs: Inputs {
                spec_sha256: Some(Sha::of(&self.words)),
                config_sha256: Some(Sha::of(&self.config)),
                context: back.map(Back::as_context).into_iter().collect(),
                // What landed is what the stages behind it are about.
                tree: self.landed.iter().rfind(|one| !one.starts_with('~')).filter(|_| stage > Stage::Implement).map(
                    |landed| {
                        let when = landed.find(' ').unwrap_or(landed.len());
                        landed[..when].to_owned()
                    },
                ),
                ..Inputs::default()
            },
            prior: Default::default(),
            ledger: Default::default(),
            constitution: BTreeSet::new(),
        })
    }

    fn turn(&mut self, seat: &SeatKey, kind: TurnKind) -> Option<Result<Arc<TurnEnded>, Failure>> {
        let is_cut = !self.is_deaf && (self.stopped.contains(&seat.run) || self.stopped_seats.contains(seat));
        let plays = self.plays.entry(seat.agent.to_string()).or_default();
        let play = match plays.front() {
            _ if is_cut => Play::Fails(AgentError::Cancelled),
            Some(Play::Hangs) if self.is_deaf => says("10"),
            Some(Play::Hangs) => return None,
            _ => plays.pop_front().unwrap_or_else(|| says("10")),
        };
        Some(self.using(seat, Ok(Arc::new(ended(seat, kind, play)))))
    }

    fn vote(&mut self, seat: &SeatKey, prompt: &Arc<str>, wanted: &Wanted) -> Option<Result<Arc<TurnEnded>, Failure>> {
        if !self.ballots.iter().any(|(agent, text)| *agent == seat.agent && text == prompt) {
            self.ballots.push((seat.agent.clone(), Arc::clone(prompt)));
        }
        let is_cut = !self.is_deaf && (self.stopped.contains(&seat.run) || self.stopped_seats.contains(seat));
        let votes = match self.votes.get(seat.agent.as_str()) {
            _ if is_cut => {
                return Some(Ok(Arc::new(ended(seat, TurnKind::Round, Play::Fails(AgentError::Cancelled)))));
            }
            Some(None) => return None,
            Some(Some(votes)) => votes.clone(),
            None => serde_json::json!([]),
        };
        let text = serde_json::json!({"schema": "dicast.round/1", "votes": votes}).to_string();
        let mut turn = ended(seat, TurnKind::Round, Play::Babbles);
        turn.outcome = wanted.extract(&text).map_err(|unusable| TurnFailed {
            error: AgentError::NoArtifact { why: unusable.why },
            repair: Some("mend it".into()),
        });
        Some(self.using(seat, Ok(Arc::new(turn))))
    }

    /// What stands open, and what the votes of a round make of the panel.
    fn hold(&self, question: &Question, panel: &mut Panel) -> (Option<Arc<Ballot>>, Option<Changes>) {
        let Some(held) = &question.round else {
            let voices = BTreeMap::new();
            let asking = Asking { seed: question.run.as_str(), voices: &voices, requirements: &[], agenda: &[] };
            let ballot = (self.lists_open && !question.provisional).then(|| round::open(panel, &asking)).flatten();
            return (ballot.map(Arc::new), None);
        };
        let casts = |answer: &judgement::Answer| -> Vec<Cast> {
            let votes = round::parse(&answer.text).unwrap().votes.into_iter();
            votes.map(|vote| Cast { vote, tier: Tier::E0 }).collect()
        };
        let heard = held.answers.iter().map(|(agent, answer)| (agent.clone(), casts(answer))).collect();
        let before = consensus::decide(panel);
        *panel = round::apply(panel, &held.ballot, &heard).panel;
        let after = consensus::decide(panel);
        (None, Some(round::changes(&held.ballot, &before, &after, (heard.len(), held.asked.len()))))
    }

    fn documents(&self, preparation: &Preparation) -> Vec<(String, Arc<str>)> {
        let dir = &preparation.spec.dir;
        match self.proposes.as_ref().filter(|_| preparation.stage == Stage::Specify) {
            Some(text) => {
                let notes = (format!("{dir}/review/specify.md"), "why".into());
                vec![notes, (preparation.spec.proposal_path(), text.as_str().into())]
            }
            None => vec![(format!("{dir}/{}.md", preparation.stage), "document".into())],
        }
    }

    fn judge(&self, question: &Question) -> Judgement {
        let preparation = &question.preparation;
        let mut panel = panel_of(&preparation.spec.id, preparation.stage);
        panel.inputs = preparation.inputs.clone();
        panel.policy = question.policy;
        panel.waivers.clone_from(&question.human.waivers);
        panel.splits.clone_from(&question.human.splits);
        panel.rejected = question.human.rejected.iter().cloned().collect();
        for seat in &question.seats {
            let answer = question.answers.get(&seat.agent);
            let absent = question.absent.get(&seat.agent).copied();
            let missing = (!question.provisional).then_some(Answer::Missing);
            let Some(status) = answer.map(|_| Answer::Ok).or(absent).or(missing) else { continue };
            panel.agents.push(Participant {
                name: seat.agent.clone(),
                family: seat.family.clone(),
                voter: true,
                status,
                open_dissent: Vec::new(),
                artifact: answer.map(|a| Kept { path: a.file.path.clone(), sha256: a.file.sha256.clone() }),
                claims: answer.map(|a| serde_json::from_str(&a.text).unwrap()).unwrap_or_default(),
            });
        }
        let outcome = [(Stage::Validate, "PASS"), (Stage::Audit, "GO"), (Stage::Unlock, "APPROVED")];
        if let Some((_, word)) = outcome.iter().find(|(stage, _)| self.mended_by > 0 && *stage == preparation.stage) {
            let said = assertion(Kind::Decision, "stage", "outcome", word);
            panel.agents.iter_mut().for_each(|agent| agent.claims.push(said.clone()));
        }
        // What the host saw pass is proven.
        for (claim, citation) in &self.cited {
            if matches!(question.known.get(citation), Some(Shown::Ran { passed: true, .. })) {
                let canon = panel.canon();
                let first = panel.agents.first_mut().into_iter().flat_map(|agent| &mut agent.claims);
                for said in first.filter(|said| &canon.key(said.kind, &said.subject, &said.predicate) == claim) {
                    said.tier = Tier::E3True;
                }
            }
        }
        let tried = self.tried(question);
        if let Some(tried) = &tried {
            panel.candidates = tried.panel();
        }
        let (ballot, changed) = self.hold(question, &mut panel);
        let verdict = consensus::decide(&panel);
        let is_final = !question.provisional;
        let said = question.human.said(&[]);
        let standing = Standing::after(&preparation.ledger, &preparation.spec, &verdict, said);
        let standing = is_final.then(|| Arc::new(standing));
        let helped = consensus::helped(&panel, &verdict).filter(|_| is_final);
        let seen = || Shown::Seen { sha256: None, place: "tests/a.rs:1".into(), excerpt: String::new(), by: None };
        let agent = question.seats[0].agent.clone();
        let ground = |(claim, citation): &(Sha, Citation)| Ground {
            tier: None,
            agent: agent.clone(),
            claim: claim.clone(),
            because: Safe::line("it is tested"),
            cited: vec![(citation.clone(), Some(question.known.get(citation).cloned().unwrap_or_else(seen)))],
        };
        let grounds = self.cited.iter().map(ground).collect();
        let documents = if question.provisional { Vec::new() } else { self.documents(preparation) };
        Judgement {
            reckoned: consensus::reckon(&panel),
            panel: Arc::new(panel),
            verdict: Arc::new(verdict),
            lookups: Arc::clone(&question.known),
            from_memory: BTreeMap::new(),
            grounds,
            phantoms: Vec::new(),
            tried,
            logs: Vec::new(),
            settled: BTreeSet::new(),
            standing,
            helped,
            documents,
            ballot,
            round: changed,
            warnings: Vec::new(),
            took_ms: 1,
        }
    }

    /// What became of the candidates: everything passes, but for those that break what was there.
    fn tried(&self, question: &Question) -> Option<Arc<Tried>> {
        if question.preparation.stage != Stage::Implement || question.provisional {
            return None;
        }
        if let Some(tried) = &question.tried {
            return Some(Arc::clone(tried));
        }
        let mut runs = Runs { base: [("old".to_owned(), true)].into(), ..Runs::default() };
        let family =
            |agent: &AgentName| question.seats.iter().find(|seat| &seat.agent == agent).unwrap().family.clone();
        let families: Vec<_> = question.changes.keys().map(family).collect();
        for agent in question.changes.keys() {
            runs.yours.insert(agent.clone(), [("old".to_owned(), !self.breaks.contains(agent.as_str()))].into());
        }
        for (whose, code) in
            question.changes.keys().flat_map(|whose| question.changes.keys().map(move |on| (whose, on)))
        {
            if self.suites {
                runs.theirs.insert((whose.clone(), code.clone()), [("new".to_owned(), true)].into());
            }
        }
        let entered = question.changes.iter().zip(&families);
        let entered: Vec<_> = entered.map(|((agent, patch), family)| (agent, family, &**patch, "state")).collect();
        let mut tried = Tried { base: "b".repeat(40), candidates: rank(&entered, &runs) };
        for candidate in &mut tried.candidates {
            // The second hunk of each is one that nobody asked for.
            let second = question.changes[&candidate.agent].diff.hunks()[1].clone();
            let Some(needed) = self.unasked else { continue };
            let whole = candidate.tree.clone();
            if !needed {
                candidate.tree = format!("lean tree of {}", candidate.agent);
            }
            let hunks = vec![Extra { id: second.id.clone(), place: Safe::line(&second.place()) }];
            candidate.extras = Some(Extras { whole, hunks, needed });
        }
        Some(Arc::new(tried))
    }

    /// Adds what the turn used.
    fn using(&self, seat: &SeatKey, outcome: Result<Arc<TurnEnded>, Failure>) -> Result<Arc<TurnEnded>, Failure> {
        let usage = self.uses.get(seat.agent.as_str()).copied().unwrap_or_default();
        let named = self.sessions.get(seat.agent.as_str());
        outcome.map(|ended| {
            let id = named.map(|[draft, round]| if ended.kind == TurnKind::Round { *round } else { *draft });
            let session = id.map(|id| Session { id: id.to_owned(), used: Usage::default() });
            let patch =
                ended.patch.clone().map(|patch| if self.suites { with_tests(&seat.agent, &patch) } else { patch });
            Arc::new(TurnEnded { usage, session, patch, ..(*ended).clone() })
        })
    }

    /// What was published last of a spec leaves open.
    fn ledger(&self, spec: &SpecId) -> Ledger {
        self.ledgers.get(spec).cloned().unwrap_or_default()
    }

    /// Tests picked hunks: everything passes, unless something is broken.
    fn test(&mut self, picked: &Picked) -> Result<Box<Tested>, Failure> {
        self.tested.push(picked.picks.clone());
        let heard = [("old".to_owned(), !self.red_picks)].into();
        Ok(Box::new(Tested { tree: "tree that was picked".into(), heard, rails: Vec::new() }))
    }

    fn land(&mut self, landing: &Landing, step: Step) -> Result<Option<String>, Failure> {
        if let Some(failure) = &self.no_landing {
            return Err(failure.clone());
        }
        let sign = match step {
            Step::Put => "",
            Step::TakeBack => "-",
            Step::Clear => "~",
        };
        let agent = &landing.agent;
        self.landed.push(format!("{sign}{agent} at {}", landing.at.0));
        if step != Step::Clear {
            self.trees.push(landing.tree.clone());
        }
        Ok((step == Step::Put && landing.place == Place::Branch).then(|| "c".repeat(40)))
    }

    fn publish(&self, documents: &[(String, Arc<str>)]) -> PublishReport {
        let written = documents.iter().map(|(path, text)| file(path, text)).collect();
        PublishReport { written, ..PublishReport::default() }
    }
}

/// A check that was run, and holds.
fn passed() -> Shown {
    let output_sha256 = Sha::of("output");
    Shown::Ran { passed: true, executed: 1, exit: Some(0), output_sha256, tests: Vec::new(), place: None }
}

pub(super) fn full() -> Failure {
    Failure::Disk { what: "writing the journal".into(), kind: DiskError::Full, why: "no space left".into() }
}

fn file(path: &str, text: &str) -> FileRef {
    FileRef { path: path.to_owned(), sha256: Sha::of(text), bytes: text.len() as u64 }
}

/// Two hunks of one file.
const DIFF: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n\
    @@ -4,1 +4,1 @@\n-d\n+D\n@@ -20,0 +21,1 @@\n+new\n";

/// What an agent changes: longer names change more.
fn patch(agent: &AgentName) -> Patch {
    Patch {
        base: "b".repeat(40),
        tree: format!("tree of {agent}"),
        files: [("src/a.rs".to_owned(), Change::Modify)].into(),
        added: agent.as_str().len() as u64,
        removed: 0,
        left_out: Vec::new(),
        unfit: None,
        diff: DIFF.into(),
    }
}

/// The same, with who was left out.
fn without(prepared: Result<Preparation, Failure>, left_out: &[String]) -> Result<Arc<Preparation>, Failure> {
    let mut prepared = prepared?;
    prepared.inputs.context.extend(absent::as_context(left_out));
    Ok(Arc::new(prepared))
}

/// The same change with a file of tests that nobody else has, and one that all have.
fn with_tests(agent: &AgentName, patch: &Patch) -> Arc<Patch> {
    let file = |name: &str| {
        format!(
            "diff --git a/tests/{name}.rs b/tests/{name}.rs\nnew file mode 100644\nindex 00..33\n--- /dev/null\n\
             +++ b/tests/{name}.rs\n@@ -0,0 +1,1 @@\n+fn new() {{}}\n"
        )
    };
    let diff = format!("{}{}{}", patch.diff.text(), file(agent.as_str()), file("same"));
    Arc::new(Patch { diff: diff.into(), ..patch.clone() })
}

/// Ends a turn.
pub(super) fn ended(seat: &SeatKey, kind: TurnKind, play: Play) -> TurnEnded {
    let outcome = match play {
        Play::Says(claims) => Ok(Arc::from(serde_json::to_string(&claims).unwrap())),
        Play::Fails(error) => Err(TurnFailed { error, repair: None }),
        Play::Babbles | Play::Hangs => {
            let why = "the answer is not JSON".to_owned();
            Err(TurnFailed { error: AgentError::NoArtifact { why: why.clone() }, repair: Some(why) })
        }
    };
    let text: Arc<str> = "raw words".into();
    let raw = Captured { bytes: text.len() as u64, sha256: Sha::of(&*text), text };
    let patch = (seat.stage == Stage::Implement && outcome.is_ok()).then(|| Arc::new(patch(&seat.agent)));
    let (seat, stderr) = (seat.clone(), Safe::line(""));
    TurnEnded {
        seat,
        kind,
        outcome,
        raw,
        said: None,
        patch,
        stderr,
        usage: Usage::default(),
        session: None,
        took_ms: 40,
        survivors: 0,
    }
}

/// A page without lines, with two matches further down.
fn page(seat: &SeatKey) -> Page {
    Page { seat: seat.clone(), rows: Vec::new(), first: 0, total: 9, at_end: true, matches: vec![3, 5], match_count: 2 }
}
