"""Write the pages of docs/reference/ from the code: `python scripts/reference_docs.py`; `--check` only compares.

Names, types, defaults and codes come from the code; the sentences that the code does not hold stand here. A key, field,
label or error without its sentence is a `KeyError`, so that nothing new stays undescribed. `tests/test_docs.py`
compares the pages with what this script would write.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import click
import msgspec
from prometheus_client.metrics import MetricWrapperBase
from starlette.requests import Request
from starlette.routing import Mount, Route

from embedway import configuration, errors
from embedway.cli.main import SETUP_FAILED, cli
from embedway.cli.serve import HUNG
from embedway.configuration import FILE_ONLY, NO_FLAGS
from embedway.errors import (
    EmbedwayError,
    InvalidInput,
    MethodNotAllowed,
    ModelNotFound,
    Overloaded,
    SetupError,
    SignatureRefused,
)
from embedway.http.access import Access
from embedway.http.dialects import (
    analyze,
    cohere,
    deployments,
    embed,
    embeddings,
    infinity,
    instances,
    jina,
    multimodal,
    openai,
    opensearch,
    platform,
    ranking,
    services,
    tei,
    tei_embed,
    tei_tokens,
    tuning,
    vllm,
    vllm_tokens,
)
from embedway.http.exchange import Exchange
from embedway.http.operation import Operation
from embedway.http.operations.parts import COHERE, INSTANCES, OPENAI, OPENSEARCH, TEI_INPUTS, make_parts
from embedway.http.ops import Ops
from embedway.http.protocol import HEAD_TIMEOUT_S, MAX_HEAD_BYTES
from embedway.http.routes import operations
from embedway.observe import Metrics
from embedway.settings import Deployment, Quota, Settings
from embedway.types import ModelSpec

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
GENERATED = "<!-- Written by scripts/reference_docs.py from the code; change that, not this. -->\n"

# Sentences that the code does not hold -----------------------------------------------------------------------------

MODEL_KEYS = {
    "name": "What clients call it. Every name and alias must be unique.",
    "source": "Where its files are: a folder, a bundled name or a hub id.",
    "aliases": "Further names under which it answers.",
    "revision": "Commit, branch or tag of a hub id. A folder has none. Default: the pinned commit for the bundled "
    "model, else `main`.",
    "dtype": "Precision: `auto`, `fp32` or `bf16`. `auto` takes the server's `dtype`.",
    "backend": "What computes: `openvino`, `torch` or `sentence`. `auto` takes the server's `backend`.",
    "device": "Where torch computes: `cpu`, `cuda` or `cuda:1`. `auto` takes the server's `device`.",
    "max_tokens": "Longest text in tokens, prompt and special tokens included. Default: what the model's files say.",
    "truncation": "`cut` or `error`, for a text that is longer. Default: the server's `truncation`.",
    "query_prompt": "Put before texts that are queries, where it is not empty. Default: what the model's files say, or "
    "its card.",
    "document_prompt": "Put before all other texts. Default: what the model's files say, or its card.",
    "task": "`embedding` or `rerank`, for a language model whose files do not tell, a plain `…ForCausalLM` folder. "
    "`auto` takes it for a reranker if its source is called so.",
    "matryoshka": "Lengths that the model was trained to be cut to. Any length from the smallest of them to the native "
    "one is then allowed in `dimensions`. Default: what the model's files say.",
    "stand_in": "Allow it under a service id whose dimensions or limit differ; every answer then carries "
    "`x-embedway-stand-in`.",
    "keep_alive_s": "Seconds unused after which it is unloaded; the next call loads it again and waits. 0: at once. "
    "Default: the server's `keep_alive_s`.",
    "reduction": "Folder of a [trained reduction](../guides/reduction.md), through which its vectors go. `dimensions` "
    "may then be anything from 1 to the base's.",
    "required": "Whether `/ready` waits for it, and whether the server ends when it cannot be served.",
}

QUOTA_KEYS = {
    "key": "Whose requests: at least 8 hex digits of an API key's SHA-256, an access key's id, `anonymous`; `*`: each "
    "key by itself. Default: all together.",
    "workspace": "Those of one workspace or instance; `*`: each by itself. Default: all together.",
    "service": "Those for a service id, model, alias or deployment; `*`: each model by itself. Default: all together.",
    "requests_per_s": "Requests in any second.",
    "tokens_per_minute": "Tokens in any minute.",
    "concurrent": "Requests at the same time, in each server.",
}

DEPLOYMENT_KEYS = {
    "id": "The last part of its path. Letters, digits and `.` `_` `-`.",
    "model": "Name or alias of a configured model.",
    "task": "`embedding`; this version serves nothing else.",
    "workspace": "The workspace it belongs to. It has no effect in this version.",
    "token": "The secret that callers send in the header `Token`; kept as its SHA-256 only.",
    "token_sha256": "The SHA-256 of the token, in hex, instead of the token. Without either, no token is asked for.",
}

RERANKER = "A model's name or alias. Default: the server's only reranker, else its only model."
CLASSIFIER = "A model's name or alias. Default: the server's only classifier, else its only model."
EMBEDDER = "A model's name or alias. Default: the server's only model that embeds texts, else its only model."
SERVED_AS_DOCUMENTS = "served as documents, and `x-embedway-ignored` says so."
ROLES_OF_COHERE = (
    "`search_query` or `search_document`, the default: it chooses the model's own prompt, if it has one. `image`: with "
    f"images. `classification`, `clustering`: {SERVED_AS_DOCUMENTS}"
)
TRUNCATE = "`END` or `START`: where a text too long is cut. `NONE`: it is refused. Default: the server's `truncation`."
QUERY = "The question. It may not be empty."
TOP_N = "How many are given back. Default, and 0: all."
INSTRUCTION = "An extension: what the documents are searched for. For cross-encoders that have a place for it."
LOGITS = "Logits in place of scores in [0, 1]."
NO_EFFECT = "It has no effect, and `x-embedway-ignored` says so."
CUT = "`false`: a text that is longer than the model reads is refused. Default: it is cut."
RIGHT = "`right`, in any case; nothing else is possible."

IMAGE = (
    "An image is base64, a data URI, or a URL where `--image-url-host` allows its host: PNG, JPEG, WebP, GIF or BMP."
)

PROMPT_NAME = "The name of one of the model's own prompts, put before the texts."
ONE_MODEL = "An extension: which model, where several could be meant."

FIELDS: Mapping[tuple[type[msgspec.Struct], str], str] = {
    (jina.RerankBody, "query"): QUERY,
    (jina.RerankBody, "documents"): "Texts, or objects with a `text`.",
    (jina.RerankBody, "model"): RERANKER,
    (jina.RerankBody, "top_n"): TOP_N,
    (jina.RerankBody, "return_documents"): "`false`: the documents are left out of the reply. Default: they are in it.",
    (jina.RerankBody, "instruction"): INSTRUCTION,
    (jina.RerankBody, "rank_fields"): "`text`; other fields are refused.",
    (jina.RerankBody, "max_tokens_per_doc"): NO_EFFECT,
    (jina.RerankBody, "max_chunks_per_doc"): NO_EFFECT,
    (cohere.RerankBody, "query"): QUERY,
    (cohere.RerankBody, "documents"): "Texts, or objects with a `text`.",
    (cohere.RerankBody, "model"): RERANKER,
    (cohere.RerankBody, "top_n"): TOP_N,
    (cohere.RerankBody, "max_tokens_per_doc"): NO_EFFECT,
    (cohere.RerankBody, "priority"): "0, the default, is the highest; above it, others go first.",
    (cohere.RerankBody, "return_documents"): "An extension: `true` puts the documents into the reply.",
    (cohere.RerankBody, "instruction"): INSTRUCTION,
    (infinity.RerankBody, "query"): QUERY,
    (infinity.RerankBody, "documents"): "Texts.",
    (infinity.RerankBody, "model"): RERANKER,
    (infinity.RerankBody, "top_n"): TOP_N,
    (infinity.RerankBody, "return_documents"): "`true` puts the documents into the reply.",
    (infinity.RerankBody, "raw_scores"): "A body is Infinity's when it has this. `true`: " + LOGITS.lower(),
    (infinity.ClassifyBody, "input"): "One text or a list of texts, none of them empty.",
    (infinity.ClassifyBody, "model"): CLASSIFIER,
    (infinity.ClassifyBody, "raw_scores"): "Logits in place of the model's own activation.",
    (tei.RerankBody, "query"): QUERY,
    (tei.RerankBody, "texts"): "The documents. A body is text-embeddings-inference's when it has them.",
    (tei.RerankBody, "raw_scores"): LOGITS,
    (tei.RerankBody, "return_text"): "`true` puts the texts into the reply.",
    (tei.RerankBody, "truncate"): CUT,
    (tei.RerankBody, "truncation_direction"): RIGHT,
    (tei.RerankBody, "top_n"): "An extension. " + TOP_N,
    (tei.RerankBody, "model"): "An extension. " + RERANKER,
    (tei.PredictBody, "inputs"): "A text, a pair `[first, second]`, or a list of `[text]` and `[first, second]`.",
    (tei.PredictBody, "raw_scores"): "Logits in place of the model's own activation.",
    (tei.PredictBody, "truncate"): CUT,
    (tei.PredictBody, "truncation_direction"): RIGHT,
    (tei.PredictBody, "model"): "An extension. " + CLASSIFIER,
    (vllm.ScoreBody, "text_1"): "One text, or as many as `text_2` has.",
    (vllm.ScoreBody, "text_2"): "The texts to compare with it.",
    (vllm.ScoreBody, "queries"): "Another name of `text_1`.",
    (vllm.ScoreBody, "documents"): "Another name of `text_2`.",
    (vllm.ScoreBody, "model"): RERANKER,
    (vllm.ScoreBody, "use_activation"): "`false`: " + LOGITS.lower(),
    (vllm.ScoreBody, "instruction"): INSTRUCTION,
    (embeddings.EmbeddingsBody, "input"): "One input or a list of them, none empty: a text, or Jina's object with "
    f"a `text` or an `image`. {IMAGE} Token ids are refused.",
    (embeddings.EmbeddingsBody, "model"): "A model's name or alias. May be left out where the server has one model "
    "that embeds texts; the compatible-mode routes require it.",
    (embeddings.EmbeddingsBody, "encoding_format"): '`"base64"`: the bytes of little-endian float32. Default: numbers.',
    (embeddings.EmbeddingsBody, "dimensions"): "Shorter vectors, for models trained for it. 0 means native.",
    (embeddings.EmbeddingsBody, "input_type"): "An extension: " + ", ".join(f"`{role}`" for role in openai.ROLES) + ". "
    "It chooses the model's own prompt, if it has one. Default: `document`.",
    (
        embeddings.EmbeddingsBody,
        "modality",
    ): "Infinity's: `image` for images as data URIs, base64 or URLs; else `text`.",
    (embeddings.EmbeddingsBody, "user"): "Accepted, and not used.",
    (embeddings.EmbeddingsBody, "task"): "Jina's. What ends in `.query` or `.passage` is a role, as `input_type` is. "
    + ", ".join(f"`{task}`" for task in embeddings.SYMMETRIC)
    + f": {SERVED_AS_DOCUMENTS}",
    (embeddings.EmbeddingsBody, "embedding_type"): "Jina's: `embedding` in these numbers; of a list of types an object "
    "with a key for each. With `encoding_format` `base64` their bytes. See [outputs](../guides/outputs.md).",
    (embeddings.EmbeddingsBody, "normalized"): "Jina's. `true`: vectors of length 1. `false`: " + NO_EFFECT.lower(),
    (embeddings.EmbeddingsBody, "late_chunking"): "Jina's. `true` is refused.",
    (embeddings.EmbeddingsBody, "truncate"): "Jina's. " + CUT,
    (embeddings.EmbeddingsBody, "truncation_direction"): "`right` or `left`: the side that is cut. Default: `right`.",
    (embeddings.EmbeddingsBody, "prompt_name"): PROMPT_NAME,
    (embeddings.EmbeddingsBody, "truncate_prompt_tokens"): "vLLM's. " + NO_EFFECT,
    (embeddings.EmbeddingsBody, "add_special_tokens"): "vLLM's. " + NO_EFFECT,
    (embeddings.EmbeddingsBody, "priority"): "vLLM's. " + NO_EFFECT,
    (
        embeddings.EmbeddingsBody,
        "instruction",
    ): "What an instructed model, such as Qwen3-Embedding, is told to do; other models refuse it.",
    (embeddings.EmbeddingsBody, "outputs"): "An extension: what each row holds, all of it from one pass of the model. "
    "Default: `dense`. See [outputs](../guides/outputs.md).",
    (embed.EmbedBody, "texts"): "Texts, none of them empty.",
    (embed.EmbedBody, "images"): IMAGE,
    (embed.EmbedBody, "inputs"): "Each with a `content` of one part: a text, or the URL of an image, as in `images`.",
    (embed.EmbedBody, "model"): EMBEDDER,
    (embed.EmbedBody, "input_type"): ROLES_OF_COHERE,
    (embed.EmbedBody, "embedding_types"): "Default: `float`. See [outputs](../guides/outputs.md).",
    (embed.EmbedBody, "output_dimension"): "Shorter vectors, for models trained for it.",
    (embed.EmbedBody, "max_tokens"): NO_EFFECT,
    (embed.EmbedBody, "truncate"): TRUNCATE,
    (embed.EmbedBody, "priority"): "0, the default, is the highest; above it, others go first.",
    (embed.EmbedBodyV1, "texts"): "Texts, none of them empty.",
    (embed.EmbedBodyV1, "images"): IMAGE,
    (embed.EmbedBodyV1, "model"): EMBEDDER,
    (embed.EmbedBodyV1, "input_type"): ROLES_OF_COHERE,
    (embed.EmbedBodyV1, "embedding_types"): "Without them `embeddings` is a list of vectors.",
    (embed.EmbedBodyV1, "truncate"): TRUNCATE,
    **{
        (body, name): words
        for body in (tei_embed.InputsBody, tei_embed.EmbedBody)
        for name, words in {
            "inputs": "A text or a list of texts.",
            "truncate": "`false`: a text too long is refused; `true`: it is cut. Default: the server's `truncation`.",
            "truncation_direction": "`Right` or `Left`: the side that is cut. Default: `Right`.",
            "prompt_name": PROMPT_NAME,
            "model": ONE_MODEL,
        }.items()
    },
    (tei_embed.EmbedBody, "normalize"): "`false` for vectors as the model leaves them, if it leaves them so.",
    (tei_embed.EmbedBody, "dimensions"): "Shorter vectors, where the model was trained for it.",
    (tei_embed.SimilarityBody, "inputs"): "`source_sentence`, a text, and `sentences`, a list of texts.",
    (tei_embed.SimilarityBody, "parameters"): "`truncate`, `truncation_direction` and `prompt_name`, as of `/embed`.",
    (tei_embed.SimilarityBody, "model"): ONE_MODEL,
    (tei_tokens.TokenizeBody, "inputs"): "A text or a list of texts, together at most a million characters.",
    (tei_tokens.TokenizeBody, "add_special_tokens"): "`false` leaves out those around a text.",
    (tei_tokens.TokenizeBody, "prompt_name"): PROMPT_NAME,
    (tei_tokens.TokenizeBody, "model"): ONE_MODEL,
    (tei_tokens.DecodeBody, "ids"): "Tokens, or a list of such lists.",
    (tei_tokens.DecodeBody, "skip_special_tokens"): "`false` spells them too.",
    (tei_tokens.DecodeBody, "model"): ONE_MODEL,
    (vllm_tokens.TokenizeBody, "prompt"): "A text of at most a million characters.",
    (vllm_tokens.TokenizeBody, "model"): ONE_MODEL,
    (vllm_tokens.TokenizeBody, "add_special_tokens"): "`false` leaves out those around a text.",
    (vllm_tokens.TokenizeBody, "return_token_strs"): "`true`: each token as text too.",
    (vllm_tokens.DetokenizeBody, "tokens"): "Tokens.",
    (vllm_tokens.DetokenizeBody, "model"): ONE_MODEL,
    (opensearch.TextEmbeddingBody, "input"): "One text or a list of texts, none of them empty.",
    (opensearch.TextEmbeddingBody, "input_type"): "`query` or `document`. Default: `document`.",
    (deployments.PredictBody, "query"): 'For `task = "rerank"`: ' + QUERY + " A text or a list of one.",
    (deployments.PredictBody, "docs"): 'For `task = "rerank"`: the documents; the scores keep their order.',
    (deployments.PredictBody, "type"): 'For `task = "multimodal"`: `text` or `image`, what all of `data` is.',
    (deployments.PredictBody, "data"): 'For `task = "multimodal"`: texts or images. ' + IMAGE,
    (services.SparseBody, "input"): "One text or a list of texts, none of them empty.",
    (services.SparseBody, "input_type"): "`query` or `document`. Default: `document`.",
    (services.SparseBody, "return_token"): "`true`: each term's `token` as text beside its id.",
    (services.RankerBody, "query"): QUERY,
    (services.RankerBody, "docs"): "Texts, none of them empty.",
    (services.RankerBody, "options"): 'An extension: `{"raw_scores": true}` for logits in place of scores.',
    (tuning.TuningBody, "input"): "Vectors, each of as many numbers as the reduction was trained on.",
    (tuning.TuningBody, "parameters"): "`model_name` and `output_dimension`.",
    (multimodal.MultimodalBody, "input"): "Objects with a `text` or an `image`. " + IMAGE,
    (multimodal.MultimodalBody, "options"): NO_EFFECT,
    (multimodal.MultimodalRankerBody, "query"): "An object with a `text` or an `image`. " + IMAGE,
    (multimodal.MultimodalRankerBody, "docs"): "Up to 100 such objects.",
    (multimodal.MultimodalRankerBody, "options"): NO_EFFECT,
    (deployments.PredictBody, "input"): "One text or a list of texts, none of them empty.",
    (deployments.PredictBody, "input_type"): "`query` or `document`. Default: `document`.",
    (
        analyze.AnalyzeBody,
        "document",
    ): "`url`, or `content` in base64, of one image: PNG, JPEG, WebP, GIF or BMP. A URL "
    "is fetched where `--image-url-host` allows its host. `file_name` and `file_type` have no effect: what a file is, "
    "is seen from its bytes.",
    (instances.CreateModelBody, "name"): "What clients call it: up to 128 characters, `/` among them. No name or alias "
    "of the configuration.",
    (instances.CreateModelBody, "content"): "The definition: see [the registry](../guides/registry.md).",
    (instances.ModifyModelBody, "content"): "Keys of the definition that replace the stored ones. Masked secrets mean "
    "the stored ones while scheme, host and port of the URL stay.",
    (
        instances.ModifyModelBody,
        "status",
    ): "`forbidden`: nobody is answered. `ok`: what was forbidden is allowed again.",
    (instances.DebugModelBody, "input"): "What the variable `input` of the template becomes.",
    (platform.CreateWorkspaceBody, "name"): "A-Z a-z 0-9 . _ -, at most 64 of them.",
    **{
        (platform.CreateWorkspaceBody, name): "Kept and shown; it means nothing here."
        for name in ("type", "charge_type", "engine_type", "quota")
    },
    (platform.UpdateWorkspaceBody, "description"): "What it is for.",
    (platform.UpdateWorkspaceBody, "resource_group_id"): "It means nothing here.",
    (platform.CreateCredentialsBody, "type"): "`api-token`.",
    (platform.UpdateCredentialsBody, "enabled"): "`false` refuses the key until it is `true` again.",
    (
        platform.CreateFunctionBody,
        "instance_name",
    ): "The deployment's name and id, once on a server: A-Z a-z 0-9 . _ -, at most 64 of them.",
    (platform.CreateFunctionBody, "model_type"): "`native`.",
    (platform.CreateFunctionBody, "function_type"): "`PAAS`; it means nothing here.",
    (platform.CreateFunctionBody, "description"): "What it is for.",
    (platform.CreateFunctionBody, "create_parameters"): "`model`, needed; `modelCategory`: `text-embedding` (the "
    "default), `text-reranker` or `multimodal`; `token`: one of your own, else one is made.",
    (platform.UpdateFunctionBody, "description"): "What it is for.",
    (platform.UpdateFunctionBody, "create_parameters"): "What shall be another, as above.",
    (deployments.PredictBody, "dimension"): "Shorter vectors, for models trained for it. Other models ignore a valid "
    "one and say so in `x-embedway-ignored`. Above the native length it is refused.",
}

MAX_INPUTS = {
    **dict.fromkeys(("rerank", "rerankV2", "rerankInfinity", "rerankTexts", "predict", "score"), ranking.MAX_DOCUMENTS),
    "classify": openai.MAX_INPUTS,
    **dict.fromkeys(("createEmbedding", "embedV1", "embedV2"), openai.MAX_INPUTS),
    "GetTextEmbedding": opensearch.MAX_INPUTS,
    "createCompatibleEmbedding": opensearch.MAX_INPUTS,
    "tokenizePrompt": 1,
    "detokenize": 1,
    **dict.fromkeys(("embed", "embedAll", "embedSparse", "similarity", "tokenize", "decode"), ranking.MAX_DOCUMENTS),
    "GetPrediction": deployments.MAX_INPUTS,
    "GetTextSparseEmbedding": opensearch.MAX_INPUTS,
    "GetDocumentRank": ranking.MAX_DOCUMENTS,
    "GetMultiModalEmbedding": opensearch.MAX_INPUTS,
    "GetMultiModalReranker": multimodal.MAX_RANKED,
}

NOTES = {
    "CreateModel": "The model is probed; a probe that fails is its status, not an error. See "
    "[the registry](../guides/registry.md).",
    "ListModels": "The oldest first. Times are UTC.",
    "DebugModel": "In whatever status the model is. Texts are cut at 64 KiB, secrets masked.",
    "GetUsage": "The sums of what [usage](../guides/usage.md) counts. Needs an admin key, or the action "
    "`searchplat:GetUsage`.",
    "GetModel": "`/` in a model's name is sent as `%2F`. Times are UTC. `dimension` is beside `content`, where it is "
    "written, and `statusReason` says why the status is `error`.",
    "ModifyModel": "The model is probed again.",
    "DeleteModel": "What it has accepted is answered.",
    "CreateWorkspace": "A workspace is a namespace, like an instance: names mean global models, then those registered "
    "in the instance of the same name.",
    "GetWorkspace": "`default` is always there.",
    "UpdateWorkspace": "",
    "ListCredentials": "Keys for this workspace alone; revoked ones and admin keys are left out.",
    "UpdateCredentials": "",
    "ListFunctionInstances": "`output=simple` leaves out parameters.",
    "UpdateFunctionInstance": "",
    "DeleteFunctionInstance": "This one reply is in Pascal case.",
    "CreateFunctionTask": "",
    "ResumeFunctionInstance": "",
    "ListWorkspaces": "Of all workspaces, so a permission or key for one of them does not do.",
    "DeleteWorkspace": "Refused while it has keys, deployments or models, and for `default`.",
    "ListServices": "`meta.available` says whether this server answers it just now.",
    "CreateCredentials": "The one reply that has the whole key. See [keys](../guides/keys.md).",
    "GetCredentials": "`{token}` is the key, its `id`, or its masked form where that is one key's only. It is in no "
    "log.",
    "DeleteCredentials": "The key is refused for ever, on every server within a second.",
    "CreateFunctionInstance": "`{function}` is `deployment`; the platform's others are refused.",
    "GetFunctionInstance": "A token that the server made is shown by the first call with `output=detail`, and never "
    "again.",
    "CeaseFunctionInstance": "Calls of it are refused like those of an unknown service, on every server within a "
    "second.",
    "createEmbedding": "`model` in the reply is the name that was asked for. `sparse_embedding` and `token_embeddings` "
    "are there where `outputs` names them.",
    "embedV2": "One of `texts`, `images` and `inputs` is needed. `meta.billed_units` are the tokens that were read; "
    "nothing is billed.",
    "embedV1": "The same without `inputs`. `embeddings` is a list of vectors where no types are asked for.",
    "listModels": "One row for each name and each alias; `root` is the model behind it.",
    "retrieveModel": "`/` in a model's name may be sent as it is or as `%2F`.",
    "rerank": "`x-embedway-ranker` says how the documents were ordered: see [ranking](../guides/ranking.md). A score "
    "lies in [0, 1]. `meta.billed_units` counts as Cohere would; nothing is billed.",
    "rerankV2": "Scores as above.",
    "score": "Scores as above, in the order of the texts.",
    "rerankInfinity": "Where a body has `documents` and `raw_scores`.",
    "classify": "Every label with its score, the likeliest first.",
    "rerankTexts": "Where a body has `texts`.",
    "predict": "Every label with its score, the likeliest first. For one input a list of them, for a list of inputs a "
    "list of lists. A cross-encoder takes pairs, and its one score is called `LABEL_0`.",
    "GetTextEmbedding": "`{service_id}` is the name or alias of a configured model. `{workspace}` may be any that the "
    "key reaches.",
    "createCompatibleEmbedding": "The second path is the one of the vendor's own curl sample.",
    "embed": "A bare list of vectors.",
    "embedAll": "As the network leaves them. Models with a head for token vectors of its own give none.",
    "embedSparse": "By ascending `index`, the term's id. `x-embedway-sparse` says where BM25 weighed them.",
    "similarity": "Cosines, in the order of the sentences.",
    "tokenize": "`start` and `stop` count bytes of the text in UTF-8.",
    "tokenizePrompt": "Where a body has `prompt`. The model's own prompts are left out.",
    "detokenize": "Special tokens are spelled too.",
    "decode": "A list, also for one list of tokens.",
    "info": "`?model=` names a model, where several could be meant.",
    "GetTextSparseEmbedding": "Terms in the order in which they first stand in the text. A model without a head for "
    "terms weighs them by BM25 over its own tokenizer's pieces: see [models](../guides/models.md).",
    "GetDocumentRank": "Best first. Scores as of `/rerank`.",
    "GetMultiModalEmbedding": "An element is a text or an image, not both.",
    "GetMultiModalReranker": "Best first, by the cosine of the vectors; what is below 0 counts as 0.",
    "GetEmbeddingTuning": "`{service_id}` is `ops-embedding-dim-reduction-001`. `parameters` has `model_name`, a "
    "[trained reduction](../guides/reduction.md) or a model with one, and `output_dimension`: 512 if it is left out, "
    "or all that there is.",
    "CreateImageAnalyzeTask": "The task is in the database before its id is answered, so it outlives the server. It is "
    "tried three times. 429 where 100 tasks of the workspace, or 1,000 of all, are not done.",
    "GetImageAnalyzeTaskStatus": "`PENDING`, `SUCCESS` with `data`, or `FAIL` with `error`. A task of another "
    "workspace is 404, and so is one that ended more than seven days ago.",
    "GetPrediction": "`{deployment_id}` is the `id` of a `[[deployment]]`, or of a [stored one](../guides/keys.md). "
    "Its token goes into the header `Token`. The "
    "second path is the short one of the vendor's document.",
}

CELLS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "createEmbedding": (
        "embedding",
        {
            "openai": "test_openai.py::test_list",
            "infinity_client": "test_infinity.py::test_embeddings",
            "LangChain": "test_frameworks.py::test_langchain_embeds_documents",
            "LlamaIndex": "test_frameworks.py::test_llamaindex_embeds_texts",
            "LiteLLM": "test_frameworks.py::test_litellm_embeds",
        },
    ),
    "embedV2": ("embedding", {"cohere": "test_embed.py::test_every_type"}),
    "embedV1": ("embedding", {"cohere": "test_embed.py::test_version_one"}),
    "embed": (
        "embedding",
        {
            "huggingface_hub": "test_embed.py::test_inference_client",
            "LiteLLM": "test_frameworks.py::test_litellm_embeds_as_text_embeddings_inference_does",
        },
    ),
    "embedAll": ("embedding", {}),
    "similarity": ("embedding", {"huggingface_hub": "test_embed.py::test_inference_client"}),
    "GetTextEmbedding": ("embedding", {"searchplat20240529": "test_searchplat.py::test_text_embedding"}),
    "createCompatibleEmbedding": ("embedding", {"openai": "test_openai.py::test_compatible_mode"}),
    "GetPrediction": ("deployments", {"searchplat20240529": "test_searchplat.py::test_prediction"}),
    "embedSparse": ("sparse embedding", {}),
    "GetTextSparseEmbedding": (
        "sparse embedding",
        {"searchplat20240529": "test_searchplat.py::test_sparse_embedding"},
    ),
    "GetEmbeddingTuning": (
        "reduction of vectors",
        {"searchplat20240529": "test_searchplat_reduction.py::test_vectors_are_made_shorter"},
    ),
    "GetMultiModalEmbedding": (
        "multimodal",
        {"searchplat20240529": "test_searchplat_images.py::test_texts_and_images_in_one_request"},
    ),
    "GetMultiModalReranker": (
        "multimodal",
        {"searchplat20240529": "test_searchplat_images.py::test_ranking_by_an_image"},
    ),
    **dict.fromkeys(
        ("CreateImageAnalyzeTask", "GetImageAnalyzeTaskStatus"),
        (
            "image analysis",
            {"searchplat20240529": "test_searchplat_analyze.py::test_a_task_from_its_creation_to_its_result"},
        ),
    ),
    "rerank": (
        "rerank",
        {"cohere": "test_ranking.py::test_cohere", "LiteLLM": "test_frameworks.py::test_litellm_ranks"},
    ),
    "rerankV2": ("rerank", {"cohere": "test_ranking.py::test_cohere"}),
    "rerankInfinity": ("rerank", {"infinity_client": "test_ranking.py::test_infinity_rerank"}),
    "rerankTexts": ("rerank", {"LiteLLM": "test_frameworks.py::test_litellm_ranks"}),
    "score": ("rerank", {}),
    "GetDocumentRank": ("rerank", {"searchplat20240529": "test_searchplat.py::test_document_rank"}),
    "classify": ("classify", {"infinity_client": "test_ranking.py::test_infinity_classify"}),
    "predict": ("classify", {"huggingface_hub": "test_ranking.py::test_inference_client"}),
    "tokenize": ("tokens", {}),
    "tokenizePrompt": ("tokens", {}),
    "decode": ("tokens", {}),
    "detokenize": ("tokens", {}),
    "listModels": (
        "models",
        {"openai": "test_openai.py::test_models", "infinity_client": "test_infinity.py::test_models"},
    ),
    "retrieveModel": ("models", {"openai": "test_openai.py::test_models"}),
    "info": ("models", {}),
    "GetUsage": ("usage", {}),
    **{
        name: ("workspaces, keys, deployments", {"searchplat20240401": f"test_control.py::{test}"})
        for test, names in {
            "test_a_workspace": ("CreateWorkspace", "ListWorkspaces", "GetWorkspace", "UpdateWorkspace"),
            "test_an_empty_workspace_is_removed": ("DeleteWorkspace",),
            "test_services": ("ListServices",),
            "test_credentials_are_shown_once": (
                *("CreateCredentials", "ListCredentials", "GetCredentials", "UpdateCredentials"),
                "DeleteCredentials",
            ),
            "test_a_deployment": (
                *("CreateFunctionInstance", "ListFunctionInstances", "GetFunctionInstance", "UpdateFunctionInstance"),
                *("DeleteFunctionInstance", "CeaseFunctionInstance", "ResumeFunctionInstance"),
            ),
            "test_refusals": ("CreateFunctionTask",),
        }.items()
        for name in names
    },
    **{
        name: ("registered models", {"searchengine20211025": f"test_searchengine.py::{test}"})
        for name, test in {
            "CreateModel": "test_create",
            "ListModels": "test_list",
            "DebugModel": "test_debug",
            "GetModel": "test_get",
            "ModifyModel": "test_modify",
            "DeleteModel": "test_delete",
        }.items()
    },
}
"""Each operation's task, and the vendors' clients that are run against it, with the tests of `tests/sdk` that do so."""

DIALECTS = {
    "openai": (
        "OpenAI, Infinity and Jina",
        "One set of paths serves the clients of all three; rows carry the fields of all.",
    ),
    "jina": (
        "Rerank of Jina, and of Cohere's version 1",
        "Several APIs share these paths, and the body's keys choose among them. The one of this section owns what goes "
        "wrong before a body is parsed, and every body that has no keys of the others.",
    ),
    "cohere": ("Cohere", "Errors are Cohere's."),
    "vllm": ("vLLM", "Errors are OpenAI's. Its rerank is that of Jina's section."),
    "infinity": ("Infinity", "What it does not share with OpenAI. In its errors `code` is the status."),
    "tei": ("text-embeddings-inference", "Errors have its statuses: wrong input is 422, none at all 400."),
    "opensearch": ("AI Search Open Platform", "Every reply carries `x-acs-request-id`."),
    "platform": (
        "AI Search Open Platform, control plane",
        "Workspaces, keys and deployments: [guide](../guides/keys.md). Always asks for a signature or an admin key. "
        "Errors are those of the next section.",
    ),
    "instances": (
        "OpenSearch Vector Search Edition",
        "Its model registry: [guide](../guides/registry.md). Always asks for a signature or an admin key. Errors are "
        "`requestId`, `code` and `message`; every reply carries `x-acs-request-id`.",
    ),
}

OPERATIONAL = {
    "/health": ('200 while the process answers: `{"status": "ok", "unix": …}`', "never"),
    "/ready": (
        "200 when every required model's thread is alive and warm, else 503: "
        '`{"status": "ready", "models": [{"name": …, "ready": …, "required": …, "state": …, '
        '"reason": …}]}`; a state is `loading`, `ready`, `idle` (ready too), `draining` or `failed`',
        "never",
    ),
    "/metrics": ("Prometheus's text format", "with `--protect-metrics`"),
    "/openapi.json": ("OpenAPI 3.1, made from the routes on this page", "with `--protect-metrics`"),
    "/docs": ("The same as a page (Swagger UI); works offline", "with `--protect-metrics`"),
    "/docs/assets": ("The page's script and style", "never"),
}

REFUSED = {
    "IncompleteSignature": "`Authorization` or a header that it needs is missing, given twice or malformed; or "
    "`SignedHeaders` does not cover `host`, `x-acs-date`, `x-acs-signature-nonce` and `x-acs-content-sha256`.",
    "InvalidTimeStamp.Format": "`x-acs-date` is no time such as `2026-11-21T00:04:03Z`.",
    "InvalidTimeStamp.Expired": "`x-acs-date` is more than 15 minutes from the server's time, either way.",
    "InvalidAccessKeyId.NotFound": "There is no access key of this id.",
    "InvalidAccessKeyId.Inactive": "The access key has expired or was revoked.",
    "SignatureDoesNotMatch": "The signature, or the hash of the body, is not right.",
    "SignatureNonceUsed": "A request with this nonce was believed before, by this server or another on its database.",
    "InvalidSecurityToken.NotSupported": "The request is signed with temporary credentials (STS).",
}

REQUEST_HEADERS = {
    "authorization": "`Bearer <key>`: the API key, where the server has keys; or a signature, `ACS3-HMAC-SHA256 …` or "
    "`ACS4-HMAC-SHA256 …`.",
    "x-acs-bearer-token": "The key, without `authorization` and with `x-acs-signature-type: BEARERTOKEN`: what the "
    "vendor's client of the control plane sends.",
    "x-acs-signature-type": "`BEARERTOKEN`, beside `x-acs-bearer-token`.",
    "x-acs-security-token": "Of temporary credentials (STS), which are refused.",
    "x-acs-accesskey-id": "The same.",
    "x-acs-date": "When a signed request was signed, such as `2026-11-21T00:04:03Z`.",
    "x-acs-signature-nonce": "What makes a signed request one of its kind: 1 to 128 visible ASCII characters.",
    "x-acs-content-sha256": "The SHA-256 of a signed request's body, in hex.",
    "token": "A custom deployment's own token.",
    "content-type": "`application/json` or another JSON type. Left out, the body is taken for JSON.",
    "x-request-id": "An id of the caller's, up to 128 visible ASCII characters; the reply repeats it.",
    "x-embedway-timeout-ms": "Whole milliseconds after which the caller wants no answer any more (504), where that is "
    "sooner than `--request-timeout-s`.",
}

REPLY_HEADERS = {
    "x-request-id": ("every reply of an operation", "The request's id."),
    "x-acs-retry-after": (
        "429 of the model registry",
        "The same as `retry-after`, where the vendor's SDK looks for it.",
    ),
    "x-acs-request-id": (
        "AI Search Open Platform, OpenSearch Vector Search Edition",
        "The same id, where the vendor's SDK looks for it.",
    ),
    "x-total-time": ("every reply of an operation", "Milliseconds from the request's head to the reply."),
    "x-compute-type": ("embeddings", "`cpu`."),
    "x-compute-time": ("embeddings", "Milliseconds in tokenization, queue and inference together."),
    "x-compute-characters": ("embeddings", "Characters of the texts."),
    "x-compute-tokens": ("embeddings", "Tokens consumed."),
    "x-tokenization-time": ("embeddings", "Milliseconds."),
    "x-queue-time": ("embeddings", "Milliseconds; of the text that waited longest."),
    "x-inference-time": ("embeddings", "Milliseconds; of the slowest batch that held one of the texts."),
    "x-embedway-truncated": ("embeddings, where texts were cut", "How many texts were cut at the model's limit."),
    "x-embedway-stand-in": ("embeddings, from a stand-in", "The name of the model that really answered."),
    "x-embedway-ranker": (
        "rerank and score",
        "`cross-encoder`, `late-interaction`, `embedder-late-interaction` or `embedder-cosine`: "
        "see [ranking](../guides/ranking.md).",
    ),
    "x-embedway-sparse": ("term weights without a head for them", "`bm25`."),
    "x-embedway-ignored": (
        "custom deployments, embed, `/v1/embeddings`, rerank and score",
        "Fields of the body that had no effect, such as `dimension`.",
    ),
    "x-ratelimit-limit-requests": ("callers with a [quota](../guides/quotas.md)", "Requests that the quota allows."),
    "x-ratelimit-remaining-requests": ("the same", "Of these left just now."),
    "x-ratelimit-reset-requests": ("the same", "When all are free again, such as `20ms`, `1.5s`."),
    "x-ratelimit-limit-tokens": ("the same", "Tokens that the quota allows."),
    "x-ratelimit-remaining-tokens": ("the same", "Of these left just now, after this request."),
    "x-ratelimit-reset-tokens": ("the same", "When all are free again, such as `1m0.4s`."),
    "retry-after-ms": ("429 of a quota", "The same as `retry-after`, in milliseconds."),
    "x-should-retry": ("429 of a quota that no waiting can meet", "`false`."),
    "retry-after": ("429 and 503", "Seconds to wait before the next try."),
    "www-authenticate": ("401", "`Bearer`."),
    "allow": ("405", "The methods of the path."),
}

WHEN = {
    "EmbedwayError": "A fault of the server's own; the log has the stack.",
    "InvalidInput": "The body is not JSON, or a field is missing or wrong. Where it is one field, its path is named.",
    "SecretRequired": "A masked secret came back that stands for no stored one, or the URL's origin changed.",
    "Unauthenticated": "No API key; a wrong, disabled, expired or revoked one; or a wrong deployment token.",
    "SignatureRefused": "A signed request is not believed; the [codes](#signed-requests) say why.",
    "NoPermission": "The key or its permissions do not reach the workspace, the model or the action, or an API key is "
    "shown where an admin key is needed.",
    "Forbidden": "A server without keys was called with a `Host` that is not loopback or from a foreign web page.",
    "ModelNotFound": "No model, alias, service id or deployment has this name.",
    "InstanceNotFound": "No instance of this id was declared.",
    "JobNotFound": "No task has this id.",
    "WorkspaceNotFound": "There is no workspace of this name.",
    "KeyNotFound": "The workspace has no such API key.",
    "DeploymentNotFound": "The workspace has no such deployment to manage.",
    "RouteNotFound": "There is no such path.",
    "MethodNotAllowed": "The path has other methods; `Allow` lists them.",
    "BodyTimeout": "The body did not arrive within `--body-timeout-s`.",
    "BodyTooLarge": "The body is larger than `--max-body-bytes`, or than the API's own limit.",
    "UnsupportedBody": "The body is compressed, or says that it is not JSON.",
    "Conflict": "The name is taken, here or in the configuration; or what shall go is in use, or not yours to change.",
    "Overloaded": "More tokens wait for the model than `--max-queue-tokens`. Nothing was computed.",
    "RateExceeded": "A [quota](../guides/quotas.md) has no room just now. Nothing was computed.",
    "QuotaExceeded": "The body alone counts as more tokens than a quota allows in a minute: waiting is no use.",
    "ModelFailed": "The pass over this very text failed, or gave a vector that is not finite.",
    "Unavailable": "The model is still loading, is being restarted, or the server is shutting down.",
    "StoreUnavailable": "The database cannot be reached. Models that are served go on serving.",
    "RemoteFailed": "A registered model's service failed, was too slow, or answered what its definition does not fit.",
    "DeadlineExceeded": "`--request-timeout-s` or the caller's `x-embedway-timeout-ms` passed.",
}

LABELS = {
    "operation": "Name of the operation, as in [routes](routes.md): " + "{operations}.",
    "status": "HTTP status. 499: the caller closed the connection before its answer was ready.",
    "model": "Name of the model, never an alias.",
    "phase": "`prepare`: tokenizing; `queue`: waiting for a batch; `run`: the pass. Of the call's slowest text.",
    "reason": "Embedway's own code of the error, first column in [errors](errors.md).",
    "cause": "`idle`: the keep-alive passed; `memory`: another model needed it; `swap`: a new copy took over; `asked`: "
    "it was taken out of the configuration.",
    "kind": "Kind of the job: `image-analyze`.",
    "outcome": "`success`, `failed`, `retried`; `returned`: the server stopped; `lost`: cancelled, or taken over.",
    "limit": "What was used up: `requests`, `tokens`, `concurrent`; `size`: a body of more than a minute's tokens.",
    "backend": "`openvino`, or `fake`; `none` while the model is not open.",
    "dtype": "Precision that is used: `fp32` or `bf16`; `none` while the model is not open.",
    "device": "`cpu`.",
}


# Pages -------------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Every setting by flag, variable and key, and the keys of the two tables."""
    flags = {option.name: option for option in cli.commands["serve"].params if isinstance(option, click.Option)}
    rows = []
    for field in msgspec.structs.fields(Settings):
        key = f"`[[{field.name}]]`" if field.name in ("model", *FILE_ONLY) else f"`{field.name}`"
        rows.append(
            (
                "—" if field.name in NO_FLAGS else _flag(flags[field.name]),
                "—" if field.name in FILE_ONLY else f"`EMBEDWAY_{field.name.upper()}`",
                key,
                _default(field.default),
                field.type.__metadata__[0].description,
            )
        )
    hints = get_type_hints(ModelSpec)
    models = [
        (f"`{field.name}`", _kind(hints[field.name]), _default(field.default), MODEL_KEYS[field.name])
        for field in dataclasses.fields(ModelSpec)
        if field.name in configuration.MODEL_KEYS
    ]
    given = {field.name: field for field in msgspec.structs.fields(Deployment)}
    deployment_rows = [
        (
            f"`{name}`",
            _kind(given[name].type if name in given else str | None),
            _default(given[name].default if name in given else None),
            DEPLOYMENT_KEYS[name],
        )
        for name in (*(name for name in given if name != "token_sha256"), "token", "token_sha256")
    ]
    return _page(
        "Settings",
        "Later sources win: defaults, the TOML file (`--config FILE` or `EMBEDWAY_CONFIG`), variables, flags. A value "
        "replaces the earlier one as a whole, lists too. See [configuration](../guides/configuration.md).",
        _table(("flag", "variable", "key in the file", "default", "meaning"), rows),
        "A flag with “…” may be given several times; its variable takes values separated by commas, its key a list. A "
        "switch's variable and key take `true` or `false`. An empty variable counts as not set.",
        "## [[model]]",
        "One table for each model. The flag `--model` and `EMBEDWAY_MODEL` take `SOURCE` or `NAME=SOURCE` instead. "
        "Without any model the bundled one, `all-MiniLM-L6-v2`, is served.",
        _table(("key", "type", "default", "meaning"), models),
        "## [[deployment]]",
        "One table for each custom deployment; in the file only.",
        _table(("key", "type", "default", "meaning"), deployment_rows),
        "## [[reduction]]",
        "One table for each [trained reduction](../guides/reduction.md) of vectors that callers bring; in the file "
        "only.",
        _table(
            ("key", "type", "default", "meaning"),
            [
                ("`name`", "text", "", "What clients call it: `model_name`. No other reduction or model may have it."),
                ("`path`", "text", "", "Its folder."),
            ],
        ),
        "## [[instance]]",
        "One table for each instance in which models can be registered; the instance `default` always exists.",
        _table(("key", "type", "default", "meaning"), [("`id`", "text", "", "What clients call it.")]),
        "## [[access_key]]",
        "One table for each access key with permissions; `EMBEDWAY_ACCESS_KEYS` gives those that may do everything.",
        _table(
            ("key", "type", "default", "meaning"),
            [
                ("`id`", "text", "", "What clients call AccessKey ID."),
                ("`secret`", "text", "", "What they sign with."),
                (
                    "`permission`",
                    "tables",
                    "everything",
                    "`action` and `resource`, lists of patterns with `*` and `?`: `searchengine:GetModel`, "
                    "`acs:searchengine:*:*:instance/default`.",
                ),
            ],
        ),
        "## [[quota]]",
        "One table for each [quota](../guides/quotas.md); all that fit a request hold.",
        _table(
            ("key", "type", "default", "meaning"),
            [
                (f"`{one.name}`", "text" if index < 3 else "whole number", "", QUOTA_KEYS[one.name])
                for index, one in enumerate(msgspec.structs.fields(Quota))
            ],
        ),
        "## Variables of the hub",
        "Models that are fetched from the hub follow the hub library's own variables: `HF_HOME` (where the cache is), "
        "`HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE=1` (never ask).",
    )


def command_line_page() -> str:
    """Every command with its arguments and options."""
    shared = {f"--{name.replace('_', '-')}" for name in Settings.__struct_fields__}
    parts = ["`embedway COMMAND --help` says the same on the terminal. `embedway --version` prints the version."]
    for name, command in _commands(cli):
        if isinstance(command, click.Group) and not command.invoke_without_command:
            parts += [f"## embedway {name}", cleandoc(command.help or "")]
            continue
        options = [option for option in command.params if isinstance(option, click.Option)]
        arguments = [_argument(one) for one in command.params if isinstance(one, click.Argument)]
        own = [option for option in options if option.opts[0] not in shared]
        names = {option.opts[0] for option in options}
        taken = [_flag(option) for option in options if option.opts[0] in shared]
        beside = ", and `master_key` from the file or the variable" if "--database-url" in names else ""
        some = len(taken) < len(Settings.__struct_fields__) - len(NO_FLAGS)
        parts += [
            f"## embedway {name}",
            cleandoc(command.help or ""),
            f"```text\nembedway {' '.join([name, '[OPTIONS]', *arguments])}\n```",
            _table(
                ("option", "default", "meaning"),
                [(_flag(option), _default(_own_default(option)), _help(option)) for option in own],
            ),
        ]
        if not some:
            parts.append("It takes all [settings](settings.md).")
        elif taken:
            parts.append(
                f"Of the [settings](settings.md) it takes {', '.join(taken)}{beside}; what the file or a variable sets "
                "beside them is checked, and has no effect."
            )
    parts += [
        "## Exit statuses",
        _table(
            ("status", "means"),
            [
                ("0", "The work is done; `serve`: told to stop, by SIGTERM or Ctrl-C."),
                (
                    "1",
                    "`serve`: a required model cannot be served, or the address cannot be used.",
                ),
                (str(SETUP_FAILED), "The configuration, a flag or the input is at fault; one sentence says what."),
                (str(HUNG), "`serve`: a pass of a model hung."),
            ],
        ),
    ]
    return _page("Command line", *parts)


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, those of a group behind the group."""
    for name, command in group.commands.items():
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")


def _argument(argument: click.Argument) -> str:
    name = argument.human_readable_name
    return name if argument.nargs == 1 else f"[{name.removesuffix('...')}...]"


def routes_page() -> str:
    """Every operation with its body and reply, the operational routes, the headers."""
    parts = [
        "The same as OpenAPI 3.1 is at `/openapi.json`. All paths are served under `--root-path` too, if there is one; "
        "those of an API also with a slash at the end, but for `retrieveModel`. Where a field of a body may be left "
        "out, it may be null."
    ]
    dialect = ""
    for operation in all_operations():
        if operation.dialect.name != dialect:
            dialect = operation.dialect.name
            title, words = DIALECTS[dialect]
            parts += [f"## {title}", words]
        parts += _operation(operation)
    metrics = Metrics()
    ops = Ops(cast(Any, None), metrics, Access(Settings(), metrics), {}, "", protected=False)
    paths = [route.path for route in ops.routes() if isinstance(route, Route | Mount)]
    parts += [
        "## Operations",
        _table(("path", "answers", "asks for a key"), [(f"`GET {path}`", *OPERATIONAL[path]) for path in paths]),
        "## Headers of a request",
        _table(("header", "meaning"), [(f"`{name}`", words) for name, words in REQUEST_HEADERS.items()]),
        "## Headers of a reply",
        _table(("header", "on", "meaning"), [(f"`{name}`", *words) for name, words in REPLY_HEADERS.items()]),
    ]
    return _page("Routes", *parts)


def dialects_page() -> str:
    """Tasks by API, with the clients that are run against each."""
    known = list(all_operations())
    tasks = list(dict.fromkeys(CELLS[operation.name][0] for operation in known))
    dialects = [name for name in DIALECTS if any(operation.dialect.name == name for operation in known)]
    rows = [(task, *(_cell(known, task, name) for name in dialects)) for task in tasks]
    clients = [
        (f"`{operation.name}`", client, f"`tests/sdk/{test}`")
        for operation in known
        for client, test in CELLS[operation.name][1].items()
    ]
    return _page(
        "Dialects",
        "What each API has, task by task. Every route is asked its own example against a running server in the tests "
        "(`tests/wire/test_dialects.py`), and its reply is checked against what the OpenAPI document says.",
        _table(("task", *(DIALECTS[name][0] for name in dialects)), rows),
        "## Clients",
        "The vendors' own clients, unchanged, run against these in the tests:",
        _table(("operation", "client", "test"), clients),
        "How a task is answered depends on the model: [ranking](../guides/ranking.md), "
        "[the platform's services](../guides/platform.md), [outputs](../guides/outputs.md). Without a reranker, or a "
        "head for terms, replies say by `x-embedway-ranker` and `x-embedway-sparse` what stood in.",
    )


def _cell(operations: Sequence[Operation], task: str, dialect: str) -> str:
    """The paths of one API for one task."""
    paths = [
        f"`{operation.paths[0].replace(':path', '')}`"
        for operation in operations
        if operation.dialect.name == dialect and CELLS[operation.name][0] == task
    ]
    return " ".join(paths) or "—"


def errors_page() -> str:
    """Every error as each dialect words it, asked of the dialects themselves."""
    rows = []
    for kind in _wire_errors():
        error = _sample(kind)
        theirs = OPENAI.word(error, _exchange())
        detail = msgspec.json.decode(theirs.body)["error"]
        platform = OPENSEARCH.word(error, _exchange())
        code = msgspec.json.decode(platform.body)["code"]
        inference = TEI_INPUTS.word(error, _exchange())
        control = INSTANCES.word(error, _exchange())
        rows.append(
            (
                f"`{kind.code}`",
                WHEN[kind.__name__],
                f"{theirs.status} `{detail['type']}` `{detail['code']}`",
                f"{COHERE.word(error, _exchange()).status}",
                f"{inference.status} `{msgspec.json.decode(inference.body)['error_type']}`",
                f"{platform.status} `{code}`",
                f"{control.status} `{msgspec.json.decode(control.body)['code']}`",
            )
        )
    return _page(
        "Errors",
        "Every reply that is not 200 is a JSON object in the words of the API that the path belongs to: paths under "
        "`/v3/openapi` and `/compatible-mode` are the AI Search Open Platform's, those under `/openapi` OpenSearch "
        "Vector Search Edition's, those under `/v2` Cohere's, `/predict` "
        "text-embeddings-inference's, `/classify` Infinity's, all others OpenAI's. Where several "
        "APIs share a path, a body that is JSON chooses.",
        "```json\n"
        '{"error": {"message": "…", "type": "invalid_request_error", "param": "input[1]", "code": "invalid_request"}}\n'
        "```",
        '```json\n{"request_id": "…", "latency": 0, "code": "InvalidParameter", "message": "… (input[1])"}\n```',
        '```json\n{"requestId": "…", "code": "model.InvalidParameter", "message": "… (content.url)"}\n```',
        '```json\n{"id": "…", "message": "… (documents[1])"}\n```',
        '```json\n{"error": "… (texts[1])", "error_type": "Validation"}\n```',
        _table(
            (
                "Embedway's code",
                "when",
                "OpenAI, Jina, vLLM: status, type, code",
                "Cohere v2",
                "text-embeddings-inference: status, error_type",
                "AI Search: status, code",
                "Vector Search Edition: status, code",
            ),
            rows,
        ),
        "Infinity's own routes answer as OpenAI's, with the status as `code`. For text-embeddings-inference an input "
        "that is empty is 400 `Empty`.",
        "429 and 503 carry `Retry-After`, but for `quota_exceeded`, which no waiting helps; 401 "
        "`WWW-Authenticate: Bearer`. An error that comes before a body was read closes the connection.",
        "## Signed requests",
        "The APIs of Alibaba Cloud refuse a signed request with their gateway's codes and statuses. Those of "
        "`InvalidAccessKeyId.Inactive` and `InvalidSecurityToken.NotSupported` are Embedway's choice.",
        _table(
            ("code", "status", "when"),
            [(f"`{code}`", str(status), REFUSED[code]) for code, status in errors.GATEWAY_STATUSES.items()],
        ),
        "## Before a request has a path",
        f"A request whose head cannot be parsed gets 400 `bad_request`, one whose head is larger than "
        f"{MAX_HEAD_BYTES // 1024} KiB 431 `request_header_fields_too_large`, one whose head takes longer than "
        f"{HEAD_TIMEOUT_S:g} seconds 408 `request_timeout`: in OpenAI's form, and the connection is closed.",
        "## Before the server serves",
        "What stops the command from starting is one sentence on standard error and an "
        "[exit status](command-line.md#exit-statuses), never a reply.",
    )


def metrics_page() -> str:
    """Every metric under the name that Prometheus scrapes."""
    names = ", ".join(f"`{operation.name}`" for operation in all_operations())
    rows, labels, buckets = [], dict[str, str](), dict[str, list[str]]()
    for metric in all_metrics():
        family = next(iter(metric.describe()))
        exposed = family.name + ("_total" if family.type == "counter" else "")
        own = tuple(metric._labelnames)
        labels |= {label: LABELS[label].format(operations=names) for label in own}
        rows.append((f"`{exposed}`", family.type, ", ".join(f"`{label}`" for label in own), family.documentation))
        if family.type == "histogram":
            bounds = ", ".join(f"{bound:g}" for bound in metric._upper_bounds[:-1])  # type: ignore[attr-defined]
            buckets.setdefault(bounds, []).append(f"`{exposed}`")
    return _page(
        "Metrics",
        "`GET /metrics` answers in Prometheus's text format. Units are seconds, tokens and texts. Labels hold names of "
        "the configuration only, never a text, a key or what a caller made up.",
        _table(("metric", "type", "labels", "meaning"), rows),
        "A histogram is exposed as `_bucket`, `_sum` and `_count`; counters and histograms also as `_created`, the "
        "time of their first event, with which the series appears. `process_*` and `python_info` are those of "
        "Prometheus's Python client. Requests to the operational routes and to paths that do not exist are not"
        " counted.",
        "## Labels",
        _table(("label", "holds"), [(f"`{label}`", words) for label, words in labels.items()]),
        "## Bounds of the histograms",
        _table(("metric", "upper bounds"), [(", ".join(which), bounds) for bounds, which in buckets.items()]),
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "command-line.md": command_line_page,
    "dialects.md": dialects_page,
    "routes.md": routes_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
}


# What there is in the code -----------------------------------------------------------------------------------------


def all_operations() -> Sequence[Operation]:
    """The operations of every dialect; their engine is never asked here."""
    return operations(make_parts(cast(Any, None), Settings()))


def all_metrics() -> Iterator[MetricWrapperBase]:
    """Embedway's own metrics, in the order of their definition."""
    return (value for value in vars(Metrics()).values() if isinstance(value, MetricWrapperBase))


def _wire_errors() -> Iterator[type[EmbedwayError]]:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, EmbedwayError) and not issubclass(kind, SetupError):
            yield kind


def _sample(kind: type[EmbedwayError]) -> EmbedwayError:
    """One error of the kind: some need more than a message."""
    if issubclass(kind, SignatureRefused):
        return kind("", "SignatureDoesNotMatch")
    if issubclass(kind, ModelNotFound):
        return kind("", "name")
    if issubclass(kind, MethodNotAllowed):
        return kind("", ("GET",))
    if issubclass(kind, Overloaded):
        return kind("", 1)
    if issubclass(kind, InvalidInput):
        return kind("", "$.input")
    return kind("")


def _exchange() -> Exchange:
    return Exchange.begin(Request({"type": "http", "method": "GET", "path": "/", "headers": []}))


# Rendering ---------------------------------------------------------------------------------------------------------


def _operation(operation: Operation) -> list[str]:
    parts = [f"### {operation.name}", f"{operation.summary}. {NOTES[operation.name]}".strip()]
    parts.append("```http\n" + "\n".join(f"{operation.method} {_plain(path)}" for path in operation.paths) + "\n```")
    if operation.body_type is not None:
        own = operation.dialect.max_body_bytes
        size = f"{own // 2**20} MiB, or `--max-body-bytes` where that is less" if own else "`--max-body-bytes`"
        most = MAX_INPUTS.get(operation.name)
        parts.append(
            f"At most {most:,} text{'s' if most > 1 else ''} and a body of at most {size}."
            if most
            else f"A body of at most {size}."
        )
        hints = get_type_hints(operation.body_type)
        rows = [
            (
                f"`{field.encode_name}`",
                _kind(hints[field.name]),
                "required" if field.required else "",
                FIELDS[operation.body_type, field.name],
            )
            for field in msgspec.structs.fields(operation.body_type)
        ]
        parts.append(_table(("field of the body", "type", "", "meaning"), rows))
    if operation.query:
        parameters = [(f"`{name}`", schema["description"]) for name, schema in operation.query.items()]
        parts.append(_table(("parameter of the query", "meaning"), parameters))
    replies = [(f"`{path}`", kind) for path, kind in _leaves(operation.reply_type)]
    parts.append(_table(("field of the reply", "type"), replies))
    return parts


def _leaves(struct: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a reply down to its numbers and texts, by path; of alternatives the first."""
    steps = ""
    while get_origin(struct) is list:
        struct, steps = get_args(struct)[0], steps + "[]"
        struct = (
            next((one for one in get_args(struct) if one is not type(None)), struct) if _is_union(struct) else struct
        )
    if not _is_struct(struct):
        yield steps, _kind(struct)
        return
    prefix = f"{prefix}{steps}." if steps else prefix
    hints = get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        kind, path = hints[field.name], prefix + field.encode_name
        inner, steps = kind, ""
        while get_origin(inner) is list:
            inner, steps = get_args(inner)[0], steps + "[]"
        inner = next((one for one in get_args(inner) if _is_struct(one)), inner)
        if _is_struct(inner):
            yield from _leaves(inner, f"{path}{steps}.")
        else:
            yield path, _kind(kind) + (" or null" if type(None) in get_args(kind) else "")


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _kind(kind: Any) -> str:
    """A type in words. None and unset are left out: they mean that a value may be."""
    origin, given = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(one) for one in given if one not in (type(None), msgspec.UnsetType))
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in given)
    if origin in (list, tuple):
        return f"list of ({_kind(given[0])})" if get_args(given[0]) else f"list of {_kind(given[0])}s"
    if kind is Any:
        return "any value"
    if origin is dict or kind is msgspec.Raw or dataclasses.is_dataclass(kind) or _is_struct(kind):
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}[kind]


def _flag(option: click.Option) -> str:
    """An option as it is written, with what it takes."""
    names = [*option.opts, *option.secondary_opts]
    if option.is_flag:
        return ", ".join(f"`{name}`" for name in names)
    taken = option.metavar or {"filename": "FILE", "file": "FILE"}.get(option.type.name, _choices(option.type))
    return f"`{option.opts[0]} {taken}`" + (" …" if option.multiple else "")


def _argument(argument: click.Argument) -> str:
    """An argument as it is written: in brackets where it may be left out, with dots where there may be several."""
    name = argument.human_readable_name.rstrip(".") + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _choices(kind: Any) -> str:
    return "|".join(kind.choices) if isinstance(kind, click.Choice) else kind.name.partition(" ")[0].upper()


def _own_default(option: click.Option) -> Any:
    return option.default if isinstance(option.default, str | int) and not option.is_flag else None


def _help(option: click.Option) -> str:
    """The help of an option; the variable that a setting's help names in brackets is set as code."""
    words, bracket, variable = (option.help or "").partition(" [EMBEDWAY_")
    return f"{words} Variable: `EMBEDWAY_{variable.rstrip(']')}`." if bracket else words


def _default(value: Any) -> str:
    if value in (None, (), "") or value is dataclasses.MISSING or value is msgspec.NODEFAULT:
        return "none" if value in (None, (), "") else "required"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _plain(path: str) -> str:
    return path.replace(":path}", "}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((GENERATED + f"# {title}", *parts)) + "\n"


def main() -> int:
    """Write the pages, or with `--check` name those that are stale; returns the exit status."""
    parser = argparse.ArgumentParser(description="write docs/reference from the code")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is stale")
    if parser.parse_args().check:
        stale = [name for name, render in PAGES.items() if _read(FOLDER / name) != render()]
        for name in stale:
            print(f"docs/reference/{name} is stale: run python scripts/reference_docs.py")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
