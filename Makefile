.PHONY: bench instructions

# Time and allocations beside the peers, as Markdown tables. Quiet machine, please: about two minutes.
bench:
	cargo build --quiet --release -p redwire-benches
	target/release/bench

# Instructions a reply under callgrind; fails when one is beyond its bar.
instructions:
	command -v valgrind >/dev/null || apt-get install -y valgrind
	cargo build --quiet --release -p redwire-benches
	target/release/instructions
