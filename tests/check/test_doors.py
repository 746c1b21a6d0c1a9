from pwgserve.check.attempts import AREAS, Place, Subject
from pwgserve.check.doors import door_attempts, other_origins
from pwgserve.check.samples import twin_of

SUBJECT = Subject(
    4711, "upload/2026/05/14/20260514-ab12CD34.jpg", sizes=("upload/2026/05/14/20260514-ab12CD34-me.jpg",)
)
PLACE = Place("/gallery/", "photos 1")


def test_the_usual_ports_of_the_host_are_tried_and_what_the_owner_names():
    assert other_origins("https://a.test/x/") == ("http://a.test",)
    assert other_origins("http://a.test/") == ("https://a.test",)
    assert other_origins("https://a.test:8443/") == ("http://a.test", "https://a.test")
    assert other_origins("https://[2001:db8::1]/") == ("http://[2001:db8::1]",)
    assert other_origins("https://a.test/", ["https://www.a.test/x/", "https://a.test/"]) == ("http://a.test", "https://www.a.test")  # fmt: skip


def test_every_plain_address_of_a_photo_is_tried_at_every_door_also_under_other_names_and_paths():
    found = list(door_attempts(SUBJECT, PLACE, ["http://a.test"]))
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
    mine, others = (list(door_attempts(one, PLACE, ["http://a.test"])) for one in (SUBJECT, twin_of(SUBJECT, 9999)))
    assert [(one.trick, one.origin, one.headers) for one in mine] == [
        (one.trick, one.origin, one.headers) for one in others
    ]
