"""The web page: `hilbench serve`. Needs the extra `web`; only `verbs/serve.py` imports it."""
