#!/usr/bin/env bash
# cargo-mutants 27.1.0 (crates.io): `--shard` with `--iterate` divides only what earlier runs have not caught, so shards that
# run one after another leave mutants out, and the same shard is another set each time.
#
# Expected: the shards 0/2 and 1/2 are the two halves of the mutants, and together all of them; `--iterate` leaves out
# what was caught before ("Mutants are then tested as usual, but excluding all the mutants named in those files"). The
# pages about the two options (mutants.rs, "Sharding" and "Iterating on missed mutants") do not mention each other; the
# former warns that all shards need the same arguments, which they have here.
#
# What happens: of six mutants the shard 0/2 tries three, and the shard 1/2 one: half of the three that are left. Two are
# never tried, and both runs say that all was caught. Both ways of `--sharding` do this.
#
# Bitten: who divides a long list over several evenings, or over jobs that share a folder of results, and takes two green
# runs for the whole.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_crates cargo-mutants@27.1.0

library() {
    for name in a b c d e f; do
        echo "pub fn $name() -> bool { true }"
    done
    echo '#[test] fn all() { assert!(a() && b() && c() && d() && e() && f()); }'
}
sample_crate < <(library)

list() {
    echo "-- $*"
    cargo mutants --list --line-col=false --level=warn "$@"
}
run() {
    echo "-- $*"
    CARGO_TARGET_DIR=$work/build cargo mutants --no-shuffle --no-times --colors=never "$@" >"$work/run.log" 2>&1 || cat "$work/run.log"
    sed 's/^/caught: /' mutants.out/caught.txt
    tail -n 1 "$work/run.log"
}
for sharding in slice round-robin; do
    rm -rf mutants.out
    seen list --sharding="$sharding" --shard=0/2
    seen list --sharding="$sharding" --shard=1/2
    seen run --sharding="$sharding" --iterate --shard=0/2
    seen run --sharding="$sharding" --iterate --shard=1/2
    seen list --iterate
done
as_written_down <<'SEEN'
-- --sharding=slice --shard=0/2
src/lib.rs: replace a -> bool with false
src/lib.rs: replace b -> bool with false
src/lib.rs: replace c -> bool with false
-- --sharding=slice --shard=1/2
src/lib.rs: replace d -> bool with false
src/lib.rs: replace e -> bool with false
src/lib.rs: replace f -> bool with false
-- --sharding=slice --iterate --shard=0/2
caught: src/lib.rs:1:22: replace a -> bool with false
caught: src/lib.rs:2:22: replace b -> bool with false
caught: src/lib.rs:3:22: replace c -> bool with false
3 mutants tested: 3 caught
-- --sharding=slice --iterate --shard=1/2
caught: src/lib.rs:6:22: replace f -> bool with false
1 mutant tested: 1 caught
-- --iterate
src/lib.rs: replace d -> bool with false
src/lib.rs: replace e -> bool with false
-- --sharding=round-robin --shard=0/2
src/lib.rs: replace a -> bool with false
src/lib.rs: replace c -> bool with false
src/lib.rs: replace e -> bool with false
-- --sharding=round-robin --shard=1/2
src/lib.rs: replace b -> bool with false
src/lib.rs: replace d -> bool with false
src/lib.rs: replace f -> bool with false
-- --sharding=round-robin --iterate --shard=0/2
caught: src/lib.rs:1:22: replace a -> bool with false
caught: src/lib.rs:3:22: replace c -> bool with false
caught: src/lib.rs:5:22: replace e -> bool with false
3 mutants tested: 3 caught
-- --sharding=round-robin --iterate --shard=1/2
caught: src/lib.rs:4:22: replace d -> bool with false
1 mutant tested: 1 caught
-- --iterate
src/lib.rs: replace b -> bool with false
src/lib.rs: replace f -> bool with false
SEEN
