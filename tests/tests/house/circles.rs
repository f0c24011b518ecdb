//! No crate holds a circle of files: if a file uses another, directly or on a way over further
//! files, the other does not use the first. So the files of a crate form floors, and a reader can
//! learn them one at a time.
//!
//! A file uses the file that defines what it imports or names by a path; re-exports are followed.
//! The file of a module does not use its submodules by declaring or re-exporting them. Tests do not
//! count. A text does not show the types of values, so calls of methods and accesses to fields are
//! not seen: a method belongs to the file of its type, which its users nearly always name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_tests::repository;
use quorate_tests::rust::{self, Path};

/// The crates whose files form no circle. `types` is not among them: a block holds evidence, and
/// evidence holds a block.
const ROOMS: [&str; 18] = [
    "agent",
    "bench",
    "certificate",
    "cli",
    "console",
    "consensus",
    "crypto",
    "demo",
    "durable",
    "ledger",
    "market",
    "network",
    "node",
    "oracle",
    "replica",
    "sim",
    "store",
    "twins",
];

#[test]
fn no_crate_holds_a_circle_of_files() -> Result<(), Box<dyn std::error::Error>> {
    let files = repository::files()?;
    let mut findings = Vec::new();

    for room in ROOMS {
        let folder = format!("crates/{room}/src/");
        let sources = files.iter().filter_map(|file| {
            let name = file.path.strip_prefix(&folder)?;
            name.ends_with(".rs").then_some((name, file.text.as_str()))
        });
        let sources: Vec<_> = sources.collect();
        assert!(!sources.is_empty(), "no file in {folder}");

        let ways = circles(&sources).into_iter();
        findings.extend(ways.map(|way| format!("{room}: {way}")));
    }

    repository::none(&findings)
}

/// A module, with the names that its text holds outside of tests.
#[derive(Default)]
struct Module {
    file: String,
    /// The imported and re-exported names, each with the path that it stands for.
    aliases: BTreeMap<String, Path>,
    /// The paths that the module uses: those that it imports for itself, and those in its code.
    used: Vec<Path>,
}

type Modules = BTreeMap<Path, Module>;

/// Finds circles of files: one for each file that is in a circle and in none found before.
fn circles(sources: &[(&str, &str)]) -> Vec<String> {
    let mut modules = Modules::new();
    for (file, text) in sources {
        let mut place: Path = file
            .split('/')
            .map(|part| part.replace(".rs", ""))
            .collect();
        place.pop_if(|name| ["lib", "mod"].contains(&name.as_str()));
        read(file, place, &rust::tokens(text), &mut modules);
    }

    let mut uses: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (place, module) in &modules {
        for path in &module.used {
            let target = defining(&modules, place, path, 0).map(|found| found.file.as_str());
            if let Some(target) = target.filter(|target| *target != module.file) {
                let name = path.last().map_or("", String::as_str);
                uses.entry(&module.file)
                    .or_default()
                    .entry(target)
                    .or_insert(name);
            }
        }
    }

    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in uses.keys().copied() {
        let way = way_round(&uses, start).filter(|_| !seen.contains(start));
        if let Some(way) = way {
            let steps = way
                .iter()
                .map(|(file, name)| format!(" -> {file} (uses {name})"));
            // The name stands behind the file that uses it: `a.rs -> b.rs (uses Foo) -> a.rs`.
            found.push(format!("{start}{}", steps.collect::<String>()));
            seen.extend(way.into_iter().map(|(file, _)| file));
        }
    }
    found
}

/// Returns the shortest way from a file back to itself, as files and the names that lead there.
fn way_round<'a>(
    uses: &BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
    start: &'a str,
) -> Option<Vec<(&'a str, &'a str)>> {
    let mut reached = BTreeSet::new();
    let mut ways = VecDeque::from([Vec::new()]);
    while let Some(way) = ways.pop_front() {
        let at = way.last().map_or(start, |(file, _)| *file);
        for (next, name) in uses.get(at).into_iter().flatten() {
            let longer = [way.as_slice(), &[(*next, *name)]].concat();
            if *next == start {
                return Some(longer);
            }
            if reached.insert(*next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// Returns the module that defines what a path names in the module `place`; nothing if the path
/// names a module, or something of another crate.
fn defining<'a>(
    modules: &'a Modules,
    place: &Path,
    path: &[String],
    depth: usize,
) -> Option<&'a Module> {
    let mut at = place.clone();
    let mut rest = path;
    while let [name, more @ ..] = rest {
        let child = [at.as_slice(), std::slice::from_ref(name)].concat();
        let module = modules.get(&at);
        let alias = module.and_then(|module| module.aliases.get(name));
        match name.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            // A module and a function may share a name; only the module has something inside.
            _ if modules.contains_key(&child) && !(more.is_empty() && alias.is_some()) => {
                at = child
            }
            _ => {
                let Some(alias) = alias else {
                    // A lone first name is the file's own, or of another crate.
                    let own = rest.len() == path.len();
                    return module.filter(|_| !own);
                };
                let whole = [alias.as_slice(), more].concat();
                return (depth < 16).then(|| defining(modules, &at, &whole, depth + 1))?;
            }
        }
        rest = more;
    }
    None
}

/// Reads the names in the tokens of a module, and those of its inline modules.
fn read(file: &str, place: Path, tokens: &[String], modules: &mut Modules) {
    let mut module = Module::default();
    file.clone_into(&mut module.file);

    let mut at = 0;
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token == text);
    while let Some(token) = tokens.get(at) {
        let after = |text: &str| at > 0 && is(at - 1, text);
        if token == "#" && is(at + 2, "cfg") && is(at + 4, "test") && is(at + 5, ")") {
            at = rust::item_end(tokens, at + 7);
        } else if token == "mod" && is(at + 2, "{") {
            let end = rust::item_end(tokens, at);
            let inner = [place.as_slice(), &[tokens[at + 1].clone()]].concat();
            read(file, inner, &tokens[at + 3..end - 1], modules);
            at = end;
        } else if token == "use" && !is(at + 1, "<") {
            let end = rust::item_end(tokens, at);
            let imports = rust::imports(&tokens[at + 1..end - 1]);
            if !after("pub") && !after(")") {
                module
                    .used
                    .extend(imports.iter().map(|(_, path)| path.clone()));
            }
            module.aliases.extend(imports);
            at = end;
        } else if rust::is_name(token) && !after(".") && !after("::") {
            let mut path = vec![token.clone()];
            while is(at + 1, "::") && tokens.get(at + 2).is_some_and(|next| rust::is_name(next)) {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            module.used.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    modules.insert(place, module);
}

#[test]
fn a_circle_is_found_with_its_way_round() {
    let round = [
        ("lib.rs", "mod a; mod b; pub use b::Foo;"),
        ("a.rs", "use crate::Foo; pub fn bar() {}"),
        ("b.rs", "pub struct Foo; fn f() { super::a::bar() }"),
    ];
    assert_eq!(
        circles(&round),
        ["a.rs -> b.rs (uses Foo) -> a.rs (uses bar)"]
    );

    let folder = [
        ("a/mod.rs", "mod b; struct A; fn f() { b::run(1, 2) }"),
        ("a/b.rs", "use super::A; impl A {} fn run() {}"),
    ];
    assert_eq!(
        circles(&folder),
        ["a/b.rs -> a/mod.rs (uses A) -> a/b.rs (uses run)"]
    );

    let three = [
        ("a.rs", "use crate::{b::{self, B}, std::x};"),
        ("b.rs", "fn f<T: crate::c::C>() {}"),
        ("c.rs", "fn f() -> [u8; 1] { let _ = 0..crate::a::LAST; }"),
    ];
    let way = "a.rs -> b.rs (uses B) -> c.rs (uses C) -> a.rs (uses LAST)";
    assert_eq!(circles(&three), [way]);
}

#[test]
fn no_circle_is_found_where_there_is_none() {
    for (what, texts) in [
        (
            "a module declares and re-exports",
            [
                ("a/mod.rs", "mod b; pub use b::B; pub struct A;"),
                ("a/b.rs", "use super::A; pub struct B;"),
            ],
        ),
        (
            "tests do not count",
            [
                (
                    "a.rs",
                    "#[cfg(test)] #[expect(x)] mod tests { use crate::b::B; }",
                ),
                ("b.rs", "use crate::a::A;"),
            ],
        ),
        (
            "a comment or a string is not code",
            [
                (
                    "a.rs",
                    "// crate::b::B\nconst A: &str = \"crate::b::B\"; const B: char = '\"';",
                ),
                (
                    "b.rs",
                    "use crate::a::A; const R: &str = r#\"\"crate::a\"#;",
                ),
            ],
        ),
        (
            "one direction",
            [
                (
                    "a.rs",
                    "use crate::b::B; pub fn a<'a>(b: &'a B) -> &'a str { b.name() }",
                ),
                (
                    "b.rs",
                    "pub(in crate::a) struct B; fn f(x: X) { x.a::<B>() }",
                ),
            ],
        ),
    ] {
        assert_eq!(circles(&texts), [""; 0], "{what}");
    }
}
