//! A report shows foreign texts, and does nothing that they ask for.

use super::markdown::{SIGNS, escaped};
use super::{Mark, Page, Part, Section, html, markdown};
use crate::domain::consensus::Call;
use crate::domain::redact::Redactor;

/// Texts that would become something in HTML or Markdown.
const HOSTILE: &[&str] = &[
    "</title><script>alert(1)</script>",
    "<img src=https://evil.example/x onerror=alert(1)>",
    "\" onclick=\"alert(1)\" x=\"",
    "' style='background:url(https://evil.example)' '",
    "</style><style>@import url(//evil.example)</style>",
    "--><!-- <!ENTITY x> ]]>",
    "&lt;b&gt; &#60;b&#62; &amp",
    "[click](javascript:alert(1)) ![x](https://evil.example/x.png)",
    "[ref]: https://evil.example \"x\"",
    "https://evil.example www.evil.example WWW.evil.example mail@evil.example ftp://evil.example",
    "@somebody #123 owner/repo#4 owner/repo@abcdef0",
    "| a | b |\n|---|---|\n# heading\n- [ ] task\n> quote\n```\ncode",
    "`code` **bold** _it_ ~~no~~ $x$ <!-- hidden --> \\",
    "\u{1b}]8;;https://evil.example\u{7}link\u{202e}",
];

/// A page with one text in every place.
fn page_of(text: &str) -> Page {
    let words = || text.to_owned();
    let parts = vec![
        Part::Heading(words()),
        Part::Line(words()),
        Part::Facts(vec![("Why", words())]),
        Part::Table { heads: &["Claim", "For"], rows: vec![vec![words(), words()]] },
    ];
    let mark = Mark::Call(Call::Stop);
    let section = Section { anchor: "plan", mark: Some(mark), title: words(), parts };
    Page { title: words(), about: words(), mark, sentence: words(), sections: vec![section] }
}

/// Returns everything that an HTML parser would take for a tag, a comment or a character reference.
fn active(html: &str) -> Vec<&str> {
    let tags = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest));
    tags.collect()
}

#[test]
fn no_text_becomes_a_tag_or_an_attribute() {
    let harmless = html(&page_of("x"), &Redactor::default());
    for text in HOSTILE {
        let hostile = html(&page_of(text), &Redactor::default());
        assert_eq!(active(&hostile), active(&harmless), "{text}");
        assert_eq!(hostile.matches('>').count(), harmless.matches('>').count(), "{text}");
        // A quotation mark in a text would be an attribute's end if the text ever stood in one.
        assert_eq!(hostile.matches(['"', '\'']).count(), harmless.matches(['"', '\'']).count(), "{text}");
        let refs = |html: &str| html.matches('&').count();
        let own = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].map(|own| hostile.matches(own).count());
        assert_eq!(refs(&hostile), own.iter().sum::<usize>(), "{text}");
    }
}

#[test]
fn the_page_asks_for_nothing_and_runs_nothing() {
    let html = html(&page_of("x"), &Redactor::default());
    for word in ["<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "http:", "https:", "//", " on"] {
        let found = html.find(word).map(|at| &html[at.saturating_sub(20)..(at + 20).min(html.len())]);
        assert!(found.is_none() || word == " on", "{word:?} stands in it: {found:?}");
    }
    assert!(active(&html).iter().all(|tag| !tag.contains(" on")), "no handler of events");
    let addresses: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!addresses.is_empty() && addresses.iter().all(|address| address.starts_with('#')), "{addresses:?}");
    for address in addresses {
        assert!(html.contains(&format!("id=\"{}\"", address.trim_start_matches('#'))), "{address} leads nowhere");
    }
}

#[test]
fn no_text_becomes_markdown() {
    for text in HOSTILE {
        let written = markdown(&page_of(text), &Redactor::default());
        let harmless = markdown(&page_of("x"), &Redactor::default());
        assert_eq!(written.lines().count(), harmless.lines().count(), "{text:?} stays on its line");
        for word in ["http:/", "https:/", "ftp:/", "www.", "WWW.", "@s", "@e", "@a", "#1", "#4"] {
            assert!(!written.contains(word), "{word:?} stands in {written}");
        }
        let bare = SIGNS.chars().fold(written.clone(), |bare, sign| bare.replace(&format!("\\{sign}"), ""));
        let signs = |text: &str| text.matches(|c| SIGNS.contains(c)).count() - text.matches("&#8203;").count() * 2;
        assert_eq!(signs(&bare), signs(&harmless), "{bare}");
    }
    assert_eq!(escaped("a|b`c"), "a\\|b\\`c");
    assert_eq!(escaped("@me https://x"), "\\@&#8203;me https\\:&#8203;//x");
}

#[test]
fn a_secret_is_taken_out_before_escaping_could_hide_it() {
    let key = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let redactor = Redactor::new(["pass<word>_1".to_owned()]);
    let page = page_of(&format!("token {key} and pass<word>_1"));
    for written in [html(&page, &redactor), markdown(&page, &redactor)] {
        assert!(written.contains("redacted"), "{written}");
        assert!(!written.contains("0123456789abcdef") && !written.contains("word"), "{written}");
    }
}

proptest::proptest! {
    #[test]
    fn every_sign_of_markdown_is_escaped_and_nothing_is_lost(text in "[ -~é日]{0,60}") {
        let written = escaped(&text);
        let (mut plain, mut rest) = (String::new(), written.as_str());
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("&#8203;") {
                rest = after;
                continue;
            }
            let after = rest.strip_prefix('\\');
            let sign = after.map_or(c, |after| after.chars().next().unwrap());
            proptest::prop_assert_eq!(after.is_some(), SIGNS.contains(sign), "{}", written);
            plain.push(sign);
            rest = &after.unwrap_or(rest)[sign.len_utf8()..];
        }
        proptest::prop_assert_eq!(plain, text);
    }
}
