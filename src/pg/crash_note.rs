//! What runs in a worker that may end its process at once: a system without memory kills it, a function of an extension crashes. The server
//! then starts anew, and shared memory with it; so it is noted in a file. Each time that something begins or ends, which is a write to a page
//! that the system keeps in memory. The file is in that directory of PostgreSQL's that base backups leave out. It is not synced: it has to
//! outlive processes, and after a crash of the machine it proves nothing: a note of another boot is not read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use pgrx::pg_sys;

use super::{process, setting};

const PREFIX: &str = "zentry_notify.";

static FILE: OnceLock<File> = OnceLock::new();
/// What the process of before has died in: its number, whose it was, and the events that it ran for.
static SUSPECT: [AtomicI64; 3] = [const { AtomicI64::new(0) }; 3];
/// Up to which event what runs now is run for.
static EVENTS: AtomicI64 = AtomicI64::new(Ran::NO_EVENTS);

/// What has a number, and the role that it is of; number 0: nothing, role 0: nobody's. And the last one of the events that it runs for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub number: i64,
    pub owner: u32,
    pub until: i64,
}

impl Ran {
    /// All filters that are evaluated together; one by itself has the number of its webhook, below 0. Sources have numbers above 0.
    pub const FILTERS: i64 = i64::MIN;
    /// The last event of what runs for none in particular.
    pub const NO_EVENTS: i64 = i64::MAX;

    /// What begins now.
    pub fn now(number: i64, owner: u32) -> Ran {
        Ran {
            number,
            owner,
            until: EVENTS.load(SeqCst),
        }
    }

    fn of([number, owner, until]: [i64; 3]) -> Ran {
        Ran {
            number,
            owner: u32::try_from(owner).unwrap_or(0),
            until,
        }
    }

    fn numbers(self) -> [i64; 3] {
        [self.number, self.owner.into(), self.until]
    }

    /// Whether it is what the other one is, or a part of it; for whichever events.
    fn is_within(self, other: Ran) -> bool {
        (self.number, self.owner) == (other.number, other.owner)
            || other.number == Ran::FILTERS && self.number < 0
    }
}

/// The file's content: eight numbers in this machine's order of bytes.
#[derive(Clone, Copy, Default)]
struct Record {
    process: i64,
    runs: Ran,
    suspect: Ran,
    /// Of the machine, see [`boot`].
    boot: i64,
}

impl Record {
    const NUMBERS: usize = 8;
    const SIZE: usize = 8 * Record::NUMBERS;

    fn read(file: &File) -> Record {
        let mut bytes = [0; Record::SIZE];
        if file.read_exact_at(&mut bytes, 0).is_err() {
            return Record::default();
        }
        let mut numbers = [0_i64; Record::NUMBERS];
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = i64::from_ne_bytes(*bytes);
        }
        let [process, a, b, c, d, e, f, boot] = numbers;
        Record {
            process,
            runs: Ran::of([a, b, c]),
            suspect: Ran::of([d, e, f]),
            boot,
        }
    }

    /// What can't be written is not noted: a full disk is no reason to stop.
    fn write(self, file: &File) {
        let [a, b, c] = self.runs.numbers();
        let [d, e, f] = self.suspect.numbers();
        let numbers = [self.process, a, b, c, d, e, f, self.boot];
        let mut bytes = [0; Record::SIZE];
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_ne_bytes();
        }
        let _ = file.write_all_at(&bytes, 0);
    }
}

/// A number of this boot of the machine's (Linux: proc_sys_kernel(5), random/boot_id); 0: not known.
fn boot() -> i64 {
    static BOOT: OnceLock<i64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        u64::from_str_radix(&digits, 16).unwrap_or(0).cast_signed()
    })
}

/// What is known of the process of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ended by itself, or was told to.
    Nothing,
    /// It died while this ran, which may be chance: somebody has killed it, or the server.
    Suspected(Ran),
    /// The one before it had died of it too, and what it ran for then has not been worked on since.
    Guilty(Ran),
}

/// Once in a process. `known`: it is told elsewhere what has ended the process of before, or it has not even ended.
pub fn open(database: pg_sys::Oid, known: Option<Ran>) -> Verdict {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path(database));
    let record = file.as_ref().map(Record::read).unwrap_or_default();
    // Where PostgreSQL aborts the processes that are to end because another one has crashed, nobody can tell them from that one.
    let proves = record.boot == boot() && !setting::is_on(c"send_abort_for_crash");
    let record = if proves { record } else { Record::default() };
    let verdict = match record.runs {
        _ if known.is_some() => Verdict::Nothing,
        Ran { number: 0, .. } => Verdict::Nothing,
        ran if ran.is_within(record.suspect) && ran.number != Ran::FILTERS => Verdict::Guilty(ran),
        ran => Verdict::Suspected(ran),
    };
    suspect_is(match (verdict, known) {
        // It has to be found out which one.
        (_, Some(ran)) if ran.number == Ran::FILTERS => ran,
        (Verdict::Nothing, _) => record.suspect,
        (Verdict::Suspected(ran), _) => ran,
        (Verdict::Guilty(_), _) => Ran::default(),
    });
    if let Ok(file) = file {
        let _ = FILE.set(file);
    }
    runs(Ran::default());
    verdict
}

/// Removes the file of a database that does not exist any more.
pub fn remove(database: pg_sys::Oid) {
    let _ = std::fs::remove_file(path(database));
}

/// Removes the files of databases that went without anybody being told.
pub fn keep(exists: impl Fn(pg_sys::Oid) -> bool) {
    let files = std::fs::read_dir(directory()).into_iter().flatten().flatten();
    for file in files {
        let name = file.file_name();
        let database = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if let Some(database) = database
            .map(pg_sys::Oid::from)
            .filter(|database| !exists(*database))
        {
            remove(database);
        }
    }
}

/// Notes what runs now; 0: nothing does.
pub fn runs(ran: Ran) {
    if let Some(file) = FILE.get() {
        let record = Record {
            process: process::pid().into(),
            runs: ran,
            suspect: suspect(),
            boot: boot(),
        };
        record.write(file);
    }
}

/// What the process of before has died in, until the events that it ran for have been worked on in this one.
pub fn suspect() -> Ran {
    Ran::of([0, 1, 2].map(|place| SUSPECT[place].load(SeqCst)))
}

/// It has come to an end. If it is suspected, and ran for no events then, it is not any more.
pub fn acquit(ran: Ran) {
    if ran.until == Ran::NO_EVENTS && suspect() == ran {
        suspect_is(Ran::default());
    }
}

/// Events are worked on, in the order of their ids. What runs meanwhile may end the process for the last of them, and come to an end for all others,
/// each time that they are worked on.
pub struct ForEvents {
    until: i64,
}

impl ForEvents {
    pub fn new(until: i64) -> Self {
        EVENTS.store(until, SeqCst);
        ForEvents { until }
    }

    /// All that had to run for them has come to an end.
    pub fn worked_on(self) {
        let suspect = suspect();
        if suspect.number != 0 && suspect.until <= self.until {
            suspect_is(Ran::default());
            runs(Ran::default());
        }
    }
}

impl Drop for ForEvents {
    fn drop(&mut self) {
        EVENTS.store(Ran::NO_EVENTS, SeqCst);
    }
}

fn suspect_is(ran: Ran) {
    for (place, number) in SUSPECT.iter().zip(ran.numbers()) {
        place.store(number, SeqCst);
    }
}

/// This process ends by itself or is told to, also in a signal's handler: nothing that runs has ended it. In the place of one that was stuck there
/// is another one by now, whose note stays.
pub fn end() {
    if let Some(file) = FILE.get()
        && Record::read(file).process == i64::from(process::pid())
    {
        runs(Ran::default());
    }
}

fn path(database: pg_sys::Oid) -> String {
    format!("{}/{PREFIX}{}", directory(), database.to_u32())
}

/// Below the data directory, where each of PostgreSQL's processes is.
fn directory() -> String {
    pg_sys::PG_STAT_TMP_DIR.to_string_lossy().into_owned()
}
