//! Ids as texts write them: requirements (`FR-001`), acceptance criteria (`AC-1`), stories (`US1`), and ranges of them.
//!
//! It must not know what an id stands for.

/// Reads a requirement id at the start of a text: `FR-001`, `NFR-PERF-2`, `R-1.2`, `FR-001-AC1`, in capitals, and what
/// follows it.
pub(super) fn requirement_at(text: &str) -> Option<(String, &str)> {
    let prefix = ["NFR-", "FR-", "R-"].into_iter().find(|p| text.starts_with(p))?;
    let (mut end, mut at, mut numbered) = (0, prefix.len(), false);
    loop {
        let segment: &str = &text[at..at + text[at..].bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let digits = segment.bytes().take_while(u8::is_ascii_digit).count();
        let is_number = (1..=6).contains(&digits) && segment.len() <= digits + 1;
        let is_criterion = segment.strip_prefix("AC").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let is_area = (1..=16).contains(&segment.len()) && segment.bytes().all(|b| b.is_ascii_uppercase());
        if !(is_number || if numbered { is_criterion } else { is_area }) {
            break;
        }
        numbered |= is_number;
        at += segment.len();
        end = at;
        if !(text[at..].starts_with(['-', '.']) && text[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric())) {
            break;
        }
        at += 1;
    }
    let after = &text[end..];
    let whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (numbered && whole).then(|| (text[..end].to_ascii_uppercase(), after))
}

/// Reads `R1` as the id `R-1`; `None` for anything else.
pub fn short_id(text: &str) -> Option<String> {
    let number = text.strip_prefix('R')?;
    let is_number = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("R-{number}"))
}

/// Reads `R1` at the start of a text, and what follows it.
pub(super) fn short_id_at(text: &str) -> Option<(String, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (word, after) = text.split_at(length);
    let is_whole = !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
    short_id(word).filter(|_| is_whole).map(|id| (id, after))
}

/// Returns the ids that a text names as `R1`.
pub(super) fn short_ids(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')))
        .filter_map(|w| short_id(w.trim_matches('.')))
}

/// Longest range `FR-001 to FR-030` that is taken apart; a longer one is a slip of the pen.
const RANGE_MAX: u32 = 100;

/// Returns the requirement ids (`FR-001`), criterion ids (`AC-1`) and story ids (`US1`) that a text names, in order and
/// without repeats; a range (`FR-001 to FR-004`, `FR-001–FR-004`) names each.
pub fn requirement_ids(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open_range: Option<String> = None;
    let mut rest = text;
    let mut boundary = true;
    while let Some(c) = rest.chars().next() {
        if boundary && let Some((id, after)) = id_at(rest) {
            if let Some(first) = open_range.take() {
                out.extend(between(&first, &id));
            }
            open_range = is_range(after).then(|| id.clone());
            out.push(id);
            rest = after;
            boundary = false;
            continue;
        }
        boundary = !(c.is_alphanumeric() || c == '_' || c == '-');
        // `FR-001-FR-004` and `FR-001–FR-004`: what joins two ids also bounds them.
        boundary |= open_range.is_some() && c == '-';
        rest = &rest[c.len_utf8()..];
    }
    let mut seen = std::collections::BTreeSet::new();
    out.retain(|id| seen.insert(id.clone()));
    out
}

fn id_at(text: &str) -> Option<(String, &str)> {
    if let Some(found) = requirement_at(text) {
        return Some(found);
    }
    let (prefix, rest) = ["AC-", "AC", "US-", "US"].into_iter().find_map(|p| text.strip_prefix(p).map(|r| (p, r)))?;
    let length = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = rest[..length].trim_end_matches('.');
    let after = &rest[number.len()..];
    if number.is_empty() || after.starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    if let Some(story) = prefix.strip_prefix("US") {
        // `US-001` and `US1` are one story; `US1-AS2` is its scenario.
        let _ = story;
        let plain = number.trim_start_matches('0');
        if let Some(tail) = after.strip_prefix("-AS") {
            let n: String = tail.chars().take_while(char::is_ascii_digit).collect();
            if !n.is_empty() {
                return Some((format!("US{plain}-AS{n}"), &tail[n.len()..]));
            }
        }
        return (!plain.is_empty()).then(|| (format!("US{plain}"), after));
    }
    Some((format!("{prefix}{number}"), after))
}

fn is_range(after: &str) -> bool {
    let next = after.trim_start_matches(['*', '`', ' ']);
    let next =
        ["to ", "through ", "thru ", "..=", "...", "..", "–", "—", "--", "-"].iter().find_map(|p| next.strip_prefix(p));
    next.is_some_and(|n| id_at(n.trim_start_matches(['*', '`', ' '])).is_some())
}

fn between(first: &str, last: &str) -> Vec<String> {
    let split = |id: &str| {
        let at = id.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |i| i + 1);
        id[at..].parse::<u32>().ok().map(|n| (id[..at].to_owned(), n, id.len() - at))
    };
    match (split(first), split(last)) {
        (Some((a, from, width)), Some((b, to, _))) if a == b && from < to && to - from <= RANGE_MAX => {
            (from + 1..to).map(|n| format!("{a}{n:0width$}")).collect()
        }
        _ => Vec::new(),
    }
}
