"""Films in a real browser: opened by their own addresses, played, and sought where only ranges can find."""

import family
import pytest
from daemon import Daemon

SECONDS, RATE = 20, 10


def film(file, codec, extension):
    """A film of grain, which no codec makes small; an MP4 whose index comes last."""
    import av
    import pyvips

    with av.open(str(file), "w") as container:
        stream = container.add_stream(
            codec, rate=RATE, options={"crf": "20", "preset": "ultrafast", "deadline": "realtime", "cpu-used": "8"}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.gop_size = RATE
        if extension == "webm":
            stream.bit_rate = 3_000_000
        for index in range(SECONDS * RATE):
            grain = pyvips.Image.gaussnoise(320, 180, mean=128, sigma=60, seed=index).cast("uchar")
            picture = av.VideoFrame(320, 180, "gray")
            plane, rows = picture.planes[0], grain.write_to_memory()
            padding = bytes(plane.line_size - 320)
            plane.update(b"".join(bytes(rows[start : start + 320]) + padding for start in range(0, len(rows), 320)))
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    import sqlalchemy as sa
    from galleries import TestGallery

    folder = tmp_path_factory.mktemp("gallery")
    gallery = TestGallery(folder / "piwigo", sa.create_engine(f"sqlite:///{folder}/g.db"), f"sqlite:///{folder}/g.db")
    gallery.user(family.USERS["guest"], "guest", "guest")
    gallery.album(1)
    for number, (extension, codec) in enumerate([("mp4", "libx264"), ("webm", "libvpx-vp9")], start=1):
        path = f"upload/film.{extension}"
        (gallery.root / "upload").mkdir(exist_ok=True)
        film(gallery.root / path, codec, extension)
        assert (gallery.root / path).stat().st_size > 2_000_000
        gallery.photo(number, (1,), path=path)
    running = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    yield running
    running.stop()
    gallery.engine.dispose()


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_a_film_plays_and_is_sought_through_ranges(daemon, page, extension):
    answers = []
    page.on("response", lambda answer: answers.append((answer.status, answer.headers.get("content-range"))))
    page.goto(f"http://127.0.0.1:{daemon.port}/upload/film.{extension}")
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').currentTime = 17")
    page.wait_for_function(
        "() => !document.querySelector('video').seeking && document.querySelector('video').currentTime >= 17",
    )
    assert page.evaluate("document.querySelector('video').error") is None
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(SECONDS, abs=0.5)
    starts = [int(found.split()[1].partition("-")[0]) for status, found in answers if status == 206 and found]
    assert starts, "the browser asks for ranges"
    assert extension == "webm" or max(starts) > 1_000_000, "the index at the end was found by a range"
