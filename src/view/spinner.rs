//! What turns while something is live: a frame of the model's time, so that drawing twice draws the same.
//!
//! It must not know any clock.

use crate::app::model::Model;

/// How long a frame stays, in milliseconds.
const FRAME_MS: u64 = 100;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What stands still where nothing may move.
const STILL: &str = "◌";

/// Returns the spinner's frame at this moment.
pub(super) fn frame(model: &Model) -> &'static str {
    if !model.boot.animate {
        return STILL;
    }
    let index = usize::try_from(model.now.0 / FRAME_MS % 10).unwrap_or(0);
    FRAMES.get(index).copied().unwrap_or(STILL)
}
