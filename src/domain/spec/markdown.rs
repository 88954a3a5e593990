//! Markdown by lines, as far as specs need it: headings, list items, table rows, and what to skip.
//!
//! It must not know what a requirement or a task is.

/// One line that counts; lines in code fences and HTML comments are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub number: u32,
    /// Columns of white space before it; a tab counts as four.
    pub indent: usize,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `## Text`.
    Heading {
        /// 1 to 6.
        depth: usize,
        /// Without the marks.
        text: &'a str,
    },
    /// `- text`, `1. text`, `- [x] text`.
    Item {
        /// Whether its box is ticked, if it has a box.
        ticked: Option<bool>,
        /// Without marker and box.
        text: &'a str,
    },
    /// `| a | b |`, without the row of dashes.
    Row(Vec<&'a str>),
    /// Any other text.
    Text(&'a str),
    /// Nothing.
    Blank,
}

/// Splits a text into the lines that count.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut out = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let mut in_comment = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, raw) in (1u32..).zip(text.lines()) {
        let raw = raw.trim_end();
        let body = raw.trim_start();
        if let Some((mark, length)) = fence {
            let run = body.chars().take_while(|c| *c == mark).count();
            if run >= length && body.chars().skip(run).all(char::is_whitespace) {
                fence = None;
            }
            continue;
        }
        if in_comment {
            in_comment = !body.contains("-->");
            continue;
        }
        if let Some(opened) = fence_of(body) {
            fence = Some(opened);
            continue;
        }
        if body.starts_with("<!--") {
            in_comment = !body.contains("-->");
            continue;
        }
        let indent = raw[..raw.len() - body.len()].chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
        let body = body.trim_start_matches("> ");
        if let Some(kind) = kind_of(body) {
            out.push(Line { number, indent, kind });
        }
    }
    out
}

fn fence_of(body: &str) -> Option<(char, usize)> {
    let mark = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let run = body.chars().take_while(|c| *c == mark).count();
    // CommonMark §4.5: the words after a fence of backticks hold no backtick; otherwise it is a code span.
    (run >= 3 && !(mark == '`' && body[run..].contains('`'))).then_some((mark, run))
}

fn kind_of(body: &str) -> Option<Kind<'_>> {
    if body.is_empty() {
        return Some(Kind::Blank);
    }
    let depth = body.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&depth) && body[depth..].starts_with([' ', '\t']) {
        let text = body[depth..].trim().trim_end_matches('#').trim_end();
        return Some(Kind::Heading { depth, text });
    }
    if body.starts_with('|') {
        if body.bytes().all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'\t')) {
            return None;
        }
        return Some(Kind::Row(cells(body)));
    }
    if let Some(text) = after_marker(body) {
        let (ticked, text) = box_of(text);
        return Some(Kind::Item { ticked, text });
    }
    Some(Kind::Text(body))
}

fn cells(body: &str) -> Vec<&str> {
    let inner = body.strip_prefix('|').unwrap_or(body);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let mut out = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in inner.char_indices() {
        if c == '|' && !escaped {
            out.push(inner[start..at].trim());
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    out.push(inner[start..].trim());
    out
}

fn after_marker(body: &str) -> Option<&str> {
    if let Some(rest) = body.strip_prefix(['-', '*', '+', '•']) {
        return rest.starts_with([' ', '\t']).then(|| rest.trim_start());
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=9).contains(&digits) {
        let rest = body[digits..].strip_prefix(['.', ')'])?;
        return rest.starts_with([' ', '\t']).then(|| rest.trim_start());
    }
    None
}

fn box_of(text: &str) -> (Option<bool>, &str) {
    for (mark, ticked) in [("[ ]", false), ("[x]", true), ("[X]", true), ("[]", false), ("[✓]", true), ("[✔]", true)]
    {
        if let Some(rest) = text.strip_prefix(mark) {
            return (Some(ticked), rest.trim_start());
        }
    }
    (None, text)
}

/// Returns the lines that belong to the one at `at`: a heading's section body up to the next heading, otherwise what
/// is indented deeper or goes on without a blank line.
pub(super) fn body_of<'l, 'a>(lines: &'l [Line<'a>], at: usize) -> &'l [Line<'a>] {
    let Some(first) = lines.get(at) else { return &[] };
    let rest = &lines[at + 1..];
    let is_heading = matches!(first.kind, Kind::Heading { .. });
    let mut blank_before = false;
    let end = rest
        .iter()
        .position(|line| {
            let ends = match &line.kind {
                Kind::Heading { .. } => true,
                Kind::Blank => false,
                _ if is_heading => false,
                Kind::Item { .. } => line.indent <= first.indent,
                Kind::Row(_) => line.indent <= first.indent,
                Kind::Text(_) => blank_before && line.indent <= first.indent,
            };
            blank_before = line.kind == Kind::Blank;
            ends
        })
        .unwrap_or(rest.len());
    &rest[..end]
}

impl<'a> Line<'a> {
    /// Returns the text of a heading.
    pub(super) fn heading(&self) -> Option<&'a str> {
        match self.kind {
            Kind::Heading { text, .. } => Some(text),
            Kind::Item { .. } | Kind::Row(_) | Kind::Text(_) | Kind::Blank => None,
        }
    }

    /// Returns the text of a list item or a plain line.
    pub(super) fn sentence(&self) -> Option<&'a str> {
        match self.kind {
            Kind::Item { text, .. } | Kind::Text(text) => Some(text),
            Kind::Heading { .. } | Kind::Row(_) | Kind::Blank => None,
        }
    }

    /// Returns the words of the line without its marks; cells are joined with ` | `.
    pub(super) fn words(&self) -> String {
        match &self.kind {
            Kind::Heading { text, .. } | Kind::Item { text, .. } | Kind::Text(text) => (*text).to_owned(),
            Kind::Row(cells) => cells.join(" | "),
            Kind::Blank => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_and_comments_are_left_out() {
        let text = "a\r\n```rust\n- FR-001\n``` x\n```\n<!-- - FR-002\n -->\n~~~~\n```\n~~~~\n- [x] b";
        let got: Vec<(u32, String)> = lines(text).iter().map(|l| (l.number, l.words())).collect();
        assert_eq!(got, [(1, "a".into()), (11, "b".into())]);
    }

    #[test]
    fn kinds_are_told_apart() {
        let text = "## H ##\n- [ ] a\n2) b\n| x \\| y | z |\n|---|:-:|\n#no\n1.no";
        let got: Vec<Kind> = lines(text).into_iter().map(|l| l.kind).collect();
        assert_eq!(
            got,
            [
                Kind::Heading { depth: 2, text: "H" },
                Kind::Item { ticked: Some(false), text: "a" },
                Kind::Item { ticked: None, text: "b" },
                Kind::Row(vec!["x \\| y", "z"]),
                Kind::Text("#no"),
                Kind::Text("1.no"),
            ]
        );
    }
}
