//! The files of this repository, for tests that check them, and their findings.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A text file of the repository.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The path from the root of the repository, with forward slashes.
    pub path: String,
    /// The content; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Returns every file, ascending by path, except for `.git` and the names in `.gitignore`.
///
/// # Errors
///
/// Fails if a folder or a file cannot be read.
pub fn files() -> Result<Vec<SourceFile>, Box<dyn Error>> {
    let root = root();
    let ignored = ignored(&fs::read_to_string(root.join(".gitignore"))?);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = path
                .strip_prefix(&root)?
                .to_string_lossy()
                .replace('\\', "/");
            if ignored.contains(&name) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let bytes = match fs::read(&path) {
                    // An editor or a build may have removed a temporary file meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    read => read?,
                };
                let text = String::from_utf8_lossy(&bytes).into_owned();
                files.push(SourceFile { path: name, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Returns the entries of a `.gitignore` that begin at the root, without their slashes, and `.git`.
fn ignored(gitignore: &str) -> Vec<String> {
    let rooted = gitignore
        .lines()
        .filter_map(|line| line.trim().strip_prefix('/'));
    let names = rooted.map(|name| name.trim_end_matches('/').to_owned());
    names.chain([".git".to_owned()]).collect()
}

impl SourceFile {
    /// Formats a finding at a line, counted from 1.
    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Returns the lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Returns the lines before the inline module of tests; no line if the file holds only tests.
    pub fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let only_tests = self.path.split('/').skip(1).any(|part| {
            part == "tests" || part == "benches" || part == "examples" || part == "tests.rs"
        });
        let end = if only_tests {
            0
        } else {
            self.inline_tests().unwrap_or(usize::MAX)
        };
        self.lines().take_while(move |(number, _)| *number < end)
    }

    /// Returns the lines that are not [`production_lines`](Self::production_lines).
    pub fn test_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().skip(self.production_lines().count())
    }

    /// The number of the line with the `#[cfg(test)]` of a `mod NAME {`; other attributes may be
    /// between the two.
    fn inline_tests(&self) -> Option<usize> {
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        (0..lines.len()).find_map(|index| {
            let mut below = lines[index + 1..]
                .iter()
                .skip_while(|line| line.starts_with("#["));
            let opens = |line: &&str| line.starts_with("mod ") && line.ends_with('{');
            (lines[index] == "#[cfg(test)]" && below.next().is_some_and(opens)).then_some(index + 1)
        })
    }
}

/// Succeeds if there is no finding; otherwise prints the findings, one on each line.
///
/// # Errors
///
/// Fails if there is a finding.
pub fn none(findings: &[String]) -> Result<(), Box<dyn Error>> {
    if findings.is_empty() {
        return Ok(());
    }
    for finding in findings {
        eprintln!("{finding}");
    }
    Err(format!("{} findings", findings.len()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn production(path: &str, text: &str) -> usize {
        let file = SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        file.production_lines().count()
    }

    #[test]
    fn only_tests_are_left_out_of_production_lines() {
        let inline = "//! A\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
        let annotated = "//! A\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        let elsewhere = "//! A\n#[cfg(test)]\nmod tests;\nfn a() {}\n";
        for (path, text, lines) in [
            ("crates/a/src/lib.rs", inline, 2),
            ("crates/a/src/lib.rs", annotated, 1),
            ("crates/a/src/lib.rs", elsewhere, 4),
            ("crates/a/tests/a.rs", elsewhere, 0),
            ("crates/a/src/b/tests.rs", elsewhere, 0),
            ("tests/src/lib.rs", elsewhere, 4),
        ] {
            assert_eq!(production(path, text), lines, "{path}: {text}");
        }
    }

    #[test]
    fn ignored_folders_are_read_from_the_root() {
        assert_eq!(
            ignored("/target\n/book/book/\n*.tmp\n"),
            ["target", "book/book", ".git"]
        );
    }
}
