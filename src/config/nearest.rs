//! Which known word was meant.

/// Returns the known word that is nearest to a mistyped one: at most a third of its letters wrong, ties to the first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    known
        .into_iter()
        .map(|candidate| (distance(&letters, &candidate.chars().collect::<Vec<_>>()), candidate))
        .filter(|(wrong, candidate)| *wrong <= (candidate.chars().count().max(letters.len()) / 3).max(1))
        .min_by_key(|(wrong, _)| *wrong)
        .map(|(_, candidate)| candidate)
}

/// Longest word compared: keys are short, and the work grows with the product of the lengths.
const WORD_MAX: usize = 64;

/// Counts the letters to insert, delete, replace or swap with their neighbour (optimal string alignment; Damerau,
/// "A technique for computer detection and correction of spelling errors", 1964).
fn distance(a: &[char], b: &[char]) -> usize {
    if a.len() > WORD_MAX || b.len() > WORD_MAX {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_understood_and_another_word_is_not() {
        let known = ["agents", "mcp_servers", "memory", "checks", "consensus", "command", "env", "env_pass"];
        let table = [
            ("agent", Some("agents")),
            ("Agents", Some("agents")),
            ("aegnts", Some("agents")),
            ("mcp_server", Some("mcp_servers")),
            ("mcpservers", Some("mcp_servers")),
            ("comand", Some("command")),
            ("evn", Some("env")),
            ("env_pas", Some("env_pass")),
            ("concensus", Some("consensus")),
            ("colour", None),
            ("x", None),
            ("", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
    }

    #[test]
    fn distances_are_the_textbook_ones() {
        let table = [
            ("", "", 0),
            ("a", "", 1),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
            ("same", "same", 0),
        ];
        for (a, b, wrong) in table {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&a, &b), wrong);
            assert_eq!(distance(&b, &a), wrong);
        }
    }
}
