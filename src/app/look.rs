//! How the terminal wants things to look: data, found out once at start by the shell.
//!
//! It must not know colours or symbols: the view has those.

use serde::{Deserialize, Serialize};

/// How the terminal wants things to look: plain data, found out once at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// How many colours there are.
    pub colours: Colours,
    /// Whether the background is dark or light.
    pub ground: Ground,
    /// Whether symbols beyond ASCII are replaced.
    pub is_ascii: bool,
}

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Colours {
    /// None (`NO_COLOR`): weight and underlines stand in for them.
    None,
    /// The sixteen that the user's own theme defines.
    #[default]
    Sixteen,
    /// 24 bits.
    Full,
}

/// The background of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ground {
    /// Dark.
    #[default]
    Dark,
    /// Light.
    Light,
}
