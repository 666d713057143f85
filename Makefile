# On a fresh Debian machine with Rust each target works as it is: scripts/setup and scripts/neovim
# bring what it needs, and do nothing when it is there.

# Run from inside a Neovim, its runtime would be another version's.
unexport VIM VIMRUNTIME

.PHONY: help demo test bench lint

help:
	@echo 'make demo    build, and open Neovim with the plugin and real sessions running in it'
	@echo 'make test    all tests, in Neovim 0.10 and 0.12 too'
	@echo 'make bench   the benchmarks'
	@echo 'make lint    formatting, clippy, rustdoc, Lua layout and types; warnings fail'

demo:
	scripts/setup
	scripts/demo

# One profile for both commands, so that things are built once; the plugin's tests start
# target/release/termi.
test:
	scripts/setup
	scripts/neovim
	cargo build --release --locked
	TERMI_TEST_NVIM_0_10="$$(scripts/neovim path 0.10)" TERMI_TEST_NVIM_0_12="$$(scripts/neovim path 0.12)" \
		cargo test --release --locked --lib --bins --test host --test neovim
	# One terminal at a time: each is a tmux, a Neovim, a host and their programs.
	TERMI_TEST_NVIM_0_10="$$(scripts/neovim path 0.10)" TERMI_TEST_NVIM_0_12="$$(scripts/neovim path 0.12)" \
		cargo test --release --locked --test tmux -- --test-threads=1

bench:
	scripts/setup
	cargo bench --locked

lint:
	scripts/setup lint
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
	scripts/lint-lua
