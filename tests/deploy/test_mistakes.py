"""What owners get wrong, on real servers: the check must find each of these mistakes, and name what to mend."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from deployment import WAYS, Deployed, deploy
from family import FILM, LAKE, LETTER, PARTY, WORKSHOP
from test_check import checked_here

from pwgserve.setup.templates import WebServer

SNIPPET = "snippets/pwgserve.conf"
PROXY = "snippets/pwgserve-proxy.conf"


@dataclass(frozen=True)
class Mistake:
    """change: what was done to the files. area, what: of the leak that must be found. mend: part of the advice."""

    change: Callable[[dict[str, str], Deployed], None]
    area: str
    what: str
    mend: str
    photo: int = PARTY
    trick: str | None = None


def put(files: dict[str, str], name: str, old: str, new: str) -> None:
    assert old in files[name], f"{old} is not in {name}"
    files[name] = files[name].replace(old, new)


def line(files: dict[str, str], name: str, part: str, new: str = "") -> None:
    """Replace every line with `part`."""
    lines = files[name].splitlines(keepends=True)
    assert any(part in one for one in lines), part
    files[name] = "".join((f"{new}\n" if new else "") if part in one else one for one in lines)


def in_site(files: dict[str, str], more: str) -> None:
    put(files, "site.conf", "    include snippets/pwgserve.conf;", f"    {more}\n    include snippets/pwgserve.conf;")


def tls(one: Deployed, more: str) -> str:
    """A further site of nginx, beside that of the gallery."""
    return (
        f"server {{\n    listen 127.0.0.1:{one.server.port} ssl;\n    ssl_certificate {one.server.folder}/certificate.pem;\n"
        f"    ssl_certificate_key {one.server.folder}/key.pem;\n    {more}\n}}\n"
    )


PHP = "location ~ \\.php(?:/|$) {{ include /etc/nginx/fastcgi.conf; fastcgi_pass unix:{}; }}"

NGINX = {
    "nothing is included": Mistake(
        lambda files, _: put(files, "site.conf", "    include snippets/pwgserve.conf;", ""),
        "upload/",
        "picture",
        "include snippets/pwgserve.conf;",
    ),
    "rules for .php files come first": Mistake(
        lambda files, one: (
            in_site(files, PHP.format(one.server.site.php)),
            line(files, SNIPPET, "/photos/i.php ", "location ~ ^/photos/i\\.php { include snippets/pwgserve-proxy.conf; }"),
            line(files, SNIPPET, "/photos/i.php/"),
        ),
        "i.php",
        "picture",
        "“location = /photos/i.php { include snippets/pwgserve-proxy.conf; }” is missing",
    ),
    "a rule for pictures, whatever their case, comes first": Mistake(
        lambda files, _: (
            put(files, SNIPPET, "location ^~ /photos/upload/ ", "location /photos/upload/ "),
            in_site(files, "location ~* \\.(jpe?g|png|gif|mp4)$ { expires 30d; }"),
        ),
        "upload/",
        "picture",
        "location ^~ /photos/upload/",
    ),
    "only names in small letters are closed": Mistake(
        lambda files, _: line(files, SNIPPET, "/photos/upload/", "location ~ ^/photos/upload/.*\\.(jpg|png)$ { return 404; }"),
        "upload/",
        "picture",
        "location ^~ /photos/upload/",
        photo=FILM,
    ),
    "an alias that lacks a slash": Mistake(
        lambda files, one: in_site(files, f"location /photos/themes {{ alias {one.gallery.root}/themes/; }}"),
        "upload/",
        "picture",
        "location /photos/themes {",
        trick="a location that lacks a slash",
    ),
    "the internal location is not internal": Mistake(
        lambda files, _: line(files, SNIPPET, "    internal;"),
        "internal",
        "picture",
        "internal;",
    ),
    "sizes that Piwigo made are sent from the disk": Mistake(
        lambda files, _: line(files, SNIPPET, "/photos/_data/i/", "location ^~ /photos/_data/i/ { expires 1d; }"),
        "_data/i/",
        "picture",
        "/photos/_data/i/",
    ),
    "files that exist are sent first": Mistake(
        lambda files, _: line(
            files, SNIPPET, "/photos/upload/", "location ^~ /photos/upload/ { try_files $uri @no; }\nlocation @no { include snippets/pwgserve-proxy.conf; }"
        ),
        "upload/",
        "picture",
        "/photos/upload/",
    ),
    "slashes are not merged": Mistake(
        lambda files, _: in_site(files, "merge_slashes off;"),
        "upload/",
        "picture",
        "another rule answers first",
        trick="a doubled slash before the folder",
    ),
    "action.php stays with Piwigo": Mistake(
        lambda files, _: line(files, SNIPPET, "/photos/action.php"),
        "action.php",
        "existence",
        "“location = /photos/action.php",
    ),
    "the numbers are public": Mistake(
        lambda files, _: in_site(files, "location ^~ /-/ { proxy_pass http://pwgserve; }"),
        "ops",
        "numbers",
        "X-Forwarded-For",
    ),
    "strangers say where they come from": Mistake(
        lambda files, _: put(files, PROXY, "X-Forwarded-For $remote_addr;", "X-Forwarded-For $http_x_forwarded_for;"),
        "said",
        "address",
        "pwgserve-proxy.conf:",
    ),
    "strangers say who they are": Mistake(
        lambda files, _: line(files, PROXY, "proxy_set_header X-Remote-User"),
        "said",
        "picture",
        "“proxy_set_header X-Remote-User \"\";” is missing",
        trick="to be a user of the gallery",
    ),
    "whoever says a name is told to be that user": Mistake(
        lambda files, one: (
            put(files, PROXY, 'X-Remote-User "";', "X-Remote-User $remote_user;"),
            in_site(files, f"location ~ \\.php$ {{ auth_basic photos; auth_basic_user_file {one.server.folder}/users; }}"),
        ),
        "said",
        "picture",
        "“auth_basic” must stand in the block server { … } itself",
        trick="to be a user, with a wrong password",
    ),
    "the default site has the gallery, too": Mistake(
        lambda files, one: files.__setitem__(
            "conf.d/default.conf",
            f"server {{ listen 127.0.0.1:{one.server.port} ssl default_server; root {one.server.site.document_root};"
            f" ssl_certificate {one.server.folder}/certificate.pem; ssl_certificate_key {one.server.folder}/key.pem; }}",
        ),
        "door",
        "picture",
        "another site of this server",
    ),
    "without encryption the gallery is shown as before": Mistake(
        lambda files, one: line(files, "site.conf", "return 301", f"    root {one.server.site.document_root};"),
        "door",
        "picture",
        "add “include snippets/pwgserve.conf;” to the block that begins at",
    ),
    "a further name of the server shows the gallery as before": Mistake(
        lambda files, one: files.__setitem__(
            "conf.d/www.conf",
            f"server {{\n    listen 127.0.0.1:{one.server.port} ssl;\n    server_name www.gallery.test;\n"
            f"    root {one.server.site.document_root};\n    ssl_certificate {one.server.folder}/certificate.pem;\n"
            f"    ssl_certificate_key {one.server.folder}/key.pem;\n}}\n",
        ),
        "door",
        "picture",
        "www.conf:1, too, or let it redirect",
    ),
    "the gallery's own site shows it at another path, too": Mistake(
        lambda files, one: in_site(files, f"location /old/ {{ alias {one.gallery.root}/; }}"),
        "door",
        "picture",
        "shows it at /old/",
    ),
    "a site that shows the gallery elsewhere has the line, too": Mistake(
        lambda files, one: files.__setitem__(
            "conf.d/own.conf",
            tls(one, f"server_name own.test; root {one.gallery.root}; include snippets/pwgserve.conf;"),
        ),
        "door",
        "picture",
        "own.conf:1 shows it at /",
    ),
    "a folder that is said for all sites": Mistake(
        lambda files, one: files.__setitem__(
            "conf.d/all.conf", tls(one, "server_name all.test;") + f"root {one.server.site.document_root};\n"
        ),
        "door",
        "picture",
        "all.conf:1, too, or let it redirect",
    ),
    "a folder that another file says": Mistake(
        lambda files, one: (
            files.__setitem__("snippets/folder", f"root {one.server.site.document_root};"),
            files.__setitem__("conf.d/other.conf", tls(one, "server_name other.test; include snippets/folder;")),
        ),
        "door",
        "picture",
        "other.conf:1, too, or let it redirect",
    ),
    "uploads are a site of their own": Mistake(
        lambda files, one: files.__setitem__(
            "conf.d/cdn.conf", tls(one, f"server_name cdn.test; root {one.gallery.root}/upload;")
        ),
        "door",
        "picture",
        "cdn.conf:1 shows its folder upload/ at /",
    ),
    "the folder is shown at another path, too": Mistake(
        lambda files, one: in_site(files, f"location /upload/ {{ alias {one.gallery.root}/upload/; }}"),
        "door",
        "picture",
        "",
        trick="another path of the same folder",
    ),
}  # fmt: skip

KEEPING = {
    "the cache keeps private pictures": Mistake(
        lambda files, _: line(files, "snippets/pwgserve-cache.conf", "proxy_no_cache"),
        "links",
        "picture",
        "proxy_ignore_headers Cache-Control",
    ),
}

APACHE = {
    "without encryption the gallery is shown as before": Mistake(
        lambda files, one: line(
            files,
            "site.conf",
            "Redirect permanent",
            f'DocumentRoot {one.server.site.document_root}\n<Directory "{one.server.site.document_root}">\n'
            "Require all granted\n</Directory>",
        ),
        "door",
        "picture",
        "add “Include pwgserve.conf” to the block that begins at",
    ),
    "a folder that all sites show": Mistake(
        lambda files, one: files.__setitem__(
            "main",
            files["main"]
            + f"<VirtualHost *:{one.server.plain_port}>\nServerName more.test\nDocumentRoot /nowhere\n</VirtualHost>\n"
            + f'Alias "/pics" "{one.gallery.root}"\n<Directory "{one.gallery.root}/galleries/..">\nRequire all granted\n'
            + "</Directory>\n",
        ),
        "door",
        "picture",
        "shows it at /pics/",
    ),
    "nothing is included": Mistake(
        lambda files, _: line(files, "site.conf", "Include pwgserve.conf"),
        "i.php",
        "picture",
        "“Include pwgserve.conf”",
    ),
    "uploads are forgotten": Mistake(
        lambda files, _: (
            line(files, "pwgserve.conf", 'ProxyPass "/photos/upload/"'),
            line(files, "pwgserve.conf", "Require all denied"),
        ),
        "upload/",
        "picture",
        'ProxyPass "/photos/upload/"',
    ),
    "only one kind of file is closed": Mistake(
        lambda files, _: (
            line(
                files, "pwgserve.conf", 'ProxyPass "/photos/upload/"', 'RedirectMatch 404 "^/photos/upload/.*\\.jpg$"'
            ),
            line(files, "pwgserve.conf", "Require all denied"),
        ),
        "upload/",
        "picture",
        'ProxyPass "/photos/upload/"',
        photo=FILM,
    ),
    "i.php stays with PHP": Mistake(
        lambda files, _: (
            line(files, "pwgserve.conf", 'ProxyPass "/photos/i.php"'),
            line(files, "pwgserve.conf", "Require all denied"),
        ),
        "i.php",
        "picture",
        'ProxyPass "/photos/i.php"',
    ),
    "all of PHP is passed on before": Mistake(
        lambda files, one: (
            put(
                files,
                "site.conf",
                "    Include pwgserve.conf",
                f'    ProxyPassMatch "^/(.*\\.php(/.*)?)$" "unix:{one.server.site.php}|fcgi://localhost{one.server.site.document_root}/"\n'
                "    Include pwgserve.conf",
            ),
            line(files, "site.conf", "SetHandler"),
        ),
        "i.php",
        "picture",
        "“Include pwgserve.conf” must stand before every ProxyPass",
    ),
    "strangers say who they are": Mistake(
        lambda files, _: line(files, "pwgserve.conf", "RequestHeader unset X-Remote-User"),
        "said",
        "picture",
        "RequestHeader unset X-Remote-User",
    ),
}  # fmt: skip

SENDFILE = {
    "the module that sends the files is not loaded": Mistake(
        lambda files, _: line(files, "main", "mod_xsendfile.so"),
        "i.php",
        "path",
        'server.send_file = "direct"',
    ),
}

CADDY = {
    "nothing is included": Mistake(
        lambda files, _: line(files, "site.caddy", "import pwgserve.caddy"),
        "upload/",
        "picture",
        "import pwgserve.caddy",
    ),
    "uploads are forgotten": Mistake(
        lambda files, _: put(files, "pwgserve.caddy", "/photos/upload/*", ""),
        "upload/",
        "picture",
        "@pwgserve path",
    ),
    "strangers say who they are": Mistake(
        lambda files, _: line(files, "pwgserve.caddy", "header_up -X-Remote-User"),
        "said",
        "picture",
        "header_up -X-Remote-User",
    ),
}  # fmt: skip

MISTAKES = {
    "nginx": NGINX,
    "nginx-keeping-public": KEEPING,
    "apache": APACHE,
    "apache-xsendfile": SENDFILE,
    "caddy": CADDY,
}
ALL = [pytest.param((way, name), id=f"{way}: {name}") for way, found in MISTAKES.items() for name in found]


@pytest.fixture(scope="module")
def daemons(gallery, place):
    """One daemon and one web server for each way; the server is started again for each mistake."""
    running: dict[str, Deployed] = {}

    def of(way: str) -> Deployed:
        if way not in running:
            # Galleries that believe the web server's login are those where a stranger's word would matter.
            running[way] = deploy(WAYS[way], gallery, place, piwigo={"conf": {"apache_authentication": True}})
        return running[way]

    yield of
    for one in running.values():
        one.server.stop()
        one.daemon.stop()


def configure_anew(deployed: Deployed, change: Callable[[dict[str, str], Deployed], None]) -> None:
    """Start the web server again, with its files as `change` leaves them."""
    deployed.server.stop()
    deployed.server.clear()
    deployed.server.write(lambda files: change(files, deployed))
    deployed.server.start()


@pytest.mark.parametrize(("way", "name"), [("nginx", "strangers say where they come from"), ("nginx-keeping-public", "the cache keeps private pictures")])  # fmt: skip
def test_a_mistake_that_no_configuration_here_shows_is_found_from_outside(daemons, way, name, tmp_path):
    deployed, mistake = daemons(way), MISTAKES[way][name]
    configure_anew(deployed, mistake.change)
    code, report = checked_here(deployed, "--photos", "1", "--web-config", str(tmp_path))
    leaks = [(leak["address"], leak["what"], leak["trick"]) for leak in report["leaks"]]
    tricks = {"links": "that somebody else has just opened", "said": "to come from another address"}
    assert (mistake.area, mistake.what, tricks[mistake.area]) in leaks, leaks
    assert code == 1


@pytest.mark.parametrize("case", ALL)
def test_a_mistake_is_found_and_what_to_mend_is_named(daemons, case):
    way, name = case
    mistake = MISTAKES[way][name]
    deployed = daemons(way)
    configure_anew(deployed, mistake.change)
    also = f"http://localhost:{deployed.server.plain_port}/"
    code, report = checked_here(deployed, "--photo", str(mistake.photo), "--also", also)
    found = [
        leak
        for leak in report["leaks"]
        if (leak["address"], leak["what"]) == (mistake.area, mistake.what) and mistake.trick in (None, leak["trick"])
    ]
    shown = json.dumps(report["leaks"], indent=1)
    assert found, shown
    assert code == 1
    assert all(mistake.mend in leak["mend"] for leak in found), shown
    assert deployed.gallery.paths[mistake.photo] not in json.dumps(report), "a report may be mailed"


APACHE_LOGIN = """
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
<{place}>
    AuthType Basic
    AuthName photos
    AuthUserFile {users}
    Require valid-user
</{kind}>
"""


def asks_for_passwords(files: dict[str, str], one: Deployed) -> None:
    """As the lines of deploy/ say for galleries that trust the web server's own login; the password of anna is pw."""
    users = f"{one.server.folder}/users"
    files["users"] = "anna:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=\n"
    match one.way.server:
        case WebServer.NGINX:
            put(files, PROXY, 'X-Remote-User "";', "X-Remote-User $remote_user;")
            in_site(files, f"auth_basic photos; auth_basic_user_file {users};")
        case WebServer.APACHE:
            unset, told = "RequestHeader unset X-Remote-User", 'RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"'
            put(files, "pwgserve.conf", unset, told)
            files["main"] += APACHE_LOGIN.format(users=users, place='Location "/"', kind="Location")
        case WebServer.CADDY:
            put(files, "pwgserve.caddy", "header_up -X-Remote-User", "header_up X-Remote-User {http.auth.user.id}")
            login = "basicauth {\n\t\tanna $2a$14$8J85b20HAtxZiy/uaUmiOuOOKlG9losEQF2geZHLDtdIwngqHG92m\n\t}"
            put(files, "site.caddy", "import pwgserve.caddy", f"{login}\n\timport pwgserve.caddy")


@pytest.mark.parametrize("way", ["nginx", "apache", "caddy"])
def test_who_logs_in_at_the_web_server_is_that_user_of_the_gallery(daemons, way):
    deployed = daemons(way)
    configure_anew(deployed, asks_for_passwords)
    found = {}
    for login in ("anna:pw", "anna:no", ""):
        said = f"Basic {base64.b64encode(login.encode()).decode()}"
        visitor = deployed.server.visitor(**({"Authorization": said} if login else {}), X_Remote_User="webmaster")
        found[login] = [visitor.follow(deployed.size(photo)).status for photo in (LAKE, PARTY, LETTER, WORKSHOP)]
    assert found == {"anna:pw": [200, 200, 200, 404], "anna:no": [401] * 4, "": [401] * 4}
    if way == "nginx":
        code, report = checked_here(deployed, "--photos", "1")
        assert code == 1
        assert "asks everybody for a password" in report["controls"][0]["problem"]


def asks_for_pages_only(files: dict[str, str], one: Deployed) -> None:
    """As owners do who think of Piwigo's folder, or of the gallery's address: pwgserve's lines are beside that."""
    users = f"{one.server.folder}/users"
    if one.way.server is WebServer.NGINX:
        asked = f"location /photos/ {{ auth_basic photos; auth_basic_user_file {users};"
        put(files, "site.conf", "location /photos/ {", asked)
    else:
        place = f'Directory "{one.gallery.root}"'
        files["site.conf"] += APACHE_LOGIN.format(users=users, place=place, kind="Directory")


@pytest.mark.parametrize("way", ["nginx", "apache"])
def test_a_password_for_the_pages_that_is_none_for_the_pictures_is_told(daemons, way):
    deployed = daemons(way)
    configure_anew(deployed, asks_for_pages_only)
    assert deployed.server.visitor().get("/photos/").status == 401
    assert deployed.server.visitor().follow(deployed.size(LAKE)).status == 200
    code, report = checked_here(deployed, "--photos", "1")
    assert code == 1
    assert "although the web server asks for a password" in report["controls"][0]["problem"]
