# The front door: `make` lists what there is. The work is done by scripts/, which can be called without make too.

.PHONY: help demo stop web psql test test-crates test-pg test-e2e test-all test-assert test-company test-package regress torture torture-send soak soak-tests fuzz mutants load bench bench-micro \
	bench-compare coverage lint deny package apt-repository release-check ci-full picture screenshots browser \
	bootstrap stage install clean
.DEFAULT_GOAL := help

help: ## List the targets
	@echo 'zentry_notify: PostgreSQL writes become messages in Discord, Microsoft Teams, Slack and others'
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo
	@echo 'PG_MAJOR=15 to 19 chooses the PostgreSQL; by default 15, or else what is installed.'

demo: ## See it work, in a private cluster (KEEP=1: leave it running)
	@scripts/demo $(if $(KEEP),--keep)

web: ## Serve the admin pages and the REST API over the kept demo, until Ctrl-C (PORT=8000)
	@PORT=$(or $(PORT),8000) scripts/web

psql: ## Open psql in the kept demo; starts one when none runs
	@scripts/psql

stop: ## Stop the kept demo
	@scripts/stop

test: browser ## Run every test
	@scripts/test

test-crates: bootstrap ## Run the tests that need no PostgreSQL
	@scripts/test crates

test-pg: bootstrap ## Run the tests inside PostgreSQL
	@scripts/test pg

test-e2e: browser ## Run the end-to-end tests
	@scripts/test e2e

test-all: ## Test on PostgreSQL 15 to 19, in chroots (MAJORS='17 18': these alone)
	@scripts/bootstrap chroot
	@scripts/test-all $(MAJORS)

regress: ## Run PostgreSQL's own tests with the library and without: they print the same
	@scripts/bootstrap source
	@scripts/regress

test-assert: browser ## Test on a PostgreSQL with assertions, with caches discarded, and with sqlsmith (ZENTRY_SQLSMITH_SECONDS)
	@scripts/bootstrap assert
	@scripts/test-assert

test-company: ## Test together with other libraries that a server preloads
	@scripts/bootstrap company
	@scripts/test-company

torture: bootstrap ## Kill everything a hundred times under load, and count what arrives (ZENTRY_KILLS, ZENTRY_SEED)
	@scripts/torture

torture-send: bootstrap ## Kill, pause and cut off senders on three addresses, and count what arrives (ZENTRY_SEND_EVENTS, ZENTRY_SEND_WEBHOOKS, ZENTRY_SEND_FAILURES)
	@scripts/torture-send

soak: bootstrap ## Deliver a million events and look at what they leave behind (ZENTRY_DELIVERIES)
	@scripts/soak

soak-tests: browser ## Run every test twenty times, until one fails (ZENTRY_RUNS)
	@scripts/soak-tests

fuzz: bootstrap ## Fuzz the formatter, the answers, the URLs and the templates (ZENTRY_FUZZ_SECONDS for each, 180)
	@scripts/fuzz

mutants: bootstrap ## Change the code a little, many times, and see whether a test fails (GROUPS='answers urls')
	@scripts/mutants $(GROUPS)

load: bootstrap ## Send a thousand requests a second to the REST API, while events are delivered (ZENTRY_RATE, ZENTRY_SECONDS)
	@scripts/load

bench: bootstrap ## Measure all that is promised of speed, and write docs/benchmarks.md (QUICK=1: an idea in minutes)
	@scripts/bench $(if $(QUICK),--quick)

bench-micro: bootstrap ## Measure the formatter, the scheduler and the HTTP thread alone
	@scripts/with cargo bench --package zentry-webhook

bench-compare: bootstrap ## Measure two commits side by side (A=main B=HEAD)
	@scripts/bench-compare $(or $(A),main) $(or $(B),HEAD)

lint: bootstrap ## Check formatting, clippy, documentation and scripts
	@scripts/lint

deny: bootstrap ## Check the dependencies: licences, sources, duplicates, build scripts, advisories
	@scripts/deny

coverage: browser ## Measure the tests' coverage, by lines
	@scripts/bootstrap chroot
	@scripts/coverage

package: ## Build Debian packages and tarballs of the extension and the server, PGXN's archive and Django's wheel, into target/package
	@scripts/bootstrap package chroot
	@scripts/package
	@scripts/package-server
	@scripts/package-pgxn
	@scripts/wheel
	@$(if $(KEY),scripts/apt-repository '$(KEY)' '$(URL)')

apt-repository: ## Make an apt repository of these packages, signed by a key of gpg's (KEY=address URL=https://apt.example.com)
	@scripts/bootstrap package chroot
	@scripts/apt-repository '$(KEY)' '$(URL)'

test-package: ## Install the packages on a clean Debian or Ubuntu, in a chroot, by the words of docs/operations.md
	@scripts/bootstrap package chroot
	@scripts/test-package

META.json: META.json.in Cargo.toml ## Make the description that PGXN wants
	@scripts/meta

release-check: browser ## Whether this commit can be released
	@scripts/release-check

ci-full: ## Everything: what every change has to pass, every PostgreSQL, the packages, the coverage
	@.ci/run
	@scripts/bootstrap assert company package chroot
	@scripts/test-assert
	@scripts/test-company
	@scripts/test-all
	@for major in 15 17 18; do PG_MAJOR=$$major scripts/test-package || exit; done
	@scripts/coverage

picture: ## Make the README's picture from the demo, with headless Chromium
	@scripts/bootstrap picture
	@scripts/picture

screenshots: browser ## Make the pictures of the admin pages, with headless Chromium
	@scripts/bootstrap picture
	@scripts/screenshots

bootstrap: ## Install what is missing: system packages and cargo-pgrx
	@scripts/bootstrap tests

browser:
	@scripts/bootstrap browser

stage: ## Make the private PostgreSQL
	@scripts/bootstrap
	@scripts/stage

install: ## Build the extension and install it into the private PostgreSQL
	@scripts/bootstrap
	@scripts/install

clean: ## Remove all that was built, but the tools
	@scripts/clean
