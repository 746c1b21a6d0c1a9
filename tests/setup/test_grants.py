from pwgserve.piwigo.schema import READ, RECENT, schema
from pwgserve.setup.grants import removal, statements


def test_every_column_that_is_read_is_granted_and_no_other():
    tables = schema("piwigo_")
    found = statements(tables, "gallery", "secret", ["localhost"])
    granted = {}
    for statement in found:
        if statement.startswith("GRANT SELECT"):
            columns, _, place = statement.removeprefix("GRANT SELECT (").partition(") ON ")
            granted[place.partition(" TO ")[0]] = {column.strip("`") for column in columns.split(", ")}
    assert granted == {
        f"`gallery`.`piwigo_{name}`": {*columns, *RECENT.get(name, ())} for name, columns in READ.items()
    }
    everything = " ".join(found)
    assert "ALL" not in everything
    assert "INSERT" not in everything
    assert "`mail_address`" not in everything, "addresses of people are not needed"


def test_tables_of_another_database_are_granted_there():
    chosen = {"USER_INFOS_TABLE": "`main`.main_user_infos", "GROUPS_TABLE": "`p_groups`"}
    tables = schema("p_", "phpbb.phpbb_users", chosen=chosen)
    found = " ".join(statements(tables, "g", "s", ["%"], history_table="main.visits"))
    assert "ON `phpbb`.`phpbb_users` TO" in found
    assert "ON `main`.`main_user_infos` TO" in found
    assert "ON `main`.`visits` TO" in found
    assert "ON `g`.`p_images` TO" in found
    assert "groups" not in found


def test_older_galleries_and_history_and_renamed_users():
    tables = schema("p_", "people", {"id": "nr", "username": "name", "password": "hash"})
    old = " ".join(statements(tables, "g", "s", ["%"], has_recent=False, history_table="p_history"))
    assert "`people` TO" in old
    assert "(`nr`, `name`, `hash`)" in old
    assert "revoked_on" not in old
    assert (
        "GRANT INSERT (`date`, `time`, `user_id`, `IP`, `image_id`, `image_type`, `format_id`) ON `g`.`p_history`"
        in old
    )


def test_names_and_passwords_are_quoted():
    found = statements(schema("p`x_"), "my`base", "it's \\ here", ["local'host"])
    assert found[0] == "CREATE USER IF NOT EXISTS 'pwgserve'@'local''host' IDENTIFIED BY 'it''s \\\\ here';"
    assert all("`my``base`.`p``x_" in statement for statement in found if statement.startswith("GRANT"))
    assert removal(["a'b"]) == ["DROP USER IF EXISTS 'pwgserve'@'a''b';"]
