"""The daemon towards browsers and proxies: `legacy` redirects Piwigo's own URLs, `signed` serves the links, `ops` tells
how the daemon is; `sending` (with `ranges`, `media`) is how bytes leave, `refusals` how they do not.
"""
