"""Files that are there whole or not at all."""

import json
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
"""Ending of what is being written. Whatever has it at start is what a crash left, and goes."""


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(source: Path, target: Path) -> None:
    """Rename, then make the rename durable: after this the new name is there, before it the old one."""
    source.replace(target)
    sync_folder(target.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, make it durable, give it its name."""
    partial = path.with_name(path.name + PARTIAL)
    partial.write_bytes(data)
    sync_file(partial)
    replace(partial, path)


def write_json(path: Path, document: Any) -> None:
    write_whole(path, json.dumps(document, ensure_ascii=False, sort_keys=True).encode())


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def remove(path: Path) -> None:
    """Remove a file or folder that nothing names any more."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
