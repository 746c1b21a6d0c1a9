"""Answers to init's questions on a usual machine, and what is planned and said for them."""

from dataclasses import replace
from pathlib import Path

from pwgserve.setup.answers import Answers
from pwgserve.setup.confinement import USUAL_SOCKET
from pwgserve.setup.plan import plan
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import Site, WebServer

SITE = Site("a.test", "/", Path("/srv/piwigo"), USUAL_SOCKET, Path("/var/cache/pwgserve"))
ANSWERS = Answers(
    output=Path("/etc/pwgserve.toml"),
    before=None,
    root=Path("/srv/piwigo"),
    url="https://a.test/",
    listen=USUAL_SOCKET,
    send_file="x-accel-redirect",
    keys_file=Path("/var/lib/pwgserve/keys"),
    cache_dir=Path("/var/cache/pwgserve"),
    site=SITE,
    web_server=WebServer.NGINX,
    web_group="www-data",
    found_site=FoundSite(WebServer.NGINX, Path("/etc/nginx/sites-available/a"), 7, "https://a.test/", False),
    user="pwgserve",
    own_group="pwgserve",
)


def said(answers):
    return "\n".join("\n".join([step.title, *step.lines]) for step in plan(answers).steps)


def at(folder, **changes):
    """Answers for a configuration in a folder of a test's own."""
    own = {"output": folder / "pwgserve.toml", "keys_file": folder / "state/keys", "cache_dir": folder / "cache"}
    nobody = {"user": None, "own_group": None, "web_group": None}
    return replace(ANSWERS, **(nobody | own | changes))
