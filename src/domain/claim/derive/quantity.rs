//! One way to write a number with its unit, so that `20`, `20 requests` and `"20", "requests"` are one answer, and
//! `10 req/s`, `10/s` and `10 per second` are another. Units of time and size are converted later, with the other values.
//!
//! It must not know topics.

use crate::domain::consensus::quantity;

/// Writes an answer: a number with the unit that it has, else the one given, else the topic's; anything else as it is.
pub(super) fn with_unit(value: &str, given: Option<&str>, topic: Option<&str>) -> String {
    let value = value.trim();
    let end = value
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '+' | '-'))))
        .map_or(value.len(), |(at, _)| at);
    let (number, own) = value.split_at(end);
    let named = |unit: &&str| !unit.trim().is_empty();
    if quantity(number).is_none() || !is_unit(own) {
        return value.to_owned();
    }
    let unit = Some(own).filter(named).or(given.filter(named)).or(topic).unwrap_or_default();
    match unit_of(number, unit.trim()) {
        Some(unit) => format!("{number} {unit}"),
        None => number.to_owned(),
    }
}

/// Tells whether what follows a number can be its unit: nothing, one word, or a rate.
fn is_unit(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_rate = text.contains('/') || words.contains(&"per");
    let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '/' | '%' | '\u{b5}' | '\u{3bc}'));
    plain && words.len() <= if is_rate { 4 } else { 1 }
}

/// The unit as it is compared; none for a word that only says what is counted.
fn unit_of(number: &str, unit: &str) -> Option<String> {
    let lower = unit.to_lowercase();
    match lower.as_str() {
        "%" | "percent" => return Some("%".into()),
        "rps" | "qps" | "tps" | "hz" => return Some("1/s".into()),
        _ => {}
    }
    if let Some((_, each)) = lower.split_once('/').or_else(|| lower.split_once("per ")) {
        let each = match each.trim() {
            "sec" | "second" | "seconds" => "s",
            "minute" | "minutes" | "m" => "min",
            "hour" | "hours" | "hr" => "h",
            "day" | "days" => "d",
            other => other,
        };
        return Some(format!("1/{each}"));
    }
    // Known units are converted; any other word would be kept by the canonical form as it is.
    let converted = quantity(&format!("{number} {unit}"))?;
    (converted.ends_with(" ns") || converted.ends_with(" bytes")).then(|| unit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_quantity_is_written_one_way() {
        for (value, given, topic, written) in [
            ("20", None, None, "20"),
            ("20", Some("requests"), None, "20"),
            ("20 requests", None, None, "20"),
            ("120", Some("s"), None, "120 s"),
            ("2 min", Some("s"), Some("ms"), "2 min"),
            ("2", None, Some("min"), "2 min"),
            ("2", Some(""), Some("min"), "2 min"),
            ("200ms", None, None, "200 ms"),
            ("10/s", None, None, "10 1/s"),
            ("10 req/s", None, None, "10 1/s"),
            ("10 requests per second", None, None, "10 1/s"),
            ("10", Some("rps"), None, "10 1/s"),
            ("600", Some("1/min"), None, "600 1/min"),
            ("99.9 %", None, None, "99.9 %"),
            ("-1", None, None, "-1"),
            ("3 retries, then stop", None, None, "3 retries, then stop"),
            ("Redis", Some("s"), Some("s"), "Redis"),
            ("1.2.3", None, None, "1.2.3"),
            ("", Some("s"), None, ""),
        ] {
            assert_eq!(with_unit(value, given, topic), written, "{value:?} {given:?} {topic:?}");
        }
    }
}
