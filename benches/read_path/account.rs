//! What processes have used, as the operating system counts it.

use crate::Result;
use std::collections::{BTreeMap, HashSet};
use std::fs;

/// A tick of /proc/PID/stat.
const TICK: u64 = 10_000_000;

fn schedstat(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// Fields of /proc/PID/stat behind the name in brackets, which may hold blanks.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(|f| f.parse().unwrap_or(0)).collect())
}

/// CPU of one process in nanoseconds: of each thread by the scheduler, of all that ever were in ticks.
#[derive(Clone, Default)]
pub struct Process {
    threads: BTreeMap<u32, u64>,
    ticks: u64,
}

impl Process {
    pub fn of(pid: u32) -> Result<Process> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Some(id) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            if let Some(used) = schedstat(&format!("/proc/{pid}/task/{id}/schedstat")) {
                threads.insert(id, used);
            }
        }
        let fields = stat(pid).ok_or("the process is gone")?;
        Ok(Process { threads, ticks: fields[11] + fields[12] })
    }

    /// What was used since. Where a thread has ended only the ticks know of it.
    pub fn since(&self, before: &Process) -> u64 {
        if before.threads.keys().all(|id| self.threads.contains_key(id)) {
            return self.threads.iter().map(|(id, used)| used - before.threads.get(id).unwrap_or(&0)).sum();
        }
        (self.ticks - before.ticks) * TICK
    }
}

/// CPU of a cluster: each of its processes, each of which has one thread, and those that have ended.
#[derive(Clone, Default)]
pub struct Processes {
    live: BTreeMap<u32, u64>,
    /// Of children that the postmaster has waited for, in ticks.
    ended: u64,
}

impl Processes {
    pub fn of(postmaster: u32) -> Result<Processes> {
        let mut live = BTreeMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
            if pid == postmaster || stat(pid).is_some_and(|fields| fields[1] == u64::from(postmaster)) {
                live.insert(pid, schedstat(&format!("/proc/{pid}/schedstat")).unwrap_or(0));
            }
        }
        let ended = stat(postmaster).map_or(0, |fields| fields[13] + fields[14]);
        Ok(Processes { live, ended })
    }

    /// What was used since by all but these; a process that has ended in between is counted for the part after `before`.
    pub fn since(&self, before: &Processes, but: &HashSet<u32>) -> u64 {
        let live: u64 = self.live.iter().filter(|(pid, _)| !but.contains(pid)).map(|(pid, used)| used - before.live.get(pid).unwrap_or(&0)).sum();
        let gone: u64 = before.live.iter().filter(|(pid, _)| !self.live.contains_key(pid)).map(|(_, used)| used).sum();
        live + ((self.ended - before.ended) * TICK).saturating_sub(gone)
    }
}

/// Peak resident memory in KiB.
pub fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// From here on the peak is counted anew.
pub fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}
