"""kb adapt: learns from use what is measured to help: how questions are asked, and how much a shared word says."""

import time
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import FAULTS, OK, DataOption, JsonOption, emit, judged_option, out, say, services, settings
from api.services import open_database
from ingest.adapting import Adoption, adapt
from ingest.gate import questions
from ingest.weighing import Weighing, weigh
from kb import generations
from kb.errors import NotFound
from retrieval import own_fusion
from retrieval.adapted import AdaptedEmbedder, Adapter, AdapterFile, write
from retrieval.own_fusion import OwnFusion, OwnFusionFile


def register(root: typer.Typer) -> None:
    root.command("adapt")(command)


def command(
    judged: Annotated[
        list[Path] | None,
        judged_option("beside those of the event log (queries.jsonl, qrels.tsv); may be repeated."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Search without what was learnt from now on.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from links, votes and dismissals how questions are asked here; adopt it if it wins on what it has not seen.

    An adapter, which moves questions, then the weight of shared words beside it, each adopted by itself. Learns from
    one half of the questions and is measured on the other. Servers follow by themselves. Leaves with 4 if neither is
    adopted; what was adopted before then stays.
    """
    if remove:
        _remove(data, as_json)
        return
    started = time.monotonic()
    with services(data) as opened:
        asked = questions(opened.db, judged or [])
        tell = (lambda _: None) if as_json else say
        found = adapt(opened.db, opened.index, opened.embedder, asked, tell=tell)
        folder, fingerprint = opened.settings.adapters_folder, opened.embedder.fingerprint
        file, own = AdapterFile(folder, fingerprint), OwnFusionFile(folder, fingerprint)
        if found.adapter is not None and found.refusal is None:
            write(file.path, found.adapter)
            own.path.unlink(missing_ok=True)  # it was measured with another adapter
        stays = found.refusal is not None and file() is not None
        plain = opened.embedder.plain if isinstance(opened.embedder, AdaptedEmbedder) else opened.embedder
        weighed = weigh(opened.db, opened.index, AdaptedEmbedder(plain, file), asked, tell=tell)
        if weighed.fusion is not None and weighed.refusal is None:
            own_fusion.write(own.path, weighed.fusion)
        fusion_stays = weighed.refusal is not None and own() is not None
    seconds = time.monotonic() - started
    if as_json:
        fusion = {**weighed.as_json(), "stays": fusion_stays}
        emit({**found.as_json(), "stays": stays, "fusion": fusion, "seconds": round(seconds, 3)})
    else:
        _tell(found, stays, seconds)
        _tell_fusion(weighed, fusion_stays)
    raise typer.Exit(OK if None in (found.refusal, weighed.refusal) else FAULTS)


def said(adapter: Adapter) -> str:
    """Return in a line what is known of an adapter."""
    learnt = adapter.learnt
    return (
        f"learnt from {learnt['learnt_from']} questions at {learnt['at']}, moves those in {', '.join(adapter.langs)}; "
        f"nDCG@10 {learnt['before']:.4f} to {learnt['after']:.4f} on {learnt['questions']} others (p {learnt['p']:.4f})"
    )


def said_of_fusion(fusion: OwnFusion) -> str:
    """Return in a line what is known of an own fusion."""
    learnt = fusion.learnt
    return (
        f"weight {fusion.weight:g}, damping {fusion.damping:g}, learnt from {learnt['learnt_from']} questions at "
        f"{learnt['at']}; nDCG@10 {learnt['before']:.4f} to {learnt['after']:.4f} on {learnt['questions']} others "
        f"(p {learnt['p']:.4f})"
    )


def _remove(data: Path | None, as_json: bool) -> None:
    loaded = settings(data)
    with open_database(loaded).read() as session:
        active = generations.active(session)
    there: list[Path] = []
    if active is not None:
        folder, fingerprint = loaded.adapters_folder, active.fingerprint
        files = AdapterFile(folder, fingerprint).path, OwnFusionFile(folder, fingerprint).path
        there = [path for path in files if path.exists()]
    if not there:
        raise NotFound("there is no adapter and no own fusion: what is searched is searched without")
    for path in there:
        path.unlink()
    if as_json:
        emit({"removed": [str(path) for path in there]})
    else:
        out.print("What was learnt is removed; servers search without it from the next question on.")


def _tell(found: Adoption, stays: bool, seconds: float) -> None:
    if found.adapter is not None:
        line = f"nDCG@10 {found.before:.4f} without, {found.after:.4f} with it, on {found.questions} questions"
        out.print(f"{line} (p {found.p:.4f}); learnt from {found.learnt_from}, {seconds:.1f} s", highlight=False)
        for lang, (count, before, after) in found.langs.items():
            out.print(f"  {lang}: {before:.4f} to {after:.4f} on {count}", highlight=False)
    if found.refusal is None:
        out.print("Adopted: servers search with it from the next question on. Back: kb adapt --remove")
        return
    out.print(f"Not adopted: {found.refusal}.", markup=False, highlight=False)
    if stays:
        out.print("The adapter that was adopted before stays; kb adapt --remove takes it away.")


def _tell_fusion(found: Weighing, stays: bool) -> None:
    if found.fusion is not None and found.held is not None:
        was, became = found.held.before, found.held.after
        line = f"Words weighed by {found.fusion.weight:g}, damping {found.fusion.damping:g}: nDCG@10 {was:.4f} to"
        out.print(f"{line} {became:.4f} (p {found.held.p:.4f})", highlight=False)
    if found.refusal is None:
        out.print("These weights are adopted. Back: kb adapt --remove")
        return
    out.print(f"Weights of words not adopted: {found.refusal}.", markup=False, highlight=False)
    if stays:
        out.print("The weights that were adopted before stay; kb adapt --remove takes them away.")
