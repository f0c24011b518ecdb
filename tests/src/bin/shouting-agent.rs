//! An agent as a user would write it: it bids the length of the payload and returns the payload in
//! capitals. It writes the certificates of its awards to the folder that its argument names.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: shouting-agent FOLDER")?;
    for line in std::io::stdin().lines() {
        let ask: Value = serde_json::from_str(&line?)?;
        let payload = ask["payload"].as_str().unwrap_or_default();
        match ask["type"].as_str() {
            Some("call") => say(&json!({"type": "bid", "id": ask["id"], "price": payload.len()}))?,
            Some("execute") => {
                keep(Path::new(&folder), &ask)?;
                let detail = payload.to_uppercase();
                say(&json!({"type": "outcome", "id": ask["id"], "detail": detail}))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes the certificate of an award to the folder. The process id is in the name of the file, so
/// that a certificate which comes again after a restart gets a file of its own.
fn keep(folder: &Path, ask: &Value) -> Result<(), Box<dyn Error>> {
    let digits = ask["certificate"]
        .as_str()
        .ok_or("an award without a certificate")?;
    let pairs = (0..digits.len())
        .step_by(2)
        .filter_map(|at| digits.get(at..at + 2));
    let bytes: Result<Vec<u8>, _> = pairs.map(|pair| u8::from_str_radix(pair, 16)).collect();
    let task = ask["task"].as_str().unwrap_or_default().replace('/', "-");
    let name = format!("held-{task}-{}-{}.cbor", ask["token"], std::process::id());
    Ok(std::fs::write(folder.join(name), bytes?)?)
}

fn say(answer: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")?;
    out.flush()
}
