"""Where everything lies, and every change on disk."""
