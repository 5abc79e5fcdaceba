# make repro   everything from nothing: environment, models, data, conversion, scores, report
# make reproduced   after that: whether this machine gave what was published, byte for byte
# make test    lint, types, documentation, and all tests: checks, test-small (models made in the
#              tests, no need of repro) and test-rest
# make docs    the documentation: site/index.html
# make vlm     VLMEvalKit in an environment beside the first; part of repro
# make quick   the quick tests alone
# make gpu     on a machine with a GPU: its kernels against the CPU's, and the benchmarks of the GPU
# make bench   time and memory as ratios to the original models, after make repro
# make clean   remove all that these commands made

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
VLM_VENV := .venv-vlm
VLM_READY := $(VLM_VENV)/.ready

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export NO_MKDOCS_2_WARNING := 1
export TOKENIZERS_PARALLELISM := false
export WANDB_SILENT := true
# Freed memory stays with the process: on Linux, large tensors otherwise cost more in page faults
# than in arithmetic.
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := -1

ARCHITECTURES := tests/conversion/test_any_architecture.py
# Folders whose tests make their own small models, and the files in them that ask for fetched ones.
SMALL := tests/calibration tests/components tests/conversion tests/energy tests/files tests/fitting tests/foreign \
	tests/heads tests/hosts tests/hub tests/neurons tests/reporting tests/spikes tests/splits
FETCHED := tests/conversion/test_real_encoder.py tests/conversion/test_real_language_model.py

# Tests count its networks. It asks for torchvision, which must not be beside a CPU build of torch (see
# below), and for more that its neurons do not import.
SPIKINGJELLY := spikingjelly loguru

.PHONY: repro reproduced test checks test-small test-rest quick docs bench gpu vlm clean dvc

repro: $(READY) $(VLM_READY) dvc
	dvc repro
	@echo "The report: $(CURDIR)/reports/index.html"

# It compares dvc.lock and metrics/ with those of the last commit.
reproduced: $(READY)
	@python -m pipeline.reproduced

test: checks test-small test-rest

checks: $(READY)
	ruff check
	ruff format --check
	mypy
	lint-imports --no-cache
	mkdocs build --quiet

test-small: $(READY)
	pytest -n 2 --durations 15 --dist loadfile $(SMALL) $(ARCHITECTURES:%=--ignore %) $(FETCHED:%=--ignore %)
	pytest -n 2 --durations 15 $(ARCHITECTURES)
	python -m tests.tiny_models.table docs/models.md

test-rest: $(READY) dvc
	pytest -n 2 --durations 15 --dist loadfile $(SMALL:%=--ignore %)
	pytest -n 2 --durations 15 $(FETCHED)

quick: $(READY) dvc
	pytest -n 2 --durations 15 -m "not slow"

docs: $(READY)
	mkdocs build
	@echo "The documentation: $(CURDIR)/site/index.html"

bench: $(READY)
	python -m benchmarks

gpu: $(READY)
	-pytest -q tests/neurons/test_gpu.py tests/calibration/test_device_histogram.py 2>&1 | tee benchmarks/data/gpu_tests.txt
	python -m benchmarks --only gpu

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 ...")'
	@echo "Installing the environment into $(VENV) (a few minutes) ..."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,dev]'
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt $(SPIKINGJELLY)
	@touch $@

vlm: $(VLM_READY)

# It sees all that is in the first environment. Its torchvision must not get into that one: beside a
# CPU build of torch no transformers model could be imported there without las.
$(VLM_READY): $(READY) requirements-vlm.txt constraints.txt
	@echo "Installing VLMEvalKit into $(VLM_VENV) ..."
	rm -rf $(VLM_VENV)
	$(VENV)/bin/python -m venv --without-pip $(VLM_VENV)
	@$(VENV)/bin/python -c 'import sysconfig; print("import site; site.addsitedir(" + repr(sysconfig.get_path("purelib")) + ")")' \
		> $$($(VLM_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/first_environment.pth
	$(VENV)/bin/python -m pip --python $(VLM_VENV)/bin/python install --quiet --disable-pip-version-check \
		--no-deps -c constraints.txt -r requirements-vlm.txt
	@touch $@

# DVC keeps to Git where there is one; a copy without .git has to be told. A killed DVC may leave files
# in half at which it would stop.
dvc: $(READY)
	@test -e .git || dvc config --local core.no_scm true
	@python -m pipeline.mend

clean:
	rm -rf $(VENV) $(VLM_VENV) data results reports sweeps dvc_plots site outputs wandb .dvc/cache .dvc/tmp
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
