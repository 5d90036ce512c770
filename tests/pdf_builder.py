"""A small writer of PDF files for tests: text at places, lines, images, rotation, a password."""

from dataclasses import dataclass, field


@dataclass
class PdfPage:
    rotate: int = 0
    content: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float = 12, *, bold: bool = False, lean: bool = False) -> None:
        """Write text with its base line at (x, y) from the bottom left, in points; `lean` turns it by 45 degrees."""
        codes = text.encode("utf-16-be").hex()
        turn = "0.7 0.7 -0.7 0.7" if lean else "1 0 0 1"
        self.content.append(f"BT /{'B' if bold else 'R'} {size} Tf {turn} {x} {y} Tm <{codes}> Tj ET")

    def upward(self, x: float, y: float, text: str, size: float = 12) -> None:
        """Write text that runs up the page, as on a page that is shown turned by 90 degrees."""
        self.content.append(f"BT /R {size} Tf 0 1 -1 0 {x} {y} Tm <{text.encode('utf-16-be').hex()}> Tj ET")

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.content.append(f"{x0} {y0} m {x1} {y1} l S")

    def box(self, x: float, y: float, width: float, height: float) -> None:
        self.content.append(f"{x} {y} {width} {height} re S")

    def image(self) -> None:
        self.content.append("q 200 0 0 200 100 400 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q")


@dataclass
class PdfFile:
    """Pages of 600 x 800 points. Characters up to U+FFFF; Latin letters are half as wide as the others."""

    title: str = ""
    encrypted: bool = False
    mapped: bool = True
    """Fonts say which characters they show."""
    pages: list[PdfPage] = field(default_factory=list)

    def page(self, rotate: int = 0) -> PdfPage:
        self.pages.append(PdfPage(rotate))
        return self.pages[-1]

    def data(self) -> bytes:
        kids = " ".join(f"{20 + 2 * n} 0 R" for n in range(len(self.pages)))
        cmap = (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
            "1 begincodespacerange <0000> <ffff> endcodespacerange "
            + " ".join(
                f"1 beginbfrange <{n:02x}00> <{n:02x}ff> <{n if self.mapped else 0xE0:02x}00> endbfrange"
                for n in range(256)
            )
            + " endcmap end end"
        )
        objects = {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: f"<< /Type /Pages /Kids [{kids}] /Count {len(self.pages)} >>",
            3: f"<< /Title <feff{self.title.encode('utf-16-be').hex()}> >>",
            4: _stream(cmap),
        }
        for number, name in ((5, "Plain"), (8, "Plain-Bold")):
            objects[number] = (
                f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H /ToUnicode 4 0 R "
                f"/DescendantFonts [{number + 1} 0 R] >>"
            )
            objects[number + 1] = (
                f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /DW 1000 /W [0 591 500] "
                f"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
                f"/FontDescriptor {number + 2} 0 R >>"
            )
            objects[number + 2] = (
                f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 "
                "/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>"
            )
        for n, page in enumerate(self.pages):
            objects[20 + 2 * n] = (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Rotate {page.rotate} "
                f"/Resources << /Font << /R 5 0 R /B 8 0 R >> >> /Contents {21 + 2 * n} 0 R >>"
            )
            objects[21 + 2 * n] = _stream("\n".join(page.content))
        lock = "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{0}> /U <{0}> >> /ID [<00> <00>]".format("ab" * 32)
        return _file(objects, lock if self.encrypted else "")


def _stream(content: str) -> str:
    return f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"


def _file(objects: dict[int, str], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, content in objects.items():
        places[number] = len(out)
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    start = len(out)
    size = max(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    for number in range(1, size):
        out += f"{places[number]:010} 00000 n \n".encode() if number in places else b"0000000000 65535 f \n"
    out += f"trailer << /Size {size} /Root 1 0 R /Info 3 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
