//! The only colours, as inks with a meaning; and what is drawn instead where a terminal has fewer of them.
//!
//! It must not know what is drawn with an ink.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

pub use crate::app::look::{Colours, Ground, Look};
use crate::app::model::Model;

/// What a text is drawn as. Meanings, not colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ink {
    /// Text.
    #[default]
    Plain,
    /// Text that is read first.
    Strong,
    /// Text that is read last.
    Dim,
    /// Lines between things.
    Frame,
    /// What has the focus, and keys.
    Accent,
    /// It holds.
    Good,
    /// Somebody should look.
    Warn,
    /// It does not hold.
    Bad,
    /// A filled label of something that goes on.
    BadgeGood,
    /// A filled label of something that waits for a human.
    BadgeWarn,
    /// A filled label of something that stops.
    BadgeBad,
    /// A filled label without a judgement.
    BadgeNote,
}

/// Turns inks into styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Theme {
    look: Look,
}

/// The colours behind the inks that have one.
struct Palette {
    dim: Color,
    frame: Color,
    accent: Color,
    good: Color,
    warn: Color,
    bad: Color,
    chosen: Color,
}

const SIXTEEN_DARK: Palette = Palette {
    dim: Color::Reset,
    frame: Color::DarkGray,
    accent: Color::Cyan,
    good: Color::Green,
    warn: Color::Yellow,
    bad: Color::LightRed,
    chosen: Color::Reset,
};

/// Yellow on white cannot be read, so magenta warns there.
const SIXTEEN_LIGHT: Palette = Palette {
    dim: Color::Reset,
    frame: Color::Gray,
    accent: Color::Blue,
    good: Color::Green,
    warn: Color::Magenta,
    bad: Color::Red,
    chosen: Color::Reset,
};

const FULL_DARK: Palette = Palette {
    dim: Color::Rgb(132, 140, 152),
    frame: Color::Rgb(72, 80, 94),
    accent: Color::Rgb(125, 174, 247),
    good: Color::Rgb(135, 196, 128),
    warn: Color::Rgb(226, 180, 106),
    bad: Color::Rgb(240, 118, 122),
    chosen: Color::Rgb(38, 44, 56),
};

const FULL_LIGHT: Palette = Palette {
    dim: Color::Rgb(104, 111, 122),
    frame: Color::Rgb(186, 193, 203),
    accent: Color::Rgb(30, 86, 196),
    good: Color::Rgb(34, 116, 46),
    warn: Color::Rgb(150, 92, 0),
    bad: Color::Rgb(186, 28, 40),
    chosen: Color::Rgb(226, 233, 244),
};

impl Theme {
    /// Makes the theme of a look.
    pub fn new(look: Look) -> Self {
        Self { look }
    }

    /// Returns the theme that a model's screen is drawn with.
    pub fn of(model: &Model) -> Self {
        Self::new(model.boot.look)
    }

    /// Returns the style of an ink.
    pub fn style(self, ink: Ink) -> Style {
        let bold = Modifier::BOLD;
        let Some(palette) = self.palette() else { return colourless(ink) };
        let of = |colour: Color| Style::new().fg(colour);
        match ink {
            Ink::Plain => Style::new(),
            Ink::Strong => Style::new().add_modifier(bold),
            // Sixteen colours have no grey that can be read in every theme; faint text can.
            Ink::Dim if self.look.colours == Colours::Sixteen => Style::new().add_modifier(Modifier::DIM),
            Ink::Dim => of(palette.dim),
            Ink::Frame => of(palette.frame),
            Ink::Accent => of(palette.accent),
            Ink::Good => of(palette.good),
            Ink::Warn => of(palette.warn),
            Ink::Bad => of(palette.bad),
            Ink::BadgeGood => of(palette.good).add_modifier(bold | Modifier::REVERSED),
            Ink::BadgeWarn => of(palette.warn).add_modifier(bold | Modifier::REVERSED),
            Ink::BadgeBad => of(palette.bad).add_modifier(bold | Modifier::REVERSED),
            Ink::BadgeNote => of(palette.accent).add_modifier(bold | Modifier::REVERSED),
        }
    }

    /// Returns what is laid over the selected row.
    pub fn chosen(self) -> Style {
        match (self.palette(), self.look.colours) {
            (Some(palette), Colours::Full) => Style::new().bg(palette.chosen),
            (Some(_) | None, _) => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// Replaces symbols that the terminal cannot draw, once everything is drawn.
    pub fn finish(self, buffer: &mut Buffer) {
        if !self.look.is_ascii {
            return;
        }
        for cell in &mut buffer.content {
            if let Some((_, plain)) = ASCII.iter().find(|(symbol, _)| *symbol == cell.symbol()) {
                cell.set_symbol(plain);
            }
        }
    }

    fn palette(self) -> Option<&'static Palette> {
        match (self.look.colours, self.look.ground) {
            (Colours::None, Ground::Dark | Ground::Light) => None,
            (Colours::Sixteen, Ground::Dark) => Some(&SIXTEEN_DARK),
            (Colours::Sixteen, Ground::Light) => Some(&SIXTEEN_LIGHT),
            (Colours::Full, Ground::Dark) => Some(&FULL_DARK),
            (Colours::Full, Ground::Light) => Some(&FULL_LIGHT),
        }
    }
}

fn colourless(ink: Ink) -> Style {
    let modifier = match ink {
        Ink::Plain | Ink::Good => Modifier::empty(),
        Ink::Strong | Ink::Accent | Ink::Warn => Modifier::BOLD,
        Ink::Bad => Modifier::BOLD | Modifier::UNDERLINED,
        Ink::Dim | Ink::Frame => Modifier::DIM,
        Ink::BadgeGood | Ink::BadgeWarn | Ink::BadgeBad | Ink::BadgeNote => Modifier::BOLD | Modifier::REVERSED,
    };
    Style::new().add_modifier(modifier)
}

/// Symbols of ours and what stands for them in ASCII. Foreign text stays as it is.
const ASCII: &[(&str, &str)] = &[
    ("─", "-"),
    ("│", "|"),
    ("┌", "+"),
    ("┐", "+"),
    ("└", "+"),
    ("┘", "+"),
    ("├", "+"),
    ("┤", "+"),
    ("┬", "+"),
    ("┴", "+"),
    ("┼", "+"),
    ("▸", ">"),
    ("›", ">"),
    ("…", "~"),
    ("·", "."),
    ("–", "-"),
    ("✔", "v"),
    ("☑", "x"),
    ("☐", "-"),
    ("✗", "x"),
    ("●", "o"),
    ("○", "."),
    ("◌", "."),
    ("◐", "%"),
    ("◔", "@"),
    ("◆", "#"),
    ("▮", "#"),
    ("▯", "."),
    ("→", ">"),
    ("←", "<"),
    ("↑", "^"),
    ("↓", "v"),
    ("×", "x"),
    ("≥", ">"),
    ("▏", "|"),
    ("⠋", "|"),
    ("⠙", "/"),
    ("⠹", "-"),
    ("⠸", "\\"),
    ("⠼", "|"),
    ("⠴", "/"),
    ("⠦", "-"),
    ("⠧", "\\"),
    ("⠇", "|"),
    ("⠏", "/"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    const INKS: [Ink; 12] = [
        Ink::Plain,
        Ink::Strong,
        Ink::Dim,
        Ink::Frame,
        Ink::Accent,
        Ink::Good,
        Ink::Warn,
        Ink::Bad,
        Ink::BadgeGood,
        Ink::BadgeWarn,
        Ink::BadgeBad,
        Ink::BadgeNote,
    ];

    #[test]
    fn without_colours_there_is_none_and_bad_news_still_stand_out() {
        let theme = Theme::new(Look { colours: Colours::None, ..Look::default() });
        for style in INKS.map(|ink| theme.style(ink)) {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert_ne!(theme.style(Ink::Bad), theme.style(Ink::Plain));
        assert_ne!(theme.chosen(), Style::new());
    }

    #[test]
    fn sixteen_colours_are_those_of_the_users_own_theme() {
        for ground in [Ground::Dark, Ground::Light] {
            let theme = Theme::new(Look { colours: Colours::Sixteen, ground, is_ascii: false });
            let is_named = |ink| !matches!(theme.style(ink).fg, Some(Color::Rgb(..) | Color::Indexed(_)));
            assert!(INKS.into_iter().all(is_named));
        }
    }

    #[test]
    fn symbols_become_ascii_and_foreign_letters_stay() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "┌─▸✔…é日", Style::new());
        Theme::new(Look { is_ascii: true, ..Look::default() }).finish(&mut buffer);
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert!(text.starts_with("+->v~é日"), "{text}");
        assert!(ASCII.iter().all(|(symbol, plain)| plain.is_ascii() && !symbol.is_ascii()));
    }
}
