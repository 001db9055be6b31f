"""Network families by the `model_type` of config.json.

A family is a module with

    PREFIXES                        what task models put before the names of its tensors
    check(config)                   raises `ModelFilesError` for a config that it would answer wrongly
    encode(ops, config, tokens)     hidden states of the last layer, `[n, width]`

and, where checkpoints with such a head exist,

    classify(ops, config, hidden)   logits of a sequence classifier, `[items, labels]`
    predict(ops, config, hidden)    logits over the vocabulary of a masked language model, `[n, vocab_size]`
    answer(ops, config, hidden, tokens)    a language model's logits of `tokens` behind the text, `[items, len(tokens)]`
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from embedway.errors import UnsupportedModel
from embedway.models.families import bert, distilbert, gemma3, gte, llama, modernbert, mpnet, nomic, roberta

FAMILIES: Mapping[str, ModuleType] = {
    "bert": bert,
    "camembert": roberta,
    "distilbert": distilbert,
    "ernie": bert,
    "gemma3_text": gemma3,
    "gte": gte,
    "llama": llama,
    "mistral": llama,
    "modernbert": modernbert,
    "mpnet": mpnet,
    "new": gte,
    "nomic_bert": nomic,
    "qwen2": llama,
    "qwen3": llama,
    "roberta": roberta,
    "xlm-roberta": roberta,
}
"""The modules by `model_type`."""


def find_family(name: str) -> ModuleType:
    """The family's module. Raises `UnsupportedModel` for one that is not written here."""
    if name not in FAMILIES:
        raise UnsupportedModel(
            f"The architecture '{name}' is not supported; supported are {', '.join(sorted(FAMILIES))}."
        )
    return FAMILIES[name]
