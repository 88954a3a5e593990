//! One agent that is kept warm: its handshake, its sessions, one turn after the other, and its end.
//!
//! It must not know whether a turn should be taken, nor who answers its requests for permission: it passes them on, and
//! sees to it that each is answered exactly once, whatever becomes of the turn.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::command::Tools;
use super::super::live::Live;
use super::super::process::clock::{Alarm, Clock};
use super::super::process::{Cut, Ended, Spoken};
use super::wire::{Leave, Wire, Wired};
use crate::actors::Promise;
use crate::disk::jail;
use crate::domain::acp::{self, Answer, Heard, Manner, Opened, Reach, Refused, Request, Say, Server, StopReason};
use crate::domain::classify::{Exit, classify};
use crate::domain::fact::Fact;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::run::{Launch, SeatKey, Turn, TurnEnded, TurnKind};
use crate::domain::stream::Usage;

/// Most requests for permission of one agent that wait at a time; what comes on top is cancelled.
const ASKED_MAX: usize = 32;

/// Most tool calls of a turn of which is remembered what was told of them.
const CALLS_MAX: usize = 256;

/// How long one that has ended its turn as it was asked to may take to go.
const HEEDED: Duration = Duration::from_millis(500);

/// Something for an agent that is kept warm.
pub(super) enum Order {
    /// Take a turn.
    Take(Box<Job>),
    /// A request for permission was answered.
    Permit { seat: SeatKey, number: u64, answer: Answer },
}

/// A turn to be taken.
pub(super) struct Job {
    pub(super) turn: Turn,
    pub(super) stop: CancellationToken,
    pub(super) kill: CancellationToken,
    pub(super) promise: Promise<TurnEnded>,
}

/// What ends an agent between its turns.
#[derive(Debug, Clone)]
pub(super) struct EndOf {
    /// It is not wanted any more.
    pub(super) close: CancellationToken,
    /// It has no grace left.
    pub(super) kill: CancellationToken,
}

/// Where the session stands.
#[derive(Debug)]
enum Session {
    /// The handshake is out.
    Shaking(u64),
    /// A session is being opened.
    Opening(u64),
    /// Open, and nothing was asked in it yet.
    Fresh(String),
    /// Open, and in use.
    Used(String),
    /// It will not come.
    Failed(AgentError),
}

/// How a turn ended without an answer.
enum Ending {
    /// The agent said so; it can be asked again.
    Refused(AgentError),
    /// The agent is of no use any more.
    Broken(AgentError),
    /// Its process has ended.
    Gone(Exit),
    /// We cut it short, and it has not ended its turn.
    Cut(Cut),
    /// We cut it short, and it ended its turn as it was asked to.
    Heeded(Cut),
}

/// One turn while it is taken.
struct Watch<'a> {
    seat: SeatKey,
    stop: CancellationToken,
    kill: CancellationToken,
    orders: &'a mut mpsc::Receiver<Order>,
    clock: Clock,
    live: Live,
    /// Why it is being cut short.
    cut: Option<Cut>,
    /// The session, once it was asked.
    prompted: Option<String>,
    /// Whether what is heard was said before, and is told again.
    is_told_again: bool,
}

/// A request for permission that is not answered yet.
struct Asked {
    id: Value,
    request: Request,
}

/// One agent that is kept warm.
pub(super) struct Talk {
    tools: Tools,
    launch: Launch,
    manner: Manner,
    servers: Vec<Server>,
    wire: Wire,
    session: Session,
    /// Whether it can go on with a session of an earlier process.
    can_load: bool,
    last_id: u64,
    /// The answer to the request that is waited for.
    answered: Option<(u64, Result<Value, Refused>)>,
    asked: BTreeMap<u64, Asked>,
    last_number: u64,
    calls: BTreeMap<String, Value>,
}

impl Talk {
    /// Begins the handshake.
    pub(super) fn new(tools: Tools, launch: Launch, manner: Manner, wire: Wire) -> Self {
        let servers = manner.servers.iter().map(looked_up).collect();
        let mut talk = Self {
            tools,
            launch,
            manner,
            servers,
            wire,
            session: Session::Shaking(0),
            can_load: false,
            last_id: 0,
            answered: None,
            asked: BTreeMap::new(),
            last_number: 0,
            calls: BTreeMap::new(),
        };
        talk.session = Session::Shaking(talk.ask(&Say::Initialize));
        talk
    }

    /// Takes turns until it is told to end or its process has ended; returns how many processes are left of it that no
    /// turn has told of.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, end: EndOf) -> u32 {
        let leave = Leave::ByItself(Duration::from_millis(self.launch.limits.kill_grace_ms));
        loop {
            let mut nobody = ();
            tokio::select! {
                biased;
                () = end.close.cancelled() => return self.wire.end(leave, &end.kill).await.survivors,
                order = orders.recv() => match order {
                    Some(Order::Take(job)) => {
                        self = match self.take(*job, &mut orders).await {
                            Some(talk) => talk,
                            None => return 0,
                        };
                    }
                    // It came too late: whatever it answers was cancelled with its turn.
                    Some(Order::Permit { .. }) => {}
                    None => return self.wire.end(leave, &end.kill).await.survivors,
                },
                wired = self.wire.next(&mut nobody) => {
                    if let Err(Ending::Gone(_)) = self.wired(wired, None).await {
                        return self.wire.end(Leave::Now, &end.kill).await.survivors;
                    }
                }
            }
        }
    }

    /// Takes one turn; returns itself if it can take another one.
    async fn take(mut self, job: Job, orders: &mut mpsc::Receiver<Order>) -> Option<Self> {
        let Job { mut turn, stop, kill, promise } = job;
        let began = Instant::now();
        let tools = self.tools.clone();
        if matches!(self.session, Session::Used(_)) {
            // What was said between two turns is of no turn; how it started belongs to the first.
            drop(self.wire.captured(&turn.launch.limits));
        }
        let started = Fact::AgentStarted { seat: turn.seat.clone(), kind: turn.kind, pid: self.wire.pid() };
        tools.lanes.tell(started, &stop).await;
        let mut watch = Watch {
            seat: turn.seat.clone(),
            stop,
            kill: kill.clone(),
            orders,
            clock: Clock::new(&turn.launch.limits),
            live: Live::new(&tools, &turn),
            cut: None,
            prompted: None,
            is_told_again: false,
        };
        if turn.kind == TurnKind::Draft {
            self.manner.remark.iter().for_each(|remark| watch.live.note(&format!("· {remark}")));
        }
        let outcome = self.converse(&mut turn, &mut watch).await;
        self.cancel_asked();
        self.calls.clear();
        let (captured, session) = (self.wire.captured(&turn.launch.limits), watch.prompted);
        let account = watch.live.close().await.map(|mut account| {
            account.session = session.or(account.session);
            account
        });
        let stderr = captured.1.text();
        let (cut, failed, leave) = match outcome {
            Ok(result) => (None, StopReason::of(&result).error(), None),
            Err(Ending::Refused(error)) => (None, Some(error), None),
            Err(Ending::Broken(error)) => (None, Some(error), Some(Leave::Soon(grace(&turn)))),
            Err(Ending::Gone(exit)) => (None, Some(classify(exit, &stderr, "")), Some(Leave::Now)),
            Err(Ending::Heeded(cut)) => (Some(cut), None, Some(Leave::Soon(HEEDED))),
            // It has had its grace.
            Err(Ending::Cut(cut)) if watch.cut.is_some() => (Some(cut), None, Some(Leave::Now)),
            Err(Ending::Cut(cut)) => (Some(cut), None, Some(Leave::Soon(grace(&turn)))),
        };
        let (ended, next) = match leave {
            None => (Ended { exit: None, survivors: 0 }, Some(self)),
            Some(leave) => {
                let private = self.launch.private.take();
                let ended = self.wire.end(leave, &kill).await;
                tools.clear(private).await;
                // Before the answer: whoever asks again then gets another process.
                orders.close();
                (ended, None)
            }
        };
        let (stdout, stderr) = captured;
        let spoken = Spoken { stdout, stderr, cut, stayed: false, ended, took: began.elapsed() };
        promise.keep(tools.judge(turn, spoken, account, failed).await);
        next
    }

    /// Asks, and waits for the end of the turn.
    async fn converse(&mut self, turn: &mut Turn, watch: &mut Watch<'_>) -> Result<Value, Ending> {
        if turn.kind == TurnKind::Draft && matches!(self.session, Session::Used(_)) {
            self.open();
        }
        let opened = loop {
            match &self.session {
                Session::Fresh(session) | Session::Used(session) => break session.clone(),
                Session::Failed(error) => return Err(Ending::Broken(error.clone())),
                Session::Shaking(_) | Session::Opening(_) => self.step(watch).await?,
            }
        };
        let session = match turn.session.clone().filter(|earlier| *earlier != opened) {
            Some(earlier) if self.load(&earlier, watch).await? => earlier,
            Some(_) => {
                watch.live.begin_anew();
                turn.used_before = Usage::default();
                opened
            }
            None => opened,
        };
        self.session = Session::Used(session.clone());
        if let Some(mode) = self.manner.mode.clone() {
            let id = self.ask(&Say::SetMode { session: &session, mode: &mode });
            if let Err(refused) = self.answer(id, watch).await? {
                let why = format!("it cannot be put in session mode {mode:?}: {}", refused.words);
                return Err(Ending::Broken(AgentError::Permission { why }));
            }
        }
        watch.prompted = Some(session.clone());
        let id = self.ask(&Say::Prompt { session: &session, text: &turn.prompt });
        let outcome = self.answer(id, watch).await?;
        match (watch.cut, outcome) {
            (Some(cut), _) => Err(Ending::Heeded(cut)),
            (None, Ok(result)) => Ok(result),
            (None, Err(refused)) => Err(Ending::Refused(refused.error(""))),
        }
    }

    /// Goes on with a session that an earlier process had; tells whether it could. What that says again is not heard.
    async fn load(&mut self, session: &str, watch: &mut Watch<'_>) -> Result<bool, Ending> {
        if !self.can_load {
            watch.live.note("· a new session: it cannot load the one that it had");
            return Ok(false);
        }
        let (cwd, servers, extra) = (self.launch.cwd.clone(), self.servers.clone(), self.manner.extra.clone());
        let id = self.ask(&Say::LoadSession { session, cwd: &cwd, servers: &servers, extra: extra.as_deref() });
        watch.is_told_again = true;
        let loaded = self.answer(id, watch).await;
        watch.is_told_again = false;
        drop(self.wire.captured(&self.launch.limits));
        match loaded? {
            Ok(_) => Ok(true),
            Err(refused) => {
                watch.live.note(&format!("· a new session: it cannot load the one that it had: {}", refused.words));
                Ok(false)
            }
        }
    }

    async fn answer(&mut self, id: u64, watch: &mut Watch<'_>) -> Result<Result<Value, Refused>, Ending> {
        loop {
            match self.answered.take() {
                Some((answered, outcome)) if answered == id => return Ok(outcome),
                Some(_) | None => self.step(watch).await?,
            }
        }
    }

    /// Waits for the next thing that happens in a turn.
    async fn step(&mut self, watch: &mut Watch<'_>) -> Result<(), Ending> {
        let (at, alarm) = watch.clock.next();
        let mut ear = (!watch.is_told_again).then_some(&mut watch.live);
        tokio::select! {
            biased;
            () = watch.kill.cancelled() => Err(Ending::Cut(*watch.cut.get_or_insert(Cut::Stopped))),
            () = watch.stop.cancelled(), if watch.cut.is_none() => self.wind_up(Cut::Stopped, watch),
            order = watch.orders.recv() => match order {
                Some(Order::Permit { seat, number, answer }) => {
                    if seat == watch.seat {
                        self.permit(number, answer, watch);
                    }
                    Ok(())
                }
                Some(Order::Take(job)) => {
                    job.promise.keep(Err(Failure::Busy { actor: "agents".into() }));
                    Ok(())
                }
                None => Err(Ending::Cut(*watch.cut.get_or_insert(Cut::Stopped))),
            },
            wired = self.wire.next(&mut ear) => self.wired(wired, Some(watch)).await,
            () = sleep_until(at) => match alarm {
                Alarm::Grace | Alarm::Stays => Err(Ending::Cut(watch.cut.unwrap_or(Cut::Stopped))),
                Alarm::Late(which, after_ms) => self.wind_up(Cut::Late { which, after_ms }, watch),
            },
        }
    }

    /// Asks the agent to stop; one that was asked nothing yet is just ended.
    fn wind_up(&mut self, cut: Cut, watch: &mut Watch<'_>) -> Result<(), Ending> {
        self.cancel_asked();
        let Some(session) = &watch.prompted else { return Err(Ending::Cut(cut)) };
        watch.cut = Some(cut);
        self.wire.say(&acp::cancel(session));
        watch.clock.stopping();
        Ok(())
    }

    /// Takes what happened on the wire; `watch` is the turn at hand, if there is one.
    async fn wired(&mut self, wired: Wired, watch: Option<&mut Watch<'_>>) -> Result<(), Ending> {
        match wired {
            Wired::Ended(exit) => return Err(Ending::Gone(exit)),
            Wired::Taken => watch.into_iter().filter(|watch| watch.prompted.is_some()).for_each(|w| w.clock.fed()),
            Wired::Line(line) => match acp::heard(&String::from_utf8_lossy(&line)) {
                Heard::Answered { id, outcome } => self.answered(id, outcome),
                Heard::Asked { id, method, params } if method == "session/request_permission" => {
                    self.asked(id, &params, watch).await;
                }
                Heard::Asked { id, method, .. } => self.wire.say(&acp::not_known(&id, &method)),
                Heard::Told { method, params } => {
                    if let Some(watch) = watch
                        && method == "session/update"
                        && watch.prompted.is_some()
                    {
                        watch.clock.heard();
                        self.remember(params);
                    }
                }
                Heard::Noise => {}
            },
        }
        Ok(())
    }

    fn answered(&mut self, id: u64, outcome: Result<Value, Refused>) {
        match self.session {
            Session::Shaking(shaking) if shaking == id => {
                self.can_load = outcome.as_ref().is_ok_and(acp::can_load);
                let shaken = outcome.map_err(|refused| refused.error("")).and_then(|result| acp::shaken(&result));
                match shaken {
                    Ok(()) => self.open(),
                    Err(error) => self.session = Session::Failed(error),
                }
            }
            Session::Opening(opening) if opening == id => {
                let broken = || AgentError::Protocol { why: "it opened a session without a name".into() };
                let opened = outcome.map_err(|refused| refused.error(""));
                let opened = opened.and_then(|result| Opened::of(&result).ok_or_else(broken));
                let opened = opened.and_then(|opened| opened.suits(&self.manner).map(|()| opened));
                self.session = match opened {
                    Ok(opened) => Session::Fresh(opened.session),
                    Err(error) => Session::Failed(error),
                };
            }
            Session::Shaking(_) | Session::Opening(_) | Session::Fresh(_) | Session::Used(_) | Session::Failed(_) => {
                self.answered = Some((id, outcome))
            }
        }
    }

    fn open(&mut self) {
        let (cwd, servers, extra) = (self.launch.cwd.clone(), self.servers.clone(), self.manner.extra.clone());
        let say = Say::NewSession { cwd: &cwd, servers: &servers, extra: extra.as_deref() };
        self.session = Session::Opening(self.ask(&say));
    }

    fn ask(&mut self, say: &Say<'_>) -> u64 {
        self.last_id += 1;
        self.wire.say(&say.line(self.last_id));
        self.last_id
    }

    /// Passes a request for permission on; where nobody can be asked any more it is cancelled at once.
    async fn asked(&mut self, id: Value, params: &Value, watch: Option<&mut Watch<'_>>) {
        let can_wait = self.asked.len() < ASKED_MAX;
        let Some(watch) = watch.filter(|watch| watch.prompted.is_some() && watch.cut.is_none() && can_wait) else {
            self.wire.say(&acp::permit(&id, None));
            return;
        };
        self.last_number += 1;
        let call = params.pointer("/toolCall/toolCallId").and_then(Value::as_str);
        let known = call.and_then(|call| self.calls.get(call));
        let redactor = &self.tools.redactor;
        let reach = self.reach(acp::paths(params, known)).await;
        let request = Request { reach, ..Request::of(watch.seat.clone(), self.last_number, params, known) };
        let request = request.cleaned(|text| redactor.clean(text).into_owned());
        watch.live.note(&format!("? asks for permission to {}: {}", request.weight.words(), request.title));
        watch.clock.hold(true);
        self.asked.insert(self.last_number, Asked { id, request: request.clone() });
        self.tools.lanes.tell(Fact::PermissionAsked(Box::new(request)), &watch.kill).await;
    }

    /// Finds out where files are: in the folder that this agent may change, or elsewhere.
    async fn reach(&self, paths: Vec<String>) -> Reach {
        let Some(folder) = self.manner.folder.clone().filter(|_| !paths.is_empty()) else { return Reach::Unknown };
        let cwd = PathBuf::from(&self.launch.cwd);
        let all = move || paths.iter().all(|path| jail::holds(folder.as_ref(), &cwd.join(path)));
        match self.tools.scope.spawn_blocking(all).await {
            Ok(true) => Reach::Inside,
            Ok(false) | Err(_) => Reach::Outside,
        }
    }

    /// Answers a request for permission, if it is still open.
    fn permit(&mut self, number: u64, answer: Answer, watch: &mut Watch<'_>) {
        let Some(Asked { id, request }) = self.asked.remove(&number) else { return };
        let answer = if request.offers(answer) { answer } else { Answer::Reject };
        self.wire.say(&acp::permit(&id, request.option(answer)));
        watch.live.note(&format!("  permission was {}", answer.words()));
        watch.clock.hold(!self.asked.is_empty());
    }

    fn cancel_asked(&mut self) {
        for asked in std::mem::take(&mut self.asked).into_values() {
            self.wire.say(&acp::permit(&asked.id, None));
        }
    }

    /// Keeps what is told of a tool call: a request for permission may say less.
    fn remember(&mut self, mut params: Value) {
        let Some(Value::Object(update)) = params.get_mut("update").map(Value::take) else { return };
        let Some(call) = update.get("toolCallId").and_then(Value::as_str).map(str::to_owned) else { return };
        if self.calls.len() >= CALLS_MAX && !self.calls.contains_key(&call) {
            return;
        }
        let known = self.calls.entry(call).or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(known) = known {
            known.extend(
                update
                    .into_iter()
                    .filter(|(key, _)| ["title", "kind", "rawInput", "content", "locations"].contains(&key.as_str())),
            );
        }
    }
}

fn grace(turn: &Turn) -> Duration {
    Duration::from_millis(turn.launch.limits.kill_grace_ms)
}

/// Looks up the variables of ours that a server is given; one that is not set is left out, and the server says what it
/// lacks.
fn looked_up(server: &Server) -> Server {
    let value = |(name, value): (&String, &String)| {
        let value = match value.strip_prefix('$') {
            Some(ours) => std::env::var(ours).ok()?,
            None => value.clone(),
        };
        Some((name.clone(), value))
    };
    Server { env: server.env.iter().filter_map(value).collect(), ..server.clone() }
}
