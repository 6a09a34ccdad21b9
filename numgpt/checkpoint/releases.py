"""The files of the four published GPT-2 models: where they are, their sizes in bytes, their SHA-256.

OpenAI published no checksums. Those below were recorded by people who downloaded the files; the vocabulary's are also
in tiktoken's source, and those of Hugging Face's files are from the repositories at the pinned revisions. If no record
was found, the entry is None, and `hub` checks the contents instead.
"""

from dataclasses import dataclass, replace

ALIASES = {
    "117M": "124M",  # the names of OpenAI's first announcement, which miscounted the parameters
    "345M": "355M",
    "gpt2": "124M",
    "gpt2-medium": "355M",
    "gpt2-large": "774M",
    "gpt2-xl": "1558M",
}


@dataclass(frozen=True)
class File:
    """One file of a release: its size in bytes and its SHA-256 in hexadecimal, None if they are not known."""

    name: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Release:
    """The files of one model from one source.

    folder: the name of the download on disk. The file `name` is at `<base>/<path>/<name>`. gigabytes: the size of all
    files together, in 10^9 bytes.
    """

    folder: str
    base: str
    path: str
    gigabytes: float
    files: tuple[File, ...]

    def vocabulary(self) -> "Release":
        """The same, with only the files of the vocabulary."""
        files = tuple(file for file in self.files if file.name in VOCABULARY_FILES)
        return replace(self, gigabytes=0.0015, files=files)


VOCABULARY_FILES = {"encoder.json", "vocab.bpe", "vocab.json", "merges.txt"}
VOCABULARY = (1042301, "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783")
MERGES = (456318, "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5")


def _openai(size, gigabytes, hparams, index, data):
    return Release(
        folder=size,
        base="https://openaipublic.blob.core.windows.net/gpt-2/models",
        path=size,
        gigabytes=gigabytes,
        files=(
            File("hparams.json", *hparams),
            File("encoder.json", *VOCABULARY),
            File("vocab.bpe", *MERGES),
            File("model.ckpt.index", *index),
            File("model.ckpt.data-00000-of-00001", *data),
        ),
    )


def _hugging_face(size, gigabytes, repository, revision, config, weights):
    return Release(
        folder=f"{size}-hf",
        base="https://huggingface.co",
        path=f"openai-community/{repository}/resolve/{revision}",
        gigabytes=gigabytes,
        files=(
            File("config.json", *config),
            File("vocab.json", *VOCABULARY),
            File("merges.txt", *MERGES),
            File("model.safetensors", *weights),
        ),
    )


RELEASES = {
    "openai": {
        "124M": _openai(
            "124M",
            0.5,
            hparams=(90, "d9d56e4121c427164e0c55c6f03c08e1daf9002b9b672825112d19097b680318"),
            index=(5215, "71916f763f9746f9b2a06b12d91996cf1084ae008d0424543d39391c5f2dc687"),
            data=(497759232, "2060c885360cc0cf41d7a6dbc4d24b5127aae20260c8b5ae521b5a6578407118"),
        ),
        "355M": _openai(
            "355M",
            1.4,
            hparams=(91, "310dfdb1f0c786b79d93459eaa470f3978d873bdc3e1f9fed1cad24d9dd0b1f6"),
            index=(10399, "4490e7b1f5ec0abfc1e111fcd27cdda7cb280c597ba0a885c364134e62ce43aa"),
            data=(1419292672, "22b4212602a087d1cdeec3509648f4d7b1f181eaa33ce0f3c688fbfb732d622f"),
        ),
        "774M": _openai("774M", 3.1, hparams=(), index=(), data=(4 * 774030080,)),
        "1558M": _openai(
            "1558M",
            6.2,
            hparams=(91, "647420ef8cf586f8933899000aa50c1996eaca50e4dc6fbd25bfdc64f4207bbf"),
            index=(20724, "3a968cd212647a6007ddf7d6c9f52c9b158d0e9aabc9206390709c37d4175e5e"),
            data=(4 * 1557611200,),
        ),
    },
    "hf": {
        "124M": _hugging_face(
            "124M",
            0.5,
            repository="gpt2",
            revision="607a30d783dfa663caf39e06633721c8d4cfcd7e",
            config=(665, "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4"),
            weights=(548105171, "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
        ),
        "355M": _hugging_face(
            "355M",
            1.5,
            repository="gpt2-medium",
            revision="6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
            config=(718, "ef1a44d889ad1a0acc7731c78134f1b87d2d222f110e97dd10fd4117331caf22"),
            weights=(1519984962, "fc5a354a19255ad494f3d71549390baca1ccf61d1d822b9408971705c687c9cd"),
        ),
        "774M": _hugging_face(
            "774M",
            3.2,
            repository="gpt2-large",
            revision="32b71b12589c2f8d625668d2335a01cac3249519",
            config=(None, "7fccdcfd6622055342a734c663ee0b61ff4fd697f42467595df0bf4448c8c170"),
            weights=(None, "5f47f3e12f91cd33b662ce7e433b6150ad5512b5884a2cee961b50e9c3bbebce"),
        ),
        "1558M": _hugging_face(
            "1558M",
            6.4,
            repository="gpt2-xl",
            revision="15ea56dee5df4983c59b2538573817e1667135e2",
            config=(None, "be48115d52314bc27327e160bf10197760db02ea689d10adb24db4102edf7a8a"),
            weights=(None, "0f8b28eb05a8075f48b61b6f35332978c74fc7763fa9fb4051a1c30511736a6a"),
        ),
    },
}
