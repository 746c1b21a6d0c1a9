"""A short film of a scene, as phones make them: H.264 in an MP4 whose index comes first, so that browsers can seek."""

from __future__ import annotations

from pathlib import Path

from pwgserve.demo.photographs import frame

WIDTH, HEIGHT = 960, 540
FRAMES_PER_SECOND = 12
SECONDS = 5


class FilmError(Exception):
    """Films cannot be made; the message says what to install."""


def film(file: Path, scene: str, seed: int) -> None:
    """Write the film. Raises FilmError when PyAV is missing."""
    try:
        import av
    except ImportError as error:
        raise FilmError("the demo needs PyAV for its film; run: pip install 'pwgserve[demo]'") from error
    count = FRAMES_PER_SECOND * SECONDS
    with av.open(str(file), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"preset": "veryfast", "crf": "24"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = FRAMES_PER_SECOND
        for index in range(count):
            picture = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
            plane = picture.planes[0]
            rows = frame(scene, seed, WIDTH, HEIGHT, index / count)
            padding = bytes(plane.line_size - 3 * WIDTH)
            plane.update(
                b"".join(rows[start : start + 3 * WIDTH] + padding for start in range(0, len(rows), 3 * WIDTH))
            )
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
