# On a fresh Debian machine with Rust each target works as it is: scripts/setup and scripts/neovim
# bring what it needs, and do nothing when it is there.

# Run from inside a Neovim, its runtime would be another version's.
unexport VIM VIMRUNTIME

.PHONY: help demo check test test-agents bench bench-readme lint fuzz

help:
	@echo 'make demo    build, and open Neovim with the plugin and real sessions running in it'
	@echo 'make check   format, clippy, unit tests and documents: what to run while you work'
	@echo 'make test    all tests, in Neovim 0.10 and 0.12 too'
	@echo 'make test-agents   Codex and Gemini CLI from npm, in real runs; their model is a server of the tests'\'' own'
	@echo 'make bench   the benchmarks, against :terminal, tmux and a bare PTY; ONLY=drain,echo QUICK=1 to try them'
	@echo 'make bench-readme   makes the last results of make bench the README'\''s performance section'
	@echo 'make fuzz    the fuzz targets, a minute each, access ten'
	@echo 'make lint    formatting, clippy, rustdoc, Lua layout and types; warnings fail'

demo:
	scripts/setup demo
	scripts/demo

# The profile of `make test`, so that what it builds is built once.
check:
	cargo fmt --check
	cargo clippy --profile ci --all-targets --locked -- -D warnings
	cargo test --profile ci --locked --lib --test architecture --test readme --test protocol

test:
	scripts/setup
	scripts/neovim
	scripts/clients
	scripts/test

# Not a part of `make test`: it installs what others publish, half a gigabyte of it.
test-agents:
	scripts/setup agents
	scripts/agents
	cargo test --profile ci --locked --test agents -- --ignored --test-threads=2

# Of criterion's benchmarks, one file each, the results are rows of the table: they run first. `compare` holds the table.
comma := ,
micro := $(patsubst benches/%.rs,--bench %,$(wildcard benches/*.rs))

bench:
	scripts/setup
	scripts/neovim
ifneq ($(micro),)
ifneq ($(filter micro,$(or $(ONLY),micro) $(subst $(comma), ,$(ONLY))),)
	cargo bench --locked $(micro) -- $(if $(QUICK),--quick)
endif
endif
	cargo bench --locked --bench compare -- $(if $(QUICK),quick) $(if $(ONLY),only=$(ONLY))

bench-readme:
	cargo bench --locked --bench compare -- readme

lint:
	scripts/setup lint
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
	scripts/lint-lua

# Not a part of `make test`: it never ends by itself.
fuzz:
	scripts/setup
	scripts/fuzz
