"""kb bench: what the embedded engine costs at several sizes, beside peers in the same run.

base      real passages and questions, embedded once with the real model
corpus    N passages grown from them by seeded changes, on disk
worker    one measurement in a process of its own: `tasks` (the engine), `exact` (what it is checked against),
          `load` (publishing while questions are asked), `peers`
command   the command line    report, plot   its Markdown and its picture

The model's forward pass and the database are left out; `python -m eval.bench_search` has the whole of a search.
"""

from eval.bench.command import app

__all__ = ["app"]
