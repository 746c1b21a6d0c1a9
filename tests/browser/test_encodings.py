"""A real browser is sent AVIF, through Piwigo's own addresses, and shows it."""

import pytest
from daemon import Daemon

WIDTH, HEIGHT = 792, 594


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    import sqlalchemy as sa
    from galleries import GUEST, TestGallery

    folder = tmp_path_factory.mktemp("gallery")
    gallery = TestGallery(folder / "piwigo", sa.create_engine(f"sqlite:///{folder}/g.db"), f"sqlite:///{folder}/g.db")
    gallery.user(GUEST, "guest", "guest")
    gallery.album(1)
    for number, extension in enumerate(["jpg", "png"], start=1):
        gallery.photo(number, (1,), (1200, 900), path=f"upload/a.{extension}")
    running = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    yield running
    running.stop()
    gallery.engine.dispose()


@pytest.mark.parametrize(("extension", "kind"), [("jpg", "image/avif"), ("png", "image/webp")])
def test_a_browser_gets_the_encoding_that_it_announces_and_shows_it(daemon, page, extension, kind):
    kinds = []
    page.on("response", lambda answer: kinds.append(answer.headers.get("content-type")) if answer.ok else None)
    address = f"http://127.0.0.1:{daemon.port}/i.php?/upload/a-me.{extension}"
    # The gallery's page, which PHP would have made.
    page.route("**/index.php", lambda route: route.fulfill(body="<title>Gallery</title>", content_type="text/html"))
    page.goto(f"http://127.0.0.1:{daemon.port}/index.php")
    shown = page.evaluate(
        """async address => {
            const image = new Image();
            image.src = address;
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const right = context.getImageData(image.naturalWidth - 5, 5, 1, 1).data;
            return [image.naturalWidth, image.naturalHeight, ...right];
        }""",
        address,
    )
    assert kinds[-1] == kind
    assert shown[:2] == [WIDTH, HEIGHT]
    red, green = shown[2:4]
    assert red > 240, "the ramp of the picture, at its right"
    assert green < 20
