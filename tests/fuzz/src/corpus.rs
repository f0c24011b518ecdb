//! The committed corpus: a file for each target, an input in hexadecimal on each line.
//!
//! Lines that begin with `#` say what the next input once did; blank lines are nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Target;

/// Bytes of the inputs of one target that are committed, remarkable ones apart.
const MAX_BYTES: usize = 8 * 1024;

/// Where the corpus of a target stands.
pub fn file_of(target: &Target) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    folder.join(format!("{}.txt", target.name))
}

/// The committed inputs of a target, in the order of its file; none where there is no file.
///
/// # Errors
/// Where the file cannot be read, or a line is no input.
pub fn read(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let lines = text_of(target)?;
    let lines = lines.lines().filter(|line| is_input(line));
    lines
        .map(|line| hex::decode(line).map_err(io::Error::other))
        .collect()
}

/// Replaces the committed inputs of a target by the shortest of these, as far as there is room;
/// remarks and the inputs under them stay, in front.
///
/// # Errors
/// Where the file cannot be read or written.
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

/// The remarks, each with the input that follows it.
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
