//! What a process takes of the machine, as Linux tells it.

use std::fs;

/// Resident memory, handles and threads of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) kilobytes: u64,
    pub(crate) handles: usize,
    pub(crate) threads: u64,
}

impl Figures {
    /// `None`: it has ended, or this is no Linux.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let handles = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Self { kilobytes: number("VmRSS:")?, handles, threads: number("Threads:")? })
    }

    pub(crate) fn megabytes(self) -> u64 {
        self.kilobytes / 1024
    }
}

/// The highest memory in the first third of these looks and in the last, in megabytes.
pub(crate) fn thirds(looks: &[Figures]) -> (u64, u64) {
    let third = looks.len() / 3;
    assert!(third > 0, "{} looks say nothing of growth", looks.len());
    let highest = |part: &[Figures]| part.iter().map(|one| one.megabytes()).max().unwrap();
    (highest(&looks[..third]), highest(&looks[looks.len() - third..]))
}

/// Time that a process spent on the processor, in hundredths of a second.
pub(crate) fn processor(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    // Its name, in brackets, may hold spaces.
    let after = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system")
}
