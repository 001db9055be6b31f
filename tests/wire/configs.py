"""Configurations of the servers that the tests share: all of them compute in fp32, so that numbers can be compared."""

from __future__ import annotations

from hashlib import sha256

from .exchange import KEY

MODEL = "all-MiniLM-L6-v2"
TOKEN = "DEPLOY-TOKEN"
DOCUMENT_TOKEN = "Replace with service deployment Token"  # what the document's own examples send

MODELS = f"""
[[model]]
name = "{MODEL}"
source = "{MODEL}"
aliases = ["text-embedding-3-large", "m"]
dtype = "fp32"

[[model]]
name = "acme/minilm"
source = "{MODEL}"
dtype = "fp32"

[[deployment]]
id = "dep-abc123"
model = "{MODEL}"
task = "embedding"
workspace = "default"
token = "{TOKEN}"

[[deployment]]
id = "dep-ranker"
model = "{MODEL}"
task = "rerank"
token = "{TOKEN}"

[[deployment]]
id = "xxxxxx"
model = "acme/minilm"
task = "embedding"
workspace = "default"
token_sha256 = "{sha256(DOCUMENT_TOKEN.encode()).hexdigest()}"
"""

KEYED = f'api_key = "{KEY}"\nno_default_quotas = true\n{MODELS}'
STAND_IN = f"stand_in = true\nno_default_quotas = true\n{MODELS}"
RANKING = f"""
[[model]]
name = "{MODEL}"
source = "{MODEL}"
dtype = "fp32"

[[model]]
name = "scorer"
source = "{{folder}}/scorer-bert"
dtype = "fp32"

[[model]]
name = "moods"
source = "{{folder}}/classifier"
dtype = "fp32"

[[model]]
name = "multi"
source = "{{folder}}/bge-m3"
dtype = "fp32"
"""

PICTURES = """
no_default_quotas = true

[[model]]
name = "clip"
source = "{folder}/clip"
aliases = ["ops-m2-encoder", "ops-mm-reranker-001"]
stand_in = true

[[model]]
name = "all-MiniLM-L6-v2"
source = "all-MiniLM-L6-v2"

[[deployment]]
id = "dep-pictures"
model = "clip"
task = "multimodal"
token = "DEPLOY-TOKEN"
"""

REDUCED = """
[[model]]
name = "small"
source = "fake:16"
reduction = "{folder}/sixteen"

[[model]]
name = "plain"
source = "fake:16"

[[reduction]]
name = "my-model"
path = "{folder}/four"

[[reduction]]
name = "wide"
path = "{folder}/wide"

[[deployment]]
id = "dep-small"
model = "small"
token = "DEPLOY-TOKEN"
"""
