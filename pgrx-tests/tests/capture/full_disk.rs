//! A disk that is full where our tables are, and not where the application's are: the write succeeds, and the event is there or counted as lost.
//!
//! A library that the server is started with says that there is no space left when one of the named files is to get longer.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::cluster::{ClusterOptions, Stage};
use zentry_e2e::site::{Site, wait_for};

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether the file's name has the text that the control file holds, and it would get longer. */
static int is_full(int file, off_t end)
{
    char wanted[256] = "", link[64], path[4096];
    struct stat now;
    const char *control = getenv("FULL_DISK");
    int from = control == NULL ? -1 : open(control, O_RDONLY);
    if (from < 0)
        return 0;
    ssize_t length = read(from, wanted, sizeof wanted - 1);
    close(from);
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t named = readlink(link, path, sizeof path - 1);
    if (length <= 0 || named <= 0)
        return 0;
    path[named] = 0;
    return strstr(path, wanted) != NULL && fstat(file, &now) == 0 && end > now.st_size;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)
#define REFUSE(file, end) do { if (is_full(file, end)) { errno = ENOSPC; return -1; } } while (0)

ssize_t pwrite(int file, const void *data, size_t size, off_t at)
{
    REAL(pwrite);
    REFUSE(file, at + (off_t) size);
    return real(file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at)
{
    REAL(pwrite64);
    REFUSE(file, at + (off_t) size);
    return real(file, data, size, at);
}

ssize_t pwritev(int file, const struct iovec *data, int count, off_t at)
{
    REAL(pwritev);
    REFUSE(file, at + 1);
    return real(file, data, count, at);
}

ssize_t pwritev64(int file, const struct iovec *data, int count, off64_t at)
{
    REAL(pwritev64);
    REFUSE(file, at + 1);
    return real(file, data, count, at);
}

int posix_fallocate(int file, off_t at, off_t size)
{
    REAL(posix_fallocate);
    return is_full(file, at + size) ? ENOSPC : real(file, at, size);
}

int posix_fallocate64(int file, off64_t at, off64_t size)
{
    REAL(posix_fallocate64);
    return is_full(file, at + size) ? ENOSPC : real(file, at, size);
}
"#;

struct Disk {
    site: Site,
    client: Client,
    /// Names the file that gets no longer.
    control: PathBuf,
}

impl Disk {
    fn start() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let stage = Stage::get()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let library = stage.compile_module(&format!("full_disk_{number}"), LIBRARY)?;
        let control = library.with_extension(format!("{}", std::process::id()));
        let options = ClusterOptions::default()
            .set("autovacuum", "off")
            .env("LD_PRELOAD", library.display())
            .env("FULL_DISK", control.display());
        let site = Site::start(options)?;
        let (mut client, _) = site.served("zentry")?;
        client.batch_execute(
            "CREATE TABLE public.written (id bigint, text text, status text DEFAULT 'completed') WITH (autovacuum_enabled = off); \
             SELECT zentry_attach('task_completed', 'public.written', '{\"task_id\": \"id\", \"task_title\": \"text\"}', \
                                  operation => 'insert', audience => '{\"all\": true}')",
        )?;
        Ok(Disk {
            site,
            client,
            control,
        })
    }

    /// The files of that relation of ours get no longer.
    fn is_full_for(&mut self, relation: &str) -> Result<()> {
        let row = self
            .client
            .query_one("SELECT pg_relation_filepath($1::text::regclass)", &[&relation])?;
        fs::write(&self.control, row.get::<_, String>(0))?;
        Ok(())
    }

    fn has_room(&self) -> Result<()> {
        Ok(fs::remove_file(&self.control)?)
    }

    /// Writes so many rows, a transaction each, and returns how many were refused, for want of space.
    fn write(&mut self, rows: usize) -> Result<usize> {
        let mut refused = 0;
        for _ in 0..rows {
            match self
                .client
                .batch_execute("INSERT INTO public.written (id, text) VALUES (1, repeat('x', 300))")
            {
                Ok(()) => {}
                Err(error) if error.code() == Some(&SqlState::DISK_FULL) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(refused)
    }

    fn number(&mut self, sql: &str) -> Result<i64> {
        Ok(self.client.query_one(sql, &[])?.get(0))
    }

    /// Every row that was written has its event, or that is counted as lost; returns how many are. While there is no room, PostgreSQL 19
    /// may refuse to read: a query, too, adds to the visibility map.
    fn lost(&mut self) -> Result<i64> {
        let written = self.number("SELECT count(*) FROM public.written")?;
        let recorded = self.number("SELECT count(*) FROM zentry_notify.event WHERE source_id = (SELECT max(id) FROM zentry_notify.event_source)")?;
        let lost = self.number("SELECT zentry_notify.lost_events()")?;
        assert_eq!(recorded + lost, written);
        Ok(lost)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.control);
    }
}

#[test]
fn a_full_disk_refuses_no_write_to_the_applications_table() -> Result<()> {
    let mut disk = Disk::start()?;
    assert_eq!(disk.write(10)?, 0);
    assert_eq!(disk.lost()?, 0);
    let log = disk.site.cluster.log_end()?;
    disk.is_full_for("zentry_notify.event")?;
    assert_eq!(disk.write(200)?, 0);
    // In one transaction, too.
    disk.client.batch_execute(
        "INSERT INTO public.written (id, text) SELECT i, 'x' FROM generate_series(1, 200) i",
    )?;
    assert!(disk.site.logged(log, "could not be recorded (SQLSTATE 53100)")? <= 40);
    disk.has_room()?;
    let lost = disk.lost()?;
    assert!(lost > 100);
    assert_eq!(disk.write(100)?, 0);
    assert_eq!(disk.lost()?, lost);
    wait_for(&mut disk.client, "SELECT zentry_notify.unrouted_events() = 0")
}

/// Of an index, nobody knows beforehand whether it has to grow: who finds out is refused, and nobody after that.
#[test]
fn an_index_that_cannot_grow_refuses_one_write_at_most() -> Result<()> {
    let mut disk = Disk::start()?;
    disk.is_full_for("zentry_notify.event_pkey")?;
    assert!(disk.write(1_500)? <= 1);
    disk.has_room()?;
    let lost = disk.lost()?;
    assert!(lost > 0);
    assert_eq!(disk.write(500)?, 0);
    assert_eq!(disk.lost()?, lost);
    Ok(())
}
