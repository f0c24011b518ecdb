//! The tokens of Rust sources, for tests that read them. Only what such a test needs is told apart.

/// The names of a path, such as `crate`, `event` and `Event`.
pub type Path = Vec<String>;

/// Returns the index after an item: after its `;`, or after the brace that closes its body.
pub fn item_end(tokens: &[String], start: usize) -> usize {
    let is_use = tokens.get(start).is_some_and(|token| token == "use");
    let mut depth = 0_i32;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        let ends = token == ";" || (token == "}" && !is_use);
        if depth < 0 || (depth == 0 && ends) {
            return index + 1;
        }
    }
    tokens.len()
}

/// Returns the names that the tree of a `use` brings in, each with its whole path.
pub fn imports(tree: &[String]) -> Vec<(String, Path)> {
    let mut depth = 0_i32;
    let branches = tree.split(|token| {
        depth += i32::from(token == "{") - i32::from(token == "}");
        depth == 0 && token == ","
    });

    let mut found = Vec::new();
    for branch in branches.filter(|branch| !branch.is_empty()) {
        let end = branch
            .iter()
            .position(|token| token == "{" || token == "as");
        let (stem, rest) = branch.split_at(end.unwrap_or(branch.len()));
        let stem: Path = stem
            .iter()
            .filter(|token| *token != "::")
            .cloned()
            .collect();

        match rest {
            [open, inner @ .., _] if open == "{" => {
                for (name, path) in imports(inner) {
                    // `a::{self}` brings in the name `a`.
                    let name = if name == "self" {
                        stem.last()
                    } else {
                        Some(&name)
                    };
                    let path = [stem.as_slice(), &path].concat();
                    found.extend(name.cloned().map(|name| (name, path)));
                }
            }
            _ => found.extend(branch.last().cloned().map(|name| (name, stem))),
        }
    }
    found
}

/// Returns whether a token is a name or a keyword.
pub fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Splits a text into names, `::` and single characters, without comments, strings and
/// the quotes of lifetimes.
pub fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if is_name(rest) {
            let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
            let raw = ["r", "br"]
                .contains(&&rest[..end])
                .then(|| raw_string(&rest[end..]));
            match raw.flatten() {
                Some(string) => end + string,
                None => {
                    found.push(rest[..end].to_owned());
                    end
                }
            }
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            quoted(rest)
        } else if rest.starts_with("::") || rest.starts_with("..") {
            found.push(rest[..2].to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// Returns the length of a string, with its quotes.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(end, _)| end + 1)
}

/// Returns the length of a raw string behind its `r`; nothing if it is not one.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text
        .find('"')
        .filter(|end| text[..*end].bytes().all(|b| b == b'#'))?;
    let close = format!("\"{}", &text[..hashes]);
    let end = text[hashes + 1..].find(&close)?;
    Some(hashes + 1 + end + close.len())
}

/// Returns the length of a character with its quotes, or of the quote that begins a lifetime.
fn quoted(text: &str) -> usize {
    let body = text[1..].strip_prefix('\\').map_or(1, |_| 2);
    match text.chars().nth(1 + body) {
        Some('\'') => text
            .char_indices()
            .nth(2 + body)
            .map_or(text.len(), |(end, _)| end),
        // An escape of several characters: `'\u{1F600}'` or `'\x7f'`.
        _ if body == 2 => text[1..].find('\'').map_or(text.len(), |end| end + 2),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_no_tokens() {
        for (text, expected) in [
            ("a::b // c\n;", "a :: b ;"),
            (r#"f("a\"b", 'c', '\'', '\u{1F}', '"')"#, "f ( , , , , )"),
            (r##"r#"a "b" c"# r"d" br"e" f"##, "f"),
            ("<'a> 0..crate::X", "< a > 0 .. crate :: X"),
        ] {
            assert_eq!(tokens(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn imports_have_their_whole_paths() {
        let found = imports(&tokens("crate::{a::{self, B as C}, d}"));
        let found: Vec<_> = found
            .iter()
            .map(|(name, path)| format!("{name} = {}", path.join("::")))
            .collect();
        assert_eq!(
            found,
            ["a = crate::a::self", "C = crate::a::B", "d = crate::d"]
        );
    }

    #[test]
    fn an_item_ends_with_its_body_or_semicolon() {
        for (text, end) in [
            ("fn f() -> [u8; 2] { g(); } h", 17),
            ("use a::{b}; h", 7),
            ("mod a; h", 3),
        ] {
            assert_eq!(item_end(&tokens(text), 0), end, "{text}");
        }
    }
}
