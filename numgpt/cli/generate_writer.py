"""A model that continues prompts as the command line asks."""

from dataclasses import replace

from numgpt.cli.arguments import allowed_special, notice, tell_special
from numgpt.cli.generate_options import length_penalty
from numgpt.errors import InputError
from numgpt.generation import beam_search, steps
from numgpt.generation.batch import check_batch, check_rules
from numgpt.generation.beams import RULES
from numgpt.generation.sampling import likeliest
from numgpt.generation.text import Continuation, encode_prompt
from numgpt.loading import load
from numgpt.tokenizer import no_vocabulary


class Writer:
    """The model and the tokenizer that `args` name, with the `rules` and the `stop` strings for continuing a text.

    n_samples: texts per prompt. n_new: tokens generated so far. Raises InputError as `load` does, and for numbers that
    do not fit the model.
    """

    def __init__(self, args, rules, stop):
        self.model, self.tokenizer = load(args.model, args.dtype, args.device, args.offline, args.checkpoint)
        if self.tokenizer is None:
            raise InputError(no_vocabulary(args.model))
        if args.logprobs is not None and args.logprobs > self.model.n_tokens:
            raise InputError(f"--logprobs {args.logprobs} is more than the model's {self.model.n_tokens} tokens")
        self.args, self.stop = args, stop
        self.rules = replace(rules, stop_ids=self.model.end_of_text)
        check_rules(self.model, self.rules)
        self.n_samples = args.num_samples or 1
        at_once = max(args.best_of or 1, args.num_beams or 1, self.n_samples) * (args.batch_size or 1)
        check_batch(self.model.config, at_once)
        self.n_new = 0

    def beginning(self):
        """The ids that a new text starts from: the end of text. Raises InputError if the tokenizer has none."""
        if self.tokenizer.end_of_text is None:
            raise InputError(
                "--unconditional needs a tokenizer with an end-of-text token, which this one lacks: give a PROMPT"
            )
        return [self.tokenizer.end_of_text]

    def prompt_ids(self, prompt):
        """The ids of a prompt, after printing notices about it. Raises InputError for a prompt that cannot be used."""
        tell_special(self.tokenizer, prompt, self.args, "the prompt")
        ids, n_left_out = self.fit(self.encode(prompt))
        if n_left_out:
            notice(f"the prompt exceeds the context of {len(ids)} tokens: its first {n_left_out} tokens are left out")
        return ids

    def encode(self, prompt):
        """The ids of a prompt. Raises InputError when there are none."""
        return encode_prompt(self.tokenizer, prompt, allowed_special=allowed_special(self.args))

    def fit(self, ids):
        """(ids, how many were left out at the beginning): with --keep-end, no more ids than the context holds."""
        n_ctx = self.model.config.n_ctx
        if len(ids) > n_ctx and not self.args.keep_end:
            raise InputError(
                f"{len(ids)} tokens do not fit the context of {n_ctx} (n_ctx): shorten the text, or use its end "
                "with --keep-end"
            )
        return ids[-n_ctx:], max(0, len(ids) - n_ctx)

    def go_on(self, prompts, first=0, show=None):
        """For each of `prompts` (lists of ids), a list of its n_samples texts; if they are compared, best first.

        A text is a dict for JSON with its text, its ids, why it ended and more. first: how many prompts came before
        these, for their seeds. show: called with each piece of the very first text as it is drawn.
        """
        if self.args.num_beams is not None:
            return [[self.from_beam(beam) for beam in beams[: self.n_samples]] for beams in self.search(prompts)]
        n = self.args.best_of or self.n_samples
        samples = [self.continuation() for _ in range(n * len(prompts))]
        self.draw([ids for ids in prompts for _ in range(n)], samples, first * n, show)
        groups = [samples[i : i + n] for i in range(0, len(samples), n)]
        if self.args.best_of is not None:
            groups = [sorted(group, key=lambda sample: -sample.mean_logprob)[: self.n_samples] for group in groups]
        return [[self.from_sample(sample) for sample in group] for group in groups]

    def continuation(self):
        """A text that is yet to be drawn."""
        return Continuation(self.tokenizer, self.stop, self.model.end_of_text)

    def draw(self, rows, samples, first_row, show=None, stopped=lambda: False):
        """Fill `samples` with the continuations of `rows` (ids), until all have ended or `stopped()` is true."""
        tops = [()] * len(rows)

        def watch(logits):
            tops[:] = likeliest(logits, self.args.logprobs)

        watching = watch if self.args.logprobs else None
        for tokens, logprobs in steps(self.model, rows, self.args.max_new_tokens, self.rules, first_row, watching):
            news = zip(samples, tokens.tolist(), logprobs.tolist(), tops, strict=True)
            pieces = [sample.push(token, logprob, top) for sample, token, logprob, top in news]
            if show is not None:
                show(pieces[0])
            if all(sample.stop_reason is not None for sample in samples) or stopped():
                break
        pieces = [sample.finish() for sample in samples]
        if show is not None:
            show(pieces[0])
        self.n_new += sum(len(sample.ids) for sample in samples)

    def search(self, prompts):
        """The Beams of each prompt, the best first."""
        args, rules = self.args, {name: getattr(self.rules, name) for name in RULES}
        return beam_search(
            self.model, prompts, args.num_beams, args.max_new_tokens, length_penalty=length_penalty(args), **rules
        )

    def from_sample(self, sample):
        """A drawn text, for JSON."""
        found = {
            "text": sample.text,
            "ids": sample.ids,
            "logprobs": sample.logprobs,
            "stop_reason": sample.stop_reason,
        }
        if self.args.best_of is not None:
            found["mean_logprob"] = sample.mean_logprob
        if self.args.logprobs:
            found["top_logprobs"] = [
                [{"id": i, "text": self.tokenizer.decode([i]), "logprob": p} for i, p in top]
                for top in sample.likeliest
            ]
        return found

    def from_beam(self, beam):
        """A text that beam search found, for JSON."""
        sample = self.continuation()
        for token in beam.ids:
            sample.push(token, 0.0)
        sample.finish()
        self.n_new += len(beam.ids)
        return {
            "text": sample.text,
            "ids": beam.ids,
            "logprob": beam.logprob,
            "score": beam.score,
            "stop_reason": sample.stop_reason,
        }
