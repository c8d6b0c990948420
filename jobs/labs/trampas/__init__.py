"""The course's traps that need a program."""
