"""Prepare a model for serving: sentence-transformers to ONNX to int8, held to the original by a parity gate.

Run as `python -m retrieval.export NAME FOLDER`, in a process of its own (`retrieval.embedding.prepared.run_export`):
torch is imported here and nowhere else. Says on standard output, in JSON lines, how far it is and why it fails.

Dynamic quantisation: weights as int8 with one scale a column, activations with a scale taken at run time; see Jacob et
al. 2018, arXiv:1712.05877.
"""

import json
import logging
import platform
import resource
import sys
import time
import warnings
from importlib import metadata
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from kb.errors import KBError, Misconfigured, shown
from retrieval.embed import OnnxEmbedder
from retrieval.embedding import catalogue
from retrieval.embedding.catalogue import WAY_OUT, Source
from retrieval.embedding.prepared import MODEL, OUT, TOKENIZER, Prepared, Tell, write_metadata

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PARITY = 0.99
"""Least mean cosine between the served model and the original, over the parity texts."""

OPSET = 17
LONGEST = 8192
"""Most tokens taken of a model whose files name no limit."""
LARGE = 1_800_000_000
"""Bytes of weights from which ONNX keeps them in a file of their own: protobuf ends at 2 GiB."""

_LIBRARIES = ("torch", "sentence-transformers", "transformers", "onnx", "onnxruntime", "tokenizers")
# What libraries raise for a model that they do not understand, or whose files are damaged.
_UNUSABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ImportError,
    RuntimeError,
    IndexError,
    SafetensorError,
)


def prepare(source: Source, work: Path, tell: Tell) -> Prepared:
    """Make `work / OUT`: model.onnx, tokenizer.json, metadata.json. Raises Misconfigured.

    The int8 model is taken where it passes the parity gate, else the full-precision one; metadata.json says which.
    """
    clock = {"start": time.perf_counter()}
    tell("reading the weights")
    model = _load(source, source.open(work))
    clock["load"] = time.perf_counter()
    full, small = work / "full", work / "int8"
    for folder in (full, small):
        folder.mkdir()
        _save_tokenizer(model, source, folder / TOKENIZER)
    tell("exporting to ONNX")
    large = sum(p.numel() * p.element_size() for p in model.parameters()) > LARGE
    try:
        _export(model, full / MODEL)
        clock["export"] = time.perf_counter()
        tell("quantising")
        _quantise(full / MODEL, small / MODEL, large=large)
    except _UNUSABLE as error:
        raise _misfit(source, f"it cannot be exported to ONNX: {_first_line(error)}") from error
    clock["quantise"] = time.perf_counter()
    tell("comparing with the original")
    texts = parity_texts()
    reference = np.asarray(
        model.encode(texts, prompt=source.recipe.passage_prefix, batch_size=16, normalize_embeddings=True), np.float32
    )
    tried: dict[str, dict[str, float]] = {}
    for precision, folder in (("int8", small), ("float32", full)):
        made = _describe(model, source, folder, dim=reference.shape[1])
        cosine = _cosines(OnnxEmbedder(source.name, made).embed_passages(texts), reference)
        tried[precision] = {"mean": float(cosine.mean()), "least": float(cosine.min())}
        tell(f"{precision}: cosine to the original {cosine.mean():.4f} on {len(texts)} texts")
        if cosine.mean() >= PARITY:
            break
    else:
        raise _misfit(source, f"its ONNX form is not the same model: cosine {cosine.mean():.3f}, not {PARITY} or more")
    clock["parity"] = time.perf_counter()
    write_metadata(
        made,
        {
            "name": source.name,
            "precision": precision,
            "parity": {"texts": len(texts), "gate": PARITY, **tried},
            "recipe": {field: getattr(source.recipe, field) for field in source.recipe.__dataclass_fields__},
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _LIBRARIES}},
            "seconds": {name: round(end - start, 1) for (_, start), (name, end) in pairwise(clock.items())},
            "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
    )
    folder.rename(work / OUT)
    return made


def parity_texts() -> list[str]:
    """Return the texts of the parity gate: English and Chinese, from a word to a paragraph."""
    return (files("retrieval.embedding") / "parity.txt").read_text(encoding="utf-8").splitlines()


def _load(source: Source, folder: Path) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    try:
        # Eager attention is plain matrix products, which the exporter and the quantiser know.
        model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"attn_implementation": "eager"}
        )
    except _UNUSABLE as error:
        raise _misfit(source, _first_line(error)) from error
    return model.eval().float()


def _export(model: "SentenceTransformer", file: Path) -> None:
    import torch

    class Pipeline(torch.nn.Module):
        """The model's own modules, pooling included, from token ids to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.steps = torch.nn.ModuleList(list(model))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for step in self.steps:
                features = step(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)

    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [5, 6, 7, 8, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    with torch.no_grad():
        torch.onnx.export(
            Pipeline().eval(),
            (ids, mask),
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={
                "input_ids": {0: "texts", 1: "tokens"},
                "attention_mask": {0: "texts", 1: "tokens"},
                "embedding": {0: "texts"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def _quantise(full: Path, small: Path, *, large: bool) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(full, small, per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=large)


def _save_tokenizer(model: "SentenceTransformer", source: Source, file: Path) -> None:
    backend: Any = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise _misfit(source, "its tokenizer has no fast form (tokenizer.json)")
    backend.no_padding()
    backend.no_truncation()
    backend.save(str(file))


def _describe(model: "SentenceTransformer", source: Source, folder: Path, *, dim: int) -> Prepared:
    most = source.recipe.max_tokens or min(int(model.max_seq_length or LONGEST), LONGEST)
    return Prepared(
        folder=folder,
        fingerprint=source.recipe.fingerprint,
        dim=dim,
        max_tokens=most,
        pad_id=int(model.tokenizer.pad_token_id or 0),
        query_prefix=source.recipe.query_prefix,
        passage_prefix=source.recipe.passage_prefix,
    )


def _cosines(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((a * b).sum(axis=1), np.float32)


def _misfit(source: Source, why: str) -> Misconfigured:
    return Misconfigured(f"the embedding model {shown(source.name)} cannot be used: {why}; {WAY_OUT}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _say(key: str, text: str) -> None:
    sys.stdout.write(json.dumps({key: text}) + "\n")
    sys.stdout.flush()


def main(name: str, work: str) -> int:
    """Prepare the model `name` in the folder `work`; return the exit code."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        prepare(catalogue.find(name), Path(work), lambda text: _say("progress", text))
    except KBError as error:
        _say("misconfigured", error.message)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
