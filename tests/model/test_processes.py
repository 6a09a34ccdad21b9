"""A model in a child made by fork, from several threads at once, and in a process that was started anew."""

import os
import subprocess
import sys
import textwrap

import pytest

AFTER_A_STEP = """
    import os
    import numpy as np
    from numgpt import GPT, AdamW, GPTConfig

    model = GPT(GPTConfig(n_vocab=9000, n_ctx=128, n_embd=128, n_head=4, n_layer=2), seed=1)
    ids, targets = np.random.default_rng(0).integers(0, 9000, (2, 6, 128))

    def step(model):
        loss = model.loss(ids, targets)
        model.backward()
        AdamW(model).step()
        return loss, float(model.values.sum())

    step(model)  # large enough for threads
    logits = model.forward(ids)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = np.array_equal(model.forward(ids), logits)
        os.write(writer, repr((same, step(model))).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 1000).decode() == repr((True, step(model)))
"""

SAME_IDS = """
    import multiprocessing
    import os
    import sys
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    import numpy as np
    import numgpt

    ROWS = [3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9, 7]
    model = None

    def ids(seed):
        global model
        model = model or numgpt.load(sys.argv[1])[0]
        return numgpt.generate(model, ROWS, 12, seed=seed, top_k=20)

    def in_processes(kind):
        with ProcessPoolExecutor(2, multiprocessing.get_context(kind)) as pool:
            return list(pool.map(ids, range(8)))

    if __name__ == "__main__":
        expected = [ids(seed) for seed in range(8)]
        large = numgpt.GPT(numgpt.GPTConfig(n_vocab=9000, n_ctx=128, n_embd=128, n_head=4, n_layer=2))
        batch = np.random.default_rng(0).integers(0, 9000, (6, 128))
        large.loss(batch, batch)
        large.backward()  # a step that needs threads of its own
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ids, range(8))) == expected
        if hasattr(os, "fork"):
            assert in_processes("fork") == expected
        assert in_processes("spawn") == expected
"""


def run(path, program, *words):
    """Run a program of its own: a child that hangs ends it, and not the tests."""
    path.write_text(textwrap.dedent(program), "utf-8")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", path, *words], timeout=120, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_made_after_a_step_has_threads_of_its_own(tmp_path):
    run(tmp_path / "fork.py", AFTER_A_STEP)


def test_the_same_ids_from_threads_after_fork_and_in_a_new_process(tmp_path, golden):
    run(tmp_path / "ids.py", SAME_IDS, golden / "tiny-gpt2" / "hf")
