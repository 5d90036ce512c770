"""kb eval report: everything that is claimed of quality, measured in one run, as one page and as Markdown."""
