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
    fn durations_are_written_as_a_clock() {
        assert_eq!(clock(4_200), "00:04");
        assert_eq!(clock(161_000), "02:41");
        assert_eq!(clock(3_723_000), "1:02:03");
    }
}
