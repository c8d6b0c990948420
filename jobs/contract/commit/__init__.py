"""The commit protocol and the files that it reads: checkpoint, batch plan, manifest."""
