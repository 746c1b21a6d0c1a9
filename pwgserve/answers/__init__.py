"""What the database and the gallery's files say now, at most half a second old.

`viewers`: who asks. `catalogue`: which photo, and how the gallery is set up. `sources`: which version of a file.
`freshness` bounds the age of an answer, `together` the number of questions, `session_marks` how often Piwigo's table of
sessions is searched.
"""
