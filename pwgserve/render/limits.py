"""What one picture may cost, what it will cost, and how many fit a machine. Pure.

The figures are measured: docs/decisions/0008, `python -m benchmarks.render_memory`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pwgserve.piwigo.sizing import Size

MEGABYTE = 1_000_000

GO, LATER = b"go", b"later"
"""What a worker is told whose picture needs much memory: to take it, or to leave the picture."""

MAX_MESSAGE = 65_536
"""Bytes of a job, and of its answer, between the daemon and a worker."""

ROOM = 16 * MEGABYTE
"""What any rendering may take: threads' stacks, tables, the file that is being read."""

LINES = 1600
"""How many lines of a picture are held at most while it is scaled."""

SMALL = 160 * MEGABYTE
"""Pictures that need less are rendered side by side; of those that need more, one at a time."""

_ENCODERS = {"avif": 48, "webp": 20, "webp-lossless": 48}
"""Bytes that the encoder of a format holds for each pixel, where they are many."""

_WORKER = 150 * MEGABYTE
_OTHERS = 400 * MEGABYTE
"""What the daemon itself, the database and PHP have on a small server."""


@dataclass(frozen=True)
class Limits:
    """What one picture may cost: pixels and frames before any is decoded, bytes of its file, bytes of memory."""

    max_pixels: int
    max_frames: int
    max_source: int
    max_memory: int

    def to_dict(self) -> dict[str, int]:
        """For the worker; `Limits(**d)` reads it back."""
        return asdict(self)


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before any pixel is decoded.

    size: of one frame, in pixels. bands: channels of a pixel. pixel_bytes: of one decoded pixel. loader: libvips' name
    of the format, like `jpeg`.
    is_interlaced: also of progressive JPEGs. is_subsampled: a JPEG that keeps colours at half the resolution.
    """

    size: Size
    frames: int
    bands: int
    pixel_bytes: int
    loader: str
    is_interlaced: bool
    is_subsampled: bool

    def problem(self, limits: Limits) -> str | None:
        """Why the picture must not be decoded, None when it may."""
        width, height = self.size
        if self.frames > limits.max_frames:
            return f"has {self.frames} frames, more than render.max_frames allows"
        if width * height * self.frames > limits.max_pixels:
            frames = f" in {self.frames} frames" if self.frames > 1 else ""
            return f"has {width}x{height} pixels{frames}, more than render.max_megapixels allows"
        return None

    def decoding_memory(self) -> int:
        """Bytes that decoding and scaling hold: whole pictures only where a format cannot be read line by line."""
        pixels = self.size[0] * self.size[1]
        # Transparency is scaled in floating point.
        lines = self.size[0] * LINES * (4 * self.bands if self.bands in (2, 4) else self.pixel_bytes)
        match self.loader:
            case "jpeg":
                # The coefficients of all scans, two bytes each.
                return lines + (
                    pixels * (3 if self.is_subsampled else 2 * self.pixel_bytes) if self.is_interlaced else 0
                )
            case "png":
                return lines + (pixels * self.pixel_bytes if self.is_interlaced else 0)
            case "webp":
                return lines + pixels * 9
            case _:
                return lines + pixels * 8


def needed_memory(header: Header, output: Size, file_format: str) -> int:
    """Bytes that a rendering will take at most, given the size of one frame of its result and its format."""
    # The result is held once as it is scaled, once upright, once for its encoder, and as coefficients.
    held = 2 * header.pixel_bytes + _ENCODERS.get(file_format, 8)
    result = output[0] * output[1] * header.frames * held
    return ROOM + header.decoding_memory() + result


def memory_for_one(machine: int) -> int:
    """How many bytes one picture may take on a machine with so many, when the owner has not said."""
    return max(256 * MEGABYTE, min(2_000 * MEGABYTE, machine * 55 // 100))


def workers_for(cores: int, machine: int) -> int:
    """How many workers a machine takes, when the owner has not said."""
    return max(1, min(cores, (machine - _OTHERS) // _WORKER))
