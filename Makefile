# What a person runs here. Each target first sees to its tools (script/need), so that a fresh machine needs only Rust.

# Where rustup puts cargo, for shells that have not read its profile yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

BINARY = $(abspath $(or $(CARGO_TARGET_DIR),target)/debug/counterpart)
WEB_SOURCES := $(shell find web/src web/static -type f) web/build.mjs web/tsconfig.json

.PHONY: help run test test-web test-rust test-browser test-clients test-build web bench soak fuzz lint schema
.PHONY: release-schema need-node need-python
# Everything here uses all processors by itself; two at once would only be in each other's way.
.NOTPARALLEL:

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name what; do printf 'make %-14s %s\n' "$$name" "$$what"; done

run: ## Build the pages and the server, and serve the demonstration (http://127.0.0.1:8000)
	@script/need rust cc
	@{ script/need node && $(MAKE) --no-print-directory web; } || echo "Going on without the pages: the API at /graphql is all there." >&2
	cargo run -- serve --demo

test: test-web test-rust test-browser test-clients ## Run every test: the pages' types, Rust on SQLite and PostgreSQL, a browser, public clients

test-web: web
	cd web && npm run --silent check

test-rust: test-build
	@script/need postgres pgbouncer
	COUNTERPART_TEST_REQUIRE_POSTGRES=1 script/with-postgres cargo test --workspace --no-fail-fast

test-browser: test-build
	@script/need chromium
	cd web && COUNTERPART_BIN="$(BINARY)" npm run --silent test

test-clients: test-build tests/clients/node_modules/.installed tests/clients/python/.venv/.installed
	@script/need curl
	cd tests/clients && COUNTERPART_BIN="$(BINARY)" npm run --silent test

# The server that the browser and the clients meet is the one that `cargo test` builds: `cargo build` would build much of
# it again, without the features that the tests' own dependencies switch on.
test-build: web
	@script/need rust cc
	cargo test --workspace --no-run

web: web/dist/index.html ## Build the pages into web/dist, which the server embeds

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build

web/node_modules/.installed: web/package.json web/package-lock.json web/.npmrc | need-node
	cd web && npm ci
	@touch $@

tests/clients/node_modules/.installed: tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc | need-node
	cd tests/clients && npm ci
	@touch $@

tests/clients/python/.venv/.installed: tests/clients/python/requirements.txt | need-python
	python3 -m venv --clear tests/clients/python/.venv
	tests/clients/python/.venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

need-node:
	@script/need node

need-python:
	@script/need python

bench: ## Measure on a large organisation, what is shipped
	@script/need rust cc postgres
	cargo build --profile dist --bin counterpart --example bench
	script/with-postgres cargo run --profile dist --example bench
	script/with-postgres cargo run --profile dist --example bench -- front
	script/with-postgres cargo run --profile dist --example bench -- mappings
	script/with-postgres cargo run --profile dist --example bench -- bulk
	script/with-postgres cargo run --profile dist --example bench -- syncs

# How long the model is compared on each database, and the reader is fuzzed, in seconds.
SOAK_SECONDS ?= 300
FUZZ_SECONDS ?= 120

soak: test-build ## Minutes of what `make test` does for seconds: a hundred kills in large imports, generated files
	@script/need postgres
	script/with-postgres cargo test --features soak --test suite -- --nocapture soak_
	COUNTERPART_SOAK_SECONDS=$(SOAK_SECONDS) script/with-postgres cargo test --test suite -- --nocapture model::

# The flags that fuzzing compiles with are on every compiler, but not everybody may set them: hence RUSTC_BOOTSTRAP. The
# versions of the libraries are the server's.
fuzz: ## Throw bytes at the reader of CSV files, for two minutes
	@script/need rust cc
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	@mkdir -p fuzz/corpus/reader && cp Cargo.lock fuzz/Cargo.lock
	RUSTC_BOOTSTRAP=1 cargo fuzz run --dev --sanitizer none reader fuzz/corpus/reader fuzz/seeds/reader -- -max_total_time=$(FUZZ_SECONDS) -max_len=8192

lint: web/node_modules/.installed ## Check formatting, lints and the pages' types
	@script/need rust cc
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd web && npm run --silent check

schema: ## Write schema.graphql anew from the code
	@script/need rust cc
	@cargo run -q -- schema > schema.graphql.new && mv schema.graphql.new schema.graphql || { rm -f schema.graphql.new; exit 1; }

release-schema: ## Say that schema.graphql is released: from now on, what breaks its clients fails a test
	cp schema.graphql tests/clients/released.graphql
