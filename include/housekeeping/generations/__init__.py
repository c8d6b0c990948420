"""The generation verbs: one module plans each."""
