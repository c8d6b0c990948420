"""Memory, disk, clock and ports, with the limit moved instead of the machine."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from include.doctor import machine
from include.settings import Port, Settings
from jobs.contract.run import report
from tests.include.doctor.conftest import RUN, STREAM, lines

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


def test_memory_is_wrong_when_the_largest_driver_does_not_fit() -> None:
    assert [(f.state, f.what) for f in machine.memory(2000 * machine.MIB)] == [
        ("ok", "2000 MiB available, a driver takes 1324")
    ]
    assert lines(machine.memory(1323 * machine.MIB)) == ["1323 MiB available, a driver takes 1324"]
    assert machine.available_bytes() > 0


def test_a_full_disk_is_wrong_and_says_where_the_space_of_the_home_goes(
    empty: Settings, tmp_path: Path
) -> None:
    config = replace(empty, cache=tmp_path / "cache" / "not" / "made")
    assert [f.state for f in machine.disk(config, least_bytes=1)] == ["ok", "ok"]
    big = empty.layout.data / "salida" / STREAM / "part-0"
    big.parent.mkdir()
    big.write_bytes(b"x" * 3 * machine.MIB)
    (empty.layout.logs / "a.log").write_bytes(b"x" * machine.MIB)
    found = lines(machine.disk(config, least_bytes=2**60))
    assert len(found) == 2
    assert "most of the home is in data/salida (3 MiB), logs (1 MiB), " in found[0]
    assert found[1].split(" [")[1].startswith(f"{tmp_path}]")  # the nearest folder that is there


def test_sizes_are_added_up_no_longer_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 8192)
    (tmp_path / "link").symlink_to("/usr")
    assert machine.size_bytes(tmp_path, time.monotonic() + 10) >= 8192
    assert machine.size_bytes(tmp_path, time.monotonic() - 1) == 0


def test_a_clock_before_the_newest_run_or_before_the_dags_begin_is_wrong(published: Settings) -> None:
    assert [f.state for f in machine.clock(published, NOW)] == ["ok"]
    assert lines(machine.clock(published, NOW.replace(hour=11))) == [
        f"it says 2026-11-23 11:00:30Z, the newest run of {STREAM} began at 2026-11-23 12:00:00Z"
    ]
    assert lines(machine.clock(published, NOW.replace(year=2025))) == [
        "it says 2025-11-23, and the DAGs begin on 2026-01-01"
    ]
    path = published.layout.run(STREAM, RUN) / "report.json"
    before = report.read(path)
    assert before
    path.write_bytes(replace(before, started="yesterday").to_json())
    assert [f.state for f in machine.clock(published, NOW)] == ["ok"]


def test_a_busy_configured_port_is_wrong_a_busy_default_a_note_and_a_port_of_ours_fine() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        busy = int(server.getsockname()[1])
        configured = {"airflow": Port(busy, "CAUDAL_AIRFLOW_PORT", configured=True)}
        default = {"airflow": Port(busy, "CAUDAL_AIRFLOW_PORT", configured=False)}
        (finding,) = machine.judge_ports(configured, {}, ())
        assert (finding.state, finding.what) == (
            "wrong",
            f"{busy} for airflow cannot be used: Address already in use",
        )
        assert finding.fix == "stop the other program, or choose another port with CAUDAL_AIRFLOW_PORT"
        assert [f.state for f in machine.judge_ports(default, {}, ())] == ["note"]
        assert [(f.state, f.what) for f in machine.judge_ports(default, {}, (busy,))] == [
            ("ok", f"{busy} (airflow) is in use by this home")
        ]
    assert [(f.state, f.what) for f in machine.judge_ports({}, {}, ())] == []
    assert [(f.state, f.what) for f in machine.judge_ports(default, {"airflow": busy}, ())] == [
        ("ok", f"{busy} (airflow) is free")
    ]


def test_the_ports_of_a_home_with_a_broker_of_ones_own_are_airflows_alone(empty: Settings) -> None:
    assert [
        f.what.split()[1] for f in machine.network_ports(replace(empty, kafka_bootstrap="127.0.0.1:1"))
    ] == ["(airflow)"]
    assert len(list(machine.network_ports(empty))) == 3
