//! What runs in a worker that may end its process at once: a system without memory kills it, a function of an extension crashes. The server
//! then starts anew, and shared memory with it; so it is noted in a file. Each time that something begins or ends, which is a write to a page
//! that the system keeps in memory. The file is in that directory of PostgreSQL's that base backups leave out. It is not synced: it has to
//! outlive processes, and after a crash of the machine it proves nothing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use pgrx::pg_sys;

use super::process;

static FILE: OnceLock<File> = OnceLock::new();
/// What the process of before has died in: its number, and whose it was.
static SUSPECT: [AtomicI64; 2] = [AtomicI64::new(0), AtomicI64::new(0)];

/// What has a number, and the role that it is of; number 0: nothing, role 0: nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub number: i64,
    pub owner: u32,
}

impl Ran {
    /// All filters that are evaluated together; one by itself has the number of its webhook, below 0. Sources have numbers above 0.
    pub const FILTERS: i64 = i64::MIN;

    fn of(number: i64, owner: i64) -> Ran {
        Ran {
            number,
            owner: u32::try_from(owner).unwrap_or(0),
        }
    }

    /// Whether it is what the other one is, or a part of it.
    fn is_within(self, other: Ran) -> bool {
        self == other || other.number == Ran::FILTERS && self.number < 0
    }
}

/// The file's content: five numbers in this machine's order of bytes.
#[derive(Clone, Copy, Default)]
struct Record {
    process: i64,
    runs: Ran,
    suspect: Ran,
}

impl Record {
    const NUMBERS: usize = 5;
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
        let [process, runs, owner, suspect, of] = numbers;
        Record {
            process,
            runs: Ran::of(runs, owner),
            suspect: Ran::of(suspect, of),
        }
    }

    /// What can't be written is not noted: a full disk is no reason to stop.
    fn write(self, file: &File) {
        let Record {
            process,
            runs,
            suspect,
        } = self;
        let numbers = [
            process,
            runs.number,
            runs.owner.into(),
            suspect.number,
            suspect.owner.into(),
        ];
        let mut bytes = [0; Record::SIZE];
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_ne_bytes();
        }
        let _ = file.write_all_at(&bytes, 0);
    }
}

/// What is known of the process of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ended by itself, or was told to.
    Nothing,
    /// It died while this ran, which may be chance: somebody has killed it, or the server.
    Suspected(Ran),
    /// The one before it had died of it too, and it has not come to an end since.
    Guilty(Ran),
}

/// Once in a process. `is_known`: it is told elsewhere what has ended the process of before, or it has not even ended.
pub fn open(database: pg_sys::Oid, is_known: bool) -> Verdict {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path(database));
    let Ok(file) = file else { return Verdict::Nothing };
    let record = Record::read(&file);
    let verdict = match record.runs {
        _ if is_known => Verdict::Nothing,
        Ran { number: 0, .. } => Verdict::Nothing,
        ran if ran.is_within(record.suspect) && ran.number != Ran::FILTERS => Verdict::Guilty(ran),
        ran => Verdict::Suspected(ran),
    };
    let suspect = match verdict {
        Verdict::Nothing => record.suspect,
        Verdict::Suspected(ran) => ran,
        Verdict::Guilty(_) => Ran::default(),
    };
    suspect_is(suspect);
    let _ = FILE.set(file);
    runs(Ran::default());
    verdict
}

/// Removes the file of a database that does not exist any more.
pub fn remove(database: pg_sys::Oid) {
    let _ = std::fs::remove_file(path(database));
}

/// Notes what runs now; 0: nothing does.
pub fn runs(ran: Ran) {
    if let Some(file) = FILE.get() {
        let record = Record {
            process: i64::from(process::pid()),
            runs: ran,
            suspect: suspect(),
        };
        record.write(file);
    }
}

/// What the process of before has died in, until that has come to an end in this one.
pub fn suspect() -> Ran {
    Ran::of(SUSPECT[0].load(SeqCst), SUSPECT[1].load(SeqCst))
}

/// It has come to an end: if it is suspected, it is not any more.
pub fn acquit(ran: Ran) {
    if suspect() == ran {
        suspect_is(Ran::default());
    }
}

fn suspect_is(ran: Ran) {
    SUSPECT[0].store(ran.number, SeqCst);
    SUSPECT[1].store(ran.owner.into(), SeqCst);
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

/// Below the data directory, where each of PostgreSQL's processes is.
fn path(database: pg_sys::Oid) -> String {
    let directory = pg_sys::PG_STAT_TMP_DIR.to_string_lossy();
    format!("{directory}/zentry_notify.{}", database.to_u32())
}
