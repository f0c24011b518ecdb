//! Every clause that code, documentation or a test names stands in `protocols/`, and this file
//! lists the clauses that no test names.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use quorate_tests::repository::{self, SourceFile};

type Checked = Result<(), Box<dyn Error>>;

/// The letters of clauses, each with the document that defines them.
const DOCUMENTS: [(char, &str); 6] = [
    ('C', "protocols/certificate.md"),
    ('L', "protocols/ledger.md"),
    ('M', "protocols/market.md"),
    ('N', "protocols/consensus.md"),
    ('R', "protocols/reason-codes.md"),
    ('W', "protocols/wire.md"),
];

/// Files that may name a clause.
const ENDINGS: [&str; 6] = [".cddl", ".md", ".patch", ".rs", ".toml", ".txt"];

/// Clauses that no test names. A test that is named after one takes it off this list; nothing is
/// added.
const UNNAMED: &str = "M-1 N-1 N-9 W-8 W-13";

#[test]
fn every_clause_that_is_named_exists() -> Checked {
    let files = repository::files()?;
    let defined = definitions(&files)?;
    let mut findings = Vec::new();
    for file in texts(&files) {
        for (number, line) in file.lines() {
            let unknown = named(line)
                .into_iter()
                .filter(|clause| !defined.contains(clause));
            findings.extend(unknown.map(|clause| file.at(number, &absent(clause))));
        }
    }
    repository::none(&findings)
}

fn absent((letter, number): Clause) -> String {
    let document = document_of(letter);
    format!("names {letter}-{number}, which {document} does not define")
}

/// A reader must be able to look up what is cited. So nothing cites a list that is not in the
/// repository, and a line of the Tendermint paper is written `line 28`, so that nobody takes it for
/// a clause of the ledger.
#[test]
fn nothing_is_cited_that_cannot_be_looked_up() -> Checked {
    let files = repository::files()?;
    let mut findings = Vec::new();
    for file in texts(&files) {
        for (number, line) in file.lines() {
            if cites_a_numbered_rule(line) {
                findings.push(file.at(number, "cites a rule by number: name the clause"));
            }
            if cites_a_bare_line(line) {
                findings.push(file.at(number, "cites a line of the paper: write `line 28`"));
            }
        }
    }
    repository::none(&findings)
}

#[test]
fn the_clauses_that_no_test_names_are_listed() -> Checked {
    let files = repository::files()?;
    let mut unnamed = definitions(&files)?;
    let tests = files
        .iter()
        .filter(|file| file.path.ends_with(".rs") && !file.path.ends_with("house/clauses.rs"));
    for file in tests {
        for (_, line) in file.test_lines() {
            for clause in named(line).into_iter().chain(named_by_function(line)) {
                unnamed.remove(&clause);
            }
        }
    }

    let listed: Vec<String> = unnamed
        .into_iter()
        .map(|(letter, number)| format!("{letter}-{number}"))
        .collect();
    assert_eq!(
        listed.join(" "),
        UNNAMED,
        "the clauses that no test names are not the ones that this file lists"
    );
    Ok(())
}

/// A letter and a number, as in N-28.
type Clause = (char, u32);

/// The clauses that the documents define.
///
/// # Errors
///
/// A clause is defined twice, or in a document of other clauses.
fn definitions(files: &[SourceFile]) -> Result<BTreeSet<Clause>, Box<dyn Error>> {
    let mut places: BTreeMap<Clause, String> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_protocol(file)) {
        for (number, line) in file.lines() {
            let Some(clause) = defined_by(line) else {
                continue;
            };
            if document_of(clause.0) != file.path {
                findings.push(file.at(number, "defines a clause of another document"));
            }
            let place = format!("{}:{number}", file.path);
            if let Some(first) = places.insert(clause, place) {
                findings.push(file.at(number, &format!("defines again what {first} defines")));
            }
        }
    }
    repository::none(&findings)?;
    Ok(places.into_keys().collect())
}

fn is_protocol(file: &SourceFile) -> bool {
    DOCUMENTS.iter().any(|(_, path)| *path == file.path)
}

fn document_of(letter: char) -> &'static str {
    let found = DOCUMENTS.iter().find(|(own, _)| *own == letter);
    found.map_or("protocols/", |(_, path)| path)
}

fn texts(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files
        .iter()
        .filter(|file| ENDINGS.iter().any(|ending| file.path.ends_with(ending)))
}

/// The clause that a line of a document begins: `**N-1.** text`, `| N-9 | text`, or `R-1. text`.
fn defined_by(line: &str) -> Option<Clause> {
    let start = line.strip_prefix("**").or(line.strip_prefix("| "));
    let start = start.unwrap_or(line);
    let end = start.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))?;
    let (name, rest) = start.split_at(end);
    let clause = clause(name)?;
    let ends_well = rest.starts_with(". ") || rest.starts_with(".** ") || rest.starts_with(" | ");
    ends_well.then_some(clause)
}

/// The clauses named in a line.
fn named(line: &str) -> Vec<Clause> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    words.filter_map(clause).collect()
}

/// The clause that a test is named after: `fn n14_a_nil_polka_does_not_unlock`.
fn named_by_function(line: &str) -> Option<Clause> {
    let name = line.split("fn ").nth(1)?;
    let (clause, _) = name.split_once('_')?;
    let (letter, number) = clause.split_at_checked(1)?;
    let letter = letter.chars().next()?.to_ascii_uppercase();
    self::clause(&format!("{letter}-{number}"))
}

/// `N-28` as a clause; nothing for any other word.
fn clause(word: &str) -> Option<Clause> {
    let (letter, number) = word.split_once('-')?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(|_| letters.next().is_none())?;
    let known = DOCUMENTS.iter().any(|(own, _)| *own == letter);
    let number = number.parse().ok()?;
    known.then_some((letter, number))
}

fn cites_a_numbered_rule(line: &str) -> bool {
    ["rule ", "rules ", "Rule ", "Rules "].iter().any(|word| {
        line.match_indices(word)
            .any(|(start, _)| line[start + word.len()..].starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn cites_a_bare_line(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| {
        let digits = word.strip_prefix('L').unwrap_or("");
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    })
}

#[test]
fn clauses_are_read_as_they_are_written() {
    assert_eq!(defined_by("**N-1.** A validator"), Some(('N', 1)));
    assert_eq!(defined_by("| N-9 | 11-21 | In a new round"), Some(('N', 9)));
    assert_eq!(defined_by("R-1. A refusal"), Some(('R', 1)));
    assert_eq!(defined_by("N-1 says so."), None);

    let line = "see N-27 to N-30, (L-5); M-1, not A-1, RN-2, N-3x or N-";
    let all = [('N', 27), ('N', 30), ('L', 5), ('M', 1)];
    assert_eq!(named(line), all);
    assert_eq!(
        named_by_function("    fn n14_a_nil_polka() {"),
        Some(('N', 14))
    );
    assert_eq!(named_by_function("    fn nothing_else() {"), None);

    let rule = concat!("(ru", "le 7)");
    let bare = concat!("(L", "28)");
    assert!(cites_a_numbered_rule(rule) && !cites_a_numbered_rule("the rule of M-6"));
    assert!(cites_a_bare_line(bare) && !cites_a_bare_line("line 28, L-22, LAN, L2a"));
}
