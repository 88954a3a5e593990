//! `dicast demo`: the sample on the screen, or told in lines from the lies that `check` finds to the test that settles a
//! conflict.
//!
//! It must not know how the sample is made.

use super::super::args::Global;
use super::super::check::errors;
use super::super::out::{self, Done};
use super::super::plain::{Aim, EVENT_SCHEMA};
use super::{Context, now, place, record, run, survey};
use crate::domain::claim::Severity;
use crate::domain::consensus::{Judged, Label, Verdict};
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::shell::demo::{Copy, STAGE};
use crate::shell::engine::Flags;

/// Digits of a key that tell claims of one spec apart.
const KEY_DIGITS: usize = 12;

/// Runs the demonstration: on the screen where there is a terminal, else in lines to the end.
///
/// # Errors
/// When the sample cannot be copied, or does not end as it shows.
pub(super) fn demo(global: &Global, speed: u32) -> Result<Done, Failure> {
    let copy = Copy::make(Flags { speed: Some(speed.to_string()), ..run::flags(global) })?;
    if run::has_screen(global) {
        let exit = copy.on_screen()?;
        out::say(&format!("the demonstration's copy stays in {}\n", copy.folder().display()));
        return Ok(Done::exit(exit));
    }
    let context = Context::of(Global { repo: Some(copy.folder().to_owned()), ..global.clone() })?;
    // Lines are told as it goes: programs get events on stdout, and the story on stderr.
    let tell = |text: String| match global.json {
        true => out::say(&text),
        false => out::put(Safe::block(&text).as_str()),
    };
    tell("DEMO  agents are SCRIPTED, everything else is live\n".to_owned());
    tell(format!("the copy is in {}\n\n", copy.folder().display()));
    let report = survey::report(&context, None, None)?;
    tell(format!("what `dicast check` finds, without any agent:\n{}\n", errors(&report)));
    tell(format!("dicast {STAGE} {}: four agents are asked\n", copy.spec));
    let aim = Aim { repo: Some(copy.folder().to_owned()), config: None };
    let first = copy.plan()?;
    let folder = place::spec(&context, Some(copy.spec.as_str()))?;
    let before = record::recorded(&context.store(), &folder, STAGE)?;
    let open: Vec<&Judged> = before.claims.iter().filter(|claim| is_open(claim)).collect();
    let names: Vec<String> = open.iter().map(|claim| claim.title()).collect();
    tell(format!("\nagents differ on {}; a test settles it\n  t: {}\n", names.join(", "), copy.test()?.join(" ")));
    let second = copy.settle()?;
    let after = record::recorded(&context.store(), &folder, STAGE)?;
    for claim in &open {
        tell(format!("  {}: {}\n", claim.title(), became(&after, claim)));
        let key: String = claim.key.as_str().chars().take(KEY_DIGITS).collect();
        tell(format!("  why: {}\n", aim.reading(&format!("explain {} {STAGE} {key}", copy.spec))));
    }
    tell(format!(
        "\nshown: {} lies in ticked work, a conflict (exit {first}), and the test that settled it (exit {second}: one \
         agent never answered)\n",
        report.count(crate::domain::check::Severity::Error)
    ));
    Ok(match global.json {
        false => Done::exit(0),
        true => Done::value(&serde_json::json!({
            "schema": EVENT_SCHEMA, "seq": out::next_sequence(), "at": now().rfc3339(), "run": null,
            "type": "batch.finished", "exit": 0, "exits": [first, second], "copy": copy.folder(),
        })),
    })
}

fn is_open(claim: &Judged) -> bool {
    claim.label == Label::Conflict && claim.severity > Severity::Info
}

/// Says what a claim is now.
fn became(after: &Verdict, claim: &Judged) -> String {
    let Some(now) = after.claims.iter().find(|now| now.key == claim.key) else { return "gone".to_owned() };
    let value = now.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
    format!("{} → {}{value} ({})", claim.label.name(), now.label.name(), now.tier.word())
}
