//! Tests of the house style, whose limits are only ever lowered. Rustfmt and clippy check the rest:
//! layout, lengths of functions, arguments, documentation of public items, banned calls.

use std::error::Error;

use quorate_tests::repository::{self, SourceFile};

type Checked = Result<(), Box<dyn Error>>;

/// The most production lines of a file.
const MAX_LINES: usize = 550;
/// The most characters of a line.
const MAX_COLUMNS: usize = 100;

/// The crates that must give the same result on every node, and do no input or output.
const CORE: [&str; 7] = [
    "types",
    "crypto",
    "market",
    "ledger",
    "consensus",
    "certificate",
    "replica",
];

#[test]
fn every_file_begins_with_what_it_is_for() -> Checked {
    check(|file| {
        let first = file.text.lines().next().unwrap_or("");
        found(!first.starts_with("//! "), || {
            file.at(1, "begins without `//!`")
        })
    })
}

#[test]
fn no_file_is_longer_than_550_production_lines() -> Checked {
    check(|file| {
        let lines = file.production_lines().count();
        found(lines > MAX_LINES, || {
            file.at(MAX_LINES + 1, &format!("{lines} production lines"))
        })
    })
}

#[test]
fn no_line_is_wider_than_100_columns() -> Checked {
    check_lines(|line| {
        let columns = line.chars().count();
        (columns > MAX_COLUMNS).then(|| format!("{columns} columns"))
    })
}

#[test]
fn nothing_is_left_to_do() -> Checked {
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!")];
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME")];
    check_lines(|line| {
        let mut marks = macros.iter().chain(&notes);
        marks
            .find(|mark| line.contains(*mark))
            .map(|mark| format!("holds `{mark}`"))
    })
}

#[test]
fn nothing_is_unsafe() -> Checked {
    let word = concat!("un", "safe");
    let forms = [" {", " fn", " impl", " extern", " trait"].map(|next| format!("{word}{next}"));
    check_lines(|line| {
        let code = !line.trim_start().starts_with("//");
        (code && forms.iter().any(|form| line.contains(form))).then(|| format!("is {word}"))
    })
}

/// `#[expect]` is better than `#[allow]`: the compiler warns when the lint no longer fires.
#[test]
fn every_exception_from_a_lint_has_its_reason() -> Checked {
    let openings = ["allow", "expect"].map(|name| [format!("#[{name}("), format!("#![{name}(")]);
    check(|file| {
        let mut findings = Vec::new();
        for opening in openings.as_flattened() {
            for (start, _) in file.text.match_indices(opening.as_str()) {
                let (before, attribute) = file.text.split_at(start);
                let attribute = attribute.split(")]").next().unwrap_or("");
                let alone = before.rsplit('\n').next().unwrap_or("").trim().is_empty();
                if alone && !attribute.contains("reason = ") {
                    let line = before.matches('\n').count() + 1;
                    findings.push(file.at(line, "exception from a lint without `reason`"));
                }
            }
        }
        findings
    })
}

#[test]
fn every_crate_says_what_is_absent_from_it() -> Checked {
    check(|file| {
        let mut docs = file.text.lines().filter(|line| line.starts_with("//!"));
        let said = docs.any(|line| line.to_lowercase().contains("absent"));
        found(file.path.ends_with("src/lib.rs") && !said, || {
            file.at(
                1,
                "no sentence \"Absent here\" in the crate's documentation",
            )
        })
    })
}

#[test]
fn the_core_touches_no_file_socket_thread_or_process() -> Checked {
    let doors = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "tokio::",
    ];
    check_core(|line| {
        doors
            .iter()
            .find(|door| line.contains(*door))
            .map(|door| (*door).to_owned())
    })
}

#[test]
fn the_core_computes_without_floats() -> Checked {
    check_core(|line| {
        let mut words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words
            .find(|word| *word == "f32" || *word == "f64")
            .map(str::to_owned)
    })
}

#[test]
fn every_clippy_ban_has_its_reason() -> Checked {
    let files = repository::files()?;
    let config = files
        .iter()
        .find(|file| file.path == "clippy.toml")
        .ok_or("no clippy.toml")?;
    let explained = |line: &str| {
        line.split_once("reason = \"")
            .is_some_and(|(_, reason)| !reason.starts_with('"'))
    };
    let bans = config
        .lines()
        .filter(|(_, line)| line.contains("path = \""));
    let findings: Vec<String> = bans
        .filter(|(_, line)| !explained(line))
        .map(|(number, _)| config.at(number, "a ban without `reason`"))
        .collect();
    repository::none(&findings)
}

#[test]
fn every_crate_takes_its_lints_from_the_workspace() -> Checked {
    let files = repository::files()?;
    let manifests = files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    let findings: Vec<String> = manifests
        .filter(|file| file.text.contains("[package]"))
        // A package that is a workspace of its own has no other workspace to take lints from.
        .filter(|file| !file.text.contains("[workspace]\n"))
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| file.at(1, "no `[lints] workspace = true`"))
        .collect();
    repository::none(&findings)
}

/// A path on the machine of an author helps nobody elsewhere.
#[test]
fn no_file_names_a_folder_of_a_machine() -> Checked {
    let folders = ["home", "root", "work", "Users"].map(|name| format!("/{name}/"));
    let mut findings = Vec::new();
    for file in repository::files()? {
        for (number, line) in file.lines() {
            if let Some(folder) = folders.iter().find(|folder| is_absolute(line, folder)) {
                findings.push(file.at(number, &format!("names a folder below {folder}")));
            }
        }
    }
    repository::none(&findings)
}

/// Whether the line holds the folder as an absolute path: nothing before it makes it relative.
fn is_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-~}*".contains(c)))
    })
}

#[test]
fn absolute_folders_are_told_from_relative_ones() {
    let folder = concat!("/ho", "me/");
    for (line, absolute) in [
        (format!("cd {folder}me"), true),
        (format!("{folder}me"), true),
        (format!("\"{folder}me\""), true),
        (format!("example.org{folder}page"), false),
        (format!("..{folder}"), false),
    ] {
        assert_eq!(is_absolute(&line, folder), absolute, "{line}");
    }
}

/// Runs a check over every Rust file of the workspace.
fn check(rule: impl Fn(&SourceFile) -> Vec<String>) -> Checked {
    let ours = |file: &&SourceFile| {
        let folder = file.path.split('/').next().unwrap_or("");
        file.path.ends_with(".rs") && ["crates", "agents", "tests"].contains(&folder)
    };
    let files = repository::files()?;
    let rust: Vec<_> = files.iter().filter(ours).collect();
    assert!(!rust.is_empty(), "no Rust file found");
    let findings: Vec<String> = rust.into_iter().flat_map(rule).collect();
    repository::none(&findings)
}

/// Runs a check over every line of every Rust file.
fn check_lines(rule: impl Fn(&str) -> Option<String>) -> Checked {
    check(|file| {
        let hits = file
            .lines()
            .filter_map(|(number, line)| Some((number, rule(line)?)));
        hits.map(|(number, what)| file.at(number, &what)).collect()
    })
}

/// Runs a check over the production lines of the core crates, without comments.
fn check_core(rule: impl Fn(&str) -> Option<String>) -> Checked {
    check(|file| {
        let mut folders = file.path.split('/');
        let core = folders.next() == Some("crates")
            && folders.next().is_some_and(|name| CORE.contains(&name));
        if !core {
            return Vec::new();
        }
        file.production_lines()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .filter_map(|(number, line)| Some((number, rule(line)?)))
            .map(|(number, what)| file.at(number, &format!("`{what}` in a core crate")))
            .collect()
    })
}

fn found(condition: bool, finding: impl FnOnce() -> String) -> Vec<String> {
    if condition {
        vec![finding()]
    } else {
        Vec::new()
    }
}
