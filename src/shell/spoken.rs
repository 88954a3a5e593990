//! What an agent that is spoken to over the Agent Client Protocol is started with: its own folder for as long as it is
//! kept, our deadlines, and the memory server.
//!
//! It must not know processes, nor what is asked.

use std::collections::BTreeMap;
use std::path::Path;

use super::hands::Places;
use crate::domain::acp::{Manner, Server};
use crate::domain::ids::RunId;
use crate::domain::launch;
use crate::domain::run::{Launch, Limits};
use crate::domain::settings::{self, Agent, MemoryServer, Settings, Transport, program};
use crate::domain::stream;

/// Returns what is started for an agent of a run: the same for all its turns in which it may write, and for all others.
pub(super) fn launch(
    places: &Places,
    settings: &Settings,
    run: &RunId,
    (agent, limits): (&Agent, Limits),
    (of, worktree): (&settings::Launch, Option<&Path>),
) -> Launch {
    // Whoever writes is another process than the one that only reads.
    let how = if worktree.is_some() { "-writes" } else { "" };
    let private = places.private.join(format!("{run}-{}{how}", agent.name));
    let mut launch = launch::spoken(of, launch::Places { repo: &places.repo, worktree, private: &private }, limits);
    if let stream::Transport::Acp(manner) = &mut launch.transport {
        worktree.into_iter().for_each(|folder| manner.writing(folder.to_string_lossy().into_owned()));
        remember(places, settings, manner);
    }
    launch
}

/// Passes the memory server on, if the agent can start it itself; it may only look things up there.
fn remember(places: &Places, settings: &Settings, manner: &mut Manner) {
    let name = settings.memory.name().to_owned();
    match &settings.memory {
        MemoryServer::Embedded => {
            let db = places.repo.join(".dicast/memory.db").to_string_lossy().into_owned();
            let args = ["memory", "serve", "--read-only", "--db"].map(str::to_owned).into_iter().chain([db]).collect();
            let command = places.program.to_string_lossy().into_owned();
            manner.servers = vec![Server { name, command, args, env: BTreeMap::new() }];
        }
        MemoryServer::Declared(_) => match settings.servers.get(&name).map(|server| &server.transport) {
            Some(Transport::Stdio { command, args, env, .. }) => {
                let command = program(command, &places.repo).to_string_lossy().into_owned();
                let env = env.iter().map(|(name, value)| (name.clone(), String::from(value.clone()))).collect();
                manner.servers = vec![Server { name, command, args: args.clone(), env }];
            }
            Some(Transport::Http { .. }) | None => {
                manner.remark = Some(format!("the memory server {name} is not passed on: it is reached over HTTP"));
            }
        },
    }
}
