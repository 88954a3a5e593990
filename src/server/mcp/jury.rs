//! The service: its methods are the tools, and its resources are what was recorded.
//!
//! It must not know how anything is found out.

use std::sync::Arc;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, ContentBlock, Implementation, ListResourceTemplatesResult, ListResourcesResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Value, json};

use super::address::{Address, FILE, JOURNAL, VERDICT};
use super::{Check, Explain, OfSpec, OfStage, Office, Question, RunStage, Session};
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::pipeline::Outcome;

/// Resources on one page of a list.
const PAGE: usize = 200;

/// What clients are told about us.
const INSTRUCTIONS: &str = "Dicast is a jury for coding agents: it takes a written spec through six stages with several \
    agents and computes on the host what they agree on. list_specs shows what there is, check needs no agent, run_stage \
    asks the panel (minutes, and money where agents cost some), get_verdict, explain and list_dissent say how a stage \
    was decided and why.";

/// The service; a clone is the same one.
#[derive(Clone)]
pub(super) struct Jury {
    office: Arc<dyn Office>,
}

#[tool_router]
impl Jury {
    pub(super) fn new(office: Arc<dyn Office>) -> Self {
        Self { office }
    }

    #[tool(
        description = "List the specs of the repository with their recorded verdicts and whether these still hold",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn list_specs(&self) -> CallToolResult {
        self.answer(Question::ListSpecs).await
    }

    #[tool(
        description = "Hold specs against the code by rules: ticked work that is not there, requirements without tests, \
                       vague or contradictory demands. No agent, no key, under a second; nothing is written",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn check(&self, Parameters(args): Parameters<Check>) -> CallToolResult {
        self.answer(Question::Check(args)).await
    }

    #[tool(
        description = "Ask the panel of configured agents for one stage of a spec (plan, tasks, implement, validate, \
                       audit, unlock) and record the verdict. Takes minutes; progress is told, and cancelling the call \
                       stops the agents and keeps finished answers",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = true)
    )]
    async fn run_stage(
        &self,
        Parameters(args): Parameters<RunStage>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let started = self.blocking(move |office| office.start(&args)).await;
        match started {
            Ok(session) => self.follow(session, context).await,
            Err(failure) => self.refused(&failure),
        }
    }

    #[tool(
        description = "Read the recorded verdict of a stage, with whether it is still current and what changed since",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn get_verdict(&self, Parameters(args): Parameters<OfStage>) -> CallToolResult {
        self.answer(Question::GetVerdict(args)).await
    }

    #[tool(
        description = "Explain one claim of a recorded verdict: who said what, with what evidence, and the arithmetic",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn explain(&self, Parameters(args): Parameters<Explain>) -> CallToolResult {
        self.answer(Question::Explain(args)).await
    }

    #[tool(
        description = "List the losing assertions of a spec's recorded verdicts: which stand open, and what closes them",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn list_dissent(&self, Parameters(args): Parameters<OfSpec>) -> CallToolResult {
        self.answer(Question::ListDissent(args)).await
    }

    async fn answer(&self, question: Question) -> CallToolResult {
        match self.blocking(move |office| office.answer(&question)).await {
            Ok(value) => CallToolResult::structured(self.hidden(value)),
            Err(failure) => self.refused(&failure),
        }
    }

    /// Does something that may block, where it blocks no other call.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Office) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let office = Arc::clone(&self.office);
        let done = tokio::task::spawn_blocking(move || work(office.as_ref())).await;
        done.unwrap_or_else(|_| Err(Failure::ActorGone { actor: "server".into() }))
    }

    /// Tells progress until the run has ended; a call that is cancelled stops it and waits for that all the same, so
    /// that nothing survives.
    async fn follow(&self, session: Session, context: RequestContext<RoleServer>) -> CallToolResult {
        let Session { mut run, held } = session;
        let (mut events, stop) = (run.events(), run.canceller());
        let mut telling = Telling { token: context.meta.get_progress_token(), peer: context.peer, told: 0 };
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                () = context.ct.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    stop.cancel();
                }
                event = events.next() => match event {
                    Some(event) => telling.tell(self.hidden_text(self.office.words(&event))).await,
                    None => break,
                },
            }
        }
        let ended = run.await;
        // The last one out ends the servers, and waits for them.
        let put_away = tokio::task::spawn_blocking(move || drop(held)).await;
        if put_away.is_err() {
            tracing::error!("a run could not be put away");
        }
        match ended {
            Ok(outcome) => self.told(&outcome),
            Err(failure) => self.refused(&failure),
        }
    }
}

/// Progress of one call.
struct Telling {
    /// Nothing where the client does not want to hear of it.
    token: Option<ProgressToken>,
    peer: Peer<RoleServer>,
    told: u32,
}

impl Telling {
    async fn tell(&mut self, words: String) {
        let words = words.trim();
        let Some(token) = self.token.clone().filter(|_| !words.is_empty()) else { return };
        self.told += 1;
        let progress = ProgressNotificationParam::new(token, f64::from(self.told)).with_message(words);
        // A client that is gone hears nothing; that it is gone is noticed elsewhere.
        if let Err(error) = self.peer.notify_progress(progress).await {
            tracing::debug!(%error, "progress reached nobody");
        }
    }
}

impl Jury {
    /// Returns a value without secrets: whatever is told goes through here, as what the commands print goes through a veil.
    fn hidden(&self, mut value: Value) -> Value {
        self.office.hide(&mut value);
        value
    }

    fn hidden_text(&self, text: String) -> String {
        match self.hidden(Value::String(text)) {
            Value::String(text) => text,
            // A text stays one.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => String::new(),
        }
    }

    /// Writes how a run ended. A verdict that stops the stage is a result; a run that ended early is an error.
    fn told(&self, outcome: &Outcome) -> CallToolResult {
        let verdicts: Vec<Value> = outcome
        .verdicts
        .values()
        .map(|judgement| {
            let verdict = &judgement.verdict;
            json!({"stage": verdict.stage, "status": verdict.status, "exit": verdict.exit, "hash": verdict.hash,
                   "why": verdict.why(), "resource": Address::Verdict(verdict.spec_id.clone(), verdict.stage).to_string()})
        })
        .collect();
        let failure = outcome.failure.as_ref();
        let value = json!({
            "schema": "dicast.run/1", "run": outcome.run, "exit": outcome.exit, "verdicts": verdicts,
            "evidence": outcome.evidence, "memory": outcome.memory,
            "failure": failure.map(|failure| failure.to_string()), "next": failure.map(Failure::hint),
        });
        let value = self.hidden(value);
        if failure.is_some() { CallToolResult::structured_error(value) } else { CallToolResult::structured(value) }
    }

    /// Writes why something cannot be done, and what to do about it.
    fn refused(&self, failure: &Failure) -> CallToolResult {
        let clean = |text: String| Safe::block(&self.hidden_text(text)).to_string();
        let (why, next) = (clean(failure.to_string()), clean(failure.hint()));
        let value = json!({"schema": "dicast.error/1", "error": why, "next": next, "exit": failure.exit()});
        let mut result = CallToolResult::error(vec![ContentBlock::text(format!("error: {why}\n  next: {next}"))]);
        result.structured_content = Some(value);
        result
    }

    fn unreadable(&self, failure: &Failure) -> ErrorData {
        let why = Safe::block(&self.hidden_text(format!("{failure}; {}", failure.hint()))).to_string();
        ErrorData::internal_error(why, None)
    }
}

#[tool_handler]
impl ServerHandler for Jury {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let mut config = ServerConfig::new(capabilities);
        config.server_info = Implementation::new("dicast", env!("CARGO_PKG_VERSION"));
        config.instructions = Some(INSTRUCTIONS.to_owned());
        config
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let from: usize = match cursor {
            Some(cursor) => cursor.parse().map_err(|_| ErrorData::invalid_params("no such cursor", None))?,
            None => 0,
        };
        let all = self.blocking(|office| office.contents()).await.map_err(|failure| self.unreadable(&failure))?;
        let page = all.iter().skip(from).take(PAGE).map(|address| {
            let uri = address.to_string();
            let name = uri.trim_start_matches("dicast://").to_owned();
            let mut resource = Resource::new(uri, name);
            resource.title = Some(address.title());
            resource.mime_type = Some(address.media_type().to_owned());
            resource
        });
        let next = from.saturating_add(PAGE);
        Ok(ListResourcesResult {
            resources: page.collect(),
            next_cursor: (next < all.len()).then(|| next.to_string()),
            ..Default::default()
        })
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = |(uri, name, description): (&str, &str, &str)| {
            let mut template = ResourceTemplate::new(uri, name);
            template.description = Some(description.to_owned());
            template
        };
        let forms = [
            (VERDICT, "verdict", "The recorded verdict of a stage"),
            (JOURNAL, "journal", "What a run's journal says, a record a line; records name the run's files"),
            (FILE, "evidence", "A file that a run's journal names: prompts, raw output, artifacts, panels, verdicts"),
        ];
        let resource_templates = forms.into_iter().map(template).collect();
        Ok(ListResourceTemplatesResult { resource_templates, ..Default::default() })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let missing = || ErrorData::resource_not_found("no such resource", Some(json!({"uri": request.uri})));
        let address = Address::parse(&request.uri).ok_or_else(missing)?;
        let media_type = address.media_type();
        let text =
            self.blocking(move |office| office.read(&address)).await.map_err(|failure| self.unreadable(&failure))?;
        let contents = ResourceContents::text(self.hidden_text(text.ok_or_else(missing)?), request.uri.clone());
        Ok(ReadResourceResult::new(vec![contents.with_mime_type(media_type)]).into())
    }
}
