"""checkpoint-show STREAM: `checkpoint show` as one word."""

from __future__ import annotations

from include.cli.operate._checkpoint import show as command

__all__ = ["command"]
