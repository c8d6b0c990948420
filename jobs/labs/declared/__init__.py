"""What a lab declares: its options and its pipeline. Standard library only, since both sides of spark-submit
use it."""
