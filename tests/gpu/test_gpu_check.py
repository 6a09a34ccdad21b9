"""scripts/gpu_check.py, as far as it goes without a GPU and without its peers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from numgpt import GPTConfig

SCRIPTS = Path(__file__).parents[2] / "scripts"
OTHERS = ["regex", "requests", "tqdm", "google_crc32c", "threadpoolctl", "matplotlib"]


def test_without_a_gpu_it_says_so_and_exits_2(tmp_path):
    """And it needs none of numgpt's dependencies but NumPy, neither for itself nor for what it imports."""
    code = (
        "import runpy, sys\n"
        f"for name in {['cupy', *OTHERS]}:\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['gpu_check.py']; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        f"runpy.run_path({str(SCRIPTS / 'gpu_check.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "nothing can be measured here: CuPy is not installed: pip install 'numgpt[cuda12]' (or numgpt[cuda13], "
        "whichever your driver supports)"
    ]


@pytest.fixture
def script(fake, kernels_run, monkeypatch, tmp_path):
    """The script as a module, with small sizes."""
    import cupy

    monkeypatch.syspath_prepend(SCRIPTS)
    for name in "gpu_check", "benchmarks.gpu_peers":
        monkeypatch.delitem(sys.modules, name, raising=False)
    import gpu_check

    cupy.get_default_memory_pool = lambda: fake_pool
    monkeypatch.setattr(gpu_check, "SMALL", GPTConfig(n_vocab=64, n_ctx=32, n_embd=12, n_head=3, n_layer=2))
    monkeypatch.setattr(gpu_check, "PARITY_SHAPE", (2, 16))
    monkeypatch.setattr(gpu_check, "STEPS_SHAPE", (2, 8))
    monkeypatch.setattr(gpu_check, "CHECKS", ("linear", "cross-entropy"))
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--json", str(tmp_path / "out.json")])
    yield gpu_check
    sys.modules.pop("gpu_check"), sys.modules.pop("benchmarks.gpu_peers")


@pytest.fixture
def no_peers(monkeypatch):
    for name in "torch", "transformers":
        monkeypatch.setitem(sys.modules, name, None)


class fake_pool:  # noqa: N801
    @staticmethod
    def free_all_blocks():
        pass


def test_parity_goes_through_several_blocks_of_attention(fake, kernels_run, monkeypatch):
    """As a training step of the whole size does; the other checks are too small for it."""
    import cupy

    monkeypatch.syspath_prepend(SCRIPTS)
    import gpu_check
    from numgpt.kernels.gpu.attention import query_blocks

    B, T = gpu_check.PARITY_SHAPE
    config = GPTConfig()
    q = cupy.empty((B, config.n_head, T, 1))
    assert len(list(query_blocks(q, q))) == 2


def test_what_needs_no_peer(script, no_peers, tmp_path, capsys):
    assert script.main() == 0
    result = json.loads((tmp_path / "out.json").read_text())
    rows = {row["what"]: row for row in result["rows"]}
    assert rows["gradients and kernels: linear"]["ok"]
    assert rows["loss against numgpt on the CPU"]["ok"]
    assert rows["loss against the definitions on the GPU"]["ok"]
    assert rows["parity with PyTorch"]["why"] == "torch is not installed"
    assert rows["ten training steps: losses against numgpt on the CPU"]["ok"]
    for precision in "tf32", "bf16":
        assert rows[f"gradient in {precision} against float32"]["ok"]
    assert sum(row["figure"] == "not measured" for row in result["rows"]) == 6
    assert result["machine"]["GPU"] == "a GPU that is played by NumPy"


def test_parity_with_pytorch(script, monkeypatch, tmp_path, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr("benchmarks.gpu_peers.DEVICE", "cpu")
    monkeypatch.setattr(script, "free_memory", lambda: None)
    sys.argv += ["parity"]
    assert script.main() == 0
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert sum("against PyTorch" in row["what"] for row in rows) == 3


def test_a_wrong_kernel_is_found(script, no_peers, monkeypatch, capsys):
    from numgpt.kernels.gpu import gelu

    right = gelu.gelu_backward
    monkeypatch.setattr(gelu, "gelu_backward", lambda dy, x: right(dy, x) * 1.001)
    sys.argv += ["parity"]
    assert script.main() == 1
    assert "WRONG" in capsys.readouterr().out


def test_a_part_that_fails_leaves_the_others_their_figures(script, no_peers, monkeypatch, tmp_path, capsys):
    from numgpt.kernels.gpu import matmul

    def check_gradients(table):
        script.set_precision("bf16", "cuda")
        raise MemoryError("no memory left")

    monkeypatch.setitem(script.PARTS, "gradients", check_gradients)
    sys.argv += ["gradients", "steps"]
    assert script.main() == 1
    failed, steps = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert failed == {
        "what": "gradients",
        "figure": "not measured",
        "why": "MemoryError('no memory left')",
        "error": True,
    }
    assert steps["ok"]
    assert matmul.PRECISION == "float32"
    assert "no memory left" in capsys.readouterr().err
