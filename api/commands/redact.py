"""kb redact: personal data and secrets in a text, shown or replaced."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import JsonOption, emit, say
from ingest.redaction import Placeholders, find, replaced
from ingest.redaction.find import language_of
from kb.errors import InvalidInput, NotFound, shown


def register(app: typer.Typer) -> None:
    app.command("redact")(redact)


def redact(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Text or Markdown; - reads standard input.")],
    lang: Annotated[str | None, typer.Option(help="Language: en or zh (default: seen from the text).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a text with placeholders for personal data and secrets; with --json what was found, for review."""
    text = _text(file)
    chosen = lang if lang is not None else language_of(text)
    findings = find(text, chosen)
    redacted = replaced(text, findings, numbering := Placeholders())
    if as_json:
        found = [{**asdict(f), "placeholder": numbering.of(f.kind, f.text)} for f in findings]
        emit({"lang": chosen, "redacted": redacted, "findings": found})
        return
    sys.stdout.write(redacted)
    sys.stdout.flush()
    say(f"{len(findings)} found and replaced; read it through before you pass it on")


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {shown(str(file))}; name one, or - for standard input") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{shown(str(file))} is not UTF-8 text; convert it first") from error
    except OSError as error:
        raise InvalidInput(f"{shown(str(file))} cannot be read: {error.strerror}") from error
