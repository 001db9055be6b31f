"""The operations of text-embeddings-inference, and vLLM's of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.backends.open import available_cpus
from embedway.http.dialects import tei, tei_embed, tei_tokens, vllm_tokens
from embedway.http.operation import Operation
from embedway.http.operations.parts import (
    DOCUMENTS,
    QUERY,
    RERANK,
    TEI_IDS,
    TEI_INPUTS,
    TEI_SENTENCES,
    TEI_TEXTS,
    TEXTS,
    VLLM,
    Parts,
)


def tei_ranking(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="rerankTexts",
            dialect=TEI_TEXTS,
            method="POST",
            paths=RERANK,
            answer=tei.Rerank(parts.ranking),
            summary="The same with texts in the body (text-embeddings-inference)",
            task="rerank",
            body_type=tei.RerankBody,
            reply_type=list[tei.RankedRow],
            told_by=frozenset({"texts"}),
        ),
        Operation(
            name="predict",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/predict",),
            answer=tei.Predict(parts.engine, parts.timeout_s),
            summary="A classifier's labels for texts or pairs of texts (text-embeddings-inference)",
            task="classify",
            body_type=tei.PredictBody,
            reply_type=list[tei.Prediction | list[tei.Prediction]],
            example={"inputs": TEXTS[0]},
        ),
    ]


def embedding(parts: Parts) -> Sequence[Operation]:
    """Vectors, states, terms, similarity."""
    asking = tei_embed.Asking(parts.engine, parts.timeout_s)
    return [
        Operation(
            name="embed",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/embed",),
            answer=tei_embed.Embed(asking),
            summary="Vectors of texts (text-embeddings-inference)",
            body_type=tei_embed.EmbedBody,
            reply_type=list[list[float]],
            example={"inputs": TEXTS},
        ),
        Operation(
            name="embedAll",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/embed_all",),
            answer=tei_embed.EmbedAll(asking),
            summary="The last hidden state of every token (text-embeddings-inference)",
            body_type=tei_embed.InputsBody,
            reply_type=list[list[list[float]]],
            example={"inputs": TEXTS[:1]},
        ),
        Operation(
            name="embedSparse",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/embed_sparse",),
            answer=tei_embed.EmbedSparse(asking),
            summary="Weights of terms (text-embeddings-inference)",
            body_type=tei_embed.InputsBody,
            reply_type=list[list[tei_embed.TermRow]],
            example={"inputs": TEXTS},
        ),
        Operation(
            name="similarity",
            dialect=TEI_SENTENCES,
            method="POST",
            paths=("/similarity",),
            answer=tei_embed.Similarity(asking),
            summary="How like one sentence others are (text-embeddings-inference)",
            body_type=tei_embed.SimilarityBody,
            reply_type=list[float],
            example={"inputs": {"source_sentence": QUERY, "sentences": DOCUMENTS}},
        ),
    ]


def tokens(parts: Parts) -> Sequence[Operation]:
    """Texts to tokens and back, and what is served."""
    settings = parts.settings
    return [
        Operation(
            name="tokenize",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/tokenize",),
            answer=tei_tokens.Tokenize(parts.engine),
            summary="The tokens of texts (text-embeddings-inference)",
            counted=False,
            body_type=tei_tokens.TokenizeBody,
            reply_type=list[list[tei_tokens.TokenRow]],
            example={"inputs": TEXTS[0]},
        ),
        Operation(
            name="tokenizePrompt",
            dialect=VLLM,
            method="POST",
            paths=("/tokenize",),
            answer=vllm_tokens.Tokenize(parts.engine),
            summary="The same with a prompt in the body (vLLM)",
            counted=False,
            body_type=vllm_tokens.TokenizeBody,
            reply_type=vllm_tokens.TokenizeReply,
            told_by=frozenset({"prompt"}),
        ),
        Operation(
            name="detokenize",
            dialect=VLLM,
            method="POST",
            paths=("/detokenize",),
            answer=vllm_tokens.Detokenize(parts.engine),
            summary="The text of tokens (vLLM)",
            counted=False,
            body_type=vllm_tokens.DetokenizeBody,
            reply_type=vllm_tokens.DetokenizeReply,
            example={"tokens": [101, 7592, 102]},
        ),
        Operation(
            name="decode",
            dialect=TEI_IDS,
            method="POST",
            paths=("/decode",),
            answer=tei_tokens.Decode(parts.engine),
            summary="The text of tokens (text-embeddings-inference)",
            counted=False,
            body_type=tei_tokens.DecodeBody,
            reply_type=list[str],
            example={"ids": [101, 7592, 102]},
        ),
        Operation(
            name="info",
            dialect=TEI_INPUTS,
            method="GET",
            paths=("/info",),
            answer=tei_tokens.Info(
                parts.engine, settings.threads or available_cpus(), settings.max_batch_tokens, settings.truncation
            ),
            summary="The served model and its limits (text-embeddings-inference)",
            reply_type=tei_tokens.InfoReply,
        ),
    ]
