"""A process of numgpt: load a folder, read 32 ids, write N more.   python generate_numgpt.py FOLDER N"""

import json
import sys

from memory import own_peak_mb

import numgpt

model, _ = numgpt.load(sys.argv[1])
ids = numgpt.generate(model, [list(range(32))], max_new_tokens=int(sys.argv[2]), temperature=0)[0]
print(json.dumps({"ids": ids.tolist(), "peak_mb": own_peak_mb()}))
