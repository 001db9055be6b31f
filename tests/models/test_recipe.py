"""What a model folder says of itself, in the old and the new form of its files."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from embedway.errors import ModelFilesError
from embedway.models.heads import DenseHead, Layer, ScoreHead
from embedway.models.recipe import Recipe, read_recipe
from embedway.models.source import ModelFiles, find_model
from embedway.types import ModelSpec
from tests.hub import CONFIG, HIDDEN, MODULES, write_json, write_model

SPEC = ModelSpec(name="tiny", source="tiny")
NEW_TYPES = [
    "sentence_transformers.base.modules.transformer.Transformer",
    "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "sentence_transformers.base.modules.normalize.Normalize",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with old-style files: mean pooling, normalised, 32 of 64 positions, no prompts."""
    return write_model(tmp_path / "tiny")


def read(folder: Path, **spec: Any) -> Recipe:
    return read_recipe(find_model(str(folder)), dataclasses.replace(SPEC, **spec))


def pooling(recipe: Recipe) -> str:
    assert recipe.heads.dense is not None
    return recipe.heads.dense.pooling


def normalized(recipe: Recipe) -> bool:
    assert recipe.heads.dense is not None
    return recipe.heads.dense.normalized


def change(path: Path, **keys: object) -> None:
    """Change keys of a JSON file; None removes one."""
    document = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, {key: value for key, value in {**document, **keys}.items() if value is not None})


def modules(*types: str) -> list[dict[str, object]]:
    """A `modules.json` of these types, each with its usual path."""
    return [
        {"idx": index, "name": str(index), "path": f"{index}_{name.rpartition('.')[2]}" if index else "", "type": name}
        for index, name in enumerate(types)
    ]


def refused(folder: Path, *words: str, **spec: Any) -> None:
    """Require that the folder is refused in one sentence with these words."""
    with pytest.raises(ModelFilesError) as caught:
        read(folder, **spec)
    for word in words:
        assert word in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


class TestBundled:
    def test_bundled_model(self) -> None:
        """The published MiniLM: mean, normalised, 384 dimensions, 256 tokens, no prompts, not trained for cutting."""
        recipe = read_recipe(find_model("all-MiniLM-L6-v2"), SPEC)
        assert (recipe.family, pooling(recipe), normalized(recipe)) == ("bert", "mean", True)
        assert (recipe.dimensions, recipe.max_tokens, recipe.matryoshka) == (384, 256, ())
        assert recipe.prompts.by_role == {"query": "", "document": ""}
        assert recipe.lowercase is False
        assert recipe.config["num_hidden_layers"] == 6


class TestPooling:
    @pytest.mark.parametrize("form", ["old", "new", "listed"])
    @pytest.mark.parametrize(
        ("flag", "name", "expected"),
        [
            ("pooling_mode_mean_tokens", "mean", "mean"),
            ("pooling_mode_cls_token", "cls", "cls"),
            ("pooling_mode_max_tokens", "max", "max"),
            ("pooling_mode_lasttoken", "lasttoken", "last"),
            ("pooling_mode_weightedmean_tokens", "weightedmean", "weighted"),
        ],
    )
    def test_pooling_in_every_form(self, form: str, flag: str, name: str, expected: str, folder: Path) -> None:
        """The flags of older files and the name of newer ones say the same."""
        said = {"old": {flag: True, "pooling_mode_other": False}, "new": {"pooling_mode": name}}
        keys = said.get(form, {"pooling_mode": [name]})
        write_json(folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, **keys})
        assert pooling(read(folder)) == expected

    def test_no_flag_means_the_mean(self, folder: Path) -> None:
        """As the library takes it."""
        write_json(
            folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": False}
        )
        assert pooling(read(folder)) == "mean"

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"pooling_mode": "mean_sqrt_len_tokens"}, "it pools by mean_sqrt_len_tokens"),
            ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, "it pools by mean and cls"),
            ({"pooling_mode": ["mean", "max"]}, "it pools by mean and max"),
        ],
    )
    def test_other_poolings_are_refused(self, keys: dict[str, object], said: str, folder: Path) -> None:
        """Given a pooling, or several joined, that Embedway does not do, the error names them."""
        write_json(folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, **keys})
        refused(folder, "not supported yet", said)


class TestModules:
    def test_new_type_names(self, folder: Path) -> None:
        """Files as version 6 writes them read as those of version 2."""
        old = read(folder)
        write_json(folder / "modules.json", modules(*NEW_TYPES))
        write_json(folder / "1_Pooling/config.json", {"embedding_dimension": HIDDEN, "pooling_mode": "mean"})
        write_json(folder / "2_Normalize/config.json", {"module_input_name": "sentence_embedding"})
        assert read(folder) == old

    def test_without_normalize(self, folder: Path) -> None:
        """Vectors of a model that does not end in a normalisation keep their length, as in the library."""
        write_json(folder / "modules.json", MODULES[:2])
        assert normalized(read(folder)) is False

    @pytest.mark.parametrize(
        ("types", "said"),
        [
            ([*NEW_TYPES, "sentence_transformers.models.Dense"], "its modules are"),
            ([*NEW_TYPES[:2], "sentence_transformers.models.CNN"], "it needs the module CNN"),
            (["sentence_transformers.models.StaticEmbedding"], "its modules are StaticEmbedding"),
            ([NEW_TYPES[0], "sentence_transformers.models.WeightedLayerPooling"], "the module WeightedLayerPooling"),
            (["custom_st.Transformer", *NEW_TYPES[1:]], "it brings code of its own (custom_st.Transformer)"),
            ([NEW_TYPES[0]], "its modules are Transformer"),
            ([], "its modules are none"),
            ([NEW_TYPES[0], NEW_TYPES[2], NEW_TYPES[1]], "its modules are Transformer, Normalize, Pooling"),
        ],
    )
    def test_other_modules_are_refused_by_name(self, types: list[str], said: str, folder: Path) -> None:
        """Given a module that would change the vectors and is not known, the model is not served without it."""
        write_json(folder / "modules.json", modules(*types))
        refused(folder, "not supported yet", said)

    def test_network_in_a_subfolder_is_refused(self, folder: Path) -> None:
        write_json(folder / "modules.json", [{**MODULES[0], "path": "0_Transformer"}, *MODULES[1:]])
        refused(folder, "its network is in the subfolder 0_Transformer")

    def test_normalisation_of_tokens_is_refused(self, folder: Path) -> None:
        write_json(folder / "2_Normalize/config.json", {"module_input_name": "token_embeddings"})
        refused(folder, "it normalises something else than what it gives")

    @pytest.mark.parametrize("path", ["../elsewhere", "/etc", "1_Pooling/../../x"])
    def test_module_outside_the_folder_is_refused(self, path: str, folder: Path) -> None:
        write_json(folder / "modules.json", [MODULES[0], {**MODULES[1], "path": path}, MODULES[2]])
        refused(folder, "is not inside the model's folder")

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("SparseEncoder", "it is a SparseEncoder of Pooling, Normalize"),
            ("CrossEncoder", "it is a CrossEncoder on BertModel"),
            ("MultiVectorEncoder", "its modules are Transformer, Pooling, Normalize"),
            ("TimeMachine", "it is a TimeMachine"),
        ],
    )
    def test_other_kinds_of_model_are_refused(self, kind: str, said: str, folder: Path) -> None:
        """Given modules that are another kind's, the model is not served as if it were that."""
        change(folder / "config_sentence_transformers.json", model_type=kind)
        refused(folder, "not supported yet", said)

    def test_a_chat_template_for_texts_is_refused(self, folder: Path) -> None:
        """The library would put every text into it."""
        modality = {"message": {"method": "forward", "method_output_name": "last_hidden_state", "format": "flat"}}
        change(folder / "sentence_bert_config.json", modality_config=modality)
        refused(folder, "not supported yet", "it puts texts into a chat template")

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"transformer_task": "fill-mask"}, "its network is run for fill-mask"),
            ({"query_length": 32}, "at lengths of their own"),
            ({"document_length": 180}, "at lengths of their own"),
        ],
    )
    def test_other_ways_into_the_network_are_refused(self, keys: dict[str, object], said: str, folder: Path) -> None:
        change(folder / "sentence_bert_config.json", **keys)
        refused(folder, said)


class TestPlainEncoder:
    @pytest.fixture
    def plain(self, tmp_path: Path) -> Path:
        return write_model(tmp_path / "plain", bare=True)

    def test_mean_and_length_one(self, plain: Path) -> None:
        """A folder without modules pools as the library does, and its vectors have length 1."""
        recipe = read(plain)
        assert (pooling(recipe), normalized(recipe), recipe.dimensions) == ("mean", True, HIDDEN)
        assert recipe.max_tokens == CONFIG["max_position_embeddings"]

    @pytest.mark.parametrize(("is_causal", "expected"), [(None, "last"), (True, "last"), (False, "mean")])
    def test_causal_network_takes_the_last_token(self, is_causal: bool | None, expected: str, plain: Path) -> None:
        change(plain / "config.json", architectures=["Qwen3ForCausalLM"], is_causal=is_causal)
        assert pooling(read(plain)) == expected

    def test_files_of_the_modules_count_only_with_modules(self, plain: Path) -> None:
        """Without `modules.json` the library reads neither prompts nor lengths of its own files."""
        write_json(plain / "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
        write_json(plain / "sentence_bert_config.json", {"max_seq_length": 8, "do_lower_case": True})
        recipe = read(plain)
        assert (recipe.prompts.by_role["query"], recipe.max_tokens, recipe.lowercase) == ("", 64, False)

    def test_a_classifier_scores(self, plain: Path) -> None:
        """It has no vectors: its labels, and what its own library does with the logits."""
        change(plain / "config.json", architectures=["BertForSequenceClassification"], id2label={"0": "LABEL_0"})
        heads = read(plain).heads
        assert heads.dense is None
        assert heads.scores == ScoreHead(("LABEL_0",), "sigmoid")
        change(plain / "config.json", id2label={"1": "glad", "0": "sad"})
        assert read(plain).heads.scores == ScoreHead(("sad", "glad"), "softmax")
        change(plain / "config.json", problem_type="multi_label_classification")
        assert read(plain).heads.scores == ScoreHead(("sad", "glad"), "sigmoid")
        change(plain / "config.json", sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
        assert read(plain).heads.scores == ScoreHead(("sad", "glad"), "identity")
        assert read(plain).dimensions == 0

    def test_an_unknown_activation_of_scores_is_refused(self, plain: Path) -> None:
        change(plain / "config.json", architectures=["BertForSequenceClassification"])
        change(plain / "config.json", sentence_transformers={"activation_fn": "my.Own"})
        refused(plain, "its scores go through Own")


class TestLinearLayers:
    @pytest.fixture
    def deep(self, folder: Path) -> Path:
        """Mean, then a linear layer to 8 numbers; not normalised."""
        write_json(folder / "modules.json", modules(*NEW_TYPES[:2], "sentence_transformers.models.Dense"))
        write_json(folder / "2_Dense/config.json", {"in_features": HIDDEN, "out_features": 8, "bias": False})
        save_file({"linear.weight": np.zeros((8, HIDDEN), np.float32)}, folder / "2_Dense/model.safetensors")
        return folder

    def test_they_come_after_the_pooling(self, deep: Path) -> None:
        """The vector has the last one's length; tanh is the library's default."""
        recipe = read(deep)
        assert recipe.heads.dense == DenseHead("mean", (Layer("2_Dense.linear", HIDDEN, 8, False, "tanh"),), False)
        assert recipe.dimensions == 8
        assert recipe.mounts == {"2_Dense": deep / "2_Dense/model.safetensors"}

    def test_their_numbers_are_part_of_the_digest(self, deep: Path) -> None:
        before = read(deep).digest
        save_file({"linear.weight": np.ones((8, HIDDEN), np.float32)}, deep / "2_Dense/model.safetensors")
        assert read(deep).digest != before

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"in_features": HIDDEN + 1}, f"takes {HIDDEN + 1} numbers"),
            ({"activation_function": "torch.nn.modules.activation.Hardswish"}, "the activation Hardswish"),
            ({"module_input_name": "token_embeddings"}, "something else than what it gives"),
        ],
    )
    def test_others_are_refused(self, keys: dict[str, object], said: str, deep: Path) -> None:
        change(deep / "2_Dense/config.json", **keys)
        refused(deep, said)

    def test_without_their_weights(self, deep: Path) -> None:
        (deep / "2_Dense/model.safetensors").unlink()
        refused(deep, "has no model.safetensors")


class TestLimits:
    def test_length_of_the_sentence_file(self, folder: Path) -> None:
        """What sentence-transformers was told goes before tokenizer and network."""
        assert read(folder).max_tokens == 32

    @pytest.mark.parametrize(("tokenizer", "expected"), [(48, 48), (512, 64), (10**30, 64), (1e30, 64), (None, 64)])
    def test_else_the_smaller_of_tokenizer_and_positions(
        self, tokenizer: float | None, expected: int, folder: Path
    ) -> None:
        """Given no length of its own, the tokenizer's limit and the positions bound the text; 10^30 means no limit."""
        change(folder / "sentence_bert_config.json", max_seq_length=None)
        change(folder / "tokenizer_config.json", model_max_length=tokenizer)
        assert read(folder).max_tokens == expected

    def test_length_above_the_positions_is_lowered(self, folder: Path) -> None:
        """A file that promises more than the network has positions would crash on a long text."""
        change(folder / "sentence_bert_config.json", max_seq_length=100)
        assert read(folder).max_tokens == 64

    @pytest.mark.parametrize(("padding", "expected"), [(1, 62), (0, 63), (None, 62)])
    def test_roberta_loses_positions_to_its_padding(self, padding: int | None, expected: int, folder: Path) -> None:
        """RoBERTa's first position is the one after the padding token's id: 514 embeddings serve 512 tokens."""
        change(folder / "config.json", model_type="xlm-roberta", pad_token_id=padding)
        change(folder / "sentence_bert_config.json", max_seq_length=64)
        assert read(folder).max_tokens == expected

    def test_network_without_positions(self, folder: Path) -> None:
        """Relative positions set no limit: the tokenizer's holds."""
        change(folder / "config.json", max_position_embeddings=-1)
        change(folder / "sentence_bert_config.json", max_seq_length=None)
        assert read(folder).max_tokens == 512

    def test_no_limit_anywhere(self, folder: Path) -> None:
        """Given no limit in any file, one must be set, and then holds."""
        change(folder / "config.json", max_position_embeddings=None)
        change(folder / "sentence_bert_config.json", max_seq_length=None)
        (folder / "tokenizer_config.json").unlink()
        refused(folder, "does not say how long a text may be", "set max_tokens")
        assert read(folder, max_tokens=128).max_tokens == 128
        refused(folder, "max_tokens = 0", "at least 1", max_tokens=0)

    @pytest.mark.parametrize("asked", [1, 16, 33, 64])
    def test_spec_goes_before_the_folder(self, asked: int, folder: Path) -> None:
        """The limit asked for holds, below and above the model's own, as far as there are positions."""
        assert read(folder, max_tokens=asked).max_tokens == asked

    @pytest.mark.parametrize("asked", [0, -1, 65, 8192])
    def test_spec_beyond_the_positions_is_refused(self, asked: int, folder: Path) -> None:
        refused(folder, f"max_tokens = {asked} of the model 'tiny' must be between 1 and 64", max_tokens=asked)


class TestDimensions:
    @pytest.mark.parametrize("key", ["hidden_size", "dim", "d_model", "n_embd"])
    def test_width_under_every_name(self, key: str, folder: Path) -> None:
        change(folder / "config.json", hidden_size=None)
        change(folder / "config.json", **{key: HIDDEN})
        assert read(folder).dimensions == HIDDEN

    def test_pooling_for_another_width_is_refused(self, folder: Path) -> None:
        """Files that do not belong together are noticed before any text is embedded."""
        change(folder / "1_Pooling/config.json", word_embedding_dimension=16)
        refused(folder, "the pooling is for 16 dimensions, the network has 8")

    def test_no_width_at_all_is_refused(self, folder: Path) -> None:
        change(folder / "config.json", hidden_size=None)
        change(folder / "1_Pooling/config.json", word_embedding_dimension=None)
        refused(folder, "config.json does not say how wide the network is")

    @pytest.mark.parametrize(
        ("listed", "truncate", "expected"),
        [
            (None, None, ()),
            ([4, 2], None, (2, 4, 8)),
            ([2, 8], None, (2, 8)),
            (None, 4, (4, 8)),
            ([2], 4, (2, 4, 8)),
            ([8, 16], 0, ()),
        ],
    )
    def test_lengths_that_a_model_was_trained_for(
        self, listed: list[int] | None, truncate: int | None, expected: tuple[int, ...], folder: Path
    ) -> None:
        """Ascending, the native length last; a model that lists none was not trained to be cut."""
        change(folder / "config.json", matryoshka_dimensions=listed)
        change(folder / "config_sentence_transformers.json", truncate_dim=truncate)
        recipe = read(folder)
        assert recipe.matryoshka == expected
        assert recipe.dimensions == HIDDEN


class TestPrompts:
    @pytest.mark.parametrize(
        ("prompts", "default", "query", "document"),
        [
            ({}, None, "", ""),
            ({"query": "q: ", "document": "d: "}, None, "q: ", "d: "),
            ({"query": "q: ", "passage": "p: "}, None, "q: ", "p: "),
            ({"query": "q: ", "corpus": "c: "}, None, "q: ", "c: "),
            ({"document": "", "passage": "p: "}, None, "", ""),
            ({"s2p_query": "s: ", "s2s_query": "other: "}, None, "s: ", ""),
            ({"query": "q: "}, "query", "q: ", "q: "),
            ({"query": "q: ", "document": ""}, "query", "q: ", ""),
            ({"clustering": "c: "}, "clustering", "c: ", "c: "),
            ({"query": None, "clustering": "c: "}, "query", "", ""),
            ({}, "query", "", ""),
        ],
    )
    def test_prompt_of_each_role(
        self, prompts: dict[str, str | None], default: str | None, query: str, document: str, folder: Path
    ) -> None:
        """A role's own prompt, else the default one, else none; an empty prompt is a prompt."""
        write_json(folder / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": default})
        assert read(folder).prompts.by_role == {"query": query, "document": document}

    def test_default_that_does_not_exist_is_refused(self, folder: Path) -> None:
        change(folder / "config_sentence_transformers.json", prompts={"query": "q: "}, default_prompt_name="none")
        refused(folder, "default_prompt_name is 'none', but there is no prompt of that name")

    def test_prompt_left_out_of_the_pooling_is_refused(self, folder: Path) -> None:
        """Given `include_prompt: false`, it matters only where there is a prompt."""
        change(folder / "1_Pooling/config.json", include_prompt=False)
        assert read(folder).prompts.by_role == {"query": "", "document": ""}
        change(folder / "config_sentence_transformers.json", prompts={"query": "q: "})
        refused(folder, "it leaves its prompt out of the pooling")


class TestSentenceFile:
    @pytest.mark.parametrize("network", ["bert", "roberta", "distilbert", "xlm-roberta"])
    def test_every_name_it_has_had(self, network: str, folder: Path) -> None:
        (folder / "sentence_bert_config.json").unlink()
        write_json(folder / f"sentence_{network}_config.json", {"max_seq_length": 20, "do_lower_case": True})
        recipe = read(folder)
        assert (recipe.max_tokens, recipe.lowercase) == (20, True)

    def test_it_may_be_absent(self, folder: Path) -> None:
        (folder / "sentence_bert_config.json").unlink()
        assert read(folder).max_tokens == 64


class TestDamage:
    @pytest.mark.parametrize(
        "name",
        [
            "config.json",
            "modules.json",
            "1_Pooling/config.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
        ],
    )
    @pytest.mark.parametrize("text", ["", "{", "null", '"text"', "\xff\xfe\xff", "[" * 100_000], ids=str.__len__)
    def test_damaged_file_is_named(self, name: str, text: str, folder: Path) -> None:
        """A file that is not JSON, or not of its shape, is named in the error."""
        (folder / name).write_text(text, encoding="latin-1")
        refused(folder, f"{name} is damaged or not what is expected")

    @pytest.mark.parametrize(
        ("name", "keys", "said"),
        [
            ("config.json", {"model_type": None}, "model_type"),
            ("config.json", {"hidden_size": "wide"}, "hidden_size"),
            ("config.json", {"architectures": "BertModel"}, "architectures"),
            ("1_Pooling/config.json", {"pooling_mode": 3}, "pooling_mode"),
            ("sentence_bert_config.json", {"max_seq_length": "long"}, "max_seq_length"),
            ("config_sentence_transformers.json", {"prompts": ["q"]}, "prompts"),
        ],
    )
    def test_wrong_type_names_file_and_key(self, name: str, keys: dict[str, object], said: str, folder: Path) -> None:
        change(folder / name, **keys)
        refused(folder, name, said)

    def test_missing_pooling_is_named(self, folder: Path) -> None:
        (folder / "1_Pooling/config.json").unlink()
        refused(folder, "1_Pooling/config.json cannot be read: No such file")


class TestDigest:
    def test_same_files_have_the_same_digest_anywhere(self, folder: Path, tmp_path: Path) -> None:
        """The digest does not depend on where the files lie or come from."""
        copy = shutil.copytree(folder, tmp_path / "copy")
        cached = ModelFiles(copy, "cache", "0" * 40)
        assert read_recipe(cached, SPEC).digest == read(folder).digest
        assert len(read(folder).digest) == 64

    @pytest.mark.parametrize(
        ("name", "keys"),
        [
            ("config.json", {"layer_norm_eps": 1e-5}),
            ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}),
            ("sentence_bert_config.json", {"max_seq_length": 16}),
            ("sentence_bert_config.json", {"do_lower_case": True}),
            ("1_Pooling/config.json", {"pooling_mode": "cls"}),
            ("config_sentence_transformers.json", {"prompts": {"query": "q: "}}),
        ],
    )
    def test_digest_follows_what_decides_a_vector(self, name: str, keys: dict[str, object], folder: Path) -> None:
        before = read(folder).digest
        change(folder / name, **keys)
        assert read(folder).digest != before

    def test_digest_follows_the_weights(self, folder: Path, tmp_path: Path) -> None:
        assert read(write_model(tmp_path / "retrained", seed=1)).digest != read(folder).digest

    def test_digest_does_not_follow_the_rest(self, folder: Path) -> None:
        """Who saved the model, and with which version, changes no vector."""
        before = read(folder).digest
        change(folder / "config.json", transformers_version="9.9", _name_or_path="/elsewhere")
        change(folder / "config_sentence_transformers.json", similarity_fn_name="cosine")
        assert read(folder).digest == before
