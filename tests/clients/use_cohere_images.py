"""Ask a server what users of `cohere` ask about images: python use_cohere_images.py BASE_URL KEY FOLDER."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import cohere

from report import Report

MODEL = "clip"
TYPES = {"wide.png": "image/png", "tall.jpg": "image/jpeg"}


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of an answer."""
    return {"vectors": answer.embeddings.float_, "images": answer.meta.billed_units.images}


def main() -> None:
    url, key, folder = sys.argv[1:]
    report = Report()
    embed = cohere.ClientV2(key, base_url=url).embed
    packed = {name: base64.b64encode((Path(folder) / name).read_bytes()).decode() for name in TYPES}
    uris = [f"data:{kind};base64,{packed[name]}" for name, kind in TYPES.items()]
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": uri}} for uri in uris]
    inputs = [{"content": [part]} for part in (*parts, {"type": "text", "text": "a red disc"})]
    both = [{"content": [parts[0], {"type": "text", "text": "a red disc"}]}]
    report.ask("images", lambda: facts(embed(model=MODEL, input_type="image", images=uris)))
    report.ask("inputs", lambda: facts(embed(model=MODEL, input_type="search_document", inputs=inputs)))
    report.ask("joined", lambda: facts(embed(model=MODEL, input_type="search_document", inputs=both)))
    report.ask("of_texts", lambda: facts(embed(model="all-MiniLM-L6-v2", input_type="image", images=uris)))
    version_one = cohere.Client(key, base_url=url).embed
    report.ask(
        "v1", lambda: facts(version_one(model=MODEL, input_type="image", images=uris, embedding_types=["float"]))
    )
    report.print()


if __name__ == "__main__":
    main()
