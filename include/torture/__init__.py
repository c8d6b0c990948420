"""Kills and power cuts in a home of its own, compared with a plain reference. `./caudal torture` runs it."""
