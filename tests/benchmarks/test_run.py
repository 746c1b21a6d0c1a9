"""A benchmark that crashes is a defect: each runs once, briefly. What it measures here means nothing."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measures

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(measures.__path__)))
def test_a_benchmark_runs(name, tmp_path):
    kept = tmp_path / "tables.json"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--json", str(kept), name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"rows"' in kept.read_text()
