"""Running as a service: a supervisor that holds the listening sockets, and the server processes that share them.

`supervisor` and `process` are the parent's side, `entry` and `reports` a server process's. What is served is elsewhere.
"""
