"""What Piwigo means: its requests, sizes, viewers and permissions.

Everything here is pure but `gallery`, the only module of the project that speaks SQL (`schema` holds the tables).
"""
