"""What is left to the owner at the web server: where its lines go, what is in their way, and what else is open.

Pure.
"""

from __future__ import annotations

import re

from pwgserve.setup import snippets
from pwgserve.setup.answers import Answers, Step
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.statements import pieces
from pwgserve.setup.templates import FOLDERS, WebServer

INCLUDE = {
    WebServer.NGINX: "include snippets/pwgserve.conf;",
    WebServer.APACHE: "Include pwgserve.conf",
    WebServer.CADDY: "import pwgserve.caddy",
}
BLOCK = {
    WebServer.NGINX: "server { … }",
    WebServer.APACHE: "<VirtualHost …>",
    WebServer.CADDY: "{ … }",
}
CLOSE = {
    WebServer.NGINX: "location ^~ {path} {{ return 301 {url}; }}",
    WebServer.APACHE: "Redirect permanent {path} {url}",
    WebServer.CADDY: "redir {path}* {url}",
}
"""What lets a path of a site lead to the gallery's own address."""

DENY = {
    WebServer.NGINX: ('location ^~ "{path}" {{ deny all; }}',),
    WebServer.APACHE: ('<Location "{path}">', "    Require all denied", "</Location>"),
    # A site with `handle { … }` for all the rest would never come to a mere `respond`.
    WebServer.CADDY: ('handle "{path}*" {{', "    respond 404", "}}"),
}
"""What closes a folder of photos that pwgserve does not answer for."""

PREPARE = {WebServer.APACHE: "a2enmod proxy proxy_http headers"}
RELOAD = {
    WebServer.NGINX: "nginx -t && systemctl reload nginx",
    WebServer.APACHE: "apache2ctl configtest && systemctl reload apache2",
    WebServer.CADDY: "caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy",
}


def web_server_steps(answers: Answers) -> list[Step]:
    """What brings pwgserve into the web server's configuration, in the order in which it is to be done."""
    server = answers.web_server
    if server is None:
        return [Step("Route the gallery's picture addresses to pwgserve", ("see docs/install.md",)), *_further(answers)]
    found = snippets.steps(answers)
    site = answers.found_site
    if site is not None and site.rivals:
        found.append(Step("Remove these, which are for the same addresses", site.rivals))
    if site is None:
        where = f"the {BLOCK[server]} of the gallery's site, below {FOLDERS[server]}"
    else:
        where = f"{site.file}, in the {BLOCK[server]} that begins in line {site.line}"
    if site is None or not site.includes:
        found.append(Step(f"Add this line to {where}{_above(site)}", (INCLUDE[server],)))
    elif site.ahead:
        found.append(_moved(server, site, where))
    if site is not None and site.outside:
        title = f"Move these into the {BLOCK[server]}, below that line: outside of it they answer first, for all sites"
        found.append(Step(title, site.outside))
    found += _further(answers)
    found += [step for other in answers.other_sites if (step := _other_site(answers, server, other))]
    lines = [PREPARE[server]] if server in PREPARE else []
    if answers.send_file == "x-sendfile":
        lines.append("apt-get install libapache2-mod-xsendfile && a2enmod xsendfile")
    found.append(Step(f"Let {server} take them", (*lines, RELOAD[server])))
    return found


def _further(answers: Answers) -> list[Step]:
    """What closes the folders of Piwigo's further sites, which pwgserve's lines do not know."""
    if not answers.further:
        return []
    server = answers.web_server
    lines = DENY[server] if server else ("{path}",)
    place = f"in the {BLOCK[server]} of every site that shows the gallery" if server else "at the web server"
    closed = [line.format(path=f"{answers.site.base}{folder}") for folder in answers.further for line in lines]
    title = f"Photos lie in {' and '.join(answers.further)}, too, and nothing protects them there: close it, {place}"
    found = [Step(title, tuple(closed))]
    folders = [answers.root / folder for folder in answers.further]
    if missing := [folder for folder in folders if not any(map(folder.is_relative_to, answers.originals))]:
        listed = ", ".join(f'"{folder}"' for folder in (*answers.originals, *missing))
        title = f"So that pwgserve shows their photos, write in {answers.output}, below [piwigo]"
        found.append(Step(title, (f"originals = [{listed}]",)))
    return found


def _above(site: FoundSite | None) -> str:
    """Where in a block the line has to stand, if that matters."""
    if site is None or not site.ahead:
        return ""
    return f", above what would answer before it ({', '.join(site.ahead)})"


def _moved(server: WebServer, site: FoundSite, where: str) -> Step:
    return Step(f"Move the line “{INCLUDE[server]}” in {where}, above these, which answer before it", site.ahead)


def _other_site(answers: Answers, server: WebServer, site: FoundSite) -> Step | None:
    """What closes a site that shows the gallery's folder, too: whoever finds it there asks nobody."""
    place = f"{site.file}, in the {BLOCK[server]} that begins in line {site.line}"
    if site.includes:
        return _moved(server, site, place) if site.ahead else None
    if site.path == answers.site.base:
        only = f"it shows the same folder (unless it shall only redirect to {answers.url})"
        return Step(f"Add the same line to {place}{_above(site)}: {only}", (INCLUDE[server],))
    close = CLOSE[server].format(path=site.path, url=answers.url)
    closed = tuple(text for _, text in pieces(server, close))
    if any(site.block[start : start + len(closed)] == closed for start in range(len(site.block))):
        return None
    name = re.escape(site.path.rstrip("/"))
    own = next((line for line in site.block if re.match(rf"location (\^~ )?\"?{name}/?\"? \{{", line)), None)
    instead = f", in the place of its own “{own} … }}”" if own else ""
    title = f"Close {site.path} in {place}{instead}: it shows the same folder, and nobody would ask pwgserve there"
    return Step(title, (close,))
