"""What a lab declares: its options, its source, sink, mode and trigger. Standard library only."""
