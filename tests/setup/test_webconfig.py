"""Configurations as owners lay them out: what the server reads counts, where it reads it, and nothing else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import below

from pwgserve.check.neighbours import neighbours
from pwgserve.setup.sites import sites_in, unknown_folders
from pwgserve.setup.templates import WebServer
from pwgserve.setup.webconfig import MAIN, read

ROOT = Path("/var/www/photos")


def laid_out(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def sites(server, folder, files):
    found = sites_in(read(server, laid_out(folder, files)), below(ROOT))
    return [(site.file.name, site.line, site.url, site.includes) for site in found if not site.leads_on]


NGINX = "events { }\nhttp {\n    include conf.d/*.conf;\n    include sites-enabled/*;\n}\n"
SITE = "server {\n    server_name a.test;\n    root /var/www;\n}\n"


def test_nginx_reads_what_its_main_file_includes_and_only_that(tmp_path):
    files = {
        "nginx.conf": NGINX,
        "conf.d/a.conf": "",
        "conf.d/a.conf.old": SITE,
        "sites-available/spare": SITE,
        "sites-enabled/b.bak": SITE,
        "sites-enabled/.c": SITE,
    }
    assert sites(WebServer.NGINX, tmp_path, files) == [("b.bak", 1, "http://a.test/photos/", False)]


def test_nginx_includes_in_the_midst_of_a_site_and_far_away(tmp_path):
    far = tmp_path / "far"
    files = {
        "nginx/nginx.conf": f"http {{\n    include {far}/*/site.conf;\n}}\n",
        "far/x/site.conf": f"server {{\n    server_name a.test;\n    include {far}/a.d/*.conf;\n}}\n",
        "far/a.d/gallery.conf": "location ^~ /g/ {\n    alias /var/www/photos/;\n}\ninclude snippets/pwgserve.conf;\n",
        "nginx/snippets/pwgserve.conf": "location = /g/i.php { }\n",
    }
    laid_out(tmp_path, files)
    (found,) = sites_in(read(WebServer.NGINX, tmp_path / "nginx"), below(ROOT))
    assert (found.file, found.line, found.url) == (far / "x/site.conf", 1, "http://a.test/g/")
    assert (found.includes, found.rivals) == (True, ())


def test_a_folder_of_nginx_that_is_said_around_the_sites_counts_for_those_that_say_none(tmp_path):
    server = "server {\n    server_name %s;\n    %s\n}\n"
    files = {
        "nginx.conf": "http {\n    include s;\n    root /var/www;\n}\n",
        "s": server % ("a.test", "") + server % ("b.test", "root /srv;") + server % ("c.test", "return 301 https://d;"),
    }
    assert sites(WebServer.NGINX, tmp_path, files) == [("s", 1, "http://a.test/photos/", False)]


def test_values_that_nginx_sets_are_known(tmp_path):
    files = {"nginx.conf": "server {\n    server_name a.test;\n    set $base /var/www;\n    root $base/photos;\n}\n"}
    assert [one[2] for one in sites(WebServer.NGINX, tmp_path, files)] == ["http://a.test/"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("root /var/www; location /old/ { alias /var/www/photos/; }", ["/photos/", "/old/"]),
        ("location ~ ^/pics/(.*)$ { alias /var/www/photos/$1; }", ["/pics/"]),
        ("location /p { location ~ x { root /srv; } alias '/var/www/photos'; }", ["/p/"]),
        ("location ^~ /_in/ { internal; location ^~ /_in/o/ { alias /var/www/photos/; } }", []),
        ('root "/var/www"; location /photos/ { alias /var/www/photos/; }', ["/photos/"]),
    ],
)
def test_every_address_of_a_site_of_nginx_is_found(tmp_path, text, paths):
    laid_out(tmp_path, {"nginx.conf": f"server {{ server_name a.test; {text} }}"})
    assert [site.path for site in sites_in(read(WebServer.NGINX, tmp_path), below(ROOT))] == paths


def test_apache_reads_what_its_main_file_includes(tmp_path):
    vhost = "<VirtualHost *:80>\n    ServerName {}\n    {}\n</VirtualHost>\n"
    files = {
        "apache2.conf": "Define docroot /var/www\nListen 80\nIncludeOptional sites-enabled/*.conf\nInclude more\n",
        "sites-enabled/a.conf": vhost.format("a.test", "DocumentRoot ${docroot}"),
        "sites-enabled/a.conf.bak": vhost.format("b.test", "DocumentRoot /var/www"),
        "sites-available/c.conf": vhost.format("c.test", "DocumentRoot /var/www"),
        "more/d.conf": vhost.format("d.test", 'Alias /d \\\n "/var/www/photos"'),
    }
    assert sites(WebServer.APACHE, tmp_path, files) == [
        ("a.conf", 1, "http://a.test/photos/", False),
        ("d.conf", 1, "http://d.test/d/", False),
    ]


def test_what_apache_says_around_its_sites_counts_for_all_of_them(tmp_path):
    vhost = "<VirtualHost *:80>\n    ServerName {}\n    {}\n</VirtualHost>\n"
    files = {
        "apache2.conf": "Listen 80\nListen 127.0.0.1:8080\nServerName x.test\nInclude pwgserve.conf\n"
        "<IfModule ssl_module>\nListen 443\n</IfModule>\nAlias /photos /var/www/photos\nDocumentRoot /var/www\n"
        + vhost.format("a.test", "DocumentRoot /srv")
        + vhost.format("b.test", ""),
        "pwgserve.conf": "",
    }
    assert sites(WebServer.APACHE, tmp_path, files) == [
        ("apache2.conf", 10, "http://a.test/photos/", True),
        ("apache2.conf", 14, "http://b.test/photos/", True),
        ("apache2.conf", 8, "http://x.test:8080/photos/", True),
    ]


def test_caddys_snippets_and_imports_count_where_they_are_imported(tmp_path):
    files = {
        "Caddyfile": "(shown) {\n\troot * /var/www\n\tfile_server\n}\nimport sites/*\n",
        "sites/a": "a.test {\n\timport shown\n\timport ../pwgserve.caddy\n}\n",
        "sites/b": "b.test {\n\thandle_path /pics/* {\n\t\troot * /var/www/photos\n\t}\n}\n",
        "pwgserve.caddy": "@pwgserve path /photos/upload/*\n",
    }
    assert sites(WebServer.CADDY, tmp_path, files) == [
        ("a", 1, "https://a.test/photos/", True),
        ("b", 1, "https://b.test/pics/", False),
    ]


def test_a_folder_without_a_main_file_is_read_but_for_what_is_spare(tmp_path):
    files = dict.fromkeys(("x.conf", "sites-available/x", "x.conf~", "x.conf.bak", "x.conf.dpkg-old"), SITE)
    assert [one[0] for one in sites(WebServer.NGINX, tmp_path, files)] == ["x.conf"]


def test_what_cannot_be_read_is_told(tmp_path):
    text = "http {\n    include a;\n    include missing;\n    include **/b**;\n    include b*;\n}\n"
    files = {"nginx.conf": text, "a": "include a;\n"}
    laid_out(tmp_path, files)
    (tmp_path / "b1").symlink_to("nowhere")
    unread = read(WebServer.NGINX, tmp_path).unread
    assert [one.rpartition("/")[2] for one in unread] == ["a (included over and over)", "b1 (no such file)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_this_user_may_not_read_is_told(tmp_path):
    laid_out(tmp_path, {"nginx.conf": "include a;\ninclude d/*;\ninclude e/x;\n", "a": "", "d/x": "", "e/x": ""})
    for name in ("a", "d", "e"):
        (tmp_path / name).chmod(0)
    assert len(read(WebServer.NGINX, tmp_path).unread) == 3
    for name in ("d", "e"):
        (tmp_path / name).chmod(0o755)


@pytest.mark.parametrize(
    ("server", "line", "is_unknown"),
    [
        (WebServer.NGINX, "root /var/www/$host;", True),
        (WebServer.NGINX, "root /var/www/photos/$sub;", True),
        (WebServer.NGINX, "root $folder/x;", True),
        (WebServer.NGINX, "root /srv/$host;", False),
        (WebServer.NGINX, "root /var/www/photos;", False),
        (WebServer.APACHE, "VirtualDocumentRoot /var/www/%0", True),
        (WebServer.APACHE, "DocumentRoot ${SOMEWHERE}/photos", True),
    ],
)
def test_a_folder_that_is_another_one_for_each_request_is_known_as_such(tmp_path, server, line, is_unknown):
    name, block = {
        WebServer.NGINX: ("nginx.conf", "server {\n%s\n}\n"),
        WebServer.APACHE: ("apache2.conf", "<VirtualHost *:80>\n%s\n</VirtualHost>\n"),
    }[server]
    config = read(server, laid_out(tmp_path, {name: block % line}))
    assert [one.number for one in unknown_folders(config, ROOT)] == ([2] if is_unknown else [])


PIECES = (
    *("server {", "server_name", "~[;", "*.x", "root", "/var/www;", "$a", "alias", "/p/$1;", "location ~ ^/x/(.*)$ {"),
    *(
        "listen [::]:80 ssl;",
        "set $a",
        "include",
        "a*;",
        "include b[;",
        "}",
        "{",
        ";",
        "'",
        '"',
        "#",
        "\n",
        "\0",
        "\\\n",
    ),
    *(
        "\n<VirtualHost *:80>",
        "\n<VirtualHost>",
        "\n</VirtualHost>",
        "\nListen",
        "\nAlias",
        "\nDocumentRoot",
        "\nDefine a",
    ),
    *(
        "${a}",
        "ProxyPassMatch ^(",
        "\n<If",
        "\n<Location",
        "\nimport",
        "(s) {\n",
        "\n}",
        "handle_path /x* {",
        "http://",
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("web")


@pytest.mark.parametrize("server", WebServer)
@given(words=st.lists(st.sampled_from(PIECES), max_size=30))
def test_whatever_is_written_there_is_read_in_some_way(folder, server, words):
    (folder / MAIN[server][0]).write_text(" ".join(words))
    config = read(server, folder)
    sites = sites_in(config, lambda _: [("x", "")])
    assert all(site.path.startswith("/") for site in sites)
    neighbours(sites, "https://example.org/photos/", ["192.0.2.9"])
    list(unknown_folders(config, ROOT))
