"""A model behind a URL."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from embedway.types import Facts, ModelSpec, Output, RemoteKind

REMOTE_DEVICE = "remote:"
"""How the name of a remote model's device begins; each has its own, so that none waits for another."""
MAX_TOKENS = 32_768
"""Of one text; the remote model may read less, and says so itself."""
_OUTPUTS: Mapping[RemoteKind, Output] = {
    "text_embedding": Output.DENSE,
    "image_embedding": Output.DENSE,
    "text_sparse_embedding": Output.SPARSE,
    "image_analyze": Output.CONTENT,
}


def remote_facts(spec: ModelSpec) -> Facts:
    """What a remote model can do, as it was registered; asks nobody."""
    remote = spec.remote
    if remote is None:
        raise ValueError(f"{spec.label} is no remote model")
    pictures = remote.kind.startswith("image")
    return Facts(
        backend="remote",
        dtype="fp32",
        dimensions=remote.dimensions if Output.DENSE in _OUTPUTS[remote.kind] else 0,
        max_tokens=spec.max_tokens or MAX_TOKENS,
        outputs=_OUTPUTS[remote.kind],
        revision=hashlib.sha256(repr(dataclasses.replace(remote, headers={})).encode()).hexdigest()[:16],
        tasks=frozenset({"multimodal"}) if pictures else frozenset({"embedding"}),
        device=REMOTE_DEVICE + spec.label,
        normalized=False,
        sparse_head=remote.kind == "text_sparse_embedding",
        modalities=frozenset({"image", "text"}) if pictures else frozenset({"text"}),
        image_tokens=256 if pictures else 0,
    )
