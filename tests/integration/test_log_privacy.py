"""Whatever happens, the log holds no cookie, no token and no path."""

import socket
import time

import family
from family import LAKE, PARTY
from links import parts_of
from waiting import until


def test_the_log_holds_nothing_that_opens_a_picture_or_names_one(gallery, start):
    daemon = start(gallery)
    anna = daemon.visitor(family.cookie("anna"))
    address = "/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-me.jpg")
    link = anna.link(address)
    remember = gallery.remember_me(family.USERS["anna"], "anna", int(time.time()))
    secrets = {"annasession", remember, "SECRETTOKEN", "SECRETPATH", "SECRETQUERY", "SECRETHEADER", "SECRETAUTH"}

    assert anna.get(link).status == 200
    for target in (
        address,
        link.replace(".me.", ".xx."),
        "/pwgs/SECRETTOKEN.jpg",
        "/upload/SECRETPATH/x.jpg",
        "/i.php?/upload/SECRETPATH-me",
        "/action.php?id=SECRETQUERY",
        f"/action.php?id=2&part=e&auth={'SECRETAUTH' * 3}",
    ):
        daemon.visitor().get(target, cookie=f"pwg_remember={remember}x", X_Forwarded_For="SECRETHEADER")
    broken = gallery.root / gallery.paths[LAKE]
    content = broken.read_bytes()
    try:
        broken.write_bytes(content[:3000])
        time.sleep(1.5)
        assert daemon.visitor().follow("/i.php?/" + gallery.paths[LAKE].replace(".jpg", "-sm.jpg")).status == 422
        broken.unlink()
        time.sleep(1.5)
        assert daemon.visitor().follow("/i.php?/" + gallery.paths[LAKE].replace(".jpg", "-xs.jpg")).status == 404
    finally:
        broken.write_bytes(content)
    for raw in (
        b"GET /SECRETPATH HTTP/1.1\r\nSECRETHEADER\r\n\r\n",
        b"SECRETPATH\r\n\r\n",
        b"GET /\xff\xfeSECRETPATH HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nCookie: pwg_id=annasession\x00\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as connection:
            connection.sendall(raw)
            connection.settimeout(2)
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                answer = b""
            assert b"SECRET" not in answer
            assert b" 500 " not in answer

    until(lambda: '"event": "unrenderable"' in daemon.log)
    log = daemon.log
    assert '"event": "refused"' in log, "the log tells that something was refused"
    assert '"reason": "forged"' in log
    assert '"event": "unrenderable"' in log
    for part in parts_of(link)[2:]:
        secrets.add(part)
    paths = {path for full in gallery.paths.values() for path in full.split("/") if len(path) > 8}
    for secret in secrets | paths | {str(gallery.root), "Traceback"}:
        assert secret not in log, secret
