"""python -m eval.bench, for where the command line `kb` is not installed."""

import sys

from eval.bench.command import app
from kb.errors import KBError

try:
    app(prog_name="python -m eval.bench")
except KBError as error:
    sys.exit(str(error))
