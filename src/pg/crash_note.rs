//! A note, in a file, of the code of a role that runs in a worker: it may end the process without a trace, when the system kills it for lack of memory
//! or a function of an extension crashes. The server then restarts, and shared memory is lost.
//!
//! The file is written each time that such code begins or ends: one write to a page that the system keeps in memory. It is in a directory that
//! base backups leave out (`pg_stat_tmp`). It is not synced, since it has to outlive processes and not the machine: a note of an earlier
//! boot is not read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use pgrx::pg_sys;

use super::{process, setting};

const PREFIX: &str = "zentry_notify.";

static FILE: OnceLock<File> = OnceLock::new();
/// The run in which the previous process died, as [`Ran::numbers`].
static SUSPECT: [AtomicI64; 3] = [const { AtomicI64::new(0) }; 3];
/// The last event of those that are worked on now.
static EVENTS: AtomicI64 = AtomicI64::new(Ran::NO_EVENTS);

/// A run of code that belongs to a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// What runs: the id of a source, minus the id of a webhook for its filter, or [`Ran::FILTERS`]; 0: nothing.
    pub number: i64,
    /// The OID of the role that the code is of; 0: none.
    pub owner: u32,
    /// The id of the last event that it runs for, or [`Ran::NO_EVENTS`].
    pub until: i64,
}

impl Ran {
    /// The number of all filters that are evaluated together.
    pub const FILTERS: i64 = i64::MIN;
    /// The value of `until` where it runs for no event in particular.
    pub const NO_EVENTS: i64 = i64::MAX;

    /// Returns the run that begins now.
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

    /// Whether it is the same as the other run, or one of the filters of it, for whichever events.
    fn is_within(self, other: Ran) -> bool {
        (self.number, self.owner) == (other.number, other.owner)
            || other.number == Ran::FILTERS && self.number < 0
    }
}

/// The file's content: eight 64-bit numbers in the machine's byte order.
#[derive(Clone, Copy, Default)]
struct Record {
    /// The process that wrote it.
    process: i64,
    runs: Ran,
    suspect: Ran,
    /// As of [`boot`].
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

    /// Writes the record. An error is ignored: a full disk is no reason to stop.
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

/// Returns a number that is different after each boot of the machine (Linux: random/boot_id, proc_sys_kernel(5)); 0: not known.
fn boot() -> i64 {
    static BOOT: OnceLock<i64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        u64::from_str_radix(&digits, 16).unwrap_or(0).cast_signed()
    })
}

/// How the previous process of a database ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By itself, or because it was told to.
    Nothing,
    /// It died during this run, which may be chance: somebody killed it, or the server.
    Suspected(Ran),
    /// It died during this run, and so did the process before it; the events of that run have not been worked on since.
    Guilty(Ran),
}

/// Opens the database's file and judges how the previous process ended. Called once in a process. `known` is given where shared memory tells
/// what ended the previous process, or that it still runs.
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
    // With send_abort_for_crash, PostgreSQL sends SIGABRT instead of SIGQUIT to the other processes when one crashes: then this one may be
    // one of those.
    let proves = record.boot == boot() && !setting::is_on(c"send_abort_for_crash");
    let record = if proves { record } else { Record::default() };
    let verdict = match record.runs {
        _ if known.is_some() => Verdict::Nothing,
        Ran { number: 0, .. } => Verdict::Nothing,
        ran if ran.is_within(record.suspect) && ran.number != Ran::FILTERS => Verdict::Guilty(ran),
        ran => Verdict::Suspected(ran),
    };
    suspect_is(match (verdict, known) {
        // Several filters ran together: the next runs find out which one it was.
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

/// Removes the files of all databases that do not exist.
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

/// Notes what runs now; the default: nothing.
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

/// Returns the run in which the previous process died, until this process has worked on the events of it.
pub fn suspect() -> Ran {
    Ran::of([0, 1, 2].map(|place| SUSPECT[place].load(SeqCst)))
}

/// Notes that the run has ended well: if it is the suspect, and ran for no event in particular, it is not suspected any more.
pub fn acquit(ran: Ran) {
    if ran.until == Ran::NO_EVENTS && suspect() == ran {
        suspect_is(Ran::default());
    }
}

/// While it lives, events up to an id are worked on, in the order of their ids, and runs are noted as being for them. A run may end
/// the process at the last event of them, and end well for all others, each time that they are worked on: so [`acquit`] is not enough.
pub struct ForEvents(());

impl ForEvents {
    pub fn new(until: i64) -> Self {
        EVENTS.store(until, SeqCst);
        ForEvents(())
    }

    /// Notes that every run for the events up to the id `until` has ended: a suspect that ran for them is not suspected any more.
    pub fn worked_on(self, until: i64) {
        let suspect = suspect();
        if suspect.number != 0 && suspect.until <= until {
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

/// Notes that this process ends by itself or because it was told to. It may be called in a signal handler. If the file has the note of
/// another process, which has replaced this one because it was stuck, that note stays.
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

/// Returns the directory, relative to the data directory, which is every server process's working directory.
fn directory() -> String {
    pg_sys::PG_STAT_TMP_DIR.to_string_lossy().into_owned()
}
