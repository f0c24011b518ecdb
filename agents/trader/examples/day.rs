//! Prints a synthetic trading day as CSV; the seed is the only argument, 1 where there is none.

use std::process::ExitCode;

fn main() -> ExitCode {
    let seed = std::env::args()
        .nth(1)
        .map_or(Ok(quorate_trader::synthetic::SEED), |text| text.parse());
    match seed {
        Ok(seed) => {
            print!("{}", quorate_trader::synthetic::day(seed));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the seed is no whole number: {error}");
            ExitCode::from(2)
        }
    }
}
