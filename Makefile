.PHONY: demo chat test converse test-servers firmware bench bench-mio bench-embedded instructions fuzz

# A walk through the blocking client, against a private server or the one of REDIS_URL.
demo:
	cargo build --quiet -p redwire-std --example demo
	tests/with-redis.sh cargo run --quiet -p redwire-std --example demo

# A chat room on mio and Redis, and clients that talk in it, against a private server or the one of REDIS_URL.
chat:
	cargo build --quiet -p redwire-mio --example chat
	tests/with-redis.sh cargo run --quiet -p redwire-mio --example chat -- show

# Everything that has to hold before a change goes in. Tests start servers of their own.
test:
	tests/with-redis.sh
	cargo fmt --check
	cd transports/embedded-io/firmware && cargo fmt --check -p redwire-firmware -p redwire-firmware-runner
	cargo build -p redwire --no-default-features
	cargo build -p redwire --no-default-features --features full
	cargo build -p redwire-embedded-io --no-default-features
	cargo clippy -p redwire --no-default-features -- -D warnings
	cargo clippy -p redwire --no-default-features --features defmt -- -D warnings
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets --all-features -- -D warnings
	cargo test
	cargo test -p redwire --no-default-features --features full --test decode_corpus
	DEFMT_LOG=debug cargo test -p redwire --all-features --test formats --test logging
	DEFMT_LOG=debug cargo test -p redwire-embedded-io --features defmt --test formats
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Random conversations of the engine with a private server, and what both say of the connection. FROM is the first seed;
# REDWIRE_SEED=n shows one. REDWIRE_SERVER is another server's program.
CONVERSATIONS = 100000
converse:
	tests/with-redis.sh
	CONVERSATIONS=$(CONVERSATIONS) FROM=$(FROM) cargo test --quiet --release -p redwire --test converse -- --nocapture

# All tests that talk to a real server, on servers of many versions, which are fetched and not installed: Redis from 6.2 to
# 8.6, Valkey, and the one of this machine; SERVERS="installed redis-8.6" chooses.
test-servers:
	tests/with-redis.sh
	tests/on-servers.sh $(SERVERS)

# Programs for a Cortex-M3, on an emulated board against a private server: what they log and leave, and their sizes beside
# those in the README. With UPDATE=1 the sizes in the README are written anew.
firmware:
	transports/embedded-io/firmware/check.sh $(if $(UPDATE),update)

# Time and allocations beside the peers, as Markdown tables. Quiet machine, please.
bench:
	cargo build --quiet --release -p redwire-benches --bin bench --bin allocations
	target/release/bench

# redwire-mio against a private server, beside other clients and the bare loop; fails when a bar is not held. Quiet machine,
# please.
bench-mio:
	tests/with-redis.sh
	cargo build --quiet --release -p redwire-benches --bin mio
	target/release/mio

# What a GET costs and what becomes of it beside embedded-redis, as Markdown tables. Quiet machine, please.
bench-embedded:
	command -v valgrind >/dev/null || apt-get install -y valgrind
	cargo build --quiet --release --manifest-path benches/embedded/Cargo.toml
	cargo run --quiet --release --manifest-path benches/embedded/Cargo.toml --bin embedded

# Instructions a reply under callgrind; fails when one is beyond its bar.
instructions:
	command -v valgrind >/dev/null || apt-get install -y valgrind
	cargo build --quiet --release -p redwire-benches --bin instructions
	target/release/instructions

# Runs each fuzz target for so many seconds. Needs a nightly toolchain and cargo-fuzz.
SECONDS = 60
fuzz:
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	for target in decode differential splits roundtrip connection; do \
		mkdir -p fuzz/corpus/$$target; \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(SECONDS) -timeout=10 || exit 1; \
	done
