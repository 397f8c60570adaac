# Everything a person needs: `make demo` and `make test` do their own set-up.
# YES=1 answers the one question of the set-up; PYTHON names another interpreter; BOARD=user@host uses a board of yours.
PYTHON ?= python3
BOARD ?=
export YES PYTHON

.PHONY: demo demo-lean demo-ship test test-faults test-rail check bench format clean

demo:
	@sh scripts/setup.sh $(if $(BOARD),board,demo)
	@.venv/bin/hilbench run plans/demo.yaml --new $(if $(BOARD),--board $(BOARD) --board this-machine)

# Pruning, distillation and int8 in both formats on three emulated boards and this machine; trains small networks.
demo-lean:
	@sh scripts/setup.sh lean
	@.venv/bin/hilbench run plans/lean.yaml --new

# One command from a model to a folder for each board, ship/BOARD/: a budget for an emulated board, one for this machine.
demo-ship:
	@sh scripts/setup.sh ship
	@.venv/bin/hilbench ship models/digits/digits.onnx --data models/digits/digits-test.npz \
	  --boards emulated-a76 --boards this-machine --trials 4 --finalists 2 --licence Apache-2.0 \
	  --budget "drop<=1pp" --budget "instructions<=2.2M on emulated-a76, size<=400kB on emulated-a76" \
	  --budget "p95<=30ms on this-machine, memory<=96MiB on this-machine"

# A process more than processors, as tests often wait for a board; a file stays in one process, with its fixtures, and
# the files begin in the order of tests/conftest.py, not with those of the most tests.
test:
	@sh scripts/setup.sh test
	@.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

# Part of `make test`: what happens to boards, connections and controllers, with a line for each fault at the end.
test-faults:
	@sh scripts/setup.sh test
	@.venv/bin/pytest tests/faults tests/targets/test_ssh_faults.py tests/targets/test_session_watch.py

# Power through the kernel's own INA drivers; needs an amd64 Debian 12 or 13, fetches some 200 MB of packages.
test-rail:
	@sh scripts/setup.sh test
	@.venv/bin/pytest tests/emulated/rail_power.py -o python_files='rail_*.py' -s

check:
	@sh scripts/setup.sh check
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/pyright
	@.venv/bin/pytest -q tests/test_architecture.py

bench:
	@sh scripts/setup.sh test
	@.venv/bin/pytest tests/benchmarks -o python_files='bench_*.py' -s

format:
	@sh scripts/setup.sh check
	@.venv/bin/ruff check --fix-only -q .
	@.venv/bin/ruff format .

clean:
	rm -rf .venv .pytest_cache .ruff_cache .benchmarks build dist *.egg-info
