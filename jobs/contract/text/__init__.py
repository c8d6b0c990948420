"""Decodes delivered files and cuts them into records, in the same way on both sides."""
