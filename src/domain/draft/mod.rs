//! A new spec from a sentence: its id, and its text from a template in github/spec-kit's layout.
//!
//! It must not know which folders exist, nor write any: it is given names and gives text.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::failure::Failure;
use super::ids::SpecId;
use super::spec::{self, Spec};

/// The template that is used where the repository has none.
pub const TEMPLATE: &str = include_str!("spec-template.md");

/// Where a repository may have its own template, the first that is there wins: ours, then as github/spec-kit looks for it.
pub const TEMPLATES: [&str; 3] = [
    ".dicast/templates/spec-template.md",
    ".specify/templates/overrides/spec-template.md",
    ".specify/templates/spec-template.md",
];

/// Where github/spec-kit's own scripts look for the spec that is worked on.
pub const POINTER: &str = ".specify/feature.json";

/// Writes what they read there.
pub fn pointer(dir: &str) -> String {
    format!("{}\n", serde_json::json!({ "feature_directory": dir }))
}

/// Where new specs go.
pub const SHELF: &str = "specs";

/// Longest name after the number, in characters: it is a branch and a folder.
const SLUG_MAX: usize = 40;

/// Longest title, in characters.
const TITLE_MAX: usize = 80;

/// Digits of a number at least.
const DIGITS: usize = 3;

/// Words that say nothing in a name.
const FILLERS: [&str; 22] = [
    "a",
    "an",
    "the",
    "to",
    "of",
    "for",
    "and",
    "or",
    "with",
    "that",
    "which",
    "so",
    "i",
    "we",
    "want",
    "should",
    "must",
    "please",
    "add",
    "implement",
    "create",
    "build",
];

/// Letters that are no letter with a mark, as people write them without.
const FOLDED: [(char, &str); 10] = [
    ('ß', "ss"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('ø', "o"),
    ('ł', "l"),
    ('đ', "d"),
    ('ð', "d"),
    ('þ', "th"),
    ('ħ', "h"),
    ('ı', "i"),
];

/// Writes a text in lower case without accents, as far as that is known.
fn folded(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().nfkd().filter(|c| !is_combining_mark(*c)) {
        match FOLDED.iter().find(|(letter, _)| *letter == c) {
            Some((_, plain)) => out.push_str(plain),
            None => out.push(c),
        }
    }
    out
}

/// Returns the name that a sentence gives to a spec, without its number: whole words without accents (only a first one
/// that is too long is cut), `new` where it has none in Latin letters.
pub fn slug(text: &str) -> String {
    let text = folded(text);
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned);
    let telling: Vec<String> = words().filter(|word| !FILLERS.contains(&word.as_str())).collect();
    let chosen = if telling.is_empty() { words().collect() } else { telling };
    let mut slug = String::new();
    for word in chosen {
        let joined = match slug.is_empty() {
            true => word.chars().take(SLUG_MAX).collect(),
            false => format!("{slug}-{word}"),
        };
        if joined.len() > SLUG_MAX {
            break;
        }
        slug = joined;
    }
    if slug.is_empty() { "new".to_owned() } else { slug }
}

/// Returns the id after the highest number among names (folders of specs, branches). A time in a number's place
/// (`20260131-120000-login`, as github/spec-kit can name them) is none.
///
/// # Errors
/// Exit 64 when the numbers are used up.
pub fn next_id<'n>(names: impl IntoIterator<Item = &'n str>, slug: &str) -> Result<SpecId, Failure> {
    let number = |name: &str| {
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let behind = name.get(digits + 1..).unwrap_or_default();
        let is_time = digits == 8 && behind.find('-') == Some(6) && behind.bytes().take(6).all(|b| b.is_ascii_digit());
        (!is_time && digits >= DIGITS && name[digits..].starts_with('-'))
            .then(|| name[..digits].parse::<u32>().ok())
            .flatten()
    };
    let full = || Failure::usage("new", "no number is left for a spec", "rename the spec with the highest number");
    let next = names.into_iter().filter_map(number).max().unwrap_or(0).checked_add(1).ok_or_else(full)?;
    SpecId::new(&format!("{next:03}-{slug}")).map_err(|_| full())
}

/// What a new spec begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// What is wanted, in a sentence: it goes into the template.
    Sentence(String),
    /// A document that was written for something else, such as the body of a pull request.
    Document {
        /// Its title; empty if it names itself.
        title: String,
        /// Its text.
        text: String,
    },
}

impl Beginning {
    /// Returns what the spec is called after: the sentence, the title, or the first line that says something.
    pub fn name(&self) -> &str {
        match self {
            Beginning::Sentence(text) => text,
            Beginning::Document { title, .. } if !title.trim().is_empty() => title,
            Beginning::Document { text, .. } => {
                let says =
                    |line: &&str| line.chars().any(char::is_alphanumeric) && !line.trim_start().starts_with("<!--");
                text.lines().find(says).unwrap_or_default().trim_start_matches(['#', ' ', '-', '*'])
            }
        }
    }
}

/// Makes a spec of a document. Its words stay as they are: where it has no heading of its own it gets one, and where it
/// names no requirement each item of its outermost lists gets an id.
pub fn adopt(id: &SpecId, title: &str, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let has_heading = text.lines().any(|line| line.starts_with("# "));
    let head = if has_heading { String::new() } else { format!("# {}\n\n", title.trim()) };
    let whole = format!("{head}{}\n", text.trim_end());
    let asks = |text: &str| !spec::parse(id.clone(), SHELF, "spec.md", text).requirements.is_empty();
    if asks(&whole) { whole } else { numbered(&whole) }
}

/// Gives each item of the outermost lists an id, outside fences and comments.
fn numbered(text: &str) -> String {
    let (mut out, mut next, mut fenced, mut comment) = (String::new(), 1_u32, false, false);
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        comment |= line.contains("<!--");
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).filter(|_| !fenced && !comment);
        let ticked =
            |item: &str| ["[ ] ", "[x] ", "[X] "].iter().find_map(|tick| item.strip_prefix(tick)).map(str::to_owned);
        match item.map(|item| ticked(item).unwrap_or_else(|| item.to_owned())).filter(|item| !item.trim().is_empty()) {
            Some(words) => {
                out.push_str(&format!("- **FR-{next:03}**: {words}\n"));
                next += 1;
            }
            None => out.push_str(&format!("{line}\n")),
        }
        comment &= !line.contains("-->");
    }
    out
}

/// Most words of a requirement that says nothing besides what is open: "Users MUST be able to".
const HOLLOW_WORDS: usize = 5;

/// Tells whether a spec is still its template: each requirement is a placeholder in brackets, or there is none.
pub fn is_blank(spec: &Spec) -> bool {
    spec.requirements.iter().all(|requirement| {
        let (mut depth, mut said) = (0_usize, String::new());
        let mut is_open = false;
        for c in requirement.text.chars() {
            match c {
                '[' => (depth, is_open) = (depth + 1, true),
                ']' => depth = depth.saturating_sub(1),
                c if depth == 0 => said.push(c),
                _ => {}
            }
        }
        is_open && said.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count() <= HOLLOW_WORDS
    })
}

/// Fills a template in. `date` is a day, `2026-01-31`.
pub fn fill(template: &str, id: &SpecId, text: &str, date: &str) -> String {
    let sentence = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = sentence.chars().take(TITLE_MAX).collect();
    let title = title.trim_end_matches(['.', ' ']);
    let named = template
        .replace("[FEATURE NAME]", title)
        .replace("[###-feature-name]", id.as_str())
        .replace("[DATE]", date)
        .replace("$ARGUMENTS", &sentence)
        .replace("[Brief Title]", title);
    if named.ends_with('\n') { named } else { format!("{named}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_words_that_tell() {
        assert_eq!(slug("Add a rate limiter to the API, please!"), "rate-limiter-api");
        assert_eq!(slug("I want to"), "i-want-to");
        assert_eq!(slug("日本語 🦀"), "new");
        assert!(slug(&"word ".repeat(40)).len() <= SLUG_MAX);
        assert_eq!(slug("Größe ändern"), "grosse-andern");
        assert_eq!(slug("Łódź: e\u{301}tudier l'œuvre ＡＢＣ"), "lodz-etudier-l-oeuvre-abc");
        assert_eq!(slug(&"x".repeat(50)), "x".repeat(SLUG_MAX));
        assert_eq!(slug(&format!("{} limiter", "x".repeat(50))), "x".repeat(SLUG_MAX));
    }

    #[test]
    fn the_next_number_follows_the_highest() {
        let names = ["001-a", "007-b", "12-c", "0100-d", "x-9", "2024"];
        assert_eq!(next_id(names, "e").unwrap().as_str(), "101-e");
        assert_eq!(next_id([], "e").unwrap().as_str(), "001-e");
        assert_eq!(next_id(["20260131-120000-a", "002-b"], "e").unwrap().as_str(), "003-e");
        assert_eq!(next_id(["20260131-b", "20260131-12000-c"], "e").unwrap().as_str(), "20260132-e");
        assert_eq!(next_id(["4294967295-z"], "e").unwrap_err().exit(), 64);
    }

    #[test]
    fn a_document_becomes_a_spec_whose_words_stay() {
        let id = SpecId::new("004-retry").unwrap();
        let of = |title: &str, text: &str| {
            let whole = adopt(&id, title, text);
            (spec::parse(id.clone(), "specs/004-retry", "specs/004-retry/spec.md", &whole), whole)
        };
        let body = "<!-- say what\n- and why -->\r\nRetries failed calls.\r\n\r\n- [x] It MUST stop after 3 tries\n  - not a part\n* Waits 1 s\n\n```\n- code\n```\n";
        let (spec, whole) = of("Retry calls", body);
        let asked: Vec<_> = spec.requirements.iter().map(|r| (r.id.as_str(), r.text.as_str())).collect();
        assert_eq!(spec.title, "Retry calls");
        assert_eq!(asked[0].0, "FR-001");
        assert!(asked[0].1.starts_with("It MUST stop after 3 tries") && asked.len() == 2, "{asked:?}");
        assert!(whole.contains("```\n- code\n```") && whole.contains("- and why -->"), "{whole}");
        // One that names its requirements is taken byte for byte.
        let own = "# Retry\n\n- FR-7: It MUST wait\n- more\n";
        assert_eq!(of("", own).1, own);
        let named =
            |title: &str, text: &str| Beginning::Document { title: title.into(), text: text.into() }.name().to_owned();
        assert_eq!((named("A title", body), named("", "\n## Retry calls\n")), ("A title".into(), "Retry calls".into()));
    }

    #[test]
    fn the_filled_template_is_a_spec_with_one_open_must() {
        let id = SpecId::new("004-login").unwrap();
        let text = fill(TEMPLATE, &id, "Log in with \"magic\" links.", "2026-01-31");
        let spec = spec::parse(id, "specs/004-login", "specs/004-login/spec.md", &text);
        assert_eq!(spec.title, "Log in with \"magic\" links");
        assert_eq!(spec.requirements.len(), 1);
        assert_eq!(spec.stories.len(), 1);
        assert!(text.contains("**Created**: 2026-01-31") && !text.contains("$ARGUMENTS"));
        assert!(is_blank(&spec));
    }

    #[test]
    fn a_spec_is_blank_while_each_of_its_requirements_is_a_placeholder() {
        let blank = |requirements: &str| {
            let id = SpecId::new("004-login").unwrap();
            is_blank(&spec::parse(
                id,
                "specs/004-login",
                "specs/004-login/spec.md",
                &format!("# Login\n\n{requirements}"),
            ))
        };
        let theirs = "- **FR-001**: System MUST [specific capability, e.g., \"allow users to create accounts\"]\n\
            - **FR-002**: Users MUST be able to [key interaction, e.g., \"reset their password\"]\n";
        assert!(blank("") && blank(theirs));
        assert!(!blank(&format!("{theirs}- **FR-003**: It MUST ask for a password\n")), "somebody said something");
        assert!(!blank("- **FR-001**: It MUST lock an account after [NEEDS CLARIFICATION: how many?] failed logins\n"));
    }
}
