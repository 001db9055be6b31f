"""Language models that are asked whether a document answers a query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from .builder import Builder, fast_tokenizer
from .decoders import SIZES

LIMIT_TOKENS = 480
"""The question alone takes more than three hundred of these tokens, which are short."""
FLAT = """{%- for message in messages if message.role == "system" %}
<|im_start|>system
{{ message.content }}<|im_end|>
{% endfor %}
<|im_start|>user
<Query>: {{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
<Document>: {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}<|im_end|>
<|im_start|>assistant
"""
STRUCTURED = """{%- for message in messages %}
{%- for part in message.content if part.type == "text" %}
<|im_start|>{{ message.role }}
{{ part.text }}<|im_end|>
{% endfor %}
{% endfor %}
yes or no?"""


def _plain(folder: Path) -> None:
    """As Qwen publishes its rerankers: a language model, and a model card that says how to ask it."""
    Qwen3ForCausalLM(Qwen3Config(**_sizes(), tie_word_embeddings=True)).save_pretrained(folder)
    tokenizer = fast_tokenizer("answering")
    tokenizer.model_max_length = LIMIT_TOKENS
    tokenizer.save_pretrained(folder)


def _asked(folder: Path, network: PreTrainedModel, template: str, head: LogitScore, **more: Any) -> None:
    plain = folder.parent / "network"
    network.save_pretrained(plain)
    tokenizer = fast_tokenizer("answering")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=160, transformer_task="text-generation")
    CrossEncoder(modules=[transformer, head], device="cpu", **more).save(str(folder), create_model_card=False)


def _sizes() -> dict[str, Any]:
    return {**SIZES, "max_position_embeddings": 512}


BUILDERS = [
    Builder("reranker-qwen3", "answering", _plain, task="ask"),
    Builder(
        "question-flat",
        "answering",
        lambda folder: _asked(
            folder,
            Qwen3ForCausalLM(Qwen3Config(**_sizes())),
            FLAT,
            LogitScore(true_token_id=77, false_token_id=78),
            prompts={"web": "Find what answers it."},
            default_prompt_name="web",
        ),
        task="score",
    ),
    Builder(
        "question-structured",
        "answering",
        lambda folder: _asked(folder, LlamaForCausalLM(LlamaConfig(**_sizes())), STRUCTURED, LogitScore(81)),
        task="score",
    ),
]
