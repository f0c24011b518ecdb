//! The program `quorate-corpus`, which maintains the committed corpus. The README of this package
//! says how to use it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use quorate_fuzz::{Target, corpus, names, target, targets};

const USAGE: &str = "\
quorate-corpus list                   the names of all targets, a line each
quorate-corpus seeds TARGET FOLDER    writes the seeds of a target to a folder, a file each
quorate-corpus unpack TARGET FOLDER   writes the seeds and the committed inputs
quorate-corpus pack TARGET FOLDER     replaces the committed inputs by the files of a folder
quorate-corpus run TARGET FILE...     runs a target on files, to reproduce a crash";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    match words {
        ["list"] => targets().for_each(|target| println!("{}", target.name)),
        ["seeds", name, folder] => unpack((named(name)?.seeds)(), Path::new(folder))?,
        ["unpack", name, folder] => {
            let target = named(name)?;
            let inputs = (target.seeds)().into_iter().chain(corpus::read(target)?);
            unpack(inputs.collect(), Path::new(folder))?;
        }
        ["pack", name, folder] => pack(named(name)?, Path::new(folder))?,
        ["run", name, files @ ..] => {
            let target = named(name)?;
            for file in files {
                (target.run)(&fs::read(file)?);
            }
        }
        _ => return Err(io::Error::other(USAGE)),
    }
    Ok(())
}

fn named(name: &str) -> io::Result<&'static Target> {
    let unknown = || io::Error::other(format!("no target `{name}`; there are: {}", names()));
    target(name).ok_or_else(unknown)
}

fn unpack(inputs: Vec<Vec<u8>>, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, input) in inputs.into_iter().enumerate() {
        fs::write(folder.join(format!("{number:04}")), input)?;
    }
    Ok(())
}

/// Commits the files of a folder, except for seeds: these are made anew each time.
fn pack(target: &Target, folder: &Path) -> io::Result<()> {
    let files = fs::read_dir(folder)?.map(|entry| fs::read(entry?.path()));
    let inputs = files.collect::<io::Result<BTreeSet<_>>>()?;
    let seeds = (target.seeds)().into_iter().collect();
    corpus::write(target, &inputs.difference(&seeds).cloned().collect())
}
