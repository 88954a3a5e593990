//! The bytes that a program sends to its terminal, cut into what they mean. Strict on purpose: what it cannot name it
//! reports, so that nothing foreign passes as harmless.

/// What a byte brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// Plain text, or a control character that only moves the cursor.
    Text,
    /// A synchronised update begins (`CSI ? 2026 h`).
    FrameBegan,
    /// A synchronised update ends: the screen is whole.
    FrameEnded,
    /// Any other sequence or control character, in a form that can be compared: `CSI ?25l`, `OSC 52`, `C0 07`.
    Sequence(String),
}

/// Cuts a stream that arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    /// In a character of several bytes: so many are missing; the bits so far.
    Utf8(u8, u32),
    Escape,
    /// After `ESC` and an intermediate byte (a choice of character set).
    Intermediate(u8),
    Csi(String),
    /// In a string (OSC, DCS, APC, PM, SOS), and whether its last byte was ESC.
    Text(&'static str, String, bool),
}

impl Cutter {
    /// Takes one byte.
    pub(crate) fn feed(&mut self, byte: u8) -> Token {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte),
            // ESC begins anew whatever was cut off, except in a string, where it may be its end.
            State::Utf8(..) | State::Escape | State::Intermediate(_) | State::Csi(_) if byte == 0x1b => {
                self.state = State::Escape;
                Token::Text
            }
            State::Utf8(missing, bits) => self.continued(byte, missing, bits),
            State::Escape => self.escape(byte),
            State::Intermediate(first) => Token::Sequence(format!("ESC {}{}", first as char, byte as char)),
            State::Csi(mut body) => {
                body.push(byte as char);
                if (0x40..=0x7e).contains(&byte) {
                    return csi(&body);
                }
                self.state = State::Csi(body);
                Token::Text
            }
            State::Text(kind, body, true) if byte == b'\\' => string(kind, &body),
            State::Text("OSC", body, false) if byte == 0x07 => string("OSC", &body),
            State::Text(kind, mut body, _) => {
                let is_escape = byte == 0x1b;
                if !is_escape {
                    body.push(byte as char);
                }
                self.state = State::Text(kind, body, is_escape);
                Token::Text
            }
        }
    }

    fn ground(&mut self, byte: u8) -> Token {
        self.state = match byte {
            0x1b => State::Escape,
            b'\r' | b'\n' | 0x20..=0x7e => return Token::Text,
            0xc2..=0xdf => State::Utf8(1, u32::from(byte & 0x1f)),
            0xe0..=0xef => State::Utf8(2, u32::from(byte & 0x0f)),
            0xf0..=0xf4 => State::Utf8(3, u32::from(byte & 0x07)),
            0x00..=0x1f | 0x7f => return Token::Sequence(format!("C0 {byte:02x}")),
            0x80..=0xc1 | 0xf5..=0xff => return Token::Sequence(format!("byte {byte:02x}")),
        };
        Token::Text
    }

    fn continued(&mut self, byte: u8, missing: u8, bits: u32) -> Token {
        if byte & 0xc0 != 0x80 {
            return Token::Sequence(format!("byte {byte:02x} inside a character"));
        }
        let bits = (bits << 6) | u32::from(byte & 0x3f);
        if missing > 1 {
            self.state = State::Utf8(missing - 1, bits);
            return Token::Text;
        }
        match bits {
            // C1 controls, and what changes the order or the identity of text (Unicode TR 36).
            0x80..=0x9f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff => {
                Token::Sequence(format!("U+{bits:04X}"))
            }
            _ => Token::Text,
        }
    }

    fn escape(&mut self, byte: u8) -> Token {
        let string = |kind| State::Text(kind, String::new(), false);
        self.state = match byte {
            b'[' => State::Csi(String::new()),
            b']' => string("OSC"),
            b'P' => string("DCS"),
            b'_' => string("APC"),
            b'^' => string("PM"),
            b'X' => string("SOS"),
            b' '..=b'/' => State::Intermediate(byte),
            _ => return Token::Sequence(format!("ESC {}", byte as char)),
        };
        Token::Text
    }
}

/// Names a control sequence: colours and positions by their last byte alone, modes and everything else in full.
fn csi(body: &str) -> Token {
    match body {
        "?2026h" => return Token::FrameBegan,
        "?2026l" => return Token::FrameEnded,
        _ => {}
    }
    let is_plain = body[..body.len() - 1].bytes().all(|byte| byte.is_ascii_digit() || byte == b';' || byte == b':');
    let last = &body[body.len() - 1..];
    Token::Sequence(match last {
        "m" | "H" | "G" | "d" | "A" | "B" | "C" | "D" | "J" | "K" | "X" if is_plain => format!("CSI {last}"),
        _ => format!("CSI {body}"),
    })
}

fn string(kind: &str, body: &str) -> Token {
    Token::Sequence(match kind {
        "OSC" => format!("OSC {}", body.split(';').next().unwrap_or_default()),
        _ => kind.to_owned(),
    })
}
