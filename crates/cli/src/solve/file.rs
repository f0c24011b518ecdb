//! Reads the auctions of a file, in any of the forms.

use std::path::Path;

use anyhow::{Context, Result};

use super::instance::{Form, Instance};
use super::{or_library, table};

/// Reads the auctions of a file: one, or several if an OR-Library file has several problems.
///
/// # Errors
/// If the file cannot be read or is not valid. The error names the file, and the line or field.
pub(super) fn read(path: &Path, form: Option<Form>) -> Result<Vec<Instance>> {
    let of_file = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(of_file)?;
    let form = form.or(named_by(path));

    // A given form outranks the name of the file. Without either, the numbers tell.
    let read = match form {
        Some(Form::Csv) => table::csv(&text).map(|one| vec![one]),
        Some(Form::Json) => table::json(&text).map(|one| vec![one]),
        numbers => or_library::parse(&text, numbers),
    };

    // Each form is held to the same limits.
    let instances = read.with_context(of_file)?;
    instances
        .iter()
        .try_for_each(Instance::check)
        .with_context(of_file)?;

    Ok(instances)
}

/// The form that the name of a file tells; `None` for the forms of OR-Library.
fn named_by(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "csv" => Some(Form::Csv),
        "json" => Some(Form::Json),
        _ => None,
    }
}
