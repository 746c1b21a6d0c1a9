"""The gallery of the shared cases: who may see what in it is written down as tables, by hand, from Piwigo's rules."""

from galleries import GUEST, TestGallery

USERS = {"webmaster": 1, "guest": GUEST, "anna": 3, "ben": 4, "carol": 5, "dora": 6, "emil": 7}
FAMILY = 1  # the group of anna, ben and emil

PUBLIC, FAMILY_ALBUM, ANNAS, LOCKED, PUBLIC_BELOW_PRIVATE, LOCKED_FAMILY = range(1, 7)

LAKE, PARTY, LETTER, WORKSHOP, BELOW, SHARED, ORPHAN, LEVEL_8, LEVEL_4, LOUNGE = range(1, 11)
TWO_PRIVATE, LOCKED_AND_FAMILY, FILM, SMALL, LEVEL_1, DOCUMENT, IN_LOCKED_FAMILY = range(11, 18)

LARGE = (2400, 1600)

VISIBLE = {
    "guest": {LAKE, BELOW, SHARED, SMALL, DOCUMENT},
    "carol": {LAKE, BELOW, SHARED, SMALL, DOCUMENT},
    "anna": {LAKE, BELOW, SHARED, SMALL, DOCUMENT, PARTY, LETTER, TWO_PRIVATE, LOCKED_AND_FAMILY, FILM},
    "ben": {LAKE, BELOW, SHARED, SMALL, DOCUMENT, PARTY, TWO_PRIVATE, LOCKED_AND_FAMILY, FILM, LEVEL_4, LEVEL_1},
    "emil": {LAKE, BELOW, SHARED, SMALL, DOCUMENT, PARTY, TWO_PRIVATE, LOCKED_AND_FAMILY, FILM, LEVEL_4, LEVEL_1},
    "dora": {LAKE, BELOW, SHARED, SMALL, DOCUMENT, WORKSHOP, LOCKED_AND_FAMILY, LEVEL_8, LEVEL_4},
    "webmaster": {LAKE, BELOW, SHARED, SMALL, DOCUMENT, WORKSHOP, LOCKED_AND_FAMILY, LEVEL_8, LEVEL_4},
}
"""Whom Piwigo shows which photos."""

NO_ORIGINAL = {"emil": {LAKE, PARTY}}
"""Visible photos whose originals need `enabled_high`, which emil has not: they are larger than xxlarge."""


def build(gallery: TestGallery) -> dict[int, str]:
    """Fill a gallery; returns the paths of its photos."""
    gallery.user(USERS["webmaster"], "webmaster", "webmaster", level=8)
    gallery.user(USERS["guest"], "guest", "guest")
    gallery.user(USERS["anna"], "anna")
    gallery.user(USERS["ben"], "ben", level=4)
    gallery.user(USERS["carol"], "carol")
    gallery.user(USERS["dora"], "dora", "admin", level=8)
    gallery.user(USERS["emil"], "emil", level=4, high=False)
    gallery.insert("groups", id=FAMILY, name="family")
    for name in ("anna", "ben", "emil"):
        gallery.insert("user_group", group_id=FAMILY, user_id=USERS[name])

    gallery.album(PUBLIC)
    gallery.album(FAMILY_ALBUM, private=True)
    gallery.album(ANNAS, above=FAMILY_ALBUM, private=True)
    gallery.album(LOCKED, visible=False)
    gallery.album(PUBLIC_BELOW_PRIVATE, above=FAMILY_ALBUM)
    gallery.album(LOCKED_FAMILY, private=True, visible=False)
    gallery.insert("group_access", group_id=FAMILY, cat_id=FAMILY_ALBUM)
    gallery.insert("group_access", group_id=FAMILY, cat_id=LOCKED_FAMILY)
    gallery.insert("user_access", user_id=USERS["anna"], cat_id=ANNAS)

    paths = {
        LAKE: gallery.photo(LAKE, (PUBLIC,), LARGE, file='Evening at the lake, "Chiemsee" – Grüße.jpg'),
        PARTY: gallery.photo(PARTY, (FAMILY_ALBUM,), LARGE),
        LETTER: gallery.photo(LETTER, (ANNAS,)),
        WORKSHOP: gallery.photo(WORKSHOP, (LOCKED,)),
        BELOW: gallery.photo(BELOW, (PUBLIC_BELOW_PRIVATE,)),
        SHARED: gallery.photo(SHARED, (FAMILY_ALBUM, PUBLIC)),
        ORPHAN: gallery.photo(ORPHAN),
        LEVEL_8: gallery.photo(LEVEL_8, (PUBLIC,), level=8),
        LEVEL_4: gallery.photo(LEVEL_4, (PUBLIC,), level=4),
        LOUNGE: gallery.photo(LOUNGE),
        TWO_PRIVATE: gallery.photo(TWO_PRIVATE, (ANNAS, FAMILY_ALBUM)),
        LOCKED_AND_FAMILY: gallery.photo(LOCKED_AND_FAMILY, (LOCKED, FAMILY_ALBUM)),
        SMALL: gallery.photo(SMALL, (PUBLIC,), (300, 200)),
        LEVEL_1: gallery.photo(LEVEL_1, (FAMILY_ALBUM,), level=1),
        IN_LOCKED_FAMILY: gallery.photo(IN_LOCKED_FAMILY, (LOCKED_FAMILY,)),
    }
    gallery.insert("lounge", image_id=LOUNGE, category_id=PUBLIC)

    film = gallery.root / "upload/2026/05/14/film.mp4"
    film.write_bytes(bytes(range(256)) * 4096)
    gallery.picture("upload/2026/05/14/pwg_representative/film.jpg", (640, 360), 13)
    paths[FILM] = gallery.photo(
        FILM, (FAMILY_ALBUM,), path="upload/2026/05/14/film.mp4", file="First steps.mp4", representative_ext="jpg"
    )
    (gallery.root / "galleries/Synced folder").mkdir(parents=True)
    (gallery.root / "galleries/Synced folder/Guide.pdf").write_bytes(b"%PDF-1.4\n" + b"0" * 5000)
    paths[DOCUMENT] = gallery.photo(
        DOCUMENT, (PUBLIC,), path="galleries/Synced folder/Guide.pdf", file="Guide.pdf", width=None, height=None
    )
    for name, user_id in USERS.items():
        if name != "guest":
            gallery.session(user_id, f"{name}session")
    return paths


def cookie(name: str) -> str | None:
    """The cookie header of a viewer; guests have none."""
    return None if name == "guest" else f"pwg_id={name}session"
