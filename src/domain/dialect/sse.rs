//! Server-sent events, as the HTML standard has them: bytes in any pieces become whole events.
//!
//! It must not know what an event means.

/// Longest event that is taken, in bytes: a whole answer, with its escapes, may stand in one.
const EVENT_MAX: usize = 16 << 20;

/// One event's data: its lines, joined. The event's name is left out: what is spoken here says its kind in its data.
pub type Data = String;

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub struct Frames {
    line: Vec<u8>,
    data: Option<String>,
    /// The last byte ended a line as a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

/// An event passed [`EVENT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Frames {
    /// Takes the next bytes; returns the events that they end.
    ///
    /// # Errors
    /// [`TooLong`], after which nothing more can be read.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Data>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > EVENT_MAX {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    /// The stream has ended: an event that no empty line ended counts, because some servers leave that out.
    pub fn close(mut self) -> Option<Data> {
        if !self.line.is_empty() {
            self.end_of_line();
        }
        self.data
    }

    fn end_of_line(&mut self) -> Option<Data> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: usize) -> Vec<String> {
        let mut frames = Frames::default();
        let mut events: Vec<String> =
            text.as_bytes().chunks(size).flat_map(|piece| frames.take(piece).unwrap()).collect();
        events.extend(frames.close());
        events
    }

    #[test]
    fn events_are_whole_however_they_arrive_and_whatever_ends_their_lines() {
        let table = [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data:a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            (": a comment\n\nevent: x\nid: 7\nretry: 3\ndata: é\ndata: 2\n\n", vec!["é\n2"]),
            ("data: no empty line follows", vec!["no empty line follows"]),
            ("data\n\n", vec![""]),
            ("<html>\n\n", vec![]),
        ];
        for (text, events) in table {
            for size in [1, 2, 3, 100] {
                assert_eq!(cut(text, size), events, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_event_without_an_end_costs_no_more_than_its_limit() {
        let mut frames = Frames::default();
        let piece = vec![b'x'; 1 << 20];
        let taken = (0..40).take_while(|_| frames.take(&piece).is_ok()).count();
        assert_eq!(taken, 16);
        assert!(frames.line.len() <= EVENT_MAX + 1);
    }
}
