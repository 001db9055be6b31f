"""Where the benchmark keeps things. Everything it makes lies in three folders of `bench/`."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
VENVS = BENCH / ".venvs"
"""One virtual environment per rival family; made by `bench.venvs`, ignored by git."""
WORK = BENCH / ".work"
"""Prepared model folder, texts, reference vectors and logs; ignored by git."""
MODEL = WORK / "model"
"""The model folder that every rival is given (the real weights; tokenizer without the file's own truncation)."""
MODEL_ONNX = WORK / "model-onnx"
"""The same folder with an exported `onnx/model.onnx`, for the rivals that want one."""
OPTIMIZED_ONNX = WORK / "model-optimized.onnx"
"""The exported graph after ONNX Runtime's own transformer optimizer (fused attention, layer norm, GELU)."""
TEXTS = WORK / "texts.json"
REFERENCE = WORK / "reference.json"
LOGS = WORK / "logs"
RESULTS = BENCH / "results"
