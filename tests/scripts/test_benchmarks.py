"""bench.py computes its ratios and shares as it says; how fast anything is, is not tested."""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

import bench
from benchmarks import inference, limits, timing
from numgpt import GPTConfig

SCRIPTS = Path(__file__).parents[2] / "scripts"
CONFIG = GPTConfig(n_vocab=50, n_ctx=16, n_embd=8, n_head=2, n_layer=3)


def test_ratios_are_of_pairs():
    row = timing.compare([2.0, 9.0, 4.0], [1.0, 3.0, 4.0])
    assert (row["peer_median"], row["numgpt_median"]) == (4.0, 3.0)
    assert (row["ratio_min"], row["ratio"], row["ratio_max"], row["runs"]) == (1.0, 2.0, 3.0, 3)


def test_both_sides_take_turns():
    order = []
    measured = timing.alternate({name: lambda name=name: order.append(name) or len(order) for name in "ab"}, 2)
    assert order == ["a", "b", "a", "b"]
    assert measured == {"a": [1, 3], "b": [2, 4]}


def test_seconds_of_a_step_leave_the_first_token_out():
    assert inference.step_seconds([7.0, 6.9, 8.0], [0.7, 0.6, 0.9], 63) == pytest.approx(0.1)


def test_operations_of_training():
    """Forward, dweight and dx are 2 operations for each weight and token; attention has 6 products, half masked."""
    limit = limits.training_limit(CONFIG, B=2, T=5)
    weights = 3 * 12 * 8 * 8 + 50 * 8
    attention = 6 * 3 * 2 * (2 * 5 * 5 * 8) / 2
    assert limit.flops == 6 * weights * 10 + attention


def test_operations_of_reading():
    matrices, head = 3 * 12 * 8 * 8, 50 * 8
    attention = 2 * 3 * (2 * 5 * 5 * 8) / 2
    assert limits.forward_limit(CONFIG, 1, 5, head_rows=1).flops == 2 * (matrices * 5 + head) + attention
    decoding = limits.decoding_limit(CONFIG, 4)
    assert decoding.flops == 2 * (matrices + head) * 4
    assert decoding.n_bytes == 4 * (matrices + head)
    assert len({product.b.ctypes.data for product in decoding.products}) == 3 * 4 + 1


def test_limit_weighs_its_products(monkeypatch):
    """Ten seconds for the products of 1200 operations are 20 for 2400, of which attention has the other half."""
    monkeypatch.setattr(limits, "call_seconds", lambda product: 2.0 if len(product.a) == 1 else 3.0)
    monkeypatch.setattr(limits, "SHORTEST", 0)
    a, b = np.ones((1, 10)), np.ones((3, 10))
    products = [limits.Product(a, np.ones((10, 15)), times=2), limits.Product(b, np.ones((10, 5)), times=2)]
    limit = limits.Limit(products, masked_flops=1200)
    assert limit.flops == 2400
    assert limit.seconds() == 20.0


def test_shares():
    limit = limits.Limit([limits.Product(np.ones((1, 10)), np.ones((10, 1000), np.float32))])
    row = limits.shares(limit, [3.0, 2.0, 1.0], {"peer": 8.0, "numgpt": 2.5})
    assert (row["peer_share"], row["numgpt_share"], row["limit_seconds"]) == (0.25, 0.8, 2.0)
    assert row["limit_gflops"] == pytest.approx(20_000 / 2 / 1e9)
    assert row["limit_gbytes_per_second"] == pytest.approx(40_000 / 2 / 1e9)


def test_what_is_missing_is_said():
    work = Namespace(needs=("vocabulary", "text"), packages=("numpy", "no_such_package"))
    assert bench.why_not(work, Namespace(vocabulary="here", text=None)) == "it needs --text FILE"
    assert bench.why_not(work, Namespace(vocabulary="here", text="there")) == "no_such_package not installed"
    assert bench.why_not(Namespace(packages=("numpy",)), Namespace()) is None


def test_a_run_without_inputs(tmp_path):
    """What cannot be measured does not end the run, and the facts about the machine are there."""
    command = [
        sys.executable,
        SCRIPTS / "bench.py",
        "--quick",
        "--json",
        tmp_path / "found.json",
        "encode",
        "one-letter",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "not measured: it needs --vocabulary DIR --text FILE --seen FILE" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["results"] == {}
    assert {"date", "processor", "cores", "versions"} <= found["machine"].keys()
