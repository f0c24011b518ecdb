//! Tests of the seam between the ordering and the crates that stand outside of it, by their
//! sources: they hold slots, log records and proofs as bytes, and their code names nothing that
//! only one ordering knows. Comments, texts and tests do not count.

use std::error::Error;

use quorate_tests::repository::{self, SourceFile};

type Checked = Result<(), Box<dyn Error>>;

/// Each crate outside of the seam, and the words that its code must not hold.
const OUTSIDE: [(&str, &[&str]); 3] = [
    (
        "ledger",
        &[
            "BadBlock",
            "Conflict",
            "Kind",
            "Precommit",
            "Prevote",
            "QuorumCertificate",
            "Round",
            "SignedStatement",
            "Statement",
            "Vote",
            "build_round",
            "certificate",
            "pol_round",
            "votes",
        ],
    ),
    (
        "store",
        &[
            "Kind",
            "Precommit",
            "Prevote",
            "Proposal",
            "QuorumCertificate",
            "Round",
            "Statement",
            "Step",
            "Vote",
            "precommit",
            "prevote",
            "proposal",
            "round",
            "statement",
            "step",
            "vote",
        ],
    ),
    (
        "durable",
        &[
            "Kind",
            "Precommit",
            "Prevote",
            "Proposal",
            "Round",
            "Step",
            "Vote",
            "precommit",
            "prevote",
            "proposal",
            "quorate_consensus",
            "round",
            "step",
            "vote",
        ],
    ),
];

#[test]
fn the_crates_outside_of_the_seam_do_not_name_what_only_an_ordering_knows() -> Checked {
    let files = repository::files()?;
    let mut findings = Vec::new();
    for (name, words) in OUTSIDE {
        let files = sources(&files, name);
        assert!(!files.is_empty(), "no source of {name} was read");
        findings.extend(files.into_iter().flat_map(|file| named(file, words)));
    }
    repository::none(&findings)
}

#[test]
fn only_code_is_searched() {
    let source = concat!(
        "//! A Round.\n",
        "/* Round\n",
        " Round */ use a::Round;\n",
        "const A: &str = \"Round \\\" Round\\\n",
        " Round\"; type B<'a> = Rounds<'a>; // Round\n",
        "fn c(quote: char) -> bool { quote == '\"' && quote != '\\'' } fn d(_: Round) {}\n",
        "#[cfg(test)]\n",
        "mod tests {\n",
        "use a::Round;\n",
    );
    let file = SourceFile {
        path: "crates/a/src/lib.rs".to_owned(),
        text: source.to_owned(),
    };
    let expected = [3, 6].map(|line| file.at(line, "holds `Round`"));
    assert_eq!(named(&file, &["Round"]), expected);
}

/// Returns the source files of a crate.
fn sources<'a>(files: &'a [SourceFile], name: &str) -> Vec<&'a SourceFile> {
    let folder = format!("crates/{name}/src/");
    let is_source = |file: &&SourceFile| file.path.starts_with(&folder);
    files.iter().filter(is_source).collect()
}

/// Returns a finding for each of `words` in the code of a file.
fn named(file: &SourceFile, words: &[&str]) -> Vec<String> {
    let lines: Vec<&str> = file.production_lines().map(|(_, line)| line).collect();
    let code = code_of(&lines.join("\n"));

    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let found = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in found.filter(|word| words.contains(word)) {
            findings.push(file.at(index + 1, &format!("holds `{word}`")));
        }
    }
    findings
}

/// Returns Rust source with its lines, but without comments and literals.
fn code_of(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => literal(rest, '"'),
            '\'' if is_character(rest) => literal(rest, '\''),
            _ => 0,
        };
        let (gone, left) = rest.split_at(skipped.max(next.len_utf8()));
        // The numbers of the lines stay.
        let kept = |c: &char| skipped == 0 || *c == '\n';
        code.extend(gone.chars().filter(kept));
        rest = left;
    }
    code
}

/// Returns the length of the literal at the beginning of `rest`, with both its quotes.
fn literal(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + quote.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Whether the quote at the beginning of `rest` opens a character and not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut next = rest.chars().skip(1);
    matches!(
        (next.next(), next.next()),
        (Some('\\'), _) | (_, Some('\''))
    )
}
