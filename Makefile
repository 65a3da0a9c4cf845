# Everything a user or CI runs. One build profile (release), so dependencies are compiled once.
CARGO ?= cargo
# With the features that the whole workspace asks for, as in the tests: what one target compiles, the others use.
BUILD := $(CARGO) build --release --locked --workspace
PROGRAMS := $${CARGO_TARGET_DIR:-$(CURDIR)/target}/release
export ORT_DYLIB_PATH ?= $(CURDIR)/.cache/onnxruntime/cpu/libonnxruntime.so
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help setup onnxruntime onnxruntime-gpu simulators demo test test-core test-interop test-realtime test-data ignored bench figures programs lint install deb book book-commands

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: ## system packages that are missing (C compiler, Python) and ONNX Runtime
	@sh configs/setup/system-packages.sh
	@$(MAKE) --no-print-directory onnxruntime

onnxruntime: ## fetch the ONNX Runtime library (CPU) into .cache/, checked by sha256
	@sh models/fetch-onnxruntime.sh

onnxruntime-gpu: ## fetch its GPU build (CUDA, TensorRT; x86-64, 256 MB) into .cache/, checked by sha256
	@sh models/fetch-onnxruntime.sh gpu

simulators: ## robots that others made (MetaWorld, Push-T, Gymnasium-Robotics) into .cache/, from PyPI; nothing else needs them
	@sh configs/setup/simulators.sh

demo: onnxruntime ## the main job: simulated robot and controller over DDS, pictures in demo-output/
	$(BUILD) --bin latco
	$(PROGRAMS)/latco demo

test: test-core test-interop test-realtime ignored ## everything that CI runs

# The program under test is the one that the tests' own build makes.
TEST := LATCO_PROGRAM="$(PROGRAMS)/latco" $(CARGO) test --release --locked --workspace

# Robots, bags and nodes mostly wait, one after the other; what computes is tested beside them. A log keeps their lines apart.
name = $(notdir $(basename $(1)))
WAITING := $(sort interop runtime $(call name,$(wildcard ros/tests/*.rs)))
COMPUTING := $(sort $(filter-out $(WAITING),$(call name,$(filter-out tests/loom/%,$(patsubst %/main.rs,%,$(wildcard */tests/*.rs */*/tests/*.rs */tests/*/main.rs */*/tests/*/main.rs))))))

test-core: onnxruntime ## every test that needs nothing from the network
	$(TEST) --no-run
	@log=$$(mktemp); \
	$(TEST) $(WAITING:%=--test %) >$$log 2>&1 & waiting=$$!; \
	{ $(TEST) --lib --bins $(COMPUTING:%=--test %) && $(TEST) --doc; }; computed=$$?; \
	wait $$waiting; waited=$$?; cat $$log; rm $$log; exit $$((computed + waited))

test-interop: onnxruntime ## tests against ROS 2, CycloneDDS and rosbags from PyPI, and on two hosts
	$(TEST) --test interop --test end_to_end --test cases -- --ignored $$(sh tests/impossible.sh)

test-realtime: onnxruntime ## tests that measure time; nothing else should run beside them
	$(TEST) --test realtime -- --ignored --test-threads 1

test-data: onnxruntime ## tests on real camera data in LATCO_REAL_DATA
	$(TEST) --test chain --test data -- --ignored

ignored: ## the tests that `cargo test` ignores, with their reasons
	@sh tests/ignored.sh

bench: programs ## short figures of this machine, one JSON line each; keeps nothing
	@python3 tests/figures.py --print

figures: programs ## the same, kept in docs/figures/, and docs/figures.md written from all that are kept
	@python3 tests/figures.py

book: ## the documents as a book in target/book/html (needs `cargo install mdbook --locked`)
	@command -v mdbook >/dev/null || { echo "mdbook is missing: cargo install mdbook --locked" >&2; exit 1; }
	@python3 tests/book.py --stage
	mdbook build

book-commands: programs ## run the short commands of the documents in a scratch folder; docs/commands.md keeps when and how long
	@python3 tests/book.py

programs: onnxruntime
	$(BUILD) --bin latco --bin latco-train

lint: ## format, clippy (warnings are errors), and no two source files import each other
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(BUILD) --bin latco-circles
	$(PROGRAMS)/latco-circles

TRAINER ?= yes
install: onnxruntime ## latco, its ROS 2 package and latco-train under PREFIX (default /usr/local); TRAINER=no: what a robot needs
ifeq ($(TRAINER),no)
	$(CARGO) build --release --locked -p latco-ros
	@sh ros/install.sh $(abspath $(PREFIX)) $(PROGRAMS)/latco
else
	$(BUILD) --bin latco --bin latco-train
	@sh ros/install.sh $(abspath $(PREFIX)) $(PROGRAMS)/latco $(ORT_DYLIB_PATH) $(PROGRAMS)/latco-train
endif

DIST := $${CARGO_TARGET_DIR:-$(CURDIR)/target}/dist
deb: onnxruntime ## Debian packages in target/debian/: latco for a robot, latco-sim with simulated robots and latco-train
	$(CARGO) build --profile dist --locked -p latco-ros --no-default-features
	@sh ros/package.sh latco target/debian $(DIST)/latco $(ORT_DYLIB_PATH)
	$(CARGO) build --profile dist --locked --workspace --bin latco --bin latco-train
	@sh ros/package.sh latco-sim target/debian $(DIST)/latco $(ORT_DYLIB_PATH) $(DIST)/latco-train
