//! MCP servers of other programs: shown, approved by a key, started only then.

use std::collections::BTreeMap;

use super::script::{Script, THREE, settings};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::model::{Overlay, View};
use crate::app::msg::Msg;
use crate::domain::hash::Sha;
use crate::domain::safe::Safe;
use crate::domain::settings::{Offer, Server, Transport, TrustItem, TrustSource};

#[test]
fn a_server_of_another_program_is_looked_at_whole_before_it_is_approved() {
    let mut settings = settings(&THREE);
    let words: Vec<Safe> = ["npx", "-y", "files"].map(Safe::line).into();
    let item = TrustItem {
        what: Safe::line("MCP server files"),
        argv: words,
        env: BTreeMap::new(),
        env_pass: vec![],
        source: TrustSource::Config,
    };
    let transport = Transport::Stdio { command: "npx".into(), args: vec![], env: BTreeMap::new(), cwd: None };
    let server = Server { transport, startup_timeout_ms: 1, tool_timeout_ms: 1 };
    let (name, from) = ("files".to_owned(), "~/.claude.json".to_owned());
    let offer = Offer { name, from, hash: Sha::of("files"), is_approved: false, item, server };
    settings.offers = vec![Offer { name: "old".into(), is_approved: true, ..offer.clone() }, offer];
    let mut script = Script::of(settings, false);
    script.key(Key::Char('a'));
    assert!(matches!(script.model.view(), View::Trust { .. }));
    // There is one to approve, and no second one.
    assert_eq!(script.key(Key::Char('2')).model.overlay, None);
    script.key(Key::Char('1'));
    assert_eq!(script.model.overlay, Some(Overlay::Offer("files".into())));
    script.key(Key::Esc);
    assert_eq!(script.effects, []);
    // What does not fit on the screen is not approved unseen.
    script.model.size = (6, 8);
    script.key(Key::Char('1')).key(Key::Enter);
    assert_eq!(script.effects, []);
    script.model.size = (80, 24);
    script.key(Key::Char('1')).key(Key::Enter);
    assert_eq!(script.effects, [Effect::ApproveServer("files".into())]);
    script.send(Msg::Approved(Ok(())));
    assert!(script.model.reload && script.quits() == [0]);
}
