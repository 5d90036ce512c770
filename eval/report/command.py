"""kb eval report."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eval.vectors import embedder_of
from kb.settings import load_settings
from retrieval.embed import load_embedder
from retrieval.titled import TitledEmbedder


def report_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets; A@B: questions of A over B.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Write report.html, report.md, report.json and SVGs there.")],
    as_is: Annotated[
        list[Path] | None,
        typer.Option("--as-is", help="A set with unanswerable questions, asked with all its documents; repeatable."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Queries of each set's report half.")] = 500,
) -> None:
    """Measure retrieval, what each part of fusion buys, confidence and costs on report halves; write one page."""
    from eval.report import page  # matplotlib and scikit-learn: not before they are needed
    from eval.report.measure import measured

    err = Console(stderr=True)
    settings = load_settings()
    with embedder_of(settings) as embedder:
        found = measured(
            folders,
            as_is or [],
            embedder,
            TitledEmbedder(load_embedder(settings.embedder, settings.cache, settings.threads)),
            settings,
            most=most,
            tell=lambda message: err.print(message, highlight=False),
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    (out / "report.md").write_text(page.markdown(found), "utf-8")
    (out / "report.html").write_text(page.html(found), "utf-8")
    for name, svg in page.pictures(found).items():
        (out / f"{name}.svg").write_text(svg, "utf-8")
    Console().print(str(out / "report.html"), highlight=False, soft_wrap=True)
