"""A benchmark that crashes is a defect: each runs once, briefly. What it measures here means nothing."""

import importlib
import pkgutil

import pytest

import benchmarks
from benchmarks import measures, run


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(measures.__path__)))
def test_a_benchmark_runs(name, tmp_path):
    kept = tmp_path / "tables.json"
    run.main(["--quick", "--json", str(kept), name])
    assert '"rows"' in kept.read_text()


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)))
def test_what_is_run_by_hand_can_be_loaded(name):
    importlib.import_module(f"benchmarks.{name}")
