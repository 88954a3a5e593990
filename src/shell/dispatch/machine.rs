//! What stands on this machine, and the first config that is made of it.
//!
//! It must not decide when anybody is asked.

use std::path::PathBuf;

use super::Dispatch;
use crate::actors::Reply;
use crate::actors::agents::{models, version};
use crate::app::model::Model;
use crate::config::{Sources, found, init};
use crate::domain::failure::Failure;
use crate::domain::machine::{Machine, Spot};
use crate::domain::settings::local;
use crate::shell::engine::variables;
use crate::shell::inbox::{Inbox, Pending};

impl Dispatch {
    /// Looks at something; the answer comes later, whatever it is.
    pub(super) fn look(&self, spot: Spot, inbox: &mut Inbox) {
        let scope = &self.hands.scope;
        match spot {
            Spot::Path => inbox.expect(Pending::Path(self.look_at_path())),
            Spot::Version(name) => {
                // A name that is not on PATH any more is asked by that name, and cannot be started.
                let path = std::env::var_os("PATH");
                let known = found::KNOWN.iter().map(|known| known.name).filter(|known| *known == name);
                let found = found::find_on_path(known, path.as_deref());
                let program = found.into_iter().next().map_or_else(|| PathBuf::from(&name), |found| found.path);
                let reply = version::version(scope, &self.hands.children, program);
                inbox.expect(Pending::Version(name, reply));
            }
            Spot::Models(name) => {
                let address = local(&name).map(|local| local.base_url).unwrap_or_default();
                inbox.expect(Pending::Models(name, models::models(scope, address)));
            }
        }
    }

    fn look_at_path(&self) -> Reply<Machine> {
        let scope = self.hands.scope.clone();
        self.job(async move {
            let work = || found::machine(&variables());
            scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: "config".into() })
        })
    }

    /// Writes the first config from what was found. Nothing of it is approved yet.
    pub(super) fn init(&self, model: &Model) -> Reply<()> {
        let (repo, scope) = (self.places.repo.clone(), self.hands.scope.clone());
        let servers = init::Serving::of(&model.machine);
        self.job(async move {
            let work = move || {
                let sources = Sources::of_this_process(repo)?;
                init::write(&sources, &init::facts(&sources, servers))
            };
            scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: "config".into() })?
        })
    }
}
