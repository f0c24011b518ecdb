//! The few pieces of markup that the rest of the page is made of.
//!
//! Everything on the page is a template, which escapes the text that is put into it. Only the style
//! is put in as it is.

use maud::{Markup, Render, html};

/// A part of the page with a heading. There is no lead if `lead` is empty.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) body: Markup,
}

impl Render for Section {
    fn render(&self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.title) }
                @if !self.lead.is_empty() {
                    p class="lead" { (self.lead) }
                }
                (self.body)
            }
        }
    }
}

/// Returns a table. Numeric columns are aligned to the right.
pub(super) fn table(columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        @for column in columns {
                            th class=[column.class()] { (column.name) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in columns.iter().zip(row) {
                                td class=[column.class()] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the cell of a text or a number.
pub(super) fn cell(content: impl Render) -> Markup {
    html! { (content) }
}

/// The head of a column.
pub(super) struct Column {
    name: &'static str,
    numeric: bool,
}

impl Column {
    fn class(&self) -> Option<&'static str> {
        self.numeric.then_some("n")
    }
}

/// Returns the head of a column of words.
pub(super) const fn words(name: &'static str) -> Column {
    Column {
        name,
        numeric: false,
    }
}

/// Returns the head of a column of numbers.
pub(super) const fn numbers(name: &'static str) -> Column {
    Column {
        name,
        numeric: true,
    }
}

/// Formats milliseconds as seconds: `14.2 s`.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// Formats milliseconds as `41.2 s` or `2 min 5 s`.
pub(super) fn duration(ms: u64) -> String {
    if ms < 60_000 {
        seconds(ms)
    } else {
        format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000)
    }
}

/// Formats a number with its noun: `1 task`, `2 tasks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// The number of colours in `style.css`. Further agents share them, with dashed lines.
const COLOURS: usize = 12;

/// Returns the classes that give an agent its colour: `c3`, and from the thirteenth agent
/// `c3 dash`.
pub(super) fn colour(index: Option<usize>) -> String {
    match index {
        None => "c-none".to_owned(),
        Some(index) if index < COLOURS => format!("c{index}"),
        Some(index) => format!("c{} dash", index % COLOURS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_from_outside_stays_text() {
        let attack = "<script>alert('1')</script> & \"x\" ü";
        let expected = "&lt;script&gt;alert('1')&lt;/script&gt; &amp; &quot;x&quot; ü";
        assert_eq!(cell(attack).into_string(), expected);

        // Attributes stand between double quotes, so a single one need not be escaped.
        let attribute = html! { b class=(attack) {} }.into_string();
        assert_eq!(attribute, format!("<b class=\"{expected}\"></b>"));
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(seconds(14_260), "14.2 s");
        assert_eq!(duration(59_999), "59.9 s");
        assert_eq!(duration(125_000), "2 min 5 s");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "task"), "1 task");
        assert_eq!(count(0, "task"), "0 tasks");
    }
}
