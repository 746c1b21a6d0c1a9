"""Who a request is from: cookies, keys, addresses and proxies, good ones and forged ones."""

import time

import family
import pytest
from daemon import serving
from family import USERS
from galleries import GUEST, SECRET_KEY

from pwgserve.piwigo.identity import pwg_token

PARTY = "/action.php?id=2&part=e"  # of the family's album
LETTER = "/action.php?id=3&part=e"  # anna's alone
WORKSHOP = "/action.php?id=4&part=e"  # of a locked album


def sees(daemon, target=PARTY, cookie=None, **headers):
    answer = daemon.visitor().get(target, cookie=cookie, **headers)
    assert answer.status in (302, 404)
    return answer.status == 302


def test_a_session_is_who_it_names(daemon):
    assert sees(daemon, LETTER, family.cookie("anna"))
    assert not sees(daemon, LETTER, family.cookie("ben"))


@pytest.mark.parametrize(
    "cookie",
    [
        "pwg_id=",
        "pwg_id=unknown",
        "pwg_id=7F00annasession",
        "pwg_id=annasession%00",
        "pwg_id=annasession%20",
        "pwg_id=ANNASESSION",
        "pwg_id=%25",
        "pwg_id=' OR '1'='1",
        "pwg_id=" + "a" * 5000,
        "pwg_id=../../x",
        "pwg_id[]=annasession",
        "PWG_ID=annasession",
        "other=annasession",
        "pwg_id=caf%C3%A9",
        "pwg_id=%FF%FE",
        ";;;=;pwg_id",
        "pwg_id=x; pwg_id=annasession",
    ],
)
def test_a_session_cookie_that_is_none_is_a_guests(daemon, cookie):
    assert not sees(daemon, PARTY, cookie)
    assert sees(daemon, "/action.php?id=1&part=e", cookie), "guests still see what is public"


def test_a_cookie_among_others_is_found(daemon):
    assert sees(daemon, PARTY, "a=b; x; pwg_id=annasession; pwg_id=other; c=d")


def test_a_session_of_a_guest_is_a_guests(daemon, gallery):
    assert not sees(daemon, PARTY, "pwg_id=" + gallery.session(None, "guestsession"))


def test_a_session_of_a_user_who_does_not_exist_is_a_guests(daemon, gallery):
    cookie = "pwg_id=" + gallery.session(4711, "ghostsession")
    assert not sees(daemon, PARTY, cookie)
    assert sees(daemon, "/action.php?id=1&part=e", cookie)


def test_a_session_that_piwigo_has_not_touched_for_its_length_has_ended(daemon, gallery):
    assert sees(daemon, PARTY, "pwg_id=" + gallery.session(USERS["anna"], "young", age=3500))
    assert not sees(daemon, PARTY, "pwg_id=" + gallery.session(USERS["anna"], "old", age=3700))


def test_what_a_visitor_wrote_into_a_session_names_nobody(daemon, gallery):
    text = "pwg_uid|i:3;"
    gallery.insert(
        "sessions",
        id="7F00injected",
        data=f's_note|s:{len(text)}:"{text}";',
        expiration=gallery.ago(0),
    )
    assert not sees(daemon, PARTY, "pwg_id=injected")


def test_what_a_visitor_wrote_names_nobody_where_php_counts_letters_otherwise(daemon, gallery):
    """A gallery whose DB_CHARSET is latin1: its PHP counted one byte for what arrives here as two."""
    injected = f'";pwg_uid|i:{USERS["anna"]};z|s:0:"'
    note = f's_note|s:{2 * len(injected)}:"{"é" * len(injected)}{injected}";'
    for name, data in {"letters1": note, "letters2": f"pwg_uid|i:{USERS['carol']};{note}"}.items():
        gallery.insert("sessions", id=f"7F00{name}", data=data, expiration=gallery.ago(0))
        assert not sees(daemon, PARTY, f"pwg_id={name}")
    for name, length in {"letters3": 10, "letters4": 5}.items():
        data = f's_note|s:{length}:"{"é" * 5}";pwg_uid|i:{USERS["anna"]};'
        gallery.insert("sessions", id=f"7F00{name}", data=data, expiration=gallery.ago(0))
        assert sees(daemon, PARTY, f"pwg_id={name}")


def test_a_session_belongs_to_the_network_it_was_made_in(daemon, gallery):
    gallery.session(USERS["anna"], "fromafar", prefix="C000")  # 192.0.*.*
    cookie = "pwg_id=fromafar"
    assert not sees(daemon, PARTY, cookie)
    assert sees(daemon, PARTY, cookie, X_Forwarded_For="192.0.2.7")
    assert sees(daemon, PARTY, cookie, X_Forwarded_For="10.0.0.1, 192.0.2.7")
    assert sees(daemon, PARTY, cookie, X_Forwarded_For="192.0.2.7, 127.0.0.1"), "the last is a proxy of ours"
    assert not sees(daemon, PARTY, cookie, X_Forwarded_For="192.0.2.7, 10.0.0.1"), "the last is the visitor"
    assert not sees(daemon, PARTY, cookie, X_Forwarded_For="nonsense")


def test_a_session_over_ipv6_has_no_network(daemon, gallery):
    gallery.session(USERS["anna"], "oversix", prefix="")
    assert sees(daemon, PARTY, "pwg_id=oversix", X_Forwarded_For="2001:db8::1")
    assert not sees(daemon, PARTY, "pwg_id=oversix", X_Forwarded_For="192.0.2.7")


def test_a_session_through_a_socket_for_both_families_is_one_over_ipv6(daemon, gallery):
    """nginx with `listen [::]:80 ipv6only=off` tells PHP, and pwgserve, `::ffff:192.0.2.7`."""
    gallery.session(USERS["anna"], "mapped", prefix="")
    gallery.session(USERS["ben"], "unmapped", prefix="C000")
    assert sees(daemon, PARTY, "pwg_id=mapped", X_Forwarded_For="::ffff:192.0.2.7")
    assert sees(daemon, PARTY, "pwg_id=mapped", X_Forwarded_For="::ffff:192.0.2.7, ::ffff:127.0.0.1")
    assert not sees(daemon, PARTY, "pwg_id=unmapped", X_Forwarded_For="::ffff:192.0.2.7")
    assert sees(daemon, PARTY, "pwg_id=unmapped", X_Forwarded_For="192.0.2.7")


def test_a_gallery_may_have_sessions_without_networks(daemon, gallery, settled):
    gallery.session(USERS["anna"], "anywhere", prefix="")
    with gallery.config("session_use_ip_address", "false"):
        settled()
        assert sees(daemon, PARTY, "pwg_id=anywhere", X_Forwarded_For="192.0.2.7")
        assert not sees(daemon, PARTY, family.cookie("anna"))
    settled()


@pytest.fixture(scope="module")
def distrustful(gallery, tmp_path_factory):
    """A daemon whose proxies are elsewhere."""
    yield from serving(gallery, tmp_path_factory.mktemp("distrustful"), server={"trusted_proxies": ["192.0.2.1/32"]})


def test_only_a_trusted_proxy_may_say_who_the_visitor_is(distrustful):
    assert sees(distrustful, PARTY, family.cookie("anna"), X_Forwarded_For="198.51.100.7"), "the header does not count"


def test_the_address_that_piwigo_sees_may_be_one_for_everybody(gallery, start):
    daemon = start(gallery, piwigo={"visitor_address": "127.0.0.1"})
    assert sees(daemon, PARTY, family.cookie("anna"), X_Forwarded_For="198.51.100.7")


def test_a_remember_me_cookie_is_believed_until_its_time(daemon, gallery):
    now = int(time.time())
    good = gallery.remember_me(USERS["anna"], "anna", now - 5_183_000)
    assert sees(daemon, PARTY, f"pwg_remember={good}")
    assert sees(daemon, PARTY, f"pwg_id=unknown; pwg_remember={good}")
    assert not sees(daemon, PARTY, "pwg_remember=" + gallery.remember_me(USERS["anna"], "anna", now - 5_185_000))
    assert not sees(daemon, PARTY, "pwg_remember=" + gallery.remember_me(USERS["anna"], "anna", now + 5000))


@pytest.mark.parametrize("forge", ["user", "time", "key", "shape", "case", "name"])
def test_a_forged_remember_me_cookie_is_a_guests(daemon, gallery, forge):
    now = int(time.time())
    user, made_at, key = gallery.remember_me(USERS["carol"], "carol", now).split("-")
    forged = {
        "user": f"3-{made_at}-{key}",
        "time": f"{user}-{int(made_at) - 1}-{key}",
        "key": f"{user}-{made_at}-{key[:-4]}AAAA",
        "shape": f"{user}-{made_at}",
        "case": f"{user}-{made_at}-{key.swapcase()}",
        "name": gallery.remember_me(USERS["anna"], "ben", now),
    }[forge]
    assert not sees(daemon, PARTY, f"pwg_remember={forged}")


def test_remember_me_may_be_switched_off(daemon, gallery, settled):
    cookie = "pwg_remember=" + gallery.remember_me(USERS["anna"], "anna", int(time.time()))
    link = daemon.visitor(cookie).link(PARTY)
    with gallery.config("authorize_remembering", "false"):
        settled()
        assert not sees(daemon, PARTY, cookie)
        assert daemon.visitor().get(link).status == 404, "nor by links that were made with it"
    settled()
    assert sees(daemon, PARTY, cookie)
    assert daemon.visitor().get(link).status == 200


def test_a_link_made_by_remember_me_lives_without_cookies_until_the_password_changes(daemon, gallery, settled):
    cookie = "pwg_remember=" + gallery.remember_me(USERS["ben"], "ben", int(time.time()))
    link = daemon.visitor(cookie).link(PARTY)
    assert daemon.visitor().get(link).status == 200
    gallery.update("users", {"id": USERS["ben"]}, password="another")
    settled()
    assert daemon.visitor().get(link).status == 404
    assert not sees(daemon, PARTY, cookie)
    gallery.update("users", {"id": USERS["ben"]}, password="hash-of-ben")


def test_a_link_made_by_remember_me_ends_when_the_gallery_believes_no_such_cookie_any_more(daemon, gallery, settled):
    """Owners change their gallery's secret key when cookies may have been stolen."""
    cookie = "pwg_remember=" + gallery.remember_me(USERS["anna"], "anna", int(time.time()))
    link = daemon.visitor(cookie).link(PARTY)
    gallery.update("config", {"param": "secret_key"}, value="another")
    settled()
    assert not sees(daemon, PARTY, cookie)
    assert daemon.visitor().get(link).status == 404
    gallery.update("config", {"param": "secret_key"}, value=SECRET_KEY)
    settled()
    assert daemon.visitor().get(link).status == 200


def test_an_authentication_key_logs_in_for_its_time(daemon, gallery, settled):
    def key(number, user="anna", expires_in=600, **columns):
        text = f"{number:030d}"
        values = {"auth_key": text, "user_id": USERS[user], "expired_on": gallery.ago(-expires_in)} | columns
        gallery.insert("user_auth_keys", auth_key_id=number, **values)
        return f"{PARTY}&auth={text}"

    good = key(1)
    assert sees(daemon, good)
    assert sees(daemon, key(2, key_type="auth_key"))
    assert not sees(daemon, key(3, expires_in=-5))
    assert not sees(daemon, key(4, revoked_on=gallery.ago(5)))
    assert not sees(daemon, key(5, key_type="api_key"))
    assert not sees(daemon, key(6, user="webmaster"))
    assert not sees(daemon, f"{PARTY}&auth={'9' * 30}")
    assert not sees(daemon, f"{PARTY}&auth='%20OR%201=1%20--")
    link = daemon.visitor().link(good)
    assert daemon.visitor().get(link).status == 200, "a mail program has no cookies"
    gallery.delete("user_auth_keys", auth_key_id=1)
    settled()
    assert daemon.visitor().get(link).status == 404


def test_a_programs_key_in_an_address_logs_in_nobody(daemon, gallery):
    """Piwigo 16 takes it there, with its secret; addresses are kept by browsers and in logs."""
    name = "pkid-20261125-abcdefghij0123456789"
    values = {"auth_key": name, "user_id": USERS["anna"], "expired_on": gallery.ago(-600), "key_type": "api_key"}
    gallery.insert("user_auth_keys", auth_key_id=30, **values)
    assert not sees(daemon, f"{PARTY}&auth={name}:{'a' * 40}")
    assert not sees(daemon, f"{PARTY}&auth={name}")


def test_a_guest_whose_row_says_administrator_is_a_guest(daemon, gallery, settled):
    gallery.update("user_infos", {"user_id": GUEST}, status="admin")
    settled()
    assert sees(daemon, f"/action.php?id={family.LAKE}&part=e")
    assert not sees(daemon, f"/action.php?id={family.WORKSHOP}&part=e"), "of a locked album"
    gallery.update("user_infos", {"user_id": GUEST}, status="guest")
    settled()


def test_a_user_named_by_a_trusted_proxy_counts_if_the_gallery_wants_it(daemon, gallery, settled):
    assert not sees(daemon, PARTY, X_Remote_User="anna")
    with gallery.config("apache_authentication", "true"):
        settled()
        assert sees(daemon, PARTY, X_Remote_User="anna")
        assert not sees(daemon, PARTY, X_Remote_User="nobody")
        assert not sees(daemon, PARTY, X_Remote_User="ANNA")
        assert sees(daemon, PARTY, family.cookie("carol"), X_Remote_User="anna")
        assert not sees(daemon, PARTY, family.cookie("anna"), X_Remote_User="nobody"), "not whoever came before"
        token = pwg_token("dorasession", SECRET_KEY)
        assert sees(daemon, WORKSHOP, family.cookie("dora"), X_Remote_User="dora")
        assert not sees(daemon, f"{LETTER}&pwg_token={token}", family.cookie("dora"), X_Remote_User="dora")
        link = daemon.visitor().get(PARTY, X_Remote_User="anna").location
        assert daemon.visitor().get(link).status == 200
    settled()
    assert daemon.visitor().get(link).status == 404, "nor do links that were made for who was named"


def test_a_user_named_by_a_stranger_counts_for_nothing(gallery, distrustful, settled):
    with gallery.config("apache_authentication", "true"):
        settled()
        assert not sees(distrustful, PARTY, X_Remote_User="anna")
    settled()


def test_an_administrator_with_the_pages_token_gets_any_file(daemon, gallery):
    dora = family.cookie("dora")
    token = pwg_token("dorasession", SECRET_KEY)
    assert not sees(daemon, LETTER, dora)
    assert sees(daemon, f"{LETTER}&pwg_token={token}", dora)
    assert daemon.visitor(dora).follow(f"{LETTER}&pwg_token={token}").status == 200
    assert not sees(daemon, f"/action.php?id=424242&part=e&pwg_token={token}", dora), "any photo, and there is none"
    assert not sees(daemon, f"{LETTER}&pwg_token={token[:-1]}0", dora)
    assert not sees(daemon, f"{LETTER}&pwg_token={pwg_token('carolsession', SECRET_KEY)}", family.cookie("carol"))
    remembered = "pwg_remember=" + gallery.remember_me(USERS["dora"], "dora", int(time.time()))
    guests = f"pwg_id=guestsession; {remembered}"
    assert sees(daemon, WORKSHOP, guests), "she is known by this"
    assert not sees(daemon, f"{LETTER}&pwg_token={pwg_token('guestsession', SECRET_KEY)}", guests), "and has no page"


def test_a_token_counts_in_a_gallery_with_a_secret_only(daemon, gallery, settled):
    dora = family.cookie("dora")
    with gallery.config("secret_key", ""):
        settled()
        assert sees(daemon, WORKSHOP, dora)
        assert not sees(daemon, f"{LETTER}&pwg_token={pwg_token('dorasession', '')}", dora)
    settled()


def test_a_session_counts_before_what_is_remembered(daemon, gallery):
    remembered = "pwg_remember=" + gallery.remember_me(USERS["anna"], "anna", int(time.time()))
    assert sees(daemon, PARTY, remembered), "the cookie alone is good"
    assert not sees(daemon, PARTY, f"{family.cookie('carol')}; {remembered}")


def test_users_may_live_in_a_table_of_the_owners_own(databases, tmp_path, start, request):
    for kind in ("sqlite", "mariadb"):
        directory = tmp_path / kind
        directory.mkdir()
        fields = {"id": "member_id", "username": "login", "password": "pass", "email": "mail"}
        gallery = databases.gallery(kind, directory, users_table="forum_members", user_fields=fields)
        (gallery.root / "local/config").mkdir(parents=True)
        (gallery.root / "local/config/config.inc.php").write_text(
            "<?php $conf['users_table'] = 'forum_members';\n$conf['session_name'] = 'sid';\n"
            "$conf['user_fields'] = array('id' => 'member_id', 'username' => 'login', 'password' => 'pass',"
            " 'email' => 'mail');"
        )
        family.build(gallery)
        daemon = start(gallery)
        assert sees(daemon, PARTY, "sid=annasession")
        assert not sees(daemon, PARTY, "pwg_id=annasession")
        remember = gallery.remember_me(USERS["anna"], "anna", int(time.time()))
        assert sees(daemon, PARTY, f"pwg_remember={remember}")
