"""Answers written by a language model, optional: any server that speaks OpenAI's chat completions.

    prompt.py     what it is asked (retrieval/prompt.md)     endpoint.py   asking it, and each way that it can fail
    units.py      sentences out of a stream                  breaker.py    leaving it alone while it fails
    writer.py     all of it: only sentences that their passages support come out

Nothing here is imported where no model is configured.
"""
