"""Personal data and secrets in the text of cases: found, shown for review, replaced by typed placeholders."""

from ingest.redaction.find import find
from ingest.redaction.findings import Finding, Kind, Placeholders, Review, replaced

__all__ = ["Finding", "Kind", "Placeholders", "Review", "find", "replaced"]
