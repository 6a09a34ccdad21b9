"""`numgpt generate --prompts-file`: many prompts, one line of JSON for each, resuming where a run was stopped."""

import json
import os
import sys
from dataclasses import replace

from numgpt.checkpoint.lock import exclusive
from numgpt.cli.arguments import notice, tell_special
from numgpt.cli.dealing import dealing
from numgpt.cli.generate_options import settings
from numgpt.cli.generate_writer import Writer
from numgpt.cli.progress import prompts_bar
from numgpt.errors import InputError
from numgpt.files import decode_utf8, naming, parse_json, quoted, read_bytes
from numgpt.numbers import LARGEST_SEED

BATCH_SIZE = 8


def continue_file(args, rules, stop):
    """Continue every prompt of a file."""
    with dealing(args.processes, args.device) as deal:
        return continue_prompts(args, rules, stop, deal)


def continue_prompts(args, rules, stop, deal):
    """Continue the prompts and write the lines where they go; `deal` is like the built-in map."""
    prompts = read_prompts(args.prompts_file)
    if args.out is None:
        writer = Writer(args, rules, stop)
        with naming("standard output"):
            for line in lines(writer, prompts, 0, deal):
                sys.stdout.write(line)
                sys.stdout.flush()
        return 0
    with exclusive(f"{args.out}.lock", f"{args.out} is being written by another process", wait=False):
        done, rules = take_up(args, rules, prompts)
        if done < len(prompts):
            with naming(args.out), open(args.out, "ab", buffering=0) as file:
                for line in lines(Writer(args, rules, stop), prompts, done, deal):
                    file.write(line.encode("utf-8"))
                os.fsync(file.fileno())
    print(f"{args.out}: {len(prompts)} prompts, {len(prompts) - done} of them new")
    return 0


def read_prompts(path):
    """The prompts in a file. Raises InputError, with the line's number, for a line without a prompt."""
    where = "standard input" if path == "-" else path
    text = decode_utf8(read_bytes(path), where)
    if not text.strip():
        raise InputError(f"{where} is empty: it must contain prompts, one per line")
    rows = text.removesuffix("\n").split("\n")
    read = from_json if path.endswith(".jsonl") else from_line
    return [read(row.removesuffix("\r"), f"{where}, line {n}") for n, row in enumerate(rows, 1)]


def from_line(row, where):
    """A line as a prompt."""
    if not row:
        raise InputError(f"{where} is empty: every line is a prompt")
    return row


def from_json(row, where):
    """The prompt in a line of JSON."""
    prompt = parse_row(row, where).get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise InputError(f'{where}: no prompt: every line must be an object with a text in "prompt"')
    return prompt


def parse_row(row, where):
    """The JSON object in a line, as a dict."""
    try:
        return parse_json(row.encode("utf-8"), where)
    except InputError as error:
        raise InputError(str(error).replace(f"{where}, line 1, column", f"{where}, column")) from None


def lines(writer, prompts, done, deal):
    """The lines of JSON for prompts[done:], each with its line break.

    Batches begin at the same prompts however many are done: in another batch, a text may differ by rounding.
    """
    args = writer.args
    size = args.batch_size or BATCH_SIZE
    rows = all_ids(writer, prompts)
    firsts = range(done // size * size, len(prompts), size)
    batches = [rows[first : first + size] for first in firsts]
    with prompts_bar(len(prompts), done) as progress:
        for first, groups in zip(firsts, deal(writer.go_on, batches, firsts), strict=True):
            for n, samples in enumerate(groups, first):
                if n >= done:
                    yield as_line(n, prompts[n], args, writer.rules, samples, rows[n])
                    progress()


def all_ids(writer, prompts):
    """The ids of every prompt. Raises InputError, with the line's number, for a prompt that cannot be used."""
    tell_special(writer.tokenizer, "\n".join(prompts), writer.args, writer.args.prompts_file)
    rows, cut = [], 0
    for n, prompt in enumerate(prompts, 1):
        try:
            ids, n_left_out = writer.fit(writer.encode(prompt))
        except InputError as error:
            raise InputError(f"{writer.args.prompts_file}, line {n}: {error}") from None
        rows.append(ids)
        cut += n_left_out > 0
    if cut:
        n_ctx = writer.model.config.n_ctx
        notice(f"prompts longer than the context of {n_ctx} tokens: {cut}; only the end of each is used")
    return rows


def as_line(n, prompt, args, rules, samples, ids):
    """The line of JSON for prompt n, counted from 0."""
    for sample in samples:
        if not args.logprobs:
            sample.pop("logprobs", None)  # the last digits depend on the batch
    found = {**head(n, prompt, args, rules), "prompt_ids": ids, "samples": samples}
    return json.dumps(found) + "\n"


def head(n, prompt, args, rules):
    """The part of a line that is known before anything is generated."""
    asked = settings(args, rules) | {"num_samples": args.num_samples or 1, "logprobs": args.logprobs}
    return {"line": n + 1, "prompt": prompt, "model": args.model, "dtype": args.dtype, "settings": asked}


def take_up(args, rules, prompts):
    """(how many lines --out already has, the rules with the seed that they were made with).

    An incomplete line at the end is removed. Raises InputError for a line that this command would not have written.
    """
    try:
        data = read_bytes(args.out)
    except FileNotFoundError:
        return 0, rules
    whole = data[: data.rfind(b"\n") + 1]
    rows = decode_utf8(whole, args.out).split("\n")[:-1]
    if len(rows) > len(prompts):
        raise InputError(f"{args.out} has {len(rows)} lines, but there are {len(prompts)} prompts: give another file")
    for n, row in enumerate(rows):
        found = parse_row(row, f"{args.out}, line {n + 1}")
        if n == 0 and args.seed is None and args.num_beams is None:
            rules = replace(rules, seed=seed_of(found, args.out))
        expected = json.loads(json.dumps(head(n, prompts[n], args, rules)))
        for name, value in expected.items():
            if found.get(name) != value:
                different(f"{args.out}, line {n + 1}", name, found.get(name), value)
    half = data[len(whole) :]
    if half:
        ours = b'{"line": %d, ' % (len(rows) + 1)
        if half[: len(ours)] != ours[: len(half)]:
            raise InputError(f"{args.out}, line {len(rows) + 1}: this command did not write it: give another file")
        os.truncate(args.out, len(whole))
    return len(rows), rules


def seed_of(found, path):
    """The seed in a line of --out."""
    asked = found.get("settings")
    seed = asked.get("seed") if isinstance(asked, dict) else None
    if type(seed) is not int or not 0 <= seed < LARGEST_SEED:
        raise InputError(f"{path}, line 1: no seed: this command did not write the file: give another one")
    return seed


def different(where, name, found, expected):
    """Raise InputError for a value in a line that is not the expected one."""
    if isinstance(found, dict) and isinstance(expected, dict):
        name = next(
            key for key in [*expected, *found] if (key in found, found.get(key)) != (key in expected, expected.get(key))
        )
        found, expected = found.get(name), expected.get(name)
    raise InputError(
        f"{where} was made with another {name}, {quoted(found)} and not {quoted(expected)}: "
        "use the same, or give another file"
    )
