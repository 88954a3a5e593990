//! Time as a number that is given, never taken.
//!
//! It must not know any clock. The shell reads the clock once per turn and hands a [`Moment`] in.

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, made from one wall-clock reading at start plus a
/// monotonic offset, so that it never goes back while the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// Returns the milliseconds from `earlier` to here, 0 if it is later.
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the moment `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Moment {
        Moment(self.0.saturating_add(ms))
    }

    /// Writes the moment as RFC 3339 in UTC with milliseconds (`2026-11-22T12:54:55.120Z`).
    ///
    /// Civil-from-days after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    pub fn rfc3339(self) -> String {
        let (days, ms_of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let z = days + 719_468;
        let era = z / 146_097;
        let doe = z % 146_097;
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        let (s, ms) = (ms_of_day / 1_000, ms_of_day % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3_600, s / 60 % 60, s % 60)
    }

    /// Reads a moment as HTTP writes it (RFC 9110, IMF-fixdate: `Mon, 23 Nov 2026 02:00:00 GMT`); `None` for anything
    /// else, and for moments before 1970. The day of the week is not looked at.
    ///
    /// Days-from-civil after Howard Hinnant, as [`Moment::rfc3339`].
    pub fn of_http_date(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let words: Vec<&str> = text.split_once(", ")?.1.split(' ').collect();
        let [day, month, year, time, "GMT"] = words.as_slice() else { return None };
        let number = |text: &str, digits: usize, most: u64| -> Option<u64> {
            let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && *number <= most)
        };
        let (day, year) = (number(day, 2, 31).filter(|day| *day > 0)?, number(year, 4, 9_999)?);
        let month = MONTHS.iter().zip(1_u64..).find(|(name, _)| *name == month)?.1;
        let clock: Vec<&str> = time.split(':').collect();
        let [hours, minutes, seconds] = clock.as_slice() else { return None };
        // A minute may have a 61st second.
        let (h, m, s) = (number(hours, 2, 23)?, number(minutes, 2, 59)?, number(seconds, 2, 60)?);
        let y = year.checked_sub(u64::from(month <= 2))?;
        let yoe = y % 400;
        let mp = if month > 2 { month - 3 } else { month + 9 };
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 + day - 1;
        let days = (y / 400 * 146_097 + doe).checked_sub(719_468)?;
        Some(Self((days * 86_400 + h * 3_600 + m * 60 + s) * 1_000))
    }
}

/// Writes a duration for people: `0:04`, `02:41`, `1:02:03`.
pub fn clock(ms: u64) -> String {
    let s = ms / 1_000;
    if s >= 3_600 {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{:02}:{:02}", s / 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(Moment(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Moment(951_827_696_789).rfc3339(), "2000-02-29T12:34:56.789Z");
        assert_eq!(Moment(1_795_352_095_120).rfc3339(), "2026-11-22T12:54:55.120Z");
    }

    #[test]
    fn moments_are_read_as_http_writes_them() {
        let read = |text: &str| Moment::of_http_date(text).map(Moment::rfc3339);
        assert_eq!(read("Mon, 23 Nov 2026 02:00:00 GMT").as_deref(), Some("2026-11-23T02:00:00.000Z"));
        assert_eq!(read("Tue, 29 Feb 2000 12:34:56 GMT").as_deref(), Some("2000-02-29T12:34:56.000Z"));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT").as_deref(), Some("1970-01-01T00:00:00.000Z"));
        for bad in [
            "",
            "120",
            "Mon, 23 Nov 2026 02:00:00 CET",
            "Mon, 23 Nov 2026 25:00:00 GMT",
            "Mon, 00 Nov 2026 02:00:00 GMT",
            "Mon, 3 Nov 2026 02:00:00 GMT",
            "Mon, 23 Foo 2026 02:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Mon, 23 Nov 2026 02:00:00 GMT x",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn durations_are_written_as_a_clock() {
        assert_eq!(clock(4_200), "00:04");
        assert_eq!(clock(161_000), "02:41");
        assert_eq!(clock(3_723_000), "1:02:03");
    }
}
