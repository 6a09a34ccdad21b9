"""Have the lm-evaluation-harness evaluate a small model on made-up texts: tests/golden/evaluation.

Usage: python scripts/tools/golden/make_evaluation.py [MODEL DATA]   (with lm_eval and torch; made with lm_eval 0.4.13)

model/                          a random GPT-2, by transformers, whose tokenizer is tests/golden/tokenizer
pages.txt                       pages as in WikiText, with every mark that is detokenised
lambada.jsonl, hellaswag.jsonl  passages, and rows with every kind of brackets
harness.json                    the harness's figures, by its own task code, in float64; and the texts as its own
                                functions prepare them

With a folder of a real MODEL and one of DATA, which has WikiText-2's raw test text and OpenAI's LAMBADA, the harness's
figures for these are written to large.json: the whole WikiText-2 and the first 200 passages.
"""

import json
import sys
import tempfile
from pathlib import Path

import lm_eval
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.hellaswag.utils import preprocess
from lm_eval.tasks.wikitext.preprocess_wikitext import wikitext_detokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
FOLDER = GOLDEN / "evaluation"
TASKS = Path(lm_eval.__file__).parent / "tasks"

PAGES = """ |
 = Alice in the Garden = |
 |
 Alice 's sister said , " It 's a rabbit 's hole ; don 't fall in ! " She fell 1 @,@ 865 m ( " a long way " ) . |
 |
 = = The well @-@ known pool = = |
 |
 The pool was 2 @.@ 5 m deep : was it ? The boys ' boats ' oars were lost , and 5 ° N of it [ see map ] { or not } . |
 |
 = = = Mice = = = |
 |
 ' Mouse ' is a word ; N is a letter . She wrote /' 5/ and / ' 5 / in the book ( p. 7 ) |

 = The Queen = |
 |
 Off with their heads !
 = = = = Tarts = = = = |
 All on a summer day , she made tarts . = not a title
""".replace("|\n", "\n").replace("\n\n", "\n \n")

PASSAGES = [
    "Alice was beginning to get very tired of sitting by her sister, so she looked for her sister",
    "The rabbit took a watch out. It was a big watch",
    'He asked the Mouse.\n\n"Where is the pool," said the Mouse\'s',
    "Oh dear! Oh dear! I shall be too late for the Queen, who waits for me in her garden with the cards and the tarts, "
    "and says to everyone that comes that she likes no rabbit",
    "one two",
    "There was a line\nwith  two spaces  before",
    "ends with a mark .",
]

ROWS = [
    ("Sewing", "A needle is shown.", "she", [" threads it", "eats it.", "sews a pool.", "is late"], 0),
    (
        "How to sew",
        "Thread it. [header] Take a needle [title] Sew.",
        "",
        ["[step] Sew on.", "x [a] y", "[title] z", "no"],
        2,
    ),
    ("[header] Cut", "[title] Begin. [step]", "", ["a  b", "[]", "[substeps] [step]", "an [unclosed ending"], 1),
    ("Tea [x", "He ] pours [nested [tea] out].", "THE HATTER", ["drinks", "sleeps [on\nit]", "sings.", "says: N"], 3),
    ("Long", "It goes on and on, " * 6, "and on", ["and ends", "and does not end", "and so on", "!"], 0),
    ("  Space ", " two  spaces and   three ", "tab\t[title]", [" lead", "trail ", "mid  dle", "\u00e9t\u00e9"], "1"),
    ("Short", "a", "b", ["c", "d", "a b", "b a"], 1),
]


def main():
    if len(sys.argv) > 1:
        folder, data = map(Path, sys.argv[1:])
        lm = harness(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
        text = (data / "wikitext-2-raw.test.txt").read_bytes().decode("utf-8")
        passages = (data / "lambada_test.jsonl").read_text("utf-8").split("\n")[:200]
        found = wikitext(lm, text) | lambada(lm, [json.loads(line)["text"] for line in passages])
        found["lambada"].pop("answers")
        (FOLDER / "large.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        return
    lm = harness(*make_model())
    passages = [*PASSAGES, guessed_passage(lm)]
    hellaswag_rows = [row(n, *fields) for n, fields in enumerate(ROWS)]
    (FOLDER / "pages.txt").write_bytes(PAGES.encode("utf-8"))
    write_lines("lambada.jsonl", [{"text": passage} for passage in passages])
    write_lines("hellaswag.jsonl", hellaswag_rows)
    texts = [
        text for each in hellaswag_rows for text in (each["activity_label"] + ": " + each["ctx"], *each["endings"])
    ]
    found = wikitext(lm, PAGES) | lambada(lm, passages) | hellaswag(lm, hellaswag_rows)
    found |= last_token(lm, passages) | llm_c(lm, hellaswag_rows)
    found["detokenised"] = [wikitext_detokenizer({"page": page}) for page in split_pages(PAGES)]
    found["cleaned"] = [[text, preprocess(text)] for text in texts]
    (FOLDER / "harness.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def make_model():
    """(model, tokenizer), the model written to model/."""
    torch.manual_seed(3)
    config = GPT2Config(vocab_size=384, n_positions=64, n_embd=16, n_head=2, n_layer=2, initializer_range=0.4)
    config.bos_token_id = config.eos_token_id = 0  # <|endoftext|>
    model = GPT2LMHeadModel(config).eval()
    model.save_pretrained(FOLDER / "model")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(GOLDEN / "tokenizer" / "tokenizer.json"),
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        model_max_length=64,
    )
    return model, tokenizer


def harness(model, tokenizer):
    """The harness's view of a model, in float64."""
    return HFLM(pretrained=model.double(), tokenizer=tokenizer, batch_size=4, device="cpu")


def run(lm, config, rows, split):
    """The harness's figures of one of its own tasks, whose rows come from here and not from the network.

    config: the task's file, below the harness's folder of tasks.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, task = Path(folder) / "rows.jsonl", Path(folder) / "local.yaml"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        mine = {"include": str(TASKS / config), "task": "local", "dataset_path": "json", "dataset_name": None}
        mine |= {f"{name}_split": split if name == split else None for name in ("training", "validation", "test")}
        task.write_text(json.dumps(mine | {"dataset_kwargs": {"data_files": {split: str(data)}}}), "utf-8")
        done = simple_evaluate(lm, tasks=[str(task)], bootstrap_iters=0, log_samples=True)
    figures = {name.split(",")[0]: value for name, value in done["results"]["local"].items()}
    samples = sorted(done["samples"]["local"], key=lambda sample: sample["doc_id"])
    return {name: value for name, value in figures.items() if isinstance(value, float)} | {
        "answers": [answers_of(sample) for sample in samples]
    }


def answers_of(sample):
    """The log-probability, or pairs of it and whether all tokens are the likeliest."""
    answers = sample["filtered_resps"]
    return answers if isinstance(answers[0], float) else [list(answer) for answer in answers]


def wikitext(lm, text):
    return {"wikitext": run(lm, "wikitext/wikitext.yaml", [{"page": page} for page in split_pages(text)], "test")}


def lambada(lm, passages):
    return {"lambada": run(lm, "lambada/lambada_openai.yaml", [{"text": passage} for passage in passages], "test")}


def hellaswag(lm, rows):
    rows = [row | {"label": str(row["label"])} for row in rows]
    return {"hellaswag": run(lm, "hellaswag/hellaswag.yaml", rows, "validation")}


def llm_c(lm, rows):
    """The sums and the numbers of tokens that llm.c's protocol compares: context and endings encoded separately."""
    model, encode = lm.model, lm.tokenizer.encode
    found = []
    for each in rows:
        context, endings = encode(each["ctx"]), [encode(" " + ending) for ending in each["endings"]]
        sums = [log_probabilities(model, context, ending).sum().item() for ending in endings]
        found.append({"nats": sums, "tokens": [len(ending) for ending in endings]})
    return {"llm.c": found}


def last_token(lm, passages):
    """The log-probability of each passage's last token."""
    ids = [lm.tokenizer.encode(passage) for passage in passages]
    return {"last_token": [log_probabilities(lm.model, row[:-1], row[-1:]).item() for row in ids]}


def log_probabilities(model, context, ending):
    """Of the ids of an ending, each after all before it; a context that is too long is cut on the left."""
    ids = torch.tensor([(context + ending)[-model.config.n_positions - 1 :]])
    with torch.no_grad():
        found = model(ids[:, :-1]).logits[0].log_softmax(-1)
    return found.gather(1, ids[0, 1:, None])[-len(ending) :, 0]


def guessed_passage(lm):
    """A passage whose last word, one token, is the one that the model finds likeliest."""
    words = " ".join(PASSAGES).split(" ")
    for n in range(2, len(words)):
        context = " ".join(words[max(0, n - 8) : n])
        with torch.no_grad():
            token = lm.model(torch.tensor([lm.tokenizer.encode(context)])).logits[0, -1].argmax().item()
        word = lm.tokenizer.decode([token])
        if word[0] == " " and word[1:].isalpha() and lm.tokenizer.encode(context + word)[-1] == token:
            return context + word
    raise SystemExit("no passage ends as the model predicts: take another seed")


def split_pages(text):
    """The rows of EleutherAI/wikitext_document_level: a page begins with a line " = Title = "."""
    pages = [[]]
    for line in text.split("\n"):
        marks = [word for word in line.split() if word == "="]
        if line.startswith(" = ") and line.endswith(" = ") and len(marks) == 2:
            pages.append([])
        pages[-1].append(line)
    return [page for page in map("\n".join, pages) if page.strip()]


def row(n, activity, a, b, endings, label):
    """A line of HellaSwag's file."""
    return {"ind": n, "activity_label": activity, "ctx_a": a, "ctx_b": b, "ctx": f"{a} {b}".strip()} | {
        "endings": endings,
        "label": label,
    }


def write_lines(name, rows):
    (FOLDER / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
