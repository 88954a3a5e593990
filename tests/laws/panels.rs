//! Panels made from a tape of bytes: each byte is one choice, and 0 is the simplest, so that failing panels shrink.

use std::collections::BTreeSet;

use dicast::domain::claim::{Assertion, Kind, Polarity, Severity, Tier};
use dicast::domain::consensus::policy::{Policy, Quorum, Ratio};
use dicast::domain::consensus::{
    Answer, Candidate, Choice, Kept, Level, Panel, Participant, Requirement, Verdict, Waiver, decide, digest,
};
use dicast::domain::hash::Sha;
use dicast::domain::ids::{AgentName, Family, SpecId};
use dicast::domain::stage::Stage;
use proptest::prelude::*;

/// Longest tape: enough for the largest panel; behind its end every choice is the simplest.
const TAPE_MAX: usize = 904;

/// Returns the strategy of tapes. They shrink by being cut at the end and by simpler bytes, never by taking one out in the
/// middle: every choice behind it would become another one. Drawn eight bytes at a time, which takes an eighth of the time.
pub(crate) fn tape() -> impl Strategy<Value = Vec<u8>> {
    (0..=TAPE_MAX, prop::collection::vec(any::<u64>(), TAPE_MAX / 8))
        .prop_map(|(length, words)| words.into_iter().flat_map(u64::to_be_bytes).take(length).collect())
}

/// Texts that are near each other, and some that only look so.
const TEXTS: [&str; 6] = [
    "the limiter loses its counters when the process of a node restarts",
    "the limiter loses its counters when the process of the node restarts",
    "the limiter loses its counters when the process of any node restarts now",
    "the limiter never loses its counters when the process of a node restarts",
    "clock goes back",
    "Clock  goes back",
];

const OUTCOMES: [&str; 8] = ["PASS", "GO", "APPROVED", "FAIL", "NO-GO", "REJECTED", "PARTIAL", "CONDITIONAL"];

struct Reader<'t> {
    tape: std::slice::Iter<'t, u8>,
}

impl Reader<'_> {
    /// Draws 0..n, 0 when the tape has ended.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.tape.next().copied().unwrap_or(0)) * n / 256
    }

    /// Draws true in about `percent` of cases.
    fn chance(&mut self, percent: usize) -> bool {
        // The byte 0 must mean no.
        self.below(100) >= 100 - percent
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Makes a panel from a tape.
pub(crate) fn generate(tape: &[u8]) -> Panel {
    let mut r = Reader { tape: tape.iter() };
    let spec = SpecId::new("001-law").unwrap_or_else(|e| unreachable!("{e}"));
    let stage = *r.pick(&[Stage::Plan, Stage::Validate, Stage::Audit, Stage::Tasks, Stage::Unlock, Stage::Implement]);
    let mut panel = Panel::new(spec, stage);
    for i in 0..=r.below(3) {
        let level = *r.pick(&[Level::Must, Level::Must, Level::Should]);
        panel.requirements.push(Requirement { id: format!("FR-{i:03}"), level });
    }
    panel.policy = policy(&mut r);
    // How much the agents differ: not at all, a little, much.
    let noise = *r.pick(&[0, 0, 2, 6, 25]);
    let script = script(&mut r, &panel);
    let families = 1 + *r.pick(&[1, 1, 1, 2, 2, 2, 3, 0]);
    for f in 0..families {
        for member in 0..=usize::from(r.chance(15)) {
            let agent = participant(&mut r, &format!("f{f}"), &format!("f{f}-{member}"), &script, noise);
            panel.agents.push(agent);
        }
    }
    if r.chance(40) {
        let mut host = participant(&mut r, "host", "host", &script, noise.max(10));
        host.voter = false;
        host.claims.retain(|a| a.predicate != "outcome");
        host.claims.truncate(2);
        panel.agents.push(host);
    }
    candidates(&mut r, &mut panel);
    decisions_of_humans(&mut r, &mut panel);
    panel
}

fn policy(r: &mut Reader<'_>) -> Policy {
    let ratio = |text: &&str| text.parse::<Ratio>().unwrap_or(Ratio::TWO_THIRDS);
    Policy {
        agree: ratio(r.pick(&["2/3", "2/3", "2/3", "1/2", "1/1"])),
        quorum: if r.chance(10) { Quorum::Solo } else { Quorum::Share(ratio(r.pick(&["2/3", "2/3", "1/2"]))) },
        merge_threshold: ratio(r.pick(&["6/10", "6/10", "4/10", "1/1"])),
        allow_degraded: r.chance(10),
        allow_hollow: r.chance(10),
    }
}

/// What all agents would say if they did not differ.
fn script(r: &mut Reader<'_>, panel: &Panel) -> Vec<Assertion> {
    let mut script = Vec::new();
    let words_only = r.chance(20);
    let tier = if words_only { Tier::E0 } else { Tier::E2 };
    for requirement in &panel.requirements {
        let covers = assertion(Kind::Covers, &requirement.id, "covered", "yes", Severity::Major, tier);
        script.push(covers);
    }
    for i in 0..r.below(3) {
        let severity = *r.pick(&[Severity::Minor, Severity::Major, Severity::Info]);
        script.push(assertion(Kind::Decision, &format!("D-{i:03}"), "answer", "10", severity, tier));
    }
    if panel.stage.has_outcome() {
        let outcome = if r.chance(15) { *r.pick(&OUTCOMES) } else { "PASS" };
        script.push(assertion(Kind::Decision, "stage", "outcome", outcome, Severity::Major, Tier::E2));
    }
    if r.chance(25) {
        let mut test = assertion(Kind::Test, "limiter::burst", "passes", "yes", Severity::Major, Tier::E2);
        test.requirement = Some(panel.requirements[0].id.clone());
        script.push(test);
    }
    if r.chance(10) {
        script.push(assertion(Kind::Test, "FR-000", "checked-by", "t1", Severity::Info, Tier::E1));
        if r.chance(50) {
            script.push(assertion(Kind::Test, "FR-000", "checked-by", "t2", Severity::Info, Tier::E1));
        }
    }
    script
}

fn assertion(kind: Kind, subject: &str, predicate: &str, value: &str, severity: Severity, tier: Tier) -> Assertion {
    Assertion {
        kind,
        subject: subject.into(),
        predicate: predicate.into(),
        value: value.into(),
        polarity: Polarity::Yes,
        severity,
        tier,
        requirement: None,
    }
}

fn participant(r: &mut Reader<'_>, family: &str, name: &str, script: &[Assertion], noise: usize) -> Participant {
    let lost = [Answer::Timeout, Answer::Crashed, Answer::Unparsed, Answer::Missing, Answer::RateLimited];
    let status = if r.chance(4) { *r.pick(&lost) } else { Answer::Ok };
    let mut claims = Vec::new();
    for said in script {
        if r.chance(noise) {
            continue;
        }
        claims.push(varied(r, said, noise));
        if r.chance(noise / 3) {
            claims.push(varied(r, said, 60));
        }
    }
    for _ in 0..r.below(1 + noise.min(3)) {
        claims.push(aside(r));
    }
    Participant {
        name: AgentName::new(name).unwrap_or_else(|e| unreachable!("{e}")),
        family: Family::new(family).unwrap_or_else(|e| unreachable!("{e}")),
        voter: true,
        status,
        open_dissent: if r.chance(5) { vec![Sha::of("earlier")] } else { Vec::new() },
        artifact: r.chance(30).then(|| Kept { path: format!("artifacts/{name}.json"), sha256: Sha::of(name) }),
        claims,
    }
}

/// Says what the script says, perhaps differently.
fn varied(r: &mut Reader<'_>, said: &Assertion, noise: usize) -> Assertion {
    let mut a = said.clone();
    let is_outcome = a.predicate == "outcome";
    if r.chance(noise) {
        match (is_outcome, r.chance(50)) {
            (true, _) => a.value = (*r.pick(&OUTCOMES)).into(),
            (false, true) => a.polarity = Polarity::No,
            (false, false) => a.value = (*r.pick(&["10.0", "20", "t2"])).into(),
        }
    }
    if r.chance(noise + 3) {
        a.tier = *r.pick(&Tier::ALL);
    }
    if r.chance(noise) {
        a.severity = *r.pick(&[Severity::Minor, Severity::Major, Severity::Critical]);
    }
    if r.chance(noise / 3) && !is_outcome {
        a.severity = Severity::Info;
    }
    a
}

/// Says something that is not in the script.
fn aside(r: &mut Reader<'_>) -> Assertion {
    let (kind, predicate) = *r.pick(&[
        (Kind::Risk, "open"),
        (Kind::Finding, "open"),
        (Kind::Finding, "satisfied"),
        (Kind::FileChange, "touched"),
        (Kind::Finding, "condition"),
    ]);
    let subject = match kind {
        Kind::FileChange => "src/limiter.rs",
        Kind::Finding if predicate == "satisfied" => "FR-000",
        Kind::Covers | Kind::Test | Kind::Decision | Kind::Risk | Kind::Finding => *r.pick(&TEXTS),
    };
    let severity = *r.pick(&[Severity::Minor, Severity::Info, Severity::Minor, Severity::Major, Severity::Critical]);
    let tier = *r.pick(&[Tier::E0, Tier::E1, Tier::E2, Tier::E2, Tier::E3True, Tier::EFalse]);
    let mut a = assertion(kind, subject, predicate, "yes", severity, tier);
    if r.chance(20) {
        a.polarity = Polarity::No;
    }
    a
}

fn candidates(r: &mut Reader<'_>, panel: &mut Panel) {
    if panel.stage != Stage::Implement {
        return;
    }
    let families: BTreeSet<Family> = panel.agents.iter().filter(|a| a.voter).map(|a| a.family.clone()).collect();
    for family in families {
        let passed = BTreeSet::from([(*r.pick(&["t1", "t1", "t2"])).to_owned()]);
        let survived = !r.chance(25);
        let tree = format!("tree-{family}");
        panel.candidates.push(Candidate { family, tree, passed, failed: BTreeSet::new(), changed_lines: 9, survived });
    }
}

/// Adds waivers, choices, merges and rejections, most of them about claims that are there.
fn decisions_of_humans(r: &mut Reader<'_>, panel: &mut Panel) {
    if !r.chance(25) {
        return;
    }
    let claims = decide(panel).claims;
    if claims.is_empty() {
        return;
    }
    for _ in 0..r.below(3) {
        let judged = r.pick(&claims);
        let choice = judged.dissent.first().filter(|_| r.chance(50));
        let choice = choice.map(|d| Choice { value: d.value.clone(), polarity: d.polarity });
        let digest = if r.chance(15) { Sha::of("stale") } else { digest(panel, &judged.key) };
        panel.waivers.push(Waiver {
            claim: judged.key.clone(),
            digest,
            by: "ann".into(),
            reason: "known".into(),
            choice,
        });
    }
    if r.chance(20) {
        panel.same_as.push((r.pick(&claims).key.clone(), r.pick(&claims).key.clone()));
    }
    if r.chance(10) {
        panel.rejected.push(r.pick(&claims).key.clone());
    }
    if r.chance(50) {
        panel.accepted_conditions = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    }
}

/// Takes away waivers that sign claims of no weight: without the claim they would be stale.
pub(crate) fn without_info_waivers(mut panel: Panel) -> Panel {
    let light: BTreeSet<Sha> = decide(&panel)
        .claims
        .into_iter()
        .filter(|c| c.severity == Severity::Info)
        .flat_map(|c| std::iter::once(c.key).chain(c.merged_from.into_iter().map(|m| m.key)))
        .collect();
    panel.waivers.retain(|waiver| !light.contains(&waiver.claim));
    panel
}

/// Tells whether a verdict passes without anybody having allowed it.
pub(crate) fn clean_exit(panel: &Panel, verdict: &Verdict) -> bool {
    verdict.exit == 0 && !panel.policy.allow_degraded
}
