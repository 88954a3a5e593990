//! Finds out from the environment how the terminal wants things to look. Nothing is asked of the terminal itself: one
//! that does not answer would hold up the first frame.

use crate::app::look::{Colours, Ground, Look};

/// Reads the variables that terminals and people set: `NO_COLOR` (<https://no-color.org>), `COLORTERM`, `TERM`,
/// `COLORFGBG`, the locale, and ours: `DICAST_THEME=light|dark`, `DICAST_ASCII`.
pub fn find_out(variable: impl Fn(&str) -> Option<String>) -> Look {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let term = variable("TERM").unwrap_or_default();
    let colours = if is_set("NO_COLOR") || term == "dumb" {
        Colours::None
    } else if variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") {
        Colours::Full
    } else {
        Colours::Sixteen
    };
    // "15;0": foreground, background; 7 and above 8 are light.
    let background = variable("COLORFGBG").and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok());
    let ground = match (variable("DICAST_THEME").as_deref(), background) {
        (Some("light"), _) => Ground::Light,
        (Some("dark"), _) => Ground::Dark,
        (_, Some(7 | 9..=15)) => Ground::Light,
        (_, Some(_) | None) => Ground::Dark,
    };
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let is_utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    Look { colours, ground, is_ascii: is_set("DICAST_ASCII") || !is_utf8 || term == "linux" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Look {
        find_out(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_says_how_things_look() {
        assert_eq!(with(&[]), Look::default());
        assert_eq!(with(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]).colours, Colours::None);
        assert_eq!(with(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")]).colours, Colours::Full);
        assert_eq!(with(&[("COLORFGBG", "0;15")]).ground, Ground::Light);
        assert_eq!(with(&[("COLORFGBG", "0;15"), ("DICAST_THEME", "dark")]).ground, Ground::Dark);
        assert!(with(&[("LANG", "C")]).is_ascii);
        assert!(!with(&[("LANG", "de_DE.UTF-8")]).is_ascii);
        assert!(with(&[("DICAST_ASCII", "1"), ("LANG", "C.UTF-8")]).is_ascii);
    }
}
