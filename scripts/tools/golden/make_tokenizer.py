"""Have Hugging Face's tokenizers learn a small byte-level BPE, tests/golden/tokenizer, and encode tricky texts with it.

Usage: python scripts/tools/golden/make_tokenizer.py (with tokenizers; made with 0.23)

vocab.json, merges.txt, tokenizer.json      one vocabulary of 384 tokens, in both forms in which such are published
ids.json                                    [{"text": ..., "ids": [...]}, ...]
training.txt                                the text that the merges were learnt from
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = Path(__file__).parents[3] / "tests" / "golden" / "tokenizer"
N_VOCAB = 384
END_OF_TEXT = "<|endoftext|>"

# Lewis Carroll, Alice's Adventures in Wonderland (1865), chapter 1; and lines of code, which repeat whitespace.
TRAINING = """\
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or
twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is
the use of a book," thought Alice "without pictures or conversations?"

So she was considering in her own mind (as well as she could, for the hot day made her feel very sleepy and stupid),
whether the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the daisies, when
suddenly a White Rabbit with pink eyes ran close by her.

There was nothing so very remarkable in that; nor did Alice think it so very much out of the way to hear the Rabbit
say to itself, "Oh dear! Oh dear! I shall be late!" (when she thought it over afterwards, it occurred to her that she
ought to have wondered at this, but at the time it all seemed quite natural); but when the Rabbit actually took a watch
out of its waistcoat-pocket, and looked at it, and then hurried on, Alice started to her feet, for it flashed across her
mind that she had never before seen a rabbit with either a waistcoat-pocket, or a watch to take out of it.

\tdef down(hole):
\t\tfor inch in range(1000, 2000):
\t\t    print("It's falling -- don't look, we'll see; they're mad, I'm sure, you'd say I've ...")
\t\treturn hole   # 1865, 1865, 18.65

Alice était assise à côté de sa sœur; Alice fing an, sich zu langweilen; über dem Flusse saß sie müßig.
"""

TEXTS = [
    "",
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n\n",
    " \n",
    "\n ",
    "\t\t    x",
    "a  b   c    d",
    "Alice\n\nAlice \n \n Alice",
    "trailing   ",
    "\r\n\r\nwindows\r\n",
    "\u00a0no\u00a0\u00a0break \u00a0 \u2003 \u3000wide",
    "\u0085next\u0085 \u2028line \u1680ogham",
    "\u200bzero \u180e width\ufeff",
    "\x1c\x1d separators \x1e\x1f \x00\x7f",
    "Alice was beginning to get very tired",
    'conversations?" thought Alice',
    "don't I'll we've they're he'd I'm it's",
    "DON'T I'LL 'S 's ''s x'llama 're're",
    "don\u2019t \u2018s",
    "1865 18.65 1,000 \u0661\u0662\u0663 \u00bd\u00b2\u2163 \u2460",
    "foo_bar __init__ a+b=c !!! ?! ... --",
    "caf\u00e9 cafe\u0301 stra\u00dfe \u0130stanbul \u01c5",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0 \ud55c\uad6d\uc5b4 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 "
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U00020bb7 \U0010ffff",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "thethethethethethethethethethethethethethethethe",
    "<|endoftext|",
    "\u0120the \u010a \u0100",
]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_VOCAB,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TRAINING], trainer)
    tokenizer.save(str(FOLDER / "tokenizer.json"), pretty=False)
    tokenizer.model.save(str(FOLDER))
    (FOLDER / "training.txt").write_bytes(TRAINING.encode())
    lines = [json.dumps({"text": text, "ids": tokenizer.encode(text).ids}) for text in TEXTS]
    (FOLDER / "ids.json").write_text("[" + ",\n".join(lines) + "]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
