"""The text of delivered files: decoded and cut into records, alike on both sides."""
