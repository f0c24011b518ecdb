//! Prints a synthetic trading day as CSV. The seed is the only argument; without it, it is 1.

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
            eprintln!("the seed must be a whole number: {error}");
            ExitCode::from(2)
        }
    }
}
