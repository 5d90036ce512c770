"""kb eval: how good it is, on judged sets."""

import typer

from eval.commands import asking, duplicates, gaps, privacy, ranking, trust
from eval.report.command import report_command

app = typer.Typer(help="Measure retrieval on judged sets.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Measure retrieval and answers on judged sets."""


for module in (ranking, trust, asking, duplicates, gaps, privacy):
    module.register(app)
app.command("report")(report_command)
