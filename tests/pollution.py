"""What shells of people carry, all of it at once; none of it may reach a driver."""

from __future__ import annotations

JUNK = {
    "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "LANGUAGE": "tr", "TZ": ":/nowhere", "CLASSPATH": "/nowhere/x.jar", "LD_PRELOAD": "",
    "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC -Duser.language=tr -Duser.country=TR", "_JAVA_OPTIONS": "-XX:+UseZGC", "JDK_JAVA_OPTIONS": "--junk",
    "JAVA_HOME": "/opt/java8", "HADOOP_HOME": "/nowhere", "HADOOP_CONF_DIR": "/nowhere", "HADOOP_USER_NAME": "otro", "HADOOP_OPTS": "-junk",
    "SPARK_HOME": "/opt/spark", "SPARK_CONF_DIR": "/nowhere", "SPARK_REMOTE": "sc://nowhere", "SPARK_API_MODE": "connect",
    "SPARK_CONNECT_MODE_ENABLED": "1", "SPARK_LOCAL_DIRS": "/nowhere", "SPARK_LOCAL_HOSTNAME": "nowhere.invalid", "SPARK_SUBMIT_OPTS": "-junk",
    "SPARK_LAUNCHER_OPTS": "-junk", "SPARK_DIST_CLASSPATH": "/nowhere", "SPARK_TESTING": "1", "SPARK_PREPEND_CLASSES": "1",
    "PYSPARK_PYTHON": "/nowhere", "PYSPARK_DRIVER_PYTHON": "jupyter", "PYSPARK_DRIVER_PYTHON_OPTS": "notebook", "PYSPARK_SUBMIT_ARGS": "junk",
    "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "PYTHONHASHSEED": "junk", "PYTHONINSPECT": "1", "PYTHONOPTIMIZE": "2",
    "PYTHONSTARTUP": "/nowhere", "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "BASH_ENV": "/etc/passwd", "ENV": "/etc/passwd",
    "BASH_FUNC_dirname%%": "() { echo junk; }", "HOME": "/nowhere", "TMPDIR": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere", "MAVEN_OPTS": "-junk",
    "ALL_PROXY": "socks://nowhere", "AWS_SECRET_ACCESS_KEY": "geheim", "AIRFLOW__CORE__EXECUTOR": "junk", "AIRFLOW_CONN_BANK": "http://geheim@x",
}  # fmt: skip
