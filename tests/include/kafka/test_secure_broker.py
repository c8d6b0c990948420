"""A broker of one's own with TLS and SASL: every client of this home speaks to it through one properties
file; a wrong secret is one clear line."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from include import settings as caudal
from include import streams
from include.kafka import consume, offsets, topics
from include.kafka.connection import connect
from include.kafka.produce import Message, produce
from include.samples import facturas
from include.services import broker as embedded
from include.services.ports import Ports
from include.settings import Settings
from include.torture.brokers import START_S, free_ports
from include.torture.runs import Home
from jobs.contract.errors import BrokerDown, ConfigError
from jobs.contract.stream import Topic

pytestmark = pytest.mark.broker
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
PASSWORD = 'p"w;\\ 1'  # everything that quoting could get wrong
PLAIN = "clave-de-eva-7f3a"  # nothing that would be written in another way: wherever it leaks, it is found


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 in cert.pem; with its PKCS#8 key before it, as Java wants a PEM
    store, in both.pem."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name.from_rfc4514_string("CN=127.0.0.1"),
        datetime.now(UTC),
    )
    made = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=2),
    )
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    cert = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(cert)
    (folder / "both.pem").touch(mode=0o600)
    (folder / "both.pem").write_bytes(secret + cert)
    return folder / "both.pem"


def quoted(text: str) -> str:
    """As a JAAS value inside a properties file: escaped for JAAS, then its backslashes for the file."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    """(settings without a properties file, PEM store) of a broker that takes SASL_SSL with PLAIN only."""
    home = tmp_path_factory.mktemp("secure")
    pem, (kafka, controller, airflow) = certificate(home), free_ports(3)
    keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA_")}
    settings = caudal.load({**keep, "CAUDAL_HOME": str(home), "CAUDAL_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka}"})
    for folder in (settings.layout.state, settings.layout.logs):
        folder.mkdir(parents=True)
    service = embedded.prepare(settings, Ports(kafka, controller, airflow))
    config = Path(service.argv[-1])
    text = config.read_text().replace(f"PLAINTEXT://127.0.0.1:{kafka}", f"SASL_SSL://127.0.0.1:{kafka}")
    text = text.replace("protocol.map=PLAINTEXT:PLAINTEXT", "protocol.map=SASL_SSL:SASL_SSL").replace(
        "name=PLAINTEXT", "name=SASL_SSL"
    )
    login = (
        f'{LOGIN} username="ana" password="{quoted(PASSWORD)}" user_ana="{quoted(PASSWORD)}" '
        f'user_eva="{PLAIN}";'
    )
    text += (
        "sasl.mechanism.inter.broker.protocol=PLAIN\nsasl.enabled.mechanisms=PLAIN\n"
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={login}\nssl.keystore.type=PEM\nssl.keystore.location={pem}\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={home / 'cert.pem'}\n"
    )
    config.write_text(text)
    with (home / "broker.log").open("wb") as log:
        process = subprocess.Popen(
            service.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            await_answer(client(settings, home, PASSWORD), process, home / "broker.log")
            yield settings, home
        finally:
            process.kill()
            process.wait()


def await_answer(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            offsets.Admin(connect(settings), 2.0).ask_cluster()
            return
        except BrokerDown as error:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, error
            time.sleep(0.2)


def client(
    settings: Settings, home: Path, password: str, truststore: str = "cert.pem", user: str = "ana"
) -> Settings:
    path = home / f"client-{len(list(home.iterdir()))}.properties"
    path.touch(mode=0o600)
    path.write_text(
        f'security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config={LOGIN} username="{user}" '
        f'password="{quoted(password)}";\n'
        f"ssl.truststore.type=PEM\nssl.truststore.location={home / truststore}\n"
    )
    return caudal.load({**settings.environ, "CAUDAL_KAFKA_PROPERTIES": str(path)})


def test_all_clients_speak_to_it_through_one_properties_file(secure: tuple[Settings, Path]) -> None:
    settings = client(*secure, PASSWORD)
    assert topics.apply(
        topics.TopicPlan(connect(settings), (Topic("tls", partitions=1),), (), ())
    ) == topics.Applied(("tls",), ())
    assert [t.name for t in topics.list_topics(settings)] == ["tls"]
    assert produce(settings, "tls", [Message(b"1"), Message(b"2")]).records == 2
    assert offsets.positions(settings, "tls").end == {0: 2}
    assert [r.value for r in consume.read(settings, "tls")] == [b"1", b"2"]


@pytest.mark.spark
def test_a_stream_uses_it_the_password_shows_nowhere_and_the_driver_listens_on_loopback_alone(
    secure: tuple[Settings, Path], tmp_path: Path
) -> None:
    """The real driver: its arguments, its variables and every file of the home are looked through while it
    runs and afterwards."""
    settings = caudal.load(
        {**client(*secure, PLAIN, user="eva").environ, "CAUDAL_HOME": str(tmp_path / "home")}
    )
    topics.ensure(settings, streams.collect()[0].values())
    sample = facturas.generate(20, seed=1, start_ms=1_700_000_000_000)
    produce(settings, "facturas", [Message(document.encode()) for document in sample.documents])
    home, shown, listening = Home(settings, "notificaciones"), [], set()
    process = home.start()
    while process.poll() is None:
        for one in home.processes():
            words, places = _seen(one)
            shown, listening = shown + words, listening | places
        time.sleep(0.2)
    shown += [
        process.communicate()[0],
        *(path.read_text(errors="replace") for path in settings.home.rglob("*") if path.is_file()),
    ]
    assert process.returncode == 0, shown[-1]
    sent = {r.key.decode(): json.loads(r.value) for r in consume.read(settings, "notificaciones")}
    assert sent == {row.pop("InvoiceNumber"): row for row in sample.expected_notifications()}
    assert any("org.apache.spark.deploy.SparkSubmit" in text for text in shown)
    assert [text[:300] for text in shown if PLAIN in text] == []
    assert listening == {"127.0.0.1"}


def _seen(process: psutil.Process) -> tuple[list[str], set[str]]:
    """(arguments and variables, addresses it listens on); none of a process that ended meanwhile."""
    try:
        found = [
            one.laddr.ip.removeprefix("::ffff:")
            for one in process.net_connections()
            if one.status == psutil.CONN_LISTEN
        ]
        return [*process.cmdline(), *process.environ().values()], set(found)
    except psutil.Error:
        return [], set()


def test_a_wrong_password_is_a_configuration_error_without_the_password(
    secure: tuple[Settings, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    settings = client(*secure, "wr0ng-s3cr3t")
    for ask in (
        lambda: offsets.positions(settings, "tls"),
        lambda: topics.list_topics(settings),
        lambda: produce(settings, "tls", []),
    ):
        with pytest.raises(ConfigError, match="the broker refuses the login") as caught:
            ask()
        assert "s3cr3t" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_certificate_of_nobody_known_is_a_configuration_error(
    secure: tuple[Settings, Path], tmp_path: Path
) -> None:
    certificate(tmp_path)
    (secure[1] / "other.pem").write_text((tmp_path / "cert.pem").read_text())
    with pytest.raises(ConfigError, match="no TLS connection"):
        offsets.positions(client(*secure, PASSWORD, "other.pem"), "tls")


def test_a_store_that_is_no_certificate_is_a_configuration_error(secure: tuple[Settings, Path]) -> None:
    (secure[1] / "junk.pem").write_text("junk")
    with pytest.raises(ConfigError, match="the Kafka client refuses its configuration"):
        offsets.positions(client(*secure, PASSWORD, "junk.pem"), "tls")
