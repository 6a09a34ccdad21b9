"""`numgpt download`: fetch a published model."""

DESCRIPTION = """Download a published GPT-2: 124M, 355M, 774M or 1558M (0.5, 1.4, 3.1, 6.2 GB), also by the names gpt2,
gpt2-medium, gpt2-large, gpt2-xl, 117M and 345M; or any repository of Hugging Face's with a GPT-2 in safetensors, by its
name org/name. Prints the folder that it is in.

The files land in $NUMGPT_HOME, else in weights/ of a source checkout, else in the user's cache folder. Each is compared
with its published size and SHA-256 before it gets its name. An interrupted download resumes where it stopped.

For a repository, HF_ENDPOINT names another server than https://huggingface.co, and HF_TOKEN holds a token, for one that
is not open to everyone; it is shown to that server alone."""

EPILOG = """examples:
  numgpt download 124M                    from OpenAI's storage
  numgpt download gpt2-medium --source hf
  numgpt download distilbert/distilgpt2   any repository of Hugging Face's, also as --model
  numgpt download 124M --mirror https://f001.backblazeb2.com/file/LLMs-from-scratch/gpt2
  numgpt download 124M --source hf --mirror https://hf-mirror.com

A mirror holds the files at URL/124M/hparams.json and so on; one of Hugging Face's at
URL/openai-community/gpt2/resolve/REVISION/config.json and so on. What it sends is verified in the same way."""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "download",
        help="fetch a published model",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("name", metavar="NAME", help="124M, 355M, 774M, 1558M or another of their names; or org/name")
    parser.add_argument(
        "--source",
        default="openai",
        choices=("openai", "hf"),
        help="whose files: OpenAI's or the Hugging Face hub's (default openai)",
    )
    parser.add_argument("--mirror", metavar="URL", help="take them from URL instead of the source's own server")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.checkpoint import hub, repository

    if "/" in args.name:
        print(repository.download(args.name, args.mirror))
    else:
        print(hub.download(args.name, args.source, args.mirror))
    return 0
