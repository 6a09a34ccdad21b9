"""A process of transformers: load a folder, read 32 ids or a text, write N more tokens.

python generate_transformers.py FOLDER N [TEXT]
"""

import json
import sys

import torch
from memory import own_peak_mb
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, n, *text = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder)
if text:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer(text[0], return_tensors="pt").input_ids
else:
    prompt = torch.arange(32)[None]
ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=int(n), do_sample=False)[0]
if text:
    print(tokenizer.decode(ids))
else:
    print(json.dumps({"ids": ids.tolist(), "peak_mb": own_peak_mb()}))
