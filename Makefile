# The two commands of the README; both make the environment first, from requirements.lock.
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
# Named by content and checkout, not by age: a clone's files are newer than an environment made before.
LOCKED := $(VENV)/.installed-$(shell (cat requirements.lock pyproject.toml; pwd) | sha256sum | cut -c1-16)
# As many stages at a time as there are cores; one after the other: make mini RUN="dvc repro"
RUN ?= eosfm repro
# Threads wait briefly before they sleep: as fast as spinning, and not in the way of other programs.
export GOMP_SPINCOUNT := 30000
export PATH := $(BIN):$(PATH)
# Each of the stages would compile the package anew; containers often forbid to keep what it compiles.
unexport PYTHONDONTWRITEBYTECODE
# An environment shared between checkouts runs the code of this one.
export PYTHONPATH := $(CURDIR)

.PHONY: mini test pytest lint style types docs experiments

mini: $(LOCKED)   ## the main job: the whole pipeline at mini scale, offline
	$(RUN)
	dvc metrics show

# More arbitrary faults of params.yaml than 40: make test EOSFM_FUZZ=1000
test: $(LOCKED)   ## every test; beside them lint, types and documentation. All go on where one fails
	$(MAKE) --jobs 2 --keep-going pytest lint

pytest: $(LOCKED)
	OMP_NUM_THREADS=1 pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: style types docs

style: $(LOCKED)
	ruff check .
	ruff format --check .

types: $(LOCKED)
	mypy

docs: $(LOCKED)   ## the documentation as a site, docs/_build/html/index.html; a warning is an error
	sphinx-build --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build/html

experiments:      ## experiments side by side: mean scores and the parameters that differ, no hashes
	dvc exp show --only-changed --drop '^(stages/|eosfm/|data/|models/|results/)' \
		--keep '^results/metrics/(mean|specialists)'

$(LOCKED):
	@python3 -c 'import sys; old = sys.version_info < (3, 11); sys.exit(f"python3 is Python \
	{sys.version.split()[0]}; expected 3.11; put one first on PATH, and run again" * old or None)'
	python3 -m venv $(VENV)
	"$(BIN)/pip" install --quiet --disable-pip-version-check --requirement requirements.lock
	"$(BIN)/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
