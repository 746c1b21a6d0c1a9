from pwgserve.check.attempts import AREAS, Place, Subject
from pwgserve.check.doors import Door, door_attempts, other_doors
from pwgserve.check.samples import twin_of

SUBJECT = Subject(
    4711, "upload/2026/05/14/20260514-ab12CD34.jpg", sizes=("upload/2026/05/14/20260514-ab12CD34-me.jpg",)
)
PLACE = Place("/gallery/", "photos 1")


def origins(public_url, also=()):
    return [door.origin for door in other_doors(public_url, also)]


def test_the_usual_ports_of_the_host_are_tried_and_what_the_owner_names():
    assert origins("https://a.test/x/") == ["http://a.test"]
    assert origins("http://a.test/") == ["https://a.test"]
    assert origins("https://a.test:8443/") == ["http://a.test", "https://a.test"]
    assert origins("https://[2001:db8::1]/") == ["http://[2001:db8::1]"]
    assert origins("https://a.test/", ["https://www.a.test/x/", "https://a.test/"]) == [
        "http://a.test",
        "https://www.a.test",
    ]


def test_what_the_owner_names_keeps_its_path_also_at_the_gallerys_own_host():
    found = other_doors("https://a.test/x/", ["https://b.test/pics/", "https://b.test/old", "https://a.test/old/"])
    named = {door.origin: door.bases for door in found if door.is_named}
    assert named == {"https://b.test": ("/pics/", "/old/"), "https://a.test": ("/old/",)}
    targets = {one.target for one in door_attempts(SUBJECT, PLACE, found) if one.origin == "https://b.test"}
    for base in ("/pics/", "/old/"):
        assert base + SUBJECT.path in targets
        assert f"{base}i.php?/{SUBJECT.sizes[0]}" in targets
        assert f"{base}action.php?id=4711&part=e" in targets


def test_a_site_is_asked_for_by_its_name():
    door = Door("https://a.test:8443", ("/pics/",), "www.b.test:8443", "/etc/nginx/x:7")
    found = [one for one in door_attempts(SUBJECT, PLACE, [door]) if one.origin]
    assert {one.target.partition("pics/")[0] for one in found} == {"/"}
    assert {(one.headers, one.server_name, one.place) for one in found} == {
        ((("Host", "www.b.test:8443"),), "www.b.test", "/etc/nginx/x:7")
    }


def test_every_plain_address_of_a_photo_is_tried_at_every_door_also_under_other_names_and_paths():
    found = list(door_attempts(SUBJECT, PLACE, [Door("http://a.test")]))
    assert {one.area for one in found} <= set(AREAS)
    at = {(one.origin, one.target.partition("?")[0].removesuffix(SUBJECT.path), bool(one.headers)) for one in found}
    for base in ("/gallery/", "/photos%201/", "/"):
        assert ("http://a.test", base, False) in at
        assert ("http://a.test", base, True) in at
        assert (("", base, False) in at) == (base != "/gallery/"), "the gallery's own address is tried elsewhere"
    assert any("i.php" in one.target for one in found)
    assert any("action.php" in one.target for one in found)
    assert len(found) < 30


def test_a_twin_is_tried_at_the_same_doors():
    mine, others = (
        list(door_attempts(one, PLACE, [Door("http://a.test")])) for one in (SUBJECT, twin_of(SUBJECT, 9999))
    )
    assert [(one.trick, one.origin, one.headers) for one in mine] == [
        (one.trick, one.origin, one.headers) for one in others
    ]


def test_where_only_a_folder_of_the_gallery_is_shown_its_files_are_tried():
    film = Subject(
        7,
        "galleries/a/b.mp4",
        "galleries/a/pwg_representative/b.jpg",
        sizes=("galleries/a/pwg_representative/b-me.jpg",),
    )
    for part, expected in (
        ("galleries/a", {"/x/b.mp4", "/x/pwg_representative/b.jpg"}),
        ("_data/i", {"/x/galleries/a/pwg_representative/b-me.jpg"}),
        ("upload", set()),
    ):
        door = Door("https://a.test", ("/x/",), "b.test", part=part)
        assert {one.target for one in door_attempts(film, PLACE, [door]) if one.origin} == expected
