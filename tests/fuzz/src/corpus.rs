//! The committed corpus: one file for each target, with one input in hexadecimal on each line.
//!
//! A line that begins with `#` is a remark: it says what the next input once did. Blank lines are
//! ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Target;

/// The most bytes of the inputs of one target that are committed, apart from those with remarks.
const MAX_BYTES: usize = 8 * 1024;

/// Returns the path of the corpus of a target.
pub fn file_of(target: &Target) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    folder.join(format!("{}.txt", target.name))
}

/// Returns the committed inputs of a target in the order of its file; nothing if there is no file.
///
/// # Errors
/// Fails if the file cannot be read, or if a line is not hexadecimal.
pub fn read(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let lines = text_of(target)?;
    let lines = lines.lines().filter(|line| is_input(line));
    lines
        .map(|line| hex::decode(line).map_err(io::Error::other))
        .collect()
}

/// Replaces the committed inputs of a target by the shortest of these, as far as there is room.
/// Remarks and the inputs below them stay, at the beginning.
///
/// # Errors
/// Fails if the file cannot be read or written.
pub fn write(target: &Target, inputs: &BTreeSet<Vec<u8>>) -> io::Result<()> {
    let before = text_of(target)?;
    let mut lines: Vec<String> = remarked(&before).into_iter().map(str::to_owned).collect();
    let mut inputs: Vec<_> = inputs.iter().map(hex::encode).collect();
    inputs.retain(|input| !input.is_empty() && !lines.contains(input));
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let mut room = 2 * MAX_BYTES;
    lines.extend(inputs.into_iter().take_while(|input| {
        let fits = input.len() <= room;
        room = room.saturating_sub(input.len());
        fits
    }));
    fs::write(file_of(target), lines.join("\n") + "\n")
}

fn text_of(target: &Target) -> io::Result<String> {
    let path = file_of(target);
    if path.exists() {
        fs::read_to_string(path)
    } else {
        Ok(String::new())
    }
}

fn is_input(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// The lines of the remarks, each with the input that follows it.
fn remarked(text: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut speaks_of_next = false;
    for line in text.lines() {
        let remark = line.starts_with('#');
        if remark || (speaks_of_next && is_input(line)) {
            kept.push(line);
        }
        speaks_of_next = remark;
    }
    kept
}
