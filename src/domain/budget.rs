//! What agents cost: prices, how a turn is charged, what is reckoned before it, and why one is not begun.
//!
//! Money is whole millionths of a USD. It must not know runs, nor who is asked when.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::stream::Usage;

/// What a run may cost where nobody says otherwise, in millionths of a USD.
pub const RUN_MICRO_USD: u64 = 2_000_000;

/// How many tokens a turn is reckoned to write where nobody says otherwise.
pub const OUTPUT_TOKENS: u64 = 16_000;

/// Bytes of a prompt that are reckoned as one token: English and code have about four, other scripts fewer.
const BYTES_PER_TOKEN: u64 = 3;

/// Tokens that a price is for.
const MTOK: u128 = 1_000_000;

/// The limits of what a run may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The most that a run may cost, in millionths of a USD.
    pub run_micro_usd: u64,
    /// Whether an agent is asked of which nobody can tell what it costs.
    pub allow_unpriced: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { run_micro_usd: RUN_MICRO_USD, allow_unpriced: true }
    }
}

/// What a model costs, in millionths of a USD for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For tokens read; those from a cache are counted the same, which is the most that they can cost.
    pub input_micro_usd: u64,
    /// For tokens written.
    pub output_micro_usd: u64,
}

impl Price {
    /// Returns what so many tokens cost, in millionths of a USD, rounded up.
    pub fn of(self, input_tokens: u64, output_tokens: u64) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = part(input_tokens, self.input_micro_usd) + part(output_tokens, self.output_micro_usd);
        u64::try_from(sum.div_ceil(MTOK)).unwrap_or(u64::MAX)
    }
}

/// How an agent's turns are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// It costs nothing here: it is played from a script, or somebody else's machine answers.
    Free,
    /// Its user pays for a plan, whatever it says that a turn would have cost.
    Plan,
    /// By the token, at a configured price.
    Priced(Price),
    /// By the token; its program says what a turn cost.
    Told,
    /// By the token, as far as we know, and nobody is known to say how much. What it says nevertheless is counted.
    Unpriced,
}

impl Charge {
    /// Returns what a turn is reckoned to cost at most: its prompt, what its session holds and is sent with it, and so
    /// many tokens written. Nothing can be reckoned where there is no price.
    pub fn reckoned(self, prompt_bytes: usize, session_tokens: u64, output_tokens: u64) -> u64 {
        match self {
            Charge::Priced(price) => {
                let prompt = u64::try_from(prompt_bytes).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN);
                price.of(prompt.saturating_add(session_tokens), output_tokens)
            }
            Charge::Free | Charge::Plan | Charge::Told | Charge::Unpriced => 0,
        }
    }

    /// Returns what a turn used with the cost that is counted for it. A turn that named no tokens counts as it was
    /// `reckoned`: what nobody measured is not free.
    #[must_use]
    pub fn counted(self, used: Usage, reckoned: u64) -> Usage {
        let has_tokens = used.input_tokens > 0 || used.output_tokens > 0;
        let cost = match self {
            Charge::Free | Charge::Plan => None,
            // Nothing for tokens is what a program says that knows no price.
            Charge::Told | Charge::Unpriced => used.cost_micro_usd.filter(|cost| *cost > 0 || !has_tokens),
            Charge::Priced(price) if has_tokens => Some(price.of(used.input_tokens, used.output_tokens)),
            Charge::Priced(_) => Some(reckoned),
        };
        Usage { cost_micro_usd: cost, ..used }
    }
}

/// Why a turn is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It may cost more than is left.
    Cap {
        /// What it is reckoned to cost, in millionths of a USD; 0 where that cannot be told.
        needs_micro_usd: u64,
        /// What is left of the run's budget.
        left_micro_usd: u64,
    },
    /// Nobody can tell what it costs, and the config allows no such agent.
    Unpriced,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Cap { needs_micro_usd: 0, .. } => f.write_str("the run's budget is spent"),
            Refusal::Cap { needs_micro_usd, left_micro_usd } => write!(
                f,
                "it may cost {}, and {} of the run's budget is left",
                dollars(*needs_micro_usd),
                dollars(*left_micro_usd)
            ),
            Refusal::Unpriced => f.write_str("it has no price"),
        }
    }
}

impl Refusal {
    /// Returns the next step to take.
    pub fn hint(self) -> &'static str {
        match self {
            Refusal::Cap { .. } => {
                "raise [budget] run_usd in the config, then ask only who is missing (--rerun-missing)"
            }
            Refusal::Unpriced => "set its model's [prices], or [budget] allow_unpriced = true",
        }
    }
}

impl Budget {
    /// Tells why a turn that is reckoned to cost `needs` may not be begun, when `spent` is spent or set aside for turns
    /// at work.
    pub fn refuses(self, charge: Charge, needs: u64, spent: u64) -> Option<Refusal> {
        let left = self.run_micro_usd.saturating_sub(spent);
        match charge {
            Charge::Free | Charge::Plan => None,
            Charge::Unpriced => (!self.allow_unpriced).then_some(Refusal::Unpriced),
            Charge::Priced(_) => {
                (needs > left).then_some(Refusal::Cap { needs_micro_usd: needs, left_micro_usd: left })
            }
            Charge::Told => (left == 0).then_some(Refusal::Cap { needs_micro_usd: 0, left_micro_usd: 0 }),
        }
    }
}

/// Reads an amount of USD as people write it, in millionths: `2`, `0.25`, at most six digits after the point and a
/// million in all.
pub fn micro_usd(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole, 7) || !is_number(part, 6) {
        return None;
    }
    let micro = format!("{whole}{part:0<6}").parse::<u64>().ok()?;
    (micro <= 1_000_000_000_000).then_some(micro)
}

/// Writes an amount for people, in cents, rounded up: `$0.31`.
pub fn dollars(micro_usd: u64) -> String {
    let cents = micro_usd.div_ceil(10_000);
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// Writes a number of tokens for people: `812`, `9.4k`, `1.2M`.
pub fn tokens(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{}.{}k", n / 1_000, n / 100 % 10),
        1_000_000.. => format!("{}.{}M", n / 1_000_000, n / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: Price = Price { input_micro_usd: 15_000_000, output_micro_usd: 75_000_000 };

    fn used(input: u64, output: u64, cost: Option<u64>) -> Usage {
        Usage { input_tokens: input, output_tokens: output, cost_micro_usd: cost, ..Usage::default() }
    }

    #[test]
    fn tokens_cost_what_the_price_says_rounded_up() {
        assert_eq!(OPUS.of(1_000_000, 0), 15_000_000);
        assert_eq!(OPUS.of(18_000, 200), 285_000);
        let cheap = Price { input_micro_usd: 1, output_micro_usd: 0 };
        assert_eq!((cheap.of(0, 5), cheap.of(1, 0), cheap.of(1_000_001, 0)), (0, 1, 2));
        assert_eq!(OPUS.of(u64::MAX, u64::MAX), u64::MAX, "absurd numbers cost a lot and do not overflow");
    }

    #[test]
    fn a_turn_is_charged_by_who_pays() {
        let told = used(1_000, 100, Some(9));
        let cost = |charge: Charge| charge.counted(told, 5).cost_micro_usd;
        assert_eq!(cost(Charge::Free), None);
        assert_eq!(cost(Charge::Plan), None, "a plan is paid for, whatever a program reckons");
        assert_eq!(Charge::Unpriced.counted(used(9, 9, None), 5).cost_micro_usd, None, "unpriced is not $0");
        assert_eq!((cost(Charge::Unpriced), cost(Charge::Told)), (Some(9), Some(9)), "who says it is believed");
        assert_eq!(Charge::Told.counted(used(9, 9, Some(0)), 5).cost_micro_usd, None, "who says $0 knows no price");
        assert_eq!(cost(Charge::Priced(OPUS)), Some(22_500), "a configured price is surer than a program's word");
        assert_eq!(Charge::Priced(OPUS).counted(used(0, 0, None), 5).cost_micro_usd, Some(5));
        assert_eq!(Charge::Plan.counted(told, 0).input_tokens, 1_000);
    }

    #[test]
    fn before_a_turn_its_prompt_and_its_longest_answer_are_reckoned() {
        assert_eq!(Charge::Priced(OPUS).reckoned(3_000, 0, 16_000), OPUS.of(1_000, 16_000));
        assert_eq!(
            Charge::Priced(OPUS).reckoned(3_000, 7_000, 16_000),
            OPUS.of(8_000, 16_000),
            "a session is sent again"
        );
        assert_eq!(Charge::Told.reckoned(3_000, 7_000, 16_000), 0);
    }

    #[test]
    fn a_turn_that_may_cost_more_than_is_left_is_not_begun() {
        let budget = Budget { run_micro_usd: 100, allow_unpriced: true };
        let cap = |needs, left| Some(Refusal::Cap { needs_micro_usd: needs, left_micro_usd: left });
        let table = [
            (Charge::Priced(OPUS), 100, 0, None),
            (Charge::Priced(OPUS), 101, 0, cap(101, 100)),
            (Charge::Priced(OPUS), 50, 60, cap(50, 40)),
            (Charge::Priced(Price { input_micro_usd: 0, output_micro_usd: 0 }), 0, 100, None),
            (Charge::Told, 0, 99, None),
            (Charge::Told, 0, 100, cap(0, 0)),
            (Charge::Plan, 0, 900, None),
            (Charge::Free, 0, 900, None),
            (Charge::Unpriced, 0, 900, None),
        ];
        for (charge, needs, spent, wanted) in table {
            assert_eq!(budget.refuses(charge, needs, spent), wanted, "{charge:?} {needs} {spent}");
        }
        let strict = Budget { allow_unpriced: false, ..budget };
        assert_eq!(strict.refuses(Charge::Unpriced, 0, 0), Some(Refusal::Unpriced));
        assert_eq!(strict.refuses(Charge::Plan, 0, 0), None);
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let table = [
            ("2", Some(2_000_000)),
            ("2.00", Some(2_000_000)),
            ("0.25", Some(250_000)),
            ("0.000001", Some(1)),
            ("1000000", Some(1_000_000_000_000)),
            ("1000000.1", None),
            ("0.0000001", None),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("$2", None),
        ];
        for (text, micro) in table {
            assert_eq!(micro_usd(text), micro, "{text:?}");
        }
    }

    #[test]
    fn amounts_are_rounded_up_to_cents_and_tokens_are_short() {
        assert_eq!([0, 1, 310_000, 12_345_678].map(dollars), ["$0.00", "$0.01", "$0.31", "$12.35"]);
        assert_eq!([812, 9_400, 41_790, 1_234_567].map(tokens), ["812", "9.4k", "41.7k", "1.2M"]);
    }
}
