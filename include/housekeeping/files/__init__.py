"""Files and folders that a run leaves: archive, restore, remove leftovers."""
