//! The commands that run the whole program: the stages, the demonstration, the screen.

use super::super::args::{Global, Stage as Asked};
use super::super::out::Done;
use super::{Context, agents, first, place, survey};
use crate::app::msg::Request;
use crate::domain::failure::Failure;
use crate::domain::stage::Stage;

/// Runs one stage of a spec, or the remaining ones.
pub(super) fn stages(context: &Context, asked: &Asked, _stage: Option<Stage>) -> Result<Done, Failure> {
    let _folder = place::spec(context, asked.spec.as_deref())?;
    Err(Failure::ActorGone { actor: "shell".into() })
}

/// Runs the demonstration.
pub(super) fn demo(_global: &Global, _speed: u32) -> Result<Done, Failure> {
    Err(Failure::ActorGone { actor: "shell".into() })
}

/// Opens the screen, or prints the first-run screen as lines where there is no terminal.
pub(super) fn screen(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let loaded = crate::config::load(&sources)?;
    let overview = survey::overview(context)?;
    let panel: Vec<String> = loaded.settings.agents.iter().map(|agent| agent.name.to_string()).collect();
    let on_path: Vec<&str> = agents::on_path(&sources).iter().map(|found| found.name).collect();
    Ok(Done::lines(first::text(&overview, &panel, &on_path, &loaded.trust)))
}

/// Starts the shell with requests.
pub(super) fn start(_context: &Context, _requests: Vec<Request>, _on_screen: bool) -> Result<Done, Failure> {
    Err(Failure::ActorGone { actor: "shell".into() })
}
