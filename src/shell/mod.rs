//! The nerves: one loop that joins terminal, brain, face and hands.
//!
//! The loop runs on the calling thread, outside the tokio runtime. It parks until a key, an answer, a fact or the next
//! animation tick; takes what is there; lets `update` decide; hands the effects to the actors; draws if anything
//! changed. A headless program runs the same loop with a [`Face`] that prints lines.

pub mod demo;
pub mod dispatch;
pub mod engine;
pub mod face;
pub mod foreign;
pub mod guard;
pub mod hands;
pub mod headless;
pub mod inbox;
pub mod input;
pub mod look;
mod own;
pub mod recorder;
pub mod shutdown;
mod spoken;
pub mod start;
pub mod terminal;

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::dispatch::Dispatch;
use self::face::Face;
use self::inbox::Inbox;
use self::recorder::Recorder;
use self::shutdown::Pulse;
use crate::actors::Waker;
use crate::app::effect::Effect;
use crate::app::model::Model;
use crate::app::msg::{Input, Msg, Request, Signal};
use crate::app::update::update;
use crate::domain::moment::Moment;

/// Shortest time between two frames that data cause. A key's frame is drawn at once.
const FRAME: Duration = Duration::from_millis(16);

/// Time between two frames of a spinner: ten a second look alive, and cost under one per cent of a core.
const ANIMATION: u64 = 100;

/// A turn that takes longer is logged with its messages: the screen would stutter.
const SLOW_TURN: Duration = Duration::from_millis(8);

/// The clock of the program: one reading of the wall clock, then only the monotonic one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: u64,
    start: Instant,
}

impl Clock {
    /// Reads the wall clock once.
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), start: Instant::now() }
    }

    /// Returns the time.
    pub fn now(&self) -> Moment {
        Moment(self.wall.saturating_add(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Everything that the loop joins.
#[derive(Debug)]
pub struct Shell<F> {
    /// The state.
    pub model: Model,
    /// What shows it.
    pub face: F,
    /// What reaches the brain.
    pub inbox: Inbox,
    /// What does its bidding.
    pub dispatch: Dispatch,
    /// What wakes the loop.
    pub waker: Waker,
    /// The clock.
    pub clock: Clock,
    /// Remembers, for bug reports.
    pub recorder: Recorder,
    /// Tells the signal task that the loop lives.
    pub pulse: Pulse,
}

impl<F: Face> Shell<F> {
    /// Runs until the brain quits; returns the exit code, and whether to start over.
    ///
    /// # Errors
    /// When the terminal cannot be written any more.
    pub fn run(mut self, requests: Vec<Request>) -> std::io::Result<(u8, bool)> {
        let mut dirty = self.face.is_drawn();
        // The first frame is due at once.
        let long_ago = Instant::now().checked_sub(FRAME).unwrap_or_else(Instant::now);
        let mut drawn = Drawn { at: long_ago, frame: 0 };
        let mut first: Vec<Msg> = requests.into_iter().map(Msg::Asked).collect();
        loop {
            if first.is_empty() {
                self.park(dirty, &drawn);
            }
            let began = Instant::now();
            self.pulse.beat();
            let now = self.clock.now();
            let mut drained = self.inbox.drain();
            // After the rest: a signal that has come says better why we end than that the terminal is gone.
            drained.messages.append(&mut first);
            dirty |= !drained.messages.is_empty();
            drained.messages.insert(0, Msg::Tick(now));
            if drained.edited {
                self.face.lend(false, self.model.size);
            }
            let count = drained.messages.len();
            if let Some(exit) = self.turn(drained.messages, &mut dirty) {
                let reload = self.model.reload;
                self.face.end(&self.model)?;
                return Ok((exit, reload));
            }
            dirty |= self.model.is_animated() && now.0 / ANIMATION != drawn.frame;
            let worked = began.elapsed();
            if self.face.is_drawn() && dirty && (drained.has_key || drawn.at.elapsed() >= FRAME) {
                if let Err(error) = self.face.draw(&self.model) {
                    // What is running is stopped in order, as for a signal: nothing may be left behind.
                    tracing::warn!(%error, "the terminal is gone");
                    first.push(Msg::Signalled(Signal::HangUp));
                    continue;
                }
                drawn = Drawn { at: Instant::now(), frame: now.0 / ANIMATION };
                dirty = false;
                if drained.has_key {
                    let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    update(&mut self.model, Msg::KeyPainted(us));
                }
            }
            if worked > SLOW_TURN {
                tracing::warn!(?worked, messages = count, "a turn was slow");
            }
            if drained.more {
                self.waker.wake();
            }
        }
    }

    /// Handles messages and performs their effects; returns the exit code when the brain quits.
    fn turn(&mut self, messages: Vec<Msg>, dirty: &mut bool) -> Option<u8> {
        let mut quit = None;
        let mut messages = VecDeque::from(messages);
        while let Some(message) = messages.pop_front() {
            self.recorder.record(&message);
            if let Msg::Input(Input::Resized(columns, rows)) = message {
                self.face.resized(columns, rows);
            }
            for effect in update(&mut self.model, message) {
                *dirty = true;
                match effect {
                    Effect::Quit(exit) => quit = Some(exit),
                    Effect::Emit(event) => self.face.tell(&event),
                    Effect::DumpRecording => self.dispatch.dump(self.recorder.dump(&self.model), &mut self.inbox),
                    Effect::OpenEditor { path, line } => {
                        self.face.lend(true, self.model.size);
                        self.dispatch.edit(&path, line, &mut self.inbox);
                    }
                    Effect::Suspend => {
                        self.face.lend(true, self.model.size);
                        let (columns, rows) = terminal::suspend().unwrap_or(self.model.size);
                        self.face.lend(false, (columns, rows));
                        messages.push_front(Msg::Input(Input::Resized(columns, rows)));
                        messages.push_front(Msg::Tick(self.clock.now()));
                    }
                    Effect::Detach => {
                        self.face.detach(&self.model);
                        self.pulse.stay();
                        if let Err(error) = terminal::go_behind() {
                            tracing::warn!(%error, "could not give the shell its prompt");
                        }
                    }
                    Effect::Answer(ask, outcome) => self.face.answer(ask, outcome),
                    Effect::Copy(text) => self.face.copy(&text),
                    effect @ (Effect::Survey
                    | Effect::Look(_)
                    | Effect::Init
                    | Effect::Run(..)
                    | Effect::FollowForeign { .. }
                    | Effect::AskOwner(_)
                    | Effect::ReadPage(_)
                    | Effect::ReadLedger(_)
                    | Effect::RestartServer(_)
                    | Effect::Hold { .. }
                    | Effect::Respond { .. }
                    | Effect::ReadProposal(_)
                    | Effect::Adopt { .. }
                    | Effect::Restore { .. }
                    | Effect::Create(_)
                    | Effect::Report(_)
                    | Effect::DrainSpool
                    | Effect::ApproveServer(_)
                    | Effect::Approve) => self.dispatch.perform(effect, &self.model, &mut self.inbox),
                }
            }
        }
        quit
    }

    /// Parks until something happens or something is due.
    fn park(&self, dirty: bool, drawn: &Drawn) {
        if self.waker.take() {
            return;
        }
        let now = self.clock.now();
        let mut due: Option<Duration> = None;
        let mut by = |wait: Duration| due = Some(due.map_or(wait, |due: Duration| due.min(wait)));
        if self.face.is_drawn() {
            if dirty {
                by(FRAME.saturating_sub(drawn.at.elapsed()));
            }
            if self.model.is_animated() {
                by(Duration::from_millis(ANIMATION - now.0 % ANIMATION));
            }
        }
        if let Some(alarm) = self.model.next_alarm() {
            by(Duration::from_millis(alarm.since(now)));
        }
        match due {
            Some(wait) => std::thread::park_timeout(wait),
            None => std::thread::park(),
        }
        // Consumed here, before the inbox is read: a wake that comes later makes the next turn.
        self.waker.take();
    }
}

/// The last frame.
#[derive(Debug)]
struct Drawn {
    at: Instant,
    frame: u64,
}
