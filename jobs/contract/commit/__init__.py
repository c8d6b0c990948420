"""The commit protocol and the files it rests on: checkpoint, batch plan, manifest."""
