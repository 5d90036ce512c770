"""Word documents: headings, lists, tables, links, and what images are said to show."""

import warnings as python_warnings
from collections.abc import Iterator
from pathlib import Path

import mammoth

from ingest.document import Document, Failure, ReadOptions
from ingest.html import from_html
from ingest.language_paths import told_by_path
from ingest.parse import tidy
from ingest.reading import file_bytes
from ingest.records import page_of
from ingest.zip_container import checked_zip
from kb.errors import UnreadableSource, shown

# Beside mammoth's own rules: the document's title, code, and tables of contents, which say nothing.
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='TOC Heading'] => !
p[style-name^='toc '] => !
p[style-name^='TOC '] => !
p[style-name='table of figures'] => !
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name^='Code'] => pre:separator('\\n')
p[style-name^='Source Code'] => pre:separator('\\n')
p[style-name='Quote'] => blockquote:fresh
p[style-name='Intense Quote'] => blockquote:fresh
r[style-name^='Code'] => code
r[style-name='HTML Code'] => code
"""


class DocxSource:
    """Reads `.docx`."""

    name = "docx"
    endings = (".docx",)

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's document. Raises TooLarge or UnreadableSource if it cannot be read."""
        file = checked_zip(file_bytes(path, options.limits.file_bytes), path.name, options.limits)
        try:
            with python_warnings.catch_warnings():
                python_warnings.simplefilter("ignore")
                result = mammoth.convert_to_html(
                    file, style_map=_STYLES, convert_image=mammoth.images.img_element(lambda image: {"src": ""})
                )
        # A damaged document can raise anything at all inside of the library.
        except Exception as error:
            raise UnreadableSource(f"{shown(path.name)} cannot be read as a Word document: {error!r}"[:400]) from error
        converted = from_html(result.value)
        if not converted.markdown.strip():
            raise UnreadableSource(f"{shown(path.name)} holds no text: it may consist of images")
        place = options.place(path)
        dropped = converted.images_dropped
        yield page_of(
            tidy(converted.markdown),
            options,
            place=place,
            name=path.stem,
            known=told_by_path(place),
            warnings=(f"{dropped} images without alternative text were left out",) if dropped else (),
        )
