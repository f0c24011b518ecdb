//! The CPU time and the memory of a process, as the system tells them (proc(5)).

use std::time::Duration;

use anyhow::{Context, Result};

/// The length of a tick in /proc: 1/100 s on every architecture in use (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Returns user and system time of a process so far, of all its threads, in steps of 10 ms.
///
/// # Errors
/// There is no such process, or no /proc.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).context(path.clone())?;
    let ticks = ticks(&text).with_context(|| format!("{path}: not as in proc(5)"))?;
    Ok(TICK * ticks)
}

/// Returns the resident memory of a process, in bytes.
///
/// # Errors
/// As for [`cpu_time`].
pub(super) fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).context(path.clone())?;
    resident_in(&text).with_context(|| format!("{path}: not as in proc(5)"))
}

/// Reads fields 14 and 15, user and system time. The name in field 2 may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    next()?.checked_add(next()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 300 0 0 0 42 8 0 0 20 0 5 0 99";
        assert_eq!(ticks(stat), Some(50));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_in_kibibytes() {
        assert_eq!(
            resident_in("Name:\tx\nVmRSS:\t   123 kB\n"),
            Some(123 * 1024)
        );
        assert_eq!(resident_in("Name:\tx\n"), None);
    }
}
