"""Export the real weights to ONNX and optimize the graph (runs in the environment of sentence-transformers).

The plain export goes into a copy of the model folder (`onnx/model.onnx`; infinity's and fastembed's place for it), the
optimized one beside it, outside the folder. `max_position_embeddings` in that folder's configuration becomes 256,
because infinity's ONNX engine truncates there; the position table in the graph is untouched.
"""

from __future__ import annotations

import shutil

import torch
from onnxruntime.transformers.optimizer import optimize_model
from transformers import AutoModel, AutoTokenizer

from bench.model import MAX_TOKENS, rewrite
from bench.paths import MODEL, MODEL_ONNX, OPTIMIZED_ONNX

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"


class Plain(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """The encoder with positional arguments and its last hidden state only."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(MODEL, attn_implementation="eager", dtype=torch.float32).eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Token vectors of padded texts."""
        hidden: torch.Tensor = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        return hidden


def main() -> None:
    """Write both files."""
    shutil.rmtree(MODEL_ONNX, ignore_errors=True)
    shutil.copytree(MODEL, MODEL_ONNX)
    rewrite(MODEL_ONNX / "config.json", max_position_embeddings=MAX_TOKENS)
    (MODEL_ONNX / "onnx").mkdir()
    target = MODEL_ONNX / "onnx" / "model.onnx"
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    example = tokenizer(["one text", "another, longer text"], padding=True, return_tensors="pt")
    model = Plain()
    heads, hidden = model.encoder.config.num_attention_heads, model.encoder.config.hidden_size
    with torch.no_grad():
        torch.onnx.export(
            model,
            tuple(example[name] for name in INPUTS),
            str(target),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*INPUTS, OUTPUT)},
            opset_version=17,
            dynamo=False,
        )
    optimized = optimize_model(str(target), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=1)
    optimized.save_model_to_file(str(OPTIMIZED_ONNX))
    print(optimized.get_fused_operator_statistics())


if __name__ == "__main__":
    main()
