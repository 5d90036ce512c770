"""python -m eval.bench, for where the command line `kb` is not installed."""

from eval.bench.command import app

app(prog_name="kb bench")
