"""The background services of one home: the embedded broker and Airflow. One small supervisor watches them,
and they can be reached from this machine only."""
