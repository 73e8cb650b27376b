"""GGUF files: which one a path means, and what its header says, checked before any weight is read."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from tokenunlearn.errors import ModelNotFoundError

MAGIC, VERSIONS = b"GGUF", (2, 3)
# Types of metadata: those of a fixed size as struct names them; text and lists have none.
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9
ALIGNMENT = 32
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


def gguf_file(path: Path) -> Path | None:
    """The GGUF file that a path means: itself, or the only one of a folder without a config.json.

    Raises:
        ModelNotFoundError: If there are several, or it is a part of one.
    """
    is_folder = path.is_dir() and not (path / "config.json").exists()
    files = sorted(path.glob("*.gguf")) if is_folder else [path] if path.suffix == ".gguf" else []
    if any(PART.search(file.name) for file in files):
        raise ModelNotFoundError(
            f'"{path}" is a GGUF model in parts; join them with: llama-gguf-split --merge FIRST OUT.'
        )
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ModelNotFoundError(f'The folder "{path}" holds several GGUF files; give one of them: {names}.')
    return next((file for file in files if file.is_file()), None)


@dataclass
class GgufHeader:
    """What a GGUF file says of itself.

    Attributes:
        metadata: Numbers and text by name; of a list its length.
        shapes: Shape of every tensor by name.
    """

    metadata: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Name of the architecture."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.metadata.get(f"{self.architecture}.block_count", 0))

    @classmethod
    def read(cls, file: Path) -> GgufHeader:
        """Read the header of a file, whose sizes must be those of the file.

        Raises:
            ModelNotFoundError: If it is not such a file, or the package gguf is missing.
        """
        try:
            from gguf.constants import GGML_QUANT_SIZES
        except ImportError:
            raise ModelNotFoundError(
                f'"{file}" is a GGUF file, which needs a package; get it with: pip install gguf.'
            ) from None
        header = cls()
        try:
            with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
                header._read(_Cursor(data), GGML_QUANT_SIZES)
        except (ValueError, LookupError, TypeError, ArithmeticError, OSError, struct.error) as error:
            raise ModelNotFoundError(f'"{file}" is not a readable GGUF file: {error}.') from error
        return header

    def _read(self, cursor: _Cursor, sizes: Mapping[Any, tuple[int, int]]) -> None:
        magic, version = cursor.take("4sI")
        if magic != MAGIC or version not in VERSIONS:
            raise ValueError("it is not GGUF of version 2 or 3")
        tensors, entries = cursor.take("QQ")
        for _ in range(entries):
            name = cursor.text()
            self.metadata[name] = cursor.value()
        ends = [0]
        for _ in range(tensors):
            name = cursor.text()
            (dimensions,) = cursor.take("I")
            self.shapes[name] = cursor.take(f"{dimensions}Q")[::-1]
            kind, offset = cursor.take("IQ")
            elements, width = sizes[kind]
            ends.append(offset + prod(self.shapes[name]) // elements * width)
        alignment = self.metadata.get("general.alignment", ALIGNMENT)
        if -(-cursor.place // alignment) * alignment + max(ends) > len(cursor.data):
            raise ValueError("its tensors end behind the end of the file")


@dataclass
class _Cursor:
    """A place in the bytes of a file; reading behind their end raises."""

    data: mmap
    place: int = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        layout = f"<{layout}"
        values = struct.unpack_from(layout, self.data, self.place)
        self.place += struct.calcsize(layout)
        return values

    def text(self) -> str:
        (length,) = self.take("Q")
        start, self.place = self.place, self.place + length
        if self.place > len(self.data):
            raise ValueError("a text ends behind the end of the file")
        return self.data[start : self.place].decode()

    def value(self) -> Any:
        (kind,) = self.take("I")
        if kind == TEXT:
            return self.text()
        if kind != LIST:
            return self.take(FORMATS[kind])[0]
        kind, count = self.take("IQ")
        if kind == TEXT:
            for _ in range(count):
                (length,) = self.take("Q")
                self.place += length
        else:
            self.place += count * struct.calcsize(f"<{FORMATS[kind]}")
        return count
