//! `dicast trust`: what the project's own config would run, and whether that was approved.

use std::path::PathBuf;

use super::super::args::Trust as Asked;
use super::super::out::{Done, table};
use super::Context;
use crate::config::Sources;
use crate::config::trust::{Approved, Store};
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::settings::{DiffLine, Offer, Proposal, Trust, TrustItem, TrustSource};

/// Lists, gives or takes back approval.
///
/// # Errors
/// Those of the config; exit 11 when what stands there is not what was named.
pub(super) fn trust(context: &Context, asked: &Asked) -> Result<Done, Failure> {
    match asked {
        Asked::List => list(context),
        Asked::Approve { server: Some(name), .. } => approve_server(context, name),
        Asked::Approve { hash, server: None } => approve(context, hash.as_deref()),
        Asked::Revoke => revoke(context),
    }
}

fn list(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let loaded = context.loaded()?;
    let approved = store(&sources)?.list();
    if context.global.json {
        return Ok(Done::value(&json(&loaded.trust, &approved, &loaded.settings.offers)));
    }
    let mut text = match loaded.trust.proposal() {
        None => "the project's config asks to run nothing\n".to_owned(),
        Some(proposal) => proposed(proposal),
    };
    text.push_str(match &loaded.trust {
        Trust::Unneeded => "",
        Trust::Approved(_) => "approved\n",
        Trust::Unapproved(_) => "NOT APPROVED: none of it runs\nnext: `dicast trust approve`\n",
        Trust::Changed { .. } => "CHANGED since it was approved: none of it runs\n",
    });
    if let Trust::Changed { diff, .. } = &loaded.trust {
        diff.iter().for_each(|line| text.push_str(&changed(line)));
        text.push_str("next: `dicast trust approve`\n");
    }
    let here: Vec<&Approved> =
        approved.iter().filter(|one| loaded.trust.proposal().is_some_and(|p| p.repo == one.repo)).collect();
    for offer in &loaded.settings.offers {
        text.push_str(&offered(offer));
    }
    if !here.is_empty() {
        let rows: Vec<Vec<String>> =
            here.iter().map(|one| vec!["approved".into(), one.hash.to_string(), one.at.rfc3339()]).collect();
        text.push_str(&table(&rows));
    }
    Ok(Done::lines(text))
}

fn approve(context: &Context, hash: Option<&str>) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let loaded = context.loaded()?;
    let Some(proposal) = loaded.trust.proposal() else {
        return Ok(Done::lines("the project's config asks to run nothing: there is nothing to approve\n"));
    };
    if let Some(hash) = hash.filter(|hash| *hash != proposal.hash.as_str()) {
        return Err(Failure::BadInput {
            place: "trust".into(),
            why: format!("what stands there is {}, not {}", proposal.hash, hash.chars().take(64).collect::<String>()),
            next: "look at it with `dicast trust list`".into(),
            exit: 11,
        });
    }
    store(&sources)?.approve(proposal, context.now)?;
    if context.global.json {
        return list(&context.afresh());
    }
    Ok(Done::lines(format!("{}approved\n", proposed(proposal))))
}

fn approve_server(context: &Context, name: &str) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let loaded = context.loaded()?;
    let offers = &loaded.settings.offers;
    let Some(offer) = offers.iter().find(|offer| offer.name == name) else {
        let names: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
        let there =
            if names.is_empty() { "none is offered".into() } else { format!("offered are {}", names.join(", ")) };
        return Err(Failure::usage("--server", format!("no server {name} is offered"), there));
    };
    crate::config::approve_offer(&sources, offer)?;
    if context.global.json {
        return list(&context.afresh());
    }
    Ok(Done::lines(format!("{}approved: it is started from now on, for this repository\n", shown(&offer.item))))
}

/// Shows a server that another program is configured with.
fn offered(offer: &Offer) -> String {
    let state = if offer.is_approved {
        "approved".to_owned()
    } else {
        format!("not started; next: `dicast trust approve --server {}`", offer.name)
    };
    format!("offered by {}:\n{}      {state}\n", Safe::line(&offer.from), shown(&offer.item))
}

fn revoke(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let count = store(&sources)?.revoke(&context.repo)?;
    if context.global.json {
        return Ok(Done::value(&serde_json::json!({"schema": "dicast.trust/1", "revoked": count})));
    }
    Ok(Done::lines(match count {
        0 => "nothing of this repository was approved\n".to_owned(),
        1 => "took 1 approval back\n".to_owned(),
        n => format!("took {n} approvals back\n"),
    }))
}

fn store(sources: &Sources) -> Result<Store, Failure> {
    let path: Option<PathBuf> = sources.trust_store.clone();
    let homeless =
        || Failure::usage("trust", "there is no home folder to keep approvals in", "set HOME, or use --yes-trust");
    Store::open(path.ok_or_else(homeless)?)
}

fn proposed(proposal: &Proposal) -> String {
    let mut out = format!("{} would run or reach:\n", proposal.repo);
    for item in &proposal.items {
        out.push_str(&shown(item));
    }
    out.push_str(&format!("hash  {}\n", proposal.hash));
    out
}

/// Writes one thing that would run: every word of its argv on its own, so that none hides in another.
fn shown(item: &TrustItem) -> String {
    let quoted = |word: &Safe| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@{}%+,".contains(c);
        match word.as_str() {
            word if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
            word => format!("{word:?}"),
        }
    };
    let argv: Vec<String> = item.argv.iter().map(quoted).collect();
    let mut out = format!("  {}\n      {}\n", item.what, argv.join(" "));
    if !item.env.is_empty() {
        let set: Vec<String> = item.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        out.push_str(&format!("      with {}\n", set.join(" ")));
    }
    if !item.env_pass.is_empty() {
        let seen: Vec<&str> = item.env_pass.iter().map(Safe::as_str).collect();
        out.push_str(&format!("      sees {}\n", seen.join(", ")));
    }
    if item.source == TrustSource::Detected {
        out.push_str("      found in the build files\n");
    }
    out
}

fn changed(line: &DiffLine) -> String {
    match line {
        DiffLine::Removed(text) => format!("  - {text}\n"),
        DiffLine::Added(text) => format!("  + {text}\n"),
    }
}

fn json(trust: &Trust, approved: &[Approved], offers: &[Offer]) -> serde_json::Value {
    let state = match trust {
        Trust::Unneeded => "unneeded",
        Trust::Approved(_) => "approved",
        Trust::Unapproved(_) => "unapproved",
        Trust::Changed { .. } => "changed",
    };
    let diff: Vec<String> = match trust {
        Trust::Changed { diff, .. } => {
            diff.iter().map(|line| changed(line).trim_end().trim_start().to_owned()).collect()
        }
        Trust::Unneeded | Trust::Approved(_) | Trust::Unapproved(_) => Vec::new(),
    };
    let list: Vec<serde_json::Value> = approved
        .iter()
        .map(|one| serde_json::json!({"repo": one.repo, "hash": one.hash, "at": one.at.rfc3339()}))
        .collect();
    serde_json::json!({
        "schema": "dicast.trust/1", "state": state, "hash": trust.proposal().map(|p| &p.hash),
        "items": trust.proposal().map(|p| p.items.as_slice()).unwrap_or_default(), "diff": diff, "approved": list,
        "offers": offers.iter().map(|offer| serde_json::json!({
            "name": offer.name, "from": offer.from, "hash": offer.hash, "approved": offer.is_approved, "item": offer.item,
        })).collect::<Vec<_>>(),
    })
}
