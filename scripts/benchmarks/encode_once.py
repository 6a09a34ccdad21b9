"""A process that encodes one text and nothing else.   python encode_once.py peer|numgpt VOCABULARY TEXT"""

import hashlib
import json
import sys
import time
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.peers import tiktoken_encoding  # noqa: E402  (after the path is known)
from numgpt.tokenizer import load_tokenizer  # noqa: E402

side, vocabulary, path = sys.argv[1:]
text = Path(path).read_text(encoding="utf-8")
tokenizer = load_tokenizer(vocabulary)
encode = tokenizer.encode if side == "numgpt" else tiktoken_encoding(tokenizer).encode_ordinary
start = time.perf_counter()
ids = encode(text)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "sha256": hashlib.sha256(array("q", ids).tobytes()).hexdigest()}))
