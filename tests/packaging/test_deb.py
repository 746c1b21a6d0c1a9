"""The Debian package, built by `make deb` and installed in a root where nothing but the distribution is."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from daemon import toml
from galleries import TestGallery
from ports import free_port
from visitor import Visitor

PROJECT = Path(__file__).parents[2]
OURS = ("usr/bin/pwgserve", "usr/share/man/man1/pwgserve.1.gz", "usr/share/bash-completion/completions/pwgserve")
# A root of its own belongs to root, or to who is root in a user namespace.
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--map-auto"]

pytestmark = [pytest.mark.timeout(900)]


def done(*command, **options):
    made = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=2000, **options)
    assert made.returncode == 0, f"{command}: {made.stdout[-2000:]}{made.stderr[-2000:]}"
    return made.stdout


@pytest.fixture(scope="module")
def package():
    for old in (PROJECT / "dist").glob("*.deb"):
        old.unlink()
    done("make", "deb", cwd=PROJECT)
    (made,) = (PROJECT / "dist").glob("pwgserve_*.deb")
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The smallest Debian (or Ubuntu, where tests run on it) that has Python."""
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    folder = tmp_path_factory.mktemp("clean") / "root"
    codename = system["VERSION_CODENAME"].strip('"')
    # Nobody minds if this root is lost in a power cut: nothing of it is forced to the disk.
    # What makes the package's user: Ubuntu 24.04 has it as a part of systemd only.
    makes_users = "systemd" if system["ID"] == "ubuntu" else "systemd-standalone-sysusers"
    options = ["--variant=essential", f"--include=python3,libstdc++6,libseccomp2,adduser,{makes_users}"]
    done("mmdebstrap", *options, "--dpkgopt=force-unsafe-io", codename, folder)
    yield folder
    done(*AS_ROOT, "rm", "-rf", folder)


def inside(root, *command):
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child=TERM", f"--mount-proc={root}/proc", "chroot", root]
    return [*AS_ROOT, *own, *command]


def files(root):
    return {str(Path(folder, name).relative_to(root)) for folder, _, names in os.walk(root) for name in names}


def test_the_package_serves_in_a_clean_root_and_leaves_nothing_behind(package, root):
    before = files(root)
    done(*AS_ROOT, "cp", package, root / "tmp/pwgserve.deb")
    done(*inside(root, "dpkg", "--install", "/tmp/pwgserve.deb"))
    done(*AS_ROOT, "rm", root / "tmp/pwgserve.deb")
    for file in OURS:
        assert (root / file).exists() or (root / file).is_symlink(), file
    for unit in (PROJECT / "systemd").glob("*.service"):
        assert (root / "usr/lib/systemd/system" / unit.name).is_file()
    version = done(*inside(root, "pwgserve", "--version")).split()[-1]
    assert version in package.name
    owner = done(*inside(root, "id", "-un", "pwgserve")).strip()
    assert owner == "pwgserve", "the package makes the user that its service runs as"

    assert_it_serves(root)

    (root / "etc/credstore").mkdir(mode=0o700, exist_ok=True)
    for secret in ("etc/credstore/pwgserve.database", "etc/credstore/pwgserve.keys", "etc/pwgserve.toml.before"):
        (root / secret).write_text("secret")
    done(*inside(root, "dpkg", "--purge", "pwgserve"))
    left = {file for file in files(root) - before if "pwgserve" in file}
    assert not left


def assert_it_serves(root):
    """A picture of a gallery in the root, to a guest, and a no, both from the installed daemon."""
    gallery = TestGallery(
        root / "srv/piwigo", sa.create_engine(f"sqlite:///{root}/srv/gallery.db"), "sqlite:////srv/gallery.db"
    )
    gallery.user(1, "webmaster", "webmaster", level=8)
    gallery.user(2, "guest", "guest")
    gallery.album(1)
    gallery.album(2, private=True)
    public, private = gallery.photo(1, (1,)), gallery.photo(2, (2,))
    port = free_port()
    settings = {
        "server": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}/"},
        "piwigo": {"root": "/srv/piwigo", "database": gallery.address, "table_prefix": gallery.prefix},
        "links": {"keys_file": "/srv/keys"},
        "cache": {"dir": "/srv/cache"},
    }
    (root / "etc/pwgserve.toml").write_text(toml(settings))
    command = inside(root, "pwgserve", "serve", "--config", "/etc/pwgserve.toml")
    daemon = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    try:
        visitor = Visitor(port)
        wait_for(visitor, daemon)
        shown = visitor.follow(f"/i.php?/{public.replace('.jpg', '-me.jpg')}")
        assert (shown.status, shown.body[:3], shown.headers["x-pwgserve"]) == (200, b"\xff\xd8\xff", "render")
        assert visitor.get(f"/i.php?/{private.replace('.jpg', '-me.jpg')}").status == 404
    finally:
        # The process is `unshare`; with it gone, the daemon is told to stop.
        daemon.kill()
        daemon.wait(120)
        wait_for_end(root)
        gallery.engine.dispose()
        (root / "etc/pwgserve.toml").unlink()
        done(*AS_ROOT, "rm", "-rf", root / "srv")


def wait_for_end(root):
    """Until nothing runs in the root any more."""
    deadline = time.monotonic() + 200
    while any(os.path.realpath(link) == str(root) for link in Path("/proc").glob("[0-9]*/root")):
        assert time.monotonic() < deadline, "the installed daemon did not stop"
        time.sleep(0.1)


def wait_for(visitor, daemon):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        try:
            if visitor.get("/-/ready").status == 200:
                return
        except OSError:
            pass
        assert daemon.poll() is None, daemon.stderr.read()
        time.sleep(0.1)
    raise AssertionError("the installed daemon did not start")
