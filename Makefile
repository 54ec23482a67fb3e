# The two commands: each makes .venv and installs what it needs.

PYTHON ?= python3
VENV := .venv/bin

demo: .venv/installed
	$(VENV)/charrnn train corpora/fables.txt -o demo.safetensors --overwrite --minutes 1
	$(VENV)/charrnn sample demo.safetensors --prompt "THE " --temperature 0.5 --length 1000 --seed 1
	$(VENV)/charrnn train corpora/tunes.abc -o demo-tunes.safetensors --overwrite --minutes 1
	$(VENV)/charrnn compose demo-tunes.safetensors -n 2 --seed 1 --bars 16 --form AABB -o demo-tunes --overwrite
	$(VENV)/charrnn export demo.safetensors demo.html --overwrite
	@echo "Open demo.html in a browser to write with the model: file://$(CURDIR)/demo.html"

test: .venv/tested
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/python -m pytest -q --numprocesses auto --dist worksteal

torture: .venv/tested
	$(VENV)/python -m tests.torture --full

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

clean:
	rm -rf .venv

.PHONY: demo test torture clean
