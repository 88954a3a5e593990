//! Writes a page as one HTML document that asks for nothing: no script, no request, its style inside.
//!
//! It must not put a text into an attribute, a style or an address: attributes hold our own words only.

use super::{Mark, Page, Part, Section, clean};
use crate::domain::redact::Redactor;

/// The style: light and dark, narrow and wide, screen and paper.
const STYLE: &str = include_str!("style.css");

/// What the document may do, should an escape ever be forgotten: show its own style, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes a page as HTML. Every text is redacted, cleaned and escaped.
pub fn html(page: &Page, redactor: &Redactor) -> String {
    let mut sheet = Sheet { redactor, out: String::new() };
    sheet.own("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    sheet.own("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    sheet
        .own("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    sheet.own(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    sheet.own("<title>").text(&page.title).own(" · dicast</title>\n");
    sheet.own(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n"));
    sheet.own("<a class=\"skip\" href=\"#report\">Skip to the report</a>\n<header>\n");
    sheet
        .own("<h1>")
        .text(&page.title)
        .own("</h1>\n<p class=\"quiet\">")
        .text(&page.about)
        .own("</p>\n<p class=\"sum\">");
    sheet.mark(page.mark).own(" ").text(&page.sentence).own("</p>\n</header>\n<nav aria-label=\"Parts\">\n<ul>\n");
    for section in &page.sections {
        sheet.own(&format!("<li><a href=\"#{}\">", section.anchor));
        if let Some(mark) = section.mark {
            sheet.mark(mark).own(" ");
        }
        sheet.text(&section.title).own("</a></li>\n");
    }
    sheet.own("</ul>\n</nav>\n<main id=\"report\">\n");
    page.sections.iter().for_each(|section| sheet.section(section));
    sheet.own("</main>\n<footer>\n<p class=\"quiet\">");
    sheet.own("Evidence: <b>said</b> nobody looked, <b>seen</b> the host looked and it is there, <b>ran</b> the host ran it, ");
    sheet.own("<b>false</b> it looked or ran, and it is not so.</p>\n</footer>\n</body>\n</html>\n");
    sheet.out
}

struct Sheet<'r> {
    redactor: &'r Redactor,
    out: String,
}

impl Sheet<'_> {
    /// Puts markup of ours.
    fn own(&mut self, markup: &str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Puts a text, wherever it comes from.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in clean(self.redactor, text).chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c => self.out.push(c),
            }
        }
        self
    }

    fn mark(&mut self, mark: Mark) -> &mut Self {
        self.own(&format!("<strong class=\"mark {}\">{}</strong>", mark.class(), mark.words()))
    }

    fn section(&mut self, section: &Section) {
        let anchor = section.anchor;
        self.own(&format!("<section id=\"{anchor}\" aria-labelledby=\"{anchor}-title\">\n<h2 id=\"{anchor}-title\">"));
        if let Some(mark) = section.mark {
            self.mark(mark).own(" ");
        }
        self.text(&section.title).own("</h2>\n");
        section.parts.iter().for_each(|part| self.part(part));
        self.own("</section>\n");
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Heading(words) => {
                self.own("<h3>").text(words).own("</h3>\n");
            }
            Part::Line(words) => {
                self.own("<p>").text(words).own("</p>\n");
            }
            Part::Facts(facts) => {
                self.own("<dl>\n");
                for (name, words) in facts {
                    self.own("<div><dt>").text(name).own("</dt><dd>").text(words).own("</dd></div>\n");
                }
                self.own("</dl>\n");
            }
            Part::Table { heads, rows } => self.table(heads, rows),
        }
    }

    /// On a narrow screen a row is a list: each cell bears the head of its column.
    fn table(&mut self, heads: &[&'static str], rows: &[Vec<String>]) {
        self.own("<table>\n<thead><tr>");
        heads.iter().for_each(|head| {
            self.own("<th scope=\"col\">").text(head).own("</th>");
        });
        self.own("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.own("<tr>");
            for (i, (head, cell)) in heads.iter().zip(row).enumerate() {
                let (tag, scope) = if i == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
                let empty = if cell.is_empty() { " class=\"empty\"" } else { "" };
                self.own(&format!("<{tag}{scope}{empty} data-head=\"{head}\">")).text(cell).own(&format!("</{tag}>"));
            }
            self.own("</tr>\n");
        }
        self.own("</tbody>\n</table>\n");
    }
}
