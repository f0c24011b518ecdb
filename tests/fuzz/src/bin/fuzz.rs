//! The program that libFuzzer drives. It runs the target that `QUORATE_FUZZ` names.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use quorate_fuzz::Target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| (TARGET.get_or_init(chosen).run)(data));

fn chosen() -> &'static Target {
    let name = std::env::var("QUORATE_FUZZ").unwrap_or_default();
    let target = quorate_fuzz::target(&name);
    target.unwrap_or_else(|| {
        eprintln!(
            "QUORATE_FUZZ=`{name}` names no target; there are: {}",
            quorate_fuzz::names()
        );
        std::process::exit(2)
    })
}
