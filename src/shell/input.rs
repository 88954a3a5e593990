//! Keys: from terminal events to [`Input`], with split escape sequences put together again.
//!
//! crossterm reports a lone ESC byte as the key Esc at once. On a slow line that byte may be the first of an arrow
//! key, and Esc stops runs; so an Esc is held until [`ESC_ALONE`] has passed without another byte, and what follows
//! sooner is joined with it. It must not know what a key means.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::app::key::Key;
use crate::app::msg::Input;

/// How long after an ESC byte the next byte of the same sequence may come: more than any terminal or connection
/// splits a key by, less than a person notices.
pub const ESC_ALONE: Duration = Duration::from_millis(25);

/// Longest escape sequence that is put together; a longer one is dropped.
const SEQUENCE_MAX: usize = 32;

/// Puts split sequences together. Pure: the caller tells when [`ESC_ALONE`] has passed.
#[derive(Debug, Default)]
pub struct Assembler {
    held: Held,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Nothing,
    /// ESC, and what came after it.
    Sequence(String),
    /// The text of a paste whose start was split.
    Paste(String),
}

impl Assembler {
    /// Takes an event; returns what is now certain.
    pub fn feed(&mut self, event: Event) -> Vec<Input> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Paste(text) => {
                let mut out = self.expire();
                out.push(Input::Paste(text));
                out
            }
            Event::Resize(columns, rows) => vec![Input::Resized(columns, rows)],
            Event::Key(_) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) => Vec::new(),
        }
    }

    /// Tells whether something is held that only time decides.
    pub fn is_waiting(&self) -> bool {
        self.held != Held::Nothing
    }

    /// No further byte came: what is held is what it is.
    pub fn expire(&mut self) -> Vec<Input> {
        match std::mem::take(&mut self.held) {
            Held::Nothing => Vec::new(),
            Held::Sequence(rest) if rest.is_empty() => vec![Input::Key(Key::Esc)],
            // The beginning of a sequence that never ended: noise, and surely not a wish to stop.
            Held::Sequence(_) => Vec::new(),
            Held::Paste(text) => vec![Input::Paste(text)],
        }
    }

    fn key(&mut self, event: KeyEvent) -> Vec<Input> {
        let Some(key) = translate(event) else { return Vec::new() };
        match (&mut self.held, key) {
            (Held::Nothing, Key::Esc) => {
                self.held = Held::Sequence(String::new());
                Vec::new()
            }
            (Held::Nothing, key) => vec![Input::Key(key)],
            (Held::Paste(text), Key::Char(c)) => {
                text.push(c);
                Vec::new()
            }
            (Held::Paste(text), Key::Enter) => {
                text.push('\n');
                Vec::new()
            }
            (Held::Sequence(rest), Key::Char(c)) => {
                rest.push(c);
                self.complete()
            }
            // With Alt held the terminal sends ESC before any key, here in two pieces: the key counts, no ESC was typed.
            (Held::Sequence(rest), key) if rest.is_empty() && key != Key::Esc => {
                self.held = Held::Nothing;
                vec![Input::Key(key)]
            }
            // Another ESC, or a whole key: what was held ends here.
            (Held::Sequence(_) | Held::Paste(_), key) => {
                let mut out = self.expire();
                out.extend(self.key_again(key));
                out
            }
        }
    }

    fn key_again(&mut self, key: Key) -> Vec<Input> {
        if key == Key::Esc {
            self.held = Held::Sequence(String::new());
            return Vec::new();
        }
        vec![Input::Key(key)]
    }

    fn complete(&mut self) -> Vec<Input> {
        let Held::Sequence(rest) = &self.held else { return Vec::new() };
        let mut chars = rest.chars();
        let (first, last) = (chars.next(), chars.next_back());
        match (first, last) {
            (Some('[' | 'O'), None) => return Vec::new(),
            // A control sequence ends with a byte from @ to ~ (ECMA-48 §5.4).
            (Some('['), Some(end)) if !('@'..='~').contains(&end) => {
                if rest.len() > SEQUENCE_MAX {
                    self.held = Held::Nothing;
                }
                return Vec::new();
            }
            _ => {}
        }
        let rest = rest.clone();
        self.held = Held::Nothing;
        if rest == "[200~" {
            self.held = Held::Paste(String::new());
            return Vec::new();
        }
        sequence(&rest).map(Input::Key).into_iter().collect()
    }
}

/// Reads what follows ESC. Modifiers are dropped; an unknown sequence is no key.
fn sequence(rest: &str) -> Option<Key> {
    let mut chars = rest.chars();
    match chars.next()? {
        '[' => {
            let body = chars.as_str();
            let end = body.chars().last()?;
            let number = body.trim_end_matches(end).split(';').next().unwrap_or("");
            match (end, number) {
                ('A', _) => Some(Key::Up),
                ('B', _) => Some(Key::Down),
                ('C', _) => Some(Key::Right),
                ('D', _) => Some(Key::Left),
                ('H', _) | ('~', "1" | "7") => Some(Key::Home),
                ('F', _) | ('~', "4" | "8") => Some(Key::End),
                ('Z', _) => Some(Key::BackTab),
                ('~', "3") => Some(Key::Delete),
                ('~', "5") => Some(Key::PageUp),
                ('~', "6") => Some(Key::PageDown),
                ('~', "24") => Some(Key::F(12)),
                ('u', "27") => Some(Key::Esc),
                _ => None,
            }
        }
        'O' => match chars.next()? {
            'A' => Some(Key::Up),
            'B' => Some(Key::Down),
            'C' => Some(Key::Right),
            'D' => Some(Key::Left),
            'H' => Some(Key::Home),
            'F' => Some(Key::End),
            _ => None,
        },
        c => Some(Key::Alt(c)),
    }
}

fn translate(event: KeyEvent) -> Option<Key> {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    Some(match event.code {
        KeyCode::Char(c) if ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) if alt => Key::Alt(c),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::F(n) => Key::F(n),
        // Keys that no binding uses.
        KeyCode::Insert
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn chars(assembler: &mut Assembler, text: &str) -> Vec<Input> {
        text.chars().flat_map(|c| assembler.feed(press(KeyCode::Char(c)))).collect()
    }

    #[test]
    fn a_lone_esc_counts_once_time_has_passed() {
        let mut keys = Assembler::default();
        assert_eq!(keys.feed(press(KeyCode::Esc)), []);
        assert!(keys.is_waiting());
        assert_eq!(keys.expire(), [Input::Key(Key::Esc)]);
        assert!(!keys.is_waiting());
    }

    #[test]
    fn a_split_sequence_is_one_key_and_never_esc() {
        let table = [
            ("[A", Some(Key::Up)),
            ("[1;5B", Some(Key::Down)),
            ("OC", Some(Key::Right)),
            ("[5~", Some(Key::PageUp)),
            ("[6~", Some(Key::PageDown)),
            ("[3~", Some(Key::Delete)),
            ("[Z", Some(Key::BackTab)),
            ("[H", Some(Key::Home)),
            ("[27u", Some(Key::Esc)),
            ("[?62;c", None),
            ("x", Some(Key::Alt('x'))),
            ("[I", None),
        ];
        for (rest, key) in table {
            let mut keys = Assembler::default();
            keys.feed(press(KeyCode::Esc));
            assert_eq!(chars(&mut keys, rest), key.map(Input::Key).into_iter().collect::<Vec<_>>(), "ESC {rest}");
            assert!(!keys.is_waiting(), "ESC {rest}");
        }
    }

    #[test]
    fn a_sequence_that_never_ends_is_dropped() {
        let mut keys = Assembler::default();
        keys.feed(press(KeyCode::Esc));
        assert_eq!(chars(&mut keys, "[1;"), []);
        assert_eq!(keys.expire(), []);
        keys.feed(press(KeyCode::Esc));
        assert_eq!(chars(&mut keys, &format!("[{}", "1".repeat(60))).len(), 28, "digits after the cap are keys again");
    }

    #[test]
    fn alt_before_a_key_that_is_no_letter_is_not_esc() {
        let mut keys = Assembler::default();
        keys.feed(press(KeyCode::Esc));
        assert_eq!(keys.feed(press(KeyCode::Backspace)), [Input::Key(Key::Backspace)]);
        assert!(!keys.is_waiting());
    }

    #[test]
    fn two_escs_are_two() {
        let mut keys = Assembler::default();
        keys.feed(press(KeyCode::Esc));
        assert_eq!(keys.feed(press(KeyCode::Esc)), [Input::Key(Key::Esc)]);
        assert_eq!(keys.expire(), [Input::Key(Key::Esc)]);
    }

    #[test]
    fn a_paste_whose_start_was_split_is_still_text() {
        let mut keys = Assembler::default();
        keys.feed(press(KeyCode::Esc));
        assert_eq!(chars(&mut keys, "[200~qX"), []);
        assert_eq!(keys.feed(press(KeyCode::Enter)), []);
        assert_eq!(keys.expire(), [Input::Paste("qX\n".into())]);
    }
}
