//! What MCP servers lend a model over HTTP: their tools as it is told them, and calls of them, by message to the one actor
//! that owns connections.
//!
//! It must not know connections, nor what a tool means. What a server says is a stranger's word: bounded, and without
//! what is secret here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::command::Tools;
use crate::actors::mcp;
use crate::domain::dialect::tools::Tool;
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::settings::Lent;

/// How long a server may take to say what it has: one that is not ready by then lends nothing to this turn.
const TOLD: Duration = Duration::from_secs(5);

/// How long one call may take, its tries and the waits between them included.
const CALL: Duration = Duration::from_secs(30);

/// How much longer than that the actor may take to say so.
const SLACK: Duration = Duration::from_secs(1);

/// Most tools that a model is told of: it chooses worse among more.
const TOOLS_MAX: usize = 64;

/// Most characters of what a tool is said to do.
const DOES_MAX: usize = 2_000;

/// Most bytes of a schema; a tool that takes more is not lent.
const TAKES_MAX: usize = 16 << 10;

/// Longest name of a tool that the APIs take.
const NAME_MAX: usize = 64;

/// The tools that a turn may use besides its own.
#[derive(Debug, Default)]
pub(super) struct Loans {
    told: Vec<Tool>,
    by_name: BTreeMap<String, Loan>,
}

/// One tool, where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loan {
    server: String,
    tool: String,
    only_reads: bool,
}

impl Loans {
    /// Asks the servers what they have; returns also what is to be said of those that lend nothing, or less.
    pub(super) async fn of(tools: &Tools, lent: &Lent, stop: &CancellationToken) -> (Self, Vec<String>) {
        let ask = |server: &String| {
            let mcp = tools.servers.clone();
            let (server, stop) = (server.clone(), stop.clone());
            async move {
                let Some(mcp) = mcp else { return (server, Err(Failure::ActorGone { actor: "mcp".into() })) };
                let patience = u64::try_from(TOLD.as_millis()).unwrap_or(u64::MAX);
                let told = mcp.tools(server.clone(), patience, stop);
                let told = told.within(TOLD + SLACK, "the tools of an MCP server").await;
                (server, told)
            }
        };
        let mut loans = Self::default();
        let mut remarks = Vec::new();
        for (server, told) in futures::future::join_all(lent.servers.iter().map(ask)).await {
            match told {
                Ok(found) => remarks.extend(loans.add(&server, found, lent, &tools.redactor)),
                Err(failure) => remarks.push(format!("· MCP server {server} lends nothing: {failure}")),
            }
        }
        (loans, remarks)
    }

    /// Adds what a server has, as far as it may be lent; says what is not.
    fn add(&mut self, server: &str, found: Vec<mcp::Tool>, lent: &Lent, redactor: &Redactor) -> Option<String> {
        let (mut kept_back, mut unfit) = (Vec::new(), Vec::new());
        for tool in found {
            let name = format!("{server}__{}", tool.name);
            if !tool.only_reads && !lent.tools.contains(&name) {
                kept_back.push(tool.name);
            } else if let Some(takes) =
                taken(&tool.takes, redactor).filter(|_| is_name(&name) && self.told.len() < TOOLS_MAX)
            {
                let does = redactor.clean(&tool.does).chars().take(DOES_MAX).collect();
                self.told.push(Tool { name: name.clone(), does, takes });
                let loan = Loan { server: server.to_owned(), tool: tool.name, only_reads: tool.only_reads };
                self.by_name.insert(name, loan);
            } else {
                unfit.push(tool.name);
            }
        }
        let mut parts = Vec::new();
        if !kept_back.is_empty() {
            parts.push(format!("{} may change something (mcp_tools allows them)", kept_back.join(", ")));
        }
        if !unfit.is_empty() {
            parts.push(format!("{} cannot be told to a model", unfit.join(", ")));
        }
        (!parts.is_empty()).then(|| format!("· MCP server {server} does not lend all it has: {}", parts.join("; ")))
    }

    /// Returns the tools as a model is told them.
    pub(super) fn told(&self) -> &[Tool] {
        &self.told
    }

    /// Finds a tool by the name that the model knows.
    pub(super) fn find(&self, name: &str) -> Option<&Loan> {
        self.by_name.get(name)
    }
}

impl Loan {
    /// Calls the tool; when `stop` is cancelled its server is told so.
    ///
    /// # Errors
    /// Why there is no result, to be told to the model.
    pub(super) async fn call(&self, tools: &Tools, input: &str, stop: CancellationToken) -> Result<String, String> {
        let input = if input.trim().is_empty() { "{}" } else { input };
        let args: Value =
            serde_json::from_str(input).map_err(|error| format!("{} cannot read its input: {error}", self.tool))?;
        if !args.is_object() {
            return Err(format!("{} takes a JSON object", self.tool));
        }
        let Some(mcp) = &tools.servers else { return Err("there are no MCP servers".into()) };
        let ask = mcp::Ask {
            server: self.server.clone(),
            tool: self.tool.clone(),
            args,
            patience_ms: u64::try_from(CALL.as_millis()).unwrap_or(u64::MAX),
            is_idempotent: self.only_reads,
        };
        match mcp.call(ask, stop).within(CALL + SLACK, "a tool of an MCP server").await {
            Ok(Value::String(text)) => Ok(text),
            Ok(value) => Ok(value.to_string()),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// Returns the schema of what a tool takes as it is passed on, without secrets; none where it is no schema of an object or
/// too long.
fn taken(takes: &Value, redactor: &Redactor) -> Option<Value> {
    let text = takes.to_string();
    let mut takes: Value = serde_json::from_str(&redactor.clean(&text)).ok()?;
    let members = takes.as_object_mut().filter(|_| text.len() <= TAKES_MAX)?;
    members.entry("type").or_insert_with(|| json!("object"));
    // Some APIs refuse a schema without them.
    members.entry("properties").or_insert_with(|| json!({}));
    (members["type"] == "object").then_some(takes)
}

/// Tells whether every API takes this as the name of a tool.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_MAX && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, only_reads: bool, takes: Value) -> mcp::Tool {
        let (required, known) = Default::default();
        mcp::Tool { name: name.into(), required, known, does: format!("does {name} hunter2-x"), takes, only_reads }
    }

    #[test]
    fn only_what_declares_that_it_reads_or_is_named_is_lent_and_the_rest_is_said() {
        let lent = Lent { servers: ["s".to_owned()].into(), tools: ["s__store".to_owned()].into() };
        let redactor = Redactor::new(["hunter2-x".to_owned()]);
        let object = || json!({"type": "object", "properties": {"q": {"description": "like hunter2-x"}}});
        let found = vec![
            tool("find", true, object()),
            tool("store", false, json!({})),
            tool("drop", false, object()),
            tool("a b", true, object()),
            tool("list", true, json!({"type": "array"})),
            tool("huge", true, json!({"x": "y".repeat(TAKES_MAX)})),
        ];
        let mut loans = Loans::default();
        let said = loans.add("s", found, &lent, &redactor).unwrap();
        let names: Vec<&str> = loans.told().iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, ["s__find", "s__store"]);
        assert_eq!(loans.told()[1].takes, json!({"type": "object", "properties": {}}));
        assert!(said.contains("drop may change") && said.contains("a b, list, huge cannot be told"), "{said}");
        assert!(!format!("{:?}", loans.told()).contains("hunter2"), "{loans:?}");
        assert_eq!(loans.find("s__find").map(|loan| (&*loan.server, &*loan.tool)), Some(("s", "find")));
        assert_eq!(loans.find("s__drop"), None);
    }
}
