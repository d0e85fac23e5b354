//! What it was measured on.

use std::fs;

use anyhow::Result;
use nix::sys::utsname::uname;

use crate::bed::Bed;

/// Settings of the cluster that matter; all others are PostgreSQL's defaults.
const SETTINGS: [&str; 9] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "wal_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "max_connections",
];

/// Lines of Markdown.
pub fn describe(bed: &Bed) -> Result<String> {
    let mut client = bed.cluster.connect()?;
    let version: String = client.query_one("SHOW server_version", &[])?.get(0);
    let mut settings = Vec::new();
    for name in SETTINGS {
        let value: String = client.query_one(&format!("SHOW {name}"), &[])?.get(0);
        settings.push(format!("`{name} = {value}`"));
    }
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kernel = uname()?;
    Ok(format!(
        "- Processor: {}, {} cores{}\n- Memory: {:.0} GiB\n- Kernel: {} {}\n- fsync of a page of WAL: {:.2} ms in the median\n\
         - PostgreSQL {version}: {}\n",
        field(&info, "model name"),
        info.matches("processor\t").count(),
        if info.contains("hypervisor") {
            " (virtual)"
        } else {
            ""
        },
        field(&memory, "MemTotal")
            .split(' ')
            .next()
            .and_then(|kb| kb.parse::<f64>().ok())
            .unwrap_or_default()
            / 1048576.0,
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
        fsync_milliseconds(bed)?,
        settings.join(", "),
    ))
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))
        .map_or("unknown", str::trim)
}

/// What a commit waits for, on the disk where the clusters are.
fn fsync_milliseconds(bed: &Bed) -> Result<f64> {
    use std::io::{Seek, SeekFrom, Write};
    let path = bed.cluster.stage().private_dir().join("fsync");
    let mut file = fs::File::create(&path)?;
    file.write_all(&[0; 1 << 20])?;
    file.sync_all()?;
    let mut took = Vec::new();
    for _ in 0..100 {
        let started = std::time::Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[1; 8192])?;
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(crate::figures::Samples(took).median())
}
