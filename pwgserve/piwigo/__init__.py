"""What Piwigo means: its requests, sizes, viewers and permissions.

Everything here is pure but what speaks SQL: `gallery`, `people`, `walking`, `hidden` and `history`, which alone writes.
`schema` has the names of the tables, and `mariadb` and `sqlite` ask.
"""
