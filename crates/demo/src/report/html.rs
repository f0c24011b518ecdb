//! Escaping, and the few pieces of markup that the rest of the page is made of.

use std::fmt;

/// Text that is displayed escaped: safe inside an element and inside a quoted attribute.
pub(super) struct Escaped<'a>(&'a str);

/// Escapes text from outside the program. Everything on the page that is neither a literal of the
/// report's code nor a number goes through this function.
pub(super) fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }

        f.write_str(rest)
    }
}

/// A part of the page with a heading. `body` and `lead` are markup.
pub(super) struct Section<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) lead: &'a str,
    pub(super) body: &'a str,
}

pub(super) fn section(part: Section<'_>) -> String {
    let Section {
        id,
        title,
        lead,
        body,
    } = part;

    let lead = if lead.is_empty() {
        String::new()
    } else {
        format!("<p class=\"lead\">{lead}</p>\n")
    };

    format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{lead}{body}</section>\n")
}

/// Returns a table of cells that are markup already. Numeric columns are aligned to the right.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let class = |column: &Column| if column.numeric { " class=\"n\"" } else { "" };
    let mut out = String::from("<div class=\"scroll\"><table>\n<thead><tr>");

    for column in columns {
        out += &format!("<th{}>{}</th>", class(column), column.name);
    }

    out += "</tr></thead>\n<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (column, cell) in columns.iter().zip(row) {
            out += &format!("<td{}>{cell}</td>", class(column));
        }
        out += "</tr>\n";
    }

    out + "</tbody>\n</table></div>\n"
}

/// The head of a column.
pub(super) struct Column {
    name: &'static str,
    numeric: bool,
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
        let expected = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot; ü";
        assert_eq!(escape(attack).to_string(), expected);
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
