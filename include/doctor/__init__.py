"""What is wrong with this installation, machine, home and its streams: reads everything, changes nothing."""
