from dataclasses import replace
from pathlib import Path

import pytest

from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.settings_file import from_values
from pwgserve.setup.templates import SNIPPETS, Site, TemplateError, WebServer, filled, text

EXAMPLE = Site(
    "gallery.example.org", "/photos/", Path("/var/www/photos"), "127.0.0.1:8280", Path("/var/cache/pwgserve")
)
WHOLE = {WebServer.NGINX: "sites/gallery.conf", WebServer.APACHE: "gallery.conf", WebServer.CADDY: "Caddyfile"}
FILES = [
    *((server, name) for server, names in SNIPPETS.items() for name in names),
    (WebServer.NGINX, "conf.d/pwgserve-cache.conf"),
    (WebServer.NGINX, "snippets/pwgserve-cache.conf"),
    *WHOLE.items(),
]
LOCATIONS = ("i.php", "i", "_data/i/", "action.php", "upload/", "galleries/", "pwgs/")


@pytest.mark.parametrize(("server", "name"), FILES)
def test_the_files_of_deploy_are_filled_as_they_stand_for_their_own_example(server, name):
    template = text(server, name)
    assert filled(server, template, EXAMPLE) == template


@pytest.mark.parametrize(("server", "name"), FILES)
def test_nothing_of_the_example_is_left_in_a_gallerys_own_configuration(server, name):
    site = Site(
        "fam.test", "/", Path("/srv/pwg"), "unix:/run/x/s.sock", Path("/c"), "/_in", "li", "data", "up", "/p.sock"
    )
    found = filled(server, text(server, name), site)
    for example in (
        "gallery.example.org",
        "/photos",
        "/var/www",
        "8280",
        "/var/cache/pwgserve",
        "_pwgserve/",
        "/_data",
        "/pwgs/",
    ):
        assert example not in found


@pytest.mark.parametrize("server", WebServer)
def test_every_address_of_pictures_is_routed(server):
    main = {WebServer.NGINX: "snippets/pwgserve.conf"}.get(server, SNIPPETS[server][0])
    for base in ("/", "/a/b.c/"):
        found = filled(server, text(server, main), replace(EXAMPLE, base=base, root=Path("/srv/a/b.c")))
        for location in LOCATIONS:
            assert f"{base}{location}" in found.replace('"', "")


@pytest.mark.parametrize("written", ["für", "f%C3%BCr"])
def test_web_servers_compare_the_path_as_it_is_read(tmp_path, written):
    (tmp_path / "für").mkdir()
    tables = {"server": {"public_url": f"https://a.test/{written}"}, "piwigo": {"root": str(tmp_path / "für")}}
    site = Site.of(from_values(tables, "f"), PiwigoConf())
    assert (site.base, site.document_root) == ("/für/", tmp_path)


def test_a_name_that_would_mean_something_else_to_a_web_server_is_refused():
    for name in (
        "/srv/my photos",
        "/srv/a;b",
        "/srv/$a",
        "/srv/{a}",
        '/srv/"a',
        "/srv/a\nb",
        "/srv/a*",
        "/srv/(a)",
        "/srv/a|b;",
    ):
        with pytest.raises(TemplateError, match="use letters"):
            filled(WebServer.NGINX, text(WebServer.NGINX, "snippets/pwgserve.conf"), replace(EXAMPLE, root=Path(name)))
    filled(
        WebServer.NGINX,
        text(WebServer.NGINX, "snippets/pwgserve.conf"),
        replace(EXAMPLE, root=Path("/srv/Müllers_fotos-2")),
    )


def test_values_are_put_in_once_even_if_they_look_like_an_example():
    site = replace(EXAMPLE, base="/photos/photos/", root=Path("/var/www/photos/photos"))
    assert site.document_root == Path("/var/www")
    found = filled(WebServer.NGINX, text(WebServer.NGINX, "snippets/pwgserve.conf"), site)
    assert "location ^~ /photos/photos/upload/ " in found
    assert "alias /var/www/photos/photos/;\n" in found


def test_the_document_root_is_above_the_gallery_only_if_its_folder_lies_as_its_address():
    assert EXAMPLE.document_root == Path("/var/www")
    assert replace(EXAMPLE, base="/").document_root == Path("/var/www/photos")
    assert replace(EXAMPLE, base="/pictures/").document_root == Path("/var/www/photos")
