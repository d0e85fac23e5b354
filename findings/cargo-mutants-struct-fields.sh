#!/usr/bin/env bash
# cargo-mutants 27.1.0 (crates.io): mutants that leave a field out of a struct are not filtered by name.
#
# Expected: `--exclude-re` and `--re`, and exclude_re and examine_re of the configuration file, "filter mutants by the full
# name of the mutant, which includes the function name, file name, and a description of the change, as shown in the
# output of cargo mutants --list" (mutants.rs, "Filtering functions and mutants").
#
# What happens: "delete field ... from struct ... expression in ..." is always among them, whatever the expressions say, and
# without a warning. It is known (issue 632 of sourcefrog/cargo-mutants, of August 2026).
#
# Bitten: who excludes a function, or a mutant that makes no difference, by the configuration: it is tried again each time,
# and fails the job that is to keep the list of the missed empty. `#[mutants::skip]` and `#[mutants::exclude_re]` in the
# code do exclude it.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_crates cargo-mutants@27.1.0

sample_crate <<'RUST'
#[derive(Default)]
pub struct Settings {
    pub level: u8,
    pub width: u8,
}

pub fn settings() -> Settings {
    Settings { level: 1, ..Settings::default() }
}

pub fn is_ready() -> bool {
    true
}
RUST
mkdir .cargo

list() {
    echo "-- ${*:-all}"
    cargo mutants --list "$@"
}
list_configured() {
    echo "-- .cargo/mutants.toml: $1"
    echo "$1" >.cargo/mutants.toml
    cargo mutants --list
    rm .cargo/mutants.toml
}
seen list
seen list --exclude-re 'in settings|replace settings'
seen list --re 'replace is_ready'
seen list_configured 'exclude_re = ["delete field"]'
as_written_down <<'SEEN'
-- all
src/lib.rs:8:5: replace settings -> Settings with Default::default()
src/lib.rs:8:16: delete field level from struct Settings expression in settings
src/lib.rs:12:5: replace is_ready -> bool with false
-- --exclude-re in settings|replace settings
src/lib.rs:8:16: delete field level from struct Settings expression in settings
src/lib.rs:12:5: replace is_ready -> bool with false
-- --re replace is_ready
src/lib.rs:8:16: delete field level from struct Settings expression in settings
src/lib.rs:12:5: replace is_ready -> bool with false
-- .cargo/mutants.toml: exclude_re = ["delete field"]
src/lib.rs:8:5: replace settings -> Settings with Default::default()
src/lib.rs:8:16: delete field level from struct Settings expression in settings
src/lib.rs:12:5: replace is_ready -> bool with false
SEEN
