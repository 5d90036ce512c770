"""The process that `ingest.redaction.process.Redactor` starts: a text a line in, what was found a line out, as JSON.

It ends when its input ends, so it never outlives who started it.
"""

import json
import os
import signal
import sys
from dataclasses import astuple

from kb.errors import KBError


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    # spaCy and Presidio import torch and transformers if they are there and use neither here: 320 MB and five seconds.
    # None in sys.modules is how Python says that a module is not there.
    sys.modules |= dict.fromkeys(("torch", "transformers"))  # type: ignore[arg-type]
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    from ingest.redaction.find import find

    for line in sys.stdin:
        text, lang = json.loads(line)
        try:
            said: object = [astuple(finding) for finding in find(text, lang)]
        except KBError as error:
            said = {"code": error.code, "message": error.message, "field": error.field}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
