"""Making derivatives: `plan` says what to do (pure), `engine` does it with libvips, `worker` is the process that runs the
engine, `pool` keeps such processes for the daemon. Nothing but `engine` and `worker` imports libvips.
"""
