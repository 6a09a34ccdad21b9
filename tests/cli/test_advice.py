"""What a message tells the user to type does what it says."""

import re
import shlex
import subprocess
import sys

import pytest

import numgpt
from numgpt.cli import main
from numgpt.errors import InputError


def begin(command, tmp_path):
    """Run `command` to its end in a folder whose name a shell would take apart; return the folder."""
    folder = tmp_path / "a run's $folder"
    command[command.index("--out") + 1] = str(folder)
    assert main(command) == 0
    return folder


def advice(text):
    """The words of the last command in a text, as a shell has them, without the first."""
    return shlex.split(re.findall(r"(?<=: numgpt ).*", text)[-1])


def test_of_a_run_that_has_ended(command, tmp_path, capsys):
    run = begin(command, tmp_path)
    said = capsys.readouterr().out
    assert main([*advice(said), "--max-new-tokens", "2"]) == 0
    main(["train", "--resume", str(run)])
    assert main(advice(capsys.readouterr().out)) == 0
    assert "step    20" in capsys.readouterr().out


def test_of_a_folder_that_holds_a_run(command, tmp_path, capsys):
    begin(command, tmp_path)
    assert main(command) == 2
    resume = re.search(r"\((--resume .*)\), or", capsys.readouterr().err)[1]
    assert main(["train", *shlex.split(resume)]) == 0


@pytest.mark.parametrize("name", ["pytorch_model.bin", "ckpt.pt"])
def test_of_weights_that_can_run_code(name, golden, tmp_path):
    """The command that converts them, typed in their folder, gives the same model."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from safetensors.torch import load_file

    weights = load_file(golden / "tiny-gpt2/hf/model.safetensors")
    torch.save(weights if name.endswith(".bin") else {"model": weights}, tmp_path / name)
    (tmp_path / "config.json").write_bytes((golden / "tiny-gpt2/hf/config.json").read_bytes())
    with pytest.raises(InputError, match="in that folder, python -c") as error:
        numgpt.load(tmp_path)
    python, *words = shlex.split(re.search(r"python -c .*", str(error.value))[0])
    assert python == "python"
    subprocess.run([sys.executable, *words], cwd=tmp_path, check=True, capture_output=True)
    converted, expected = (numgpt.load(folder)[0] for folder in (tmp_path, golden / "tiny-gpt2/hf"))
    assert (converted.values == expected.values).all()
