from dataclasses import replace
from pathlib import Path

import pytest
from written import below, config

from pwgserve.setup import machine
from pwgserve.setup.sites import addresses, sites_in, visited
from pwgserve.setup.templates import WebServer, text

ROOT = Path("/var/www/photos")


def sites(server, content, root=ROOT):
    return [site for site in sites_in(config(server, content), below(root)) if not site.leads_on]


CASES = [
    (WebServer.NGINX, "server {\n listen 80;\n server_name a.test;\n root /var/www/photos;\n}", "http://a.test/"),
    (WebServer.NGINX, "server\n{\n listen 443 ssl http2; # x\n server_name a.test b.test;\n root /var/www;\n}", "https://a.test/photos/"),
    (WebServer.NGINX, "server { listen [::]:8443 ssl; server_name a.test; root /var/www/; location / { } }", "https://a.test:8443/photos/"),
    (WebServer.NGINX, "server {\n server_name a.test;\n root /srv;\n location /p/ { alias /var/www/photos; }\n}", "http://a.test/p/"),
    (WebServer.NGINX, "server {\n server_name a.test;\n location ^~ /all { alias '/var/www/'; expires 1d; }\n}", "http://a.test/all/photos/"),
    (WebServer.NGINX, 'server { listen 443 ssl; server_name\n "a.test" b.test; add_header X "a{b; # c"; root "/var/www/photos"; }', "https://a.test/"),
    (WebServer.NGINX, 'server {\n server_name a.test;\n location ~ "^/[a-z]{2}/" { return 404; }\n root /var/www/photos;\n}', "http://a.test/"),
    (WebServer.NGINX, "server {\n server_name a.test;\n root /var/www/photos;\n if ($scheme = http) {\n return 301 https://$host$request_uri;\n }\n include php.conf;\n}", "http://a.test/"),
    (WebServer.NGINX, "server {\n if ($host = a.test) {\n return 301 https://$host$request_uri;\n }\n server_name a.test;\n root /var/www/photos;\n return 404;\n}", None),
    (WebServer.NGINX, "server {\n listen [::]:8443 ssl;\n server_name a.test;\n root '/srv';\n location /album/ {\n alias /var/www/photos/;\n }\n}", "https://a.test:8443/album/"),
    (WebServer.NGINX, "http {\n server {\n server_name a.test;\n root /var/www/photos;\n location ~ \\.php$ { x; }\n }\n}", "http://a.test/"),
    (WebServer.NGINX, "server {\n server_name _;\n root /var/www/photos;\n}", ""),
    (WebServer.NGINX, "server {\n server_name a.test;\n root /srv/other;\n}", None),
    (WebServer.NGINX, "server {\n server_name a.test;\n root /var/www/photos; location ~ \\.php { x; }\n}", "http://a.test/"),
    (WebServer.NGINX, "# server {\n# server_name a.test;\n# root /var/www/photos;\n# }", None),
    (WebServer.APACHE, "<VirtualHost *:80>\nServerName a.test\nDocumentRoot /var/www/photos\n</VirtualHost>", "http://a.test/"),
    (WebServer.APACHE, '<virtualhost _default_:443>\nServerName a.test:443\nSSLEngine on\nDocumentRoot "/var/www/"\n</virtualhost>', "https://a.test/photos/"),
    (WebServer.APACHE, '<VirtualHost *:8080>\nServerName a.test\nDocumentRoot /srv\nAlias /album "/var/www/photos/"\n</VirtualHost>', "http://a.test:8080/album/"),
    (WebServer.APACHE, "<VirtualHost *:80>\nServerName a.test\nAlias photos /var/www/photos\n</VirtualHost>", "http://a.test/"),
    (WebServer.APACHE, "<VirtualHost *:80>\nServerName a.test\nAliasMatch (?i)^/x/(.*) /var/www/photos/$1\n</VirtualHost>", "http://a.test/"),
    (WebServer.APACHE, "<VirtualHost *:80>\nDocumentRoot /var/www/photos\n</VirtualHost>", ""),
    (WebServer.CADDY, "a.test {\n\troot * /var/www/photos\n\tphp_fastcgi unix//x\n\tfile_server\n}", "https://a.test/"),
    (WebServer.CADDY, "{\n\temail a@b.test\n}\nhttp://a.test:8080, b.test {\n\troot /var/www\n}", "http://a.test:8080/photos/"),
    (WebServer.CADDY, "(common) {\n\troot * /var/www/photos\n}", None),
]  # fmt: skip


@pytest.mark.parametrize(("server", "content", "url"), CASES)
def test_the_gallerys_site_and_its_address_are_found(server, content, url):
    assert [site.url for site in sites(server, content)] == ([] if url is None else [url])


@pytest.mark.parametrize(
    ("server", "content"),
    [
        (WebServer.NGINX, "server {\n server_name a.test;\n root /var/www/photos;\n return 301 https://a.test$request_uri;\n}"),
        (WebServer.APACHE, '<VirtualHost *:80>\nDocumentRoot /var/www\nRedirect permanent "/" "https://a.test/"\n</VirtualHost>'),
        (WebServer.APACHE, "<VirtualHost *:80>\nDocumentRoot /var/www\nRedirect / https://a.test/\n</VirtualHost>"),
        (WebServer.CADDY, "http://a.test {\n\troot * /var/www\n\tredir https://a.test{uri}\n}"),
    ],
)  # fmt: skip
def test_a_site_that_only_leads_to_another_is_known_as_such(server, content):
    assert [site.leads_on for site in sites_in(config(server, content), below(ROOT))] == [True]


def test_a_site_without_a_name_shows_the_folder_and_is_not_what_visitors_type():
    content = """server {
    listen 80 default_server;
    root /var/www;
}
server {
    server_name a.test;
    root /var/www/photos;
    location / { return 302 /index.php; }
}"""
    nameless, named = sites(WebServer.NGINX, content)
    assert (nameless.url, nameless.path, nameless.line) == ("", "/photos/", 1)
    assert addresses([nameless, named]) == ["http://a.test/"]
    assert addresses([nameless]) == []
    assert visited([nameless, named], "http://a.test/") is named
    assert visited([nameless, named], "https://b.test/photos/") is nameless
    assert visited([nameless, named], "http://a.test/other/") is None
    umlaut = replace(named, path="/für/")
    assert visited([named, umlaut], "http://a.test/f%C3%BCr/") is umlaut


def test_of_several_sites_the_one_is_visited_that_has_the_name_and_the_way():
    content = """server { listen 80; server_name a.test www.a.test; root /var/www/photos; }
server { listen 443 ssl; server_name b.test; root /var/www/photos; }
server { listen 443 ssl; server_name a.test www.a.test; root /var/www/photos; }
server { listen 80 default_server; root /var/www/photos; }"""
    found = sites(WebServer.NGINX, content)
    assert addresses(found) == ["https://b.test/", "https://a.test/"]
    for url, line in (
        ("https://a.test/", 3),
        ("https://www.a.test/", 3),
        ("http://www.a.test/", 1),
        ("https://b.test/", 2),
        ("https://c.test/", 4),
    ):
        assert visited(found, url).line == line, url


@pytest.mark.parametrize(
    ("server", "name"),
    [(WebServer.NGINX, "sites/gallery.conf"), (WebServer.APACHE, "gallery.conf"), (WebServer.CADDY, "Caddyfile")],
)
def test_the_sites_of_deploy_are_found_with_their_line_for_pwgserve(server, name):
    content = text(server, name)
    found = visited(sites(server, content), "https://gallery.example.org/photos/")
    assert (found.url, found.includes) == ("https://gallery.example.org/photos/", True)
    without = "\n".join(line for line in content.splitlines() if "pwgserve" not in line)
    assert [site.includes for site in sites(server, without)] == [False]


def test_locations_that_nginx_would_call_duplicates_are_named_with_their_lines():
    content = """server {
    server_name a.test;
    root /var/www/photos;
    location ^~ /upload/ { deny all; }
    location = /i.php { deny all; }
    location /galleries/ { deny all; }
    location ^~ /upload/2020/ { expires 1d; }
    location /upload { deny all; }
    location ~ ^/_data/i { deny all; }
}"""
    (found,) = sites(WebServer.NGINX, content)
    assert [rival.partition(" ")[0] for rival in found.rivals] == [f"site.conf:{number}" for number in (4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("server", "line", "includes"),
    [
        (WebServer.NGINX, "include snippets/pwgserve.conf;", True),
        (WebServer.NGINX, "include /etc/nginx/snippets/pwgserve.conf;", True),
        (WebServer.NGINX, "include snippets/pwgserve*.conf; gzip on;", True),
        (WebServer.NGINX, "include snippets/pwgserve-proxy.conf;", False),
        (WebServer.NGINX, "include pwgserve-ssl.conf;", False),
        (WebServer.NGINX, "include /srv/pwgserve/php.conf;", False),
        (WebServer.NGINX, "# include snippets/pwgserve.conf;", False),
        (WebServer.APACHE, "IncludeOptional /etc/apache2/pwgserve.conf", True),
        (WebServer.APACHE, 'Include "pwgserve.conf"', True),
        (WebServer.APACHE, "Include pwgserve-tls.conf", False),
        (WebServer.CADDY, "import pwgserve.caddy", True),
        (WebServer.CADDY, "import pwgserve", False),
    ],
)
def test_only_the_line_that_brings_pwgserve_in_counts(server, line, includes):
    sites_text = {
        WebServer.NGINX: f"server {{\n server_name a.test;\n root /var/www/photos;\n {line}\n}}",
        WebServer.APACHE: f"<VirtualHost *:80>\nServerName a.test\nDocumentRoot /var/www/photos\n{line}\n</VirtualHost>",
        WebServer.CADDY: f"a.test {{\n\troot * /var/www/photos\n\t{line}\n}}",
    }
    (found,) = sites(server, sites_text[server])
    assert found.includes is includes


@pytest.mark.parametrize(
    ("lines", "ahead"),
    [
        (["ProxyPassMatch ^/(.*\\.php(/.*)?)$ fcgi://127.0.0.1:9000/var/www/photos/$1"], [4]),
        (
            ['ProxyPassMatch "^/(.*\\.php)$" "unix:/run/php.sock|fcgi://localhost/var/www"', "Include pwgserve.conf"],
            [4],
        ),
        (["Include pwgserve.conf", "ProxyPassMatch ^/(.*\\.php)$ fcgi://127.0.0.1:9000/"], []),
        (["ProxyPass / http://127.0.0.1:8080/", "ProxyPass /upload/ !"], [4, 5]),
        (["ProxyPass /wiki/ http://127.0.0.1:8080/", "ProxyPassMatch ^/wiki/.*\\.php$ fcgi://x/"], []),
        (["ProxyPassMatch ^/(?<x [unclosed fcgi://x/"], [4]),
        (["<Location /x>", "ProxyPass http://127.0.0.1:8080/ retry=0", "</Location>"], []),
    ],
)
def test_what_apache_would_ask_first_must_stand_below(lines, ahead):
    content = "\n".join(
        ["<VirtualHost *:80>", "ServerName a.test", "DocumentRoot /var/www/photos", *lines, "</VirtualHost>"]
    )
    (found,) = sites(WebServer.APACHE, content)
    assert [line.partition(" ")[0] for line in found.ahead] == [f"site.conf:{number}" for number in ahead]


def test_a_gallery_behind_a_symbolic_link_is_found_from_both_sides(tmp_path):
    root = tmp_path / "srv/piwigo"
    root.mkdir(parents=True)
    (tmp_path / "www").mkdir()
    (tmp_path / "www/photos").symlink_to(root)
    (tmp_path / "public").symlink_to(tmp_path / "srv")
    (tmp_path / "nginx/sites-enabled").mkdir(parents=True)
    for shown, name, path in (
        ("www", "www/photos", "/photos/"),
        ("www", "srv/piwigo", "/photos/"),
        ("www/photos", "srv/piwigo", "/"),
        ("srv", "www/photos", "/piwigo/"),
        ("public", "srv/piwigo", "/piwigo/"),
        ("none", "srv/piwigo", None),
    ):
        site = f"server {{\n server_name a.test;\n root {tmp_path / shown};\n}}\n"
        (tmp_path / "nginx/sites-enabled/g").write_text(site)
        (seen,) = machine.web_servers(root, tmp_path / "proc", {WebServer.NGINX: tmp_path / "nginx"}, tmp_path / name)
        assert [site.path for site in seen.sites] == ([path] if path else []), (shown, name)


def test_the_encrypted_site_is_the_one_that_visitors_use():
    content = "".join(
        f"server {{\n listen {listen};\n server_name a.test;\n root /var/www/photos;\n}}\n"
        for listen in ("80", "443 ssl")
    )
    assert addresses(sites(WebServer.NGINX, content)) == ["https://a.test/"]
    assert addresses([]) == []


def test_a_name_like_the_folders_is_not_the_folder():
    for near in ("/var/www/photos2", "/var/www/pho", "/var/ww"):
        assert sites(WebServer.NGINX, f"server {{\n server_name a.test;\n root {near};\n}}") == []


def test_folders_of_the_gallery_are_known_where_all_of_it_is_not_shown(tmp_path):
    root, away = tmp_path / "srv/piwigo", tmp_path / "mnt/photos"
    (root / "upload/2026").mkdir(parents=True)
    (away / "a").mkdir(parents=True)
    (root / "galleries").symlink_to(away)
    (tmp_path / "cdn").symlink_to(root / "upload")
    tops = ("upload", "galleries")
    for shown, expected in (
        ("srv/piwigo/upload", [(".", "upload")]),
        ("srv/piwigo/upload/2026", [(".", "upload/2026")]),
        ("cdn", [(".", "upload")]),
        ("mnt", [("photos", "galleries")]),
        ("mnt/photos/a", [(".", "galleries/a")]),
        ("srv", []),
        ("srv/piwigo/themes", []),
        ("", [("mnt/photos", "galleries")]),
    ):
        assert machine.parts(root, tops, tmp_path / shown) == expected, shown


def test_what_apache_passes_on_outside_of_its_sites_comes_before_all_that_is_in_one():
    php, own = "ProxyPassMatch ^/(.*\\.php)$ fcgi://x/", "Include pwgserve.conf"
    vhost = f"<VirtualHost *:80>\nServerName a.test\nDocumentRoot /var/www/photos\n{own}\n</VirtualHost>\n"
    for outside, expected in ((php, ["site.conf:1"]), (f"{own}\n{php}", []), ("ProxyPass /wiki/ http://x/", [])):
        (found,) = sites(WebServer.APACHE, f"{outside}\n{vhost}")
        assert [line.partition(" ")[0] for line in found.outside] == expected
        assert (found.ahead, found.protects("/")) == ((), not expected)


def test_the_web_server_that_shows_the_gallery_comes_first_also_without_a_name(tmp_path):
    root = tmp_path / "photos"
    for name, content in (("nginx/nginx.conf", ""), ("apache/apache2.conf", f"Listen 80\nDocumentRoot {tmp_path}\n")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    places = {WebServer.NGINX: tmp_path / "nginx", WebServer.APACHE: tmp_path / "apache"}
    first, second = machine.web_servers(root, tmp_path / "proc", places)
    assert (first.server, [site.url for site in first.sites]) == (WebServer.APACHE, [""])
    assert (second.server, second.sites) == (WebServer.NGINX, ())
