"""`numgpt download`: fetch a published model."""

DESCRIPTION = """Download a published GPT-2 and print the folder that it is in. The sizes are 124M, 355M, 774M and 1558M
(0.5, 1.4, 3.1 and 6.2 GB); the names gpt2, gpt2-medium, gpt2-large, gpt2-xl, 117M and 345M work too. NAME may also be
the org/name of any Hugging Face repository that holds a GPT-2 in safetensors.

The files go to $NUMGPT_HOME if it is set, else to weights/ in a source checkout, else to the user's cache folder. Each
file is compared with its published size and SHA-256 before it gets its final name. An interrupted download resumes
where it stopped.

For a repository, HF_ENDPOINT names a server other than https://huggingface.co, and HF_TOKEN holds the token that a
private or gated repository needs. The token is sent to that server only."""

EPILOG = """examples:
  numgpt download 124M                    from OpenAI's storage
  numgpt download gpt2-medium --source hf
  numgpt download distilbert/distilgpt2   any Hugging Face repository; --model takes the same name
  numgpt download 124M --mirror https://f001.backblazeb2.com/file/LLMs-from-scratch/gpt2
  numgpt download 124M --source hf --mirror https://hf-mirror.com

A mirror of OpenAI's storage holds URL/124M/hparams.json and so on; a mirror of Hugging Face holds
URL/openai-community/gpt2/resolve/REVISION/config.json and so on. Files from a mirror are verified in the same way."""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "download",
        help="fetch a published model",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("name", metavar="NAME", help="124M, 355M, 774M, 1558M or one of their other names; or org/name")
    parser.add_argument(
        "--source",
        default="openai",
        choices=("openai", "hf"),
        help="download from OpenAI or from the Hugging Face hub (default openai)",
    )
    parser.add_argument("--mirror", metavar="URL", help="download from URL instead of the source's own server")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.checkpoint import hub, repository

    if "/" in args.name:
        print(repository.download(args.name, args.mirror))
    else:
        print(hub.download(args.name, args.source, args.mirror))
    return 0
