"""One Java properties file, said in the words of three clients; what cannot be said is refused, and no secret
is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from include import settings as caudal
from include.kafka import connection
from jobs.contract.errors import BrokerDown, ConfigError

PLAIN = (
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="ana" password="s3cr3t;\\"x";'
)
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required username=ana password='s3cr3t' ;"


def load(home: Path, **env: str) -> caudal.Settings:
    return caudal.load({"CAUDAL_HOME": str(home), **env})


def with_properties(home: Path, text: str) -> connection.Connection:
    path = home / "client.properties"
    path.touch(mode=0o600)
    path.write_text(text)
    return connection.connect(
        load(home, CAUDAL_KAFKA_BOOTSTRAP="b1:9092,b2:9092", CAUDAL_KAFKA_PROPERTIES=str(path))
    )


def test_a_home_without_a_broker_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(BrokerDown, match=r"start it with \./caudal up"):
        connection.bootstrap(load(tmp_path))


def test_the_embedded_broker_is_found_at_its_remembered_port(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/ports.json").write_text('{"kafka": 19092, "airflow": 8080}')
    assert connection.bootstrap(load(tmp_path)) == "127.0.0.1:19092"


def test_a_configured_bootstrap_wins_over_the_remembered_port(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/ports.json").write_text('{"kafka": 19092}')
    assert connection.bootstrap(load(tmp_path, CAUDAL_KAFKA_BOOTSTRAP="kafka:9")) == "kafka:9"


@pytest.mark.parametrize("text", ["[]", "{", '{"kafka": "x"}', '{"kafka": null}'])
def test_a_damaged_port_file_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/ports.json").write_text(text)
    with pytest.raises(ConfigError, match=r"ports\.json"):
        connection.bootstrap(load(tmp_path))


def test_plain_over_tls_is_said_in_each_client_s_words(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("x")
    text = (
        f"# comment\nsecurity.protocol=SASL_SSL\nsasl.mechanism: "
        f"PLAIN\nsasl.jaas.config={PLAIN.replace(chr(92), chr(92) * 2)}\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={pem}\nssl.endpoint.identification.algorithm=\nrequest.timeout.ms=4000\n"
    )
    found = with_properties(tmp_path, text)
    assert found.librdkafka() == {
        "bootstrap.servers": "b1:9092,b2:9092",
        "log_level": 0,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "ana",
        "sasl.password": 's3cr3t;"x',
        "ssl.ca.location": str(pem),
        "ssl.endpoint.identification.algorithm": "none",
        "socket.timeout.ms": 4000,
    }
    assert found.kafka_python() == {
        "bootstrap_servers": ["b1:9092", "b2:9092"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "ana",
        "sasl_plain_password": 's3cr3t;"x',
        "ssl_cafile": str(pem),
        "ssl_check_hostname": False,
        "request_timeout_ms": 4000,
    }
    assert found.spark() == {
        "kafka.bootstrap.servers": "b1:9092,b2:9092",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "PLAIN",
        "kafka.sasl.jaas.config": PLAIN,
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.location": str(pem),
        "kafka.ssl.endpoint.identification.algorithm": "",
        "kafka.request.timeout.ms": "4000",
    }


def test_a_client_certificate_goes_to_all_three(tmp_path: Path) -> None:
    pem = tmp_path / "client.pem"
    pem.write_text("x")
    found = with_properties(
        tmp_path,
        f"security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.location={pem}\nssl.key.password=s3cr3t\n",
    )
    assert found.librdkafka().items() >= {
        ("ssl.certificate.location", str(pem)),
        ("ssl.key.location", str(pem)),
        ("ssl.key.password", "s3cr3t"),
    }
    assert (
        found.kafka_python().items()
        >= {"ssl_certfile": str(pem), "ssl_keyfile": str(pem), "ssl_password": "s3cr3t"}.items()
    )


def test_scram_is_understood_with_any_jaas_quoting(tmp_path: Path) -> None:
    found = with_properties(
        tmp_path,
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config={SCRAM}\n",
    )
    assert found.login == connection.Login("SCRAM-SHA-512", "ana", "s3cr3t")


def test_no_secret_shows_in_a_repr(tmp_path: Path) -> None:
    found = with_properties(
        tmp_path,
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config={SCRAM}\n",
    )
    assert "s3cr3t" not in repr(found) + str(found) + repr(found.login)
    assert "b1:9092" in repr(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ssl.truststore.password=s3cr3t", "ssl.truststore.password has no counterpart"),
        ("security.protocol=TLS", "security.protocol=TLS is not one of"),
        ("security.protocol=SASL_SSL", "sasl.mechanism=GSSAPI is not one of"),
        (
            "security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER",
            "sasl.mechanism=OAUTHBEARER is not one of",
        ),
        ("security.protocol=SASL_SSL\nsasl.mechanism=PLAIN", "sasl.jaas.config is not"),
        (
            f"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config={SCRAM}",
            "sasl.jaas.config is not",
        ),
        (
            f"security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n"
            f"sasl.jaas.config={SCRAM.replace('username', 'user')}",
            "username and password",
        ),
        (
            f"security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n"
            f"sasl.jaas.config={SCRAM.replace('required', 'required s3cr3t')}",
            "username and",
        ),
        ("ssl.truststore.location=/nowhere/t.jks", "ssl.truststore.type=JKS can only be read by Java"),
        (
            "ssl.keystore.type=PEM\nssl.keystore.location=/nowhere/k.pem",
            "ssl.keystore.location does not name a file",
        ),
        ("bootstrap.servers=other:9092", "bootstrap.servers differs"),
        ("request.timeout.ms=soon", "request.timeout.ms is not a number"),
        ("client.id=a\nclient.id=b", "line 2 repeats the key client.id"),
        ("=s3cr3t", "line 1 is not key=value"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_without_its_value(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        with_properties(tmp_path, text + "\n")
    assert says in str(caught.value)
    assert "s3cr3t" not in str(caught.value) + repr(caught.value)


def test_properties_without_a_bootstrap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.touch(mode=0o600)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/ports.json").write_text('{"kafka": 19092}')
    with pytest.raises(ConfigError, match="without CAUDAL_KAFKA_BOOTSTRAP"):
        connection.connect(load(tmp_path, CAUDAL_KAFKA_PROPERTIES=str(path)))
