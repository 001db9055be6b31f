"""Encoders: other names for the same network, and folders that are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from embedway.backends.open import open_backend
from embedway.errors import ModelFilesError
from embedway.models.families import FAMILIES, find_family
from embedway.models.families.gte import read_turns
from embedway.models.families.mpnet import find_buckets
from embedway.types import ModelSpec, Text
from tests.tiny import case
from tests.tiny.texts import TEXTS

from .compare import check, run

Tensors = dict[str, npt.NDArray[Any]]

NAMES = (
    "bert-mean",
    "camembert",
    "distilbert",
    "ernie",
    "gte",
    "modernbert",
    "mpnet",
    "nomic",
    "roberta",
    "xlm-roberta",
)
GTE_SPLIT = {"attention.qkv_proj": ("q_proj", "k_proj", "v_proj"), "mlp.up_gate_proj": ("up_proj", "gate_proj")}
GTE_RENAMED = {
    "encoder.layer.": "layers.",
    "attention.": "self_attn.",
    "attn_ln": "post_attention_layernorm",
    "mlp_ln": "post_mlp_layernorm",
}
NOMIC_SPLIT = {"attn.Wqkv": ("q_proj", "k_proj", "v_proj")}
NOMIC_RENAMED = {
    "encoder.layers.": "layers.",
    "emb_ln": "embeddings.LayerNorm",
    "attn.out_proj": "self_attn.o_proj",
    "attn.": "self_attn.",
    "fc11": "up_proj",
    "fc12": "gate_proj",
    "fc2": "down_proj",
    "norm1": "post_attention_layernorm",
    "norm2": "post_mlp_layernorm",
}


def write(name: str, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The case's folder with a changed config."""
    kept = case.load(name)
    config = dict(kept.files["config.json"])
    change(config)
    files = {**kept.files, "config.json": config}
    return case.Case(kept.name, kept.tokenizer, kept.dtype, files, kept.weights).write(folder)


def change_weights(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def split_and_rename(tensors: Tensors, split: Mapping[str, tuple[str, ...]], renamed: Mapping[str, str]) -> Tensors:
    """One matrix for each part, under other names."""
    apart: Tensors = {}
    for name, tensor in tensors.items():
        fused = next((one for one in split if f".{one}." in name), None)
        if fused is None:
            apart[name] = tensor
            continue
        for part, rows in zip(split[fused], np.split(tensor, len(split[fused])), strict=True):
            apart[name.replace(fused, f"{fused.rpartition('.')[0]}.{part}")] = np.ascontiguousarray(rows)
    return {replaced(name, renamed): tensor for name, tensor in apart.items()}


def replaced(name: str, renamed: Mapping[str, str]) -> str:
    for old, new in renamed.items():
        name = re.sub(rf"\b{re.escape(old)}", new, name)
    return name


def opened(folder: Path) -> None:
    open_backend(ModelSpec("tiny", str(folder), dtype="fp32")).close()


@pytest.mark.parametrize(
    ("name", "split", "renamed"), [("gte", GTE_SPLIT, GTE_RENAMED), ("nomic", NOMIC_SPLIT, NOMIC_RENAMED)]
)
def test_the_names_that_transformers_uses_inside_are_read_too(
    name: str, split: Mapping[str, tuple[str, ...]], renamed: Mapping[str, str], tmp_path: Path
) -> None:
    """Queries, keys and values in matrices of their own, other names: the same vectors."""
    folder = case.load(name).write(tmp_path)
    change_weights(folder, lambda tensors: split_and_rename(tensors, split, renamed))
    assert any(one.startswith("layers.0.self_attn.q_proj") for one in load_file(folder / "model.safetensors"))
    check(folder, case.answers(name))


@pytest.mark.parametrize(("name", "prefix"), [("gte", "new."), ("xlm-roberta", "roberta."), ("modernbert", "model.")])
def test_the_encoder_of_a_task_model_is_found(name: str, prefix: str, tmp_path: Path) -> None:
    """Its tensors stand behind the name that the task model gave it."""
    folder = case.load(name).write(tmp_path)
    change_weights(folder, lambda tensors: {prefix + one: tensor for one, tensor in tensors.items()})
    check(folder, case.answers(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_is_the_same_to_the_bit_among_others(name: str, tmp_path: Path) -> None:
    """Each text alone, and all of them in one batch, in float32."""
    items = [Text(text) for text in TEXTS]
    spec = ModelSpec("tiny", str(case.load(name).write(tmp_path)), dtype="fp32")
    with closing(open_backend(spec)) as backend:
        alone, among = (np.stack([one.dense for one in run(backend, items, count)]) for count in (1, len(items)))
    assert np.array_equal(alone, among)


def test_gte_in_the_words_of_its_authors(tmp_path: Path) -> None:
    """`model_type` "new" with its scaling: the vectors that transformers gives for the same network in its words."""

    def change(config: dict[str, Any]) -> None:
        del config["rope_parameters"]
        scaling = {"type": "ntk", "factor": 8.0}
        config.update(model_type="new", rope_theta=20_000, rope_scaling=scaling, position_embedding_type="rope")
        config.update(logn_attention_scale=False, layer_norm_type="layer_norm", pack_qkv=True)

    check(write("gte", tmp_path, change), case.answers("gte"))


def test_gtes_mixed_scaling_follows_its_equations() -> None:
    """Equations (10), (12) and (13) of https://kexue.fm/archives/9706."""
    depth, base, factor, mixed = 16, 500.0, 4.0, 0.625
    config = {"hidden_size": 64, "num_attention_heads": 4, "rope_theta": base}
    scaling = {"type": "ntk", "factor": factor, "mixed_b": mixed}
    a = math.log(factor) / (depth / 2) ** mixed
    wanted = [base ** (-2 * m / depth) / math.exp(a * (m + 1) ** mixed) for m in range(depth // 2)]
    assert np.allclose(read_turns({**config, "rope_scaling": scaling}), wanted, rtol=1e-5)
    plain = [base ** (-2 * m / depth) for m in range(depth // 2)]
    assert np.allclose(read_turns(config), plain, rtol=1e-5)


def test_modernbert_in_its_older_words(tmp_path: Path) -> None:
    """As the first published checkpoints have them."""

    def change(config: dict[str, Any]) -> None:
        del config["rope_parameters"], config["layer_types"]
        config.update(global_attn_every_n_layers=3, global_rope_theta=5_000.0, local_rope_theta=100.0)

    check(write("modernbert", tmp_path, change), case.answers("modernbert"))


def test_nomicbert_in_its_authors_words(tmp_path: Path) -> None:
    """Those of GPT-2."""

    def change(config: dict[str, Any]) -> None:
        words = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
        words |= {"intermediate_size": "n_inner", "layer_norm_eps": "layer_norm_epsilon"}
        for new, old in words.items():
            config[old] = config.pop(new)
        del config["rope_parameters"], config["hidden_act"], config["head_dim"]
        config.update(activation_function="swiglu", rotary_emb_base=1_000, rotary_emb_fraction=1.0, prenorm=False)
        config.update(qkv_proj_bias=False, mlp_fc1_bias=False, rotary_scaling_factor=None, use_rms_norm=False)

    check(write("nomic", tmp_path, change), case.answers("nomic"))


def test_nomicbert_reads_more_than_it_was_trained_for(tmp_path: Path) -> None:
    """Its config says both lengths; positions that turn have no table that could end."""
    folder = write("nomic", tmp_path, lambda config: config.update(max_position_embeddings=16, n_positions=64))
    check(folder, case.answers("nomic"))


def test_mpnets_buckets_grow_with_the_distance() -> None:
    """Eight exact ones, then shared ones up to the last; those ahead lie sixteen higher."""
    behind = find_buckets(-np.arange(300))
    assert behind[:8].tolist() == list(range(8))
    edges = [math.ceil(8 * 2 ** (step / 2) - 1e-9) for step in range(8)]
    assert [int(np.argmax(behind == 8 + step)) for step in range(8)] == edges
    assert behind[-1] == 15
    assert (np.diff(behind) >= 0).all()
    assert (find_buckets(np.arange(1, 300)) == behind[1:] + 16).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_without_one_of_its_tensors_is_refused(name: str, tmp_path: Path) -> None:
    """The sentence names it."""
    folder = case.load(name).write(tmp_path)
    gone = next(one for one in sorted(load_file(folder / "model.safetensors")) if ".1." in one)
    change_weights(folder, lambda tensors: {one: tensor for one, tensor in tensors.items() if one != gone})
    with pytest.raises(ModelFilesError, match="The weights hold no tensor"):
        opened(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_of_another_shape_is_refused(name: str, tmp_path: Path) -> None:
    """The sentence gives both shapes."""
    folder = case.load(name).write(tmp_path)
    cut = next(one for one, tensor in load_file(folder / "model.safetensors").items() if ".1." in one)
    change_weights(folder, lambda tensors: {**tensors, cut: np.ascontiguousarray(tensors[cut][:-1])})
    with pytest.raises(ModelFilesError, match=r"has shape \[\d+.*the config asks for \["):
        opened(folder)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_activation_is_refused(name: str, tmp_path: Path) -> None:
    """The sentence says which."""
    key = {"modernbert": "hidden_activation", "distilbert": "activation"}.get(name, "hidden_act")
    with pytest.raises(ModelFilesError, match="activation function 'xielu'"):
        opened(write(name, tmp_path, lambda config: config.update({key: "xielu"})))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_without_its_sizes_is_refused(name: str, tmp_path: Path) -> None:
    """The sentence says which is missing."""
    key = "n_layers" if name == "distilbert" else "num_hidden_layers"
    with pytest.raises(ModelFilesError, match=f"no positive number under {key}"):
        opened(write(name, tmp_path, lambda config: config.pop(key)))


@pytest.mark.parametrize("name", NAMES)
def test_heads_that_do_not_divide_the_width_are_refused(name: str, tmp_path: Path) -> None:
    """A width of 48, 7 heads."""
    key = "n_heads" if name == "distilbert" else "num_attention_heads"
    with pytest.raises(ModelFilesError, match="A width of 48 cannot be shared by 7"):
        opened(write(name, tmp_path, lambda config: config.update({key: 7})))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("bert-mean", {"position_embedding_type": "relative_key"}, "relative positions"),
        ("bert-mean", {"is_decoder": True}, "is_decoder"),
        ("ernie", {"use_task_id": True}, "use_task_id"),
        ("roberta", {"pad_token_id": 60}, "positions begin at 61"),
        ("gte", {"logn_attention_scale": True}, "logn_attention_scale"),
        ("gte", {"position_embedding_type": "absolute"}, "absolute positions"),
        ("gte", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "scaling 'dynamic'"),
        ("gte", {"rope_parameters": {"rope_type": "linear"}}, "needs a factor"),
        ("modernbert", {"layer_types": ["full_attention"]}, "must name 4 layers"),
        ("modernbert", {"layer_types": ["full_attention", "chunked_attention"] * 2}, "must name 4 layers"),
        ("modernbert", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "scales its rotary positions"),
        ("nomic", {"num_experts": 8}, "num_experts"),
        ("nomic", {"rotary_scaling_factor": 2}, "rotary_scaling_factor"),
        ("nomic", {"prenorm": True}, "prenorm"),
        ("nomic", {"activation_function": "gelu"}, "is not gated"),
        ("nomic", {"rotary_emb_fraction": 0.5}, "turns a part"),
    ],
)
def test_what_would_be_answered_wrongly_is_refused(name: str, change: dict[str, Any], said: str) -> None:
    """One sentence each, from the config alone."""
    config = {**case.load(name).files["config.json"], **change}
    with pytest.raises(ModelFilesError, match=said):
        find_family(config["model_type"]).check(config)


def test_an_unknown_architecture_is_refused_with_those_that_are_known() -> None:
    """Each by name."""
    with pytest.raises(ModelFilesError, match="'funnel' is not supported") as refused:
        find_family("funnel")
    assert all(name in str(refused.value) for name in FAMILIES)
