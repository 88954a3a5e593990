//! What gave a claim its label, said once for the screen and for `explain`: the rule in words, and the integers that it
//! compares.
//!
//! It must not decide anything: it shows the numbers of a tally.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::panel::Panel;
use super::tally::{Bench, Claim, Rule, Tally, gather, tally};
use crate::domain::claim::{Severity, Tier};
use crate::domain::hash::Sha;

/// Why a claim has its label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reckoning {
    /// The rule that matched, as a sentence.
    pub rule: String,
    /// The comparison of integers that it rests on, for example `3·2 ≥ 2·3 holds`.
    pub comparison: String,
}

/// Reckons every claim of a panel, by key.
pub fn reckon(panel: &Panel) -> BTreeMap<Sha, Reckoning> {
    let bench = Bench::seat(panel);
    let claims = gather(&bench);
    claims.list.iter().map(|claim| (claim.key().clone(), of(&bench, claim, &tally(&bench, claim)))).collect()
}

/// Reckons one claim.
pub(super) fn of(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> Reckoning {
    Reckoning { rule: rule(bench, claim, tally), comparison: comparison(bench, claim, tally) }
}

fn rule(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> String {
    match tally.rule {
        Rule::OneSideRan => "the host ran it, and it holds: votes do not matter".into(),
        Rule::TwoSidesRan => "the host ran two sides, and both hold".into(),
        Rule::NothingLeft => format!("every assertion ({}) was found false", claim.said.len()),
        Rule::NobodyCouldVote => "voters spoke, but each family contradicts itself".into(),
        Rule::Tie => "two sides share the top".into(),
        Rule::OneFamily => "only one family has a vote on it: nobody could disagree".into(),
        Rule::OnlyTheHost => "only the host speaks".into(),
        Rule::DissentHasEvidence => {
            let (severity, tier) = weighty(tally).max_by_key(|(_, tier)| *tier).unwrap_or((Severity::Major, Tier::E1));
            format!("a losing assertion is {severity} and was {}: not outvoted", tier.word())
        }
        Rule::TooFewForTheTop => {
            format!("the strongest side has less than {} of the families that answered", bench.panel.policy.agree)
        }
        Rule::WordsOnly => "all agree on something that matters, and nobody has looked".into(),
        Rule::Unanimous => "no dissent, and at least half of the families spoke".into(),
        Rule::FewAddressedIt => "no dissent, but less than half of the families spoke".into(),
        Rule::Outvoted => "the majority holds; what was outvoted goes to the ledger".into(),
    }
}

/// Returns the losing assertions that are not outvoted.
fn weighty<'t>(tally: &'t Tally<'_>) -> impl Iterator<Item = (Severity, Tier)> + 't {
    let losing = tally.dissent().map(|said| (said.severity, said.tier));
    losing.filter(|(severity, tier)| *severity >= Severity::Major && *tier >= Tier::E1)
}

fn comparison(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> String {
    let (top, answered, ok) = (tally.top, tally.ballots.len(), bench.ok.len());
    let agree = bench.panel.policy.agree;
    let word = |holds: bool| if holds { "holds" } else { "fails" };
    let majority =
        || format!("{}·{top} ≥ {}·{answered} {}", agree.q(), agree.p(), word(agree.is_reached(top, answered)));
    let half = || format!("{}, 2·{answered} ≥ {ok} {}", majority(), word(2 * answered >= ok));
    let said = claim.said.len();
    let struck = claim.said.iter().filter(|said| said.is_struck()).count();
    let looked_at = tally.standing.iter().filter(|said| said.tier > Tier::E0).count();
    match tally.rule {
        Rule::OneSideRan => "1 side that ran holds, 1 = 1".into(),
        Rule::TwoSidesRan => format!("{} sides that ran hold, {0} > 1", tally.sides_that_ran()),
        Rule::NothingLeft => format!("{said} said − {struck} false = {} left", said - struck),
        Rule::NobodyCouldVote => "0 families with a vote, 0 < 1".into(),
        Rule::Tie => format!("{top} = {top} for the top"),
        Rule::OneFamily => "1 family with a vote, 1 < 2".into(),
        Rule::OnlyTheHost => "0 voters spoke, 0 < 1".into(),
        Rule::DissentHasEvidence => {
            format!("{} ≥ 1 losing with evidence, though {}", weighty(tally).count(), majority())
        }
        Rule::WordsOnly => format!("{}, looked at {looked_at} of {}", majority(), tally.standing.len()),
        Rule::TooFewForTheTop | Rule::Outvoted => majority(),
        Rule::Unanimous | Rule::FewAddressedIt => half(),
    }
}
