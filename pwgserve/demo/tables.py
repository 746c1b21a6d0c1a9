"""Piwigo's tables as the demo's gallery has them in SQLite: what the daemon reads, and names for who looks inside."""

TABLES = """
CREATE TABLE piwigo_images (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, width INTEGER, height INTEGER, coi TEXT, representative_ext TEXT,
    path TEXT NOT NULL, level INTEGER NOT NULL DEFAULT 0, rotation INTEGER
);
CREATE INDEX piwigo_images_path ON piwigo_images (path);
CREATE TABLE piwigo_image_category (image_id INTEGER, category_id INTEGER, PRIMARY KEY (image_id, category_id));
CREATE INDEX piwigo_image_category_album ON piwigo_image_category (category_id);
CREATE TABLE piwigo_categories (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, id_uppercat INTEGER, uppercats TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'public', visible TEXT NOT NULL DEFAULT 'true'
);
CREATE TABLE piwigo_users (id INTEGER PRIMARY KEY, username TEXT NOT NULL, password TEXT);
CREATE TABLE piwigo_user_infos (
    user_id INTEGER PRIMARY KEY, status TEXT NOT NULL DEFAULT 'guest', enabled_high TEXT NOT NULL DEFAULT 'true',
    level INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE piwigo_user_access (user_id INTEGER, cat_id INTEGER, PRIMARY KEY (user_id, cat_id));
CREATE TABLE piwigo_user_group (group_id INTEGER, user_id INTEGER, PRIMARY KEY (group_id, user_id));
CREATE TABLE piwigo_group_access (group_id INTEGER, cat_id INTEGER, PRIMARY KEY (group_id, cat_id));
CREATE TABLE piwigo_groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE piwigo_sessions (id TEXT PRIMARY KEY, data TEXT NOT NULL, expiration TEXT NOT NULL);
CREATE TABLE piwigo_user_auth_keys (
    auth_key TEXT NOT NULL, user_id INTEGER NOT NULL, expired_on TEXT NOT NULL, key_type TEXT, revoked_on TEXT
);
CREATE TABLE piwigo_image_format (format_id INTEGER PRIMARY KEY, image_id INTEGER NOT NULL, ext TEXT NOT NULL);
CREATE TABLE piwigo_config (param TEXT PRIMARY KEY, value TEXT);
"""
