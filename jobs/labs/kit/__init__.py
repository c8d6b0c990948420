"""What the programs of the labs share: session and folder, sources and sinks, progress, topics, sample
files."""
