//! `dicast watch`: follows a run that another process owns, by its journal and its transcripts, without a lock.
//!
//! It must not change anything: stopping it is `dicast cancel`, and ending this program ends nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::ask::{Desk, signalled};
use super::super::lines::{Lines, Style};
use super::super::out::Done;
use super::{Context, READING, now, place};
use crate::actors::{evidence, transcript};
use crate::app::event::{Event, What};
use crate::app::follow::{End, Follower};
use crate::disk::lock::Note;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::moment::Moment;
use crate::domain::run::SeatKey;
use crate::domain::spec::Folder;
use crate::domain::transcript::{Anchor, PageRequest, path_of};

/// How often the journal is looked at: what is told is told as good as at once, and a look costs a small read.
const LOOK: Duration = Duration::from_millis(100);

/// How often transcripts are looked at, in milliseconds.
const PROGRESS_MS: u64 = 1_000;

/// How long after the lock was given back the journal may still lack its last word.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Where transcripts lie.
const TRANSCRIPTS: &str = ".dicast/transcripts";

/// Columns of a line of progress.
const WIDTH: u16 = 200;

/// The exit code where the owner ended without a word.
const LOST: u8 = 3;

/// Follows a live run to its end, or tells what the last one did; exits as the run did.
///
/// # Errors
/// Usage for an unknown spec, or several live runs and none named; exit 10 where there is nothing to follow.
pub(super) fn watch(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let folder = which(context, &desk, &evidence, spec)?;
    let owner = owner(&desk, &evidence, &folder.id)?;
    let runs = desk.ask(READING, "reading the runs", evidence.runs(Some(folder.id.clone()), desk.token()))?;
    // A live run is the newest but for one that was reopened: that one was written last.
    let newest = runs.into_iter().max_by_key(|run| (run.updated, run.run.clone()));
    let Some(run) = newest.map(|summary| summary.run) else {
        let next = format!("start one with `dicast plan {}`", folder.id);
        return Err(Failure::needs_input(folder.id.to_string(), "it was never run", next));
    };
    if let Some(note) = &owner {
        let quit = "Ctrl-C leaves it alone, `dicast cancel` stops it";
        super::super::out::say(&format!("following {run} of {}, owned by {} · {quit}\n", folder.id, note.owner()));
    }
    let style = if context.global.json { Style::Json } else { Style::Plain };
    let root = context.loaded()?.settings.evidence.root;
    let watch = Watch {
        follower: Follower::new(folder.id.clone(), folder.own.clone(), run.clone()),
        transcripts: desk.inside(|| transcript::spawn(&desk.scope, context.repo.join(TRANSCRIPTS))),
        place: format!("{root}/consensus/{}/{run}", folder.id),
        lines: Lines::new(style),
        seen: 0,
        progressed: BTreeMap::new(),
        spec: folder.id,
        run,
        context,
        desk: &desk,
        evidence,
        owner,
    };
    watch.follow().map(Done::exit)
}

/// Returns the spec that was named, else the only one that is run now.
fn which(context: &Context, desk: &Desk, evidence: &evidence::Handle, spec: Option<&str>) -> Result<Folder, Failure> {
    if spec.is_some() {
        return place::spec(context, spec);
    }
    let mut live = Vec::new();
    for folder in place::folders(context)? {
        if owner(desk, evidence, &folder.id)?.is_some() {
            live.push(folder);
        }
    }
    if live.len() > 1 {
        let list: Vec<&str> = live.iter().map(|folder| folder.id.as_str()).collect();
        return Err(Failure::usage("SPEC", format!("several runs are live: {}", list.join(", ")), "name one"));
    }
    let none = || Failure::needs_input("watch", "nothing is running", "name a spec to see its last run");
    live.pop().ok_or_else(none)
}

fn owner(desk: &Desk, evidence: &evidence::Handle, spec: &SpecId) -> Result<Option<Note>, Failure> {
    desk.ask(READING, "reading the run's lock", evidence.owner(spec.clone(), desk.token()))
}

/// A run that is followed.
struct Watch<'c> {
    context: &'c Context,
    desk: &'c Desk,
    evidence: evidence::Handle,
    transcripts: transcript::Handle,
    spec: SpecId,
    run: RunId,
    /// The run's folder, relative to the repository.
    place: String,
    follower: Follower,
    lines: Lines,
    /// Records that were told.
    seen: usize,
    /// When each agent's transcript was looked at, and how long it was.
    progressed: BTreeMap<SeatKey, (Moment, u64)>,
    /// Who owned the run when we last looked.
    owner: Option<Note>,
}

impl Watch<'_> {
    /// Tells the run until its owner is done with it; returns the exit code.
    fn follow(mut self) -> Result<u8, Failure> {
        loop {
            // The lock first: what was written before it was given back is then in the journal.
            let owner = owner(self.desk, &self.evidence, &self.spec)?;
            self.tell_records()?;
            if owner.is_none() {
                self.desk.until(LAST_WORDS, LAST_WORDS, || false);
                self.tell_records()?;
                return Ok(self.ended());
            }
            self.owner = owner;
            self.tell_progress()?;
            self.desk.until(LOOK, LOOK, || false);
            if signalled().is_some() {
                return Err(Failure::Cancelled);
            }
        }
    }

    fn tell_records(&mut self) -> Result<(), Failure> {
        let reply = self.evidence.records(self.spec.clone(), self.run.clone(), self.desk.token());
        let records = self.desk.ask(READING, "reading the journal", reply)?;
        for (at, record) in records.iter().skip(self.seen) {
            let read = |file: &crate::domain::journal::FileRef| {
                let reply = self.evidence.read(self.spec.clone(), self.run.clone(), file.clone(), self.desk.token());
                // What cannot be read is told without: `evidence verify` says why.
                self.desk.ask(READING, "reading the evidence", reply).ok()
            };
            if let Some(event) = self.follower.take(*at, record, read) {
                self.lines.tell(&event);
            }
        }
        self.seen = self.seen.max(records.len());
        Ok(())
    }

    /// Tells what agents wrote last, as their transcripts grow.
    fn tell_progress(&mut self) -> Result<(), Failure> {
        let now = now();
        let store = self.context.store();
        let asked: Vec<SeatKey> = self.follower.asked().cloned().collect();
        for seat in asked {
            let (before, length) = self.progressed.get(&seat).copied().unwrap_or_default();
            if now.since(before) < PROGRESS_MS {
                continue;
            }
            let bytes = store.size(format!("{TRANSCRIPTS}/{}", path_of(&seat)))?.unwrap_or(0);
            self.progressed.insert(seat.clone(), (now, bytes));
            if bytes == length {
                continue;
            }
            let request = PageRequest { seat: seat.clone(), width: WIDTH, height: 1, from: Anchor::Tail, search: None };
            let page = self.desk.ask(READING, "reading a transcript", self.transcripts.page(request))?;
            if let Some(row) = page.rows.into_iter().next_back() {
                let what = What::AgentProgress { stage: seat.stage, agent: seat.agent, doing: row.text, bytes };
                self.lines.tell(&Event { at: now, run: Some(self.run.clone()), ask: None, what });
            }
        }
        Ok(())
    }

    /// Says how it ended; returns the exit code.
    fn ended(&mut self) -> u8 {
        let stage = self.follower.stage().map_or("plan", |stage| stage.name());
        let goes_on = format!("what was answered is kept: go on with `dicast {stage} {}`", self.spec);
        let failure = match (self.follower.end(), &self.owner) {
            (End::Open, Some(note)) => {
                Some((format!("its owner (pid {} on {}) ended without a word", note.pid, note.host), goes_on))
            }
            (End::Open, None) => Some(("nobody runs it, and it is not closed".to_owned(), goes_on)),
            (End::Stopped { by }, _) => Some((format!("it was stopped by {by}"), goes_on)),
            (End::Closed(_), _) => None,
        };
        let exit = self.follower.exit().unwrap_or(LOST);
        let event = self.follower.finish(now(), self.place.clone(), exit, failure);
        self.lines.tell(&event);
        exit
    }
}
