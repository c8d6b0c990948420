"""One module a lab: `run(lab) -> facts`. It prints what a person should see, and returns what a test can
compare."""
