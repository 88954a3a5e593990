//! A program's JSON as it arrives: cut into whole lines, cleaned of secrets, read by its dialect.
//!
//! It must not know what is shown of it, nor what the answer is worth.

use crate::domain::acp;
use crate::domain::redact::Redactor;
use crate::domain::stream::{Account, Event, Transport};

/// Longest line that is read, in bytes: an answer, with its escapes, stands on one line. A longer one is left out.
const LINE_MAX: usize = 16 << 20;

/// Reads one turn's standard output.
pub(super) struct Hearing {
    account: Account,
    partial: Vec<u8>,
    /// Bytes of the line at hand that came after it was too long.
    left_out: usize,
    is_whole: bool,
}

impl Hearing {
    /// Makes the hearing of a transport; none for plain text.
    pub(super) fn of(transport: &Transport) -> Option<Self> {
        let (dialect, is_whole) = match transport {
            Transport::Text => return None,
            Transport::Json(dialect) => (dialect.clone(), true),
            Transport::Jsonl(dialect) => (dialect.clone(), false),
            Transport::Acp(_) => (acp::dialect(), false),
        };
        Some(Self { account: Account::new(dialect), partial: Vec::new(), left_out: 0, is_whole })
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8], redactor: &Redactor) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.len() + piece.len() > LINE_MAX {
                self.left_out += piece.len();
            } else {
                self.partial.extend_from_slice(piece);
            }
            if piece.last() == Some(&b'\n') && !self.is_whole {
                events.extend(self.line(redactor));
            }
        }
        events
    }

    /// The output has ended: reads what is left, and returns what it came to.
    pub(super) fn close(mut self, redactor: &Redactor) -> (Account, Vec<Event>) {
        let events = if self.is_whole {
            let output = std::mem::take(&mut self.partial);
            self.account.whole(&redactor.clean(&String::from_utf8_lossy(&output)))
        } else {
            self.line(redactor)
        };
        (self.account, events)
    }

    /// Returns what came of it so far.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    fn line(&mut self, redactor: &Redactor) -> Vec<Event> {
        let line = std::mem::take(&mut self.partial);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let bytes = line.len() + left_out;
            return vec![Event::Noise(format!("[a line of {bytes} bytes was left out]"))];
        }
        self.account.line(&redactor.clean(&String::from_utf8_lossy(&line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stream::{Dialect, End};

    fn hearing(transport: fn(Dialect) -> Transport) -> Hearing {
        let rules = [("delta", "d"), ("ok", "ok"), ("session", "s")];
        Hearing::of(&transport(Dialect::of(&rules).unwrap())).unwrap()
    }

    #[test]
    fn lines_are_read_however_they_arrive_and_the_last_needs_no_end() {
        let output = b"{\"d\":\"a\"}\nnoise\n{\"d\":\"hunter2-is-a-secret\"}\n{\"ok\":1}";
        let redactor = Redactor::new(["hunter2-is-a-secret".to_owned()]);
        for size in [1, 7, 100] {
            let mut hearing = hearing(Transport::Jsonl);
            let mut events: Vec<Event> = output.chunks(size).flat_map(|piece| hearing.take(piece, &redactor)).collect();
            let (account, rest) = hearing.close(&redactor);
            events.extend(rest);
            let delta = |text: &str| Event::Delta(text.into());
            assert_eq!(events, [delta("a"), Event::Noise("noise\n".into()), delta("[redacted]")]);
            assert_eq!((account.end, account.answers().remove(0).as_str()), (Some(End::Ok), "a[redacted]"));
        }
    }

    #[test]
    fn a_line_without_an_end_costs_no_more_than_its_limit() {
        let mut hearing = hearing(Transport::Jsonl);
        let redactor = Redactor::default();
        for _ in 0..40 {
            assert!(hearing.take(&vec![b'x'; 1 << 20], &redactor).is_empty());
        }
        assert!(hearing.partial.len() <= LINE_MAX);
        let events = hearing.take(b"\n{\"ok\":1}\n", &redactor);
        assert!(matches!(&events[..], [Event::Noise(words)] if words.contains("41943041 bytes")), "{events:?}");
        assert_eq!(hearing.account().end, Some(End::Ok));
    }

    #[test]
    fn one_value_is_read_when_the_output_has_ended() {
        let mut hearing = hearing(Transport::Json);
        let redactor = Redactor::default();
        assert!(hearing.take(b"{\n \"d\": \"a\",\n", &redactor).is_empty());
        assert!(hearing.take(b" \"ok\": true\n}\n", &redactor).is_empty());
        let (account, events) = hearing.close(&redactor);
        assert_eq!((account.end, events), (Some(End::Ok), vec![Event::Delta("a".into())]));
    }
}
