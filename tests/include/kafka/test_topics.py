"""The registry's topics on the real broker: plan shows, apply makes what is missing, differences are told and
left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.kafka import topics
from include.kafka.topics import Difference
from include.settings import Settings
from jobs.contract.errors import BrokerDown, ConfigError
from jobs.contract.stream import Files, Stream, Topic

pytestmark = pytest.mark.broker


def stream(name: str, *ends: Topic) -> Stream:
    source, sink = ends[0], ends[1] if len(ends) > 1 else Files()
    return Stream(name, source=source, sink=sink)


def test_a_plan_changes_nothing_and_apply_makes_what_it_names(broker: Settings) -> None:
    wanted = [
        stream(
            "a",
            Topic("plan-in", partitions=2),
            Topic("plan-out", key="k", config=(("retention.ms", "60000"),)),
        )
    ]
    first = topics.plan(broker, wanted)
    assert [t.name for t in first.to_create] == ["caudal-tokens-a", "plan-in", "plan-out"]
    assert topics.plan(broker, wanted) == first
    assert topics.apply(first) == topics.Applied(("caudal-tokens-a", "plan-in", "plan-out"), ())
    second = topics.plan(broker, wanted)
    assert (second.to_create, second.as_declared, second.differences) == (
        (),
        ("caudal-tokens-a", "plan-in", "plan-out"),
        (),
    )
    assert topics.apply(second) == topics.Applied((), ())
    assert {t.name: t.partitions for t in topics.list_topics(broker)}.items() >= {
        "plan-in": 2,
        "plan-out": 3,
    }.items()


def test_other_settings_are_told_and_left_as_they_are(broker: Settings) -> None:
    topics.apply(topics.plan(broker, [stream("a", Topic("differs", partitions=1))]))
    found = topics.plan(
        broker,
        [
            stream(
                "a",
                Topic(
                    "differs", partitions=4, config=(("retention.ms", "60000"), ("cleanup.policy", "delete"))
                ),
            )
        ],
    )
    assert found.differences == (
        Difference("differs", "partitions", "4", "1"),
        Difference("differs", "retention.ms", "60000", "604800000"),
    )
    assert str(found.differences[0]) == "differs: partitions is 1, declared 4"
    assert (found.to_create, found.as_declared) == ((), ())
    topics.apply(found)
    assert topics.plan(broker, [stream("a", Topic("differs", partitions=1))]).as_declared == ("differs",)


def test_a_topic_made_by_another_between_plan_and_apply_is_met(broker: Settings) -> None:
    late = topics.plan(
        broker, [stream("a", Topic("race-1"), Topic("race-2", key="k", delivery="at-least-once"))]
    )
    topics.apply(topics.plan(broker, [stream("b", Topic("race-1"))]))
    assert topics.apply(late) == topics.Applied(("race-2",), ("race-1",))


def test_two_streams_that_declare_one_topic_differently_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="streams a and b declare topic shared differently"):
        topics.declared([stream("a", Topic("shared")), stream("b", Topic("shared", partitions=6))])


def test_a_key_column_is_the_stream_s_business_not_the_topic_s() -> None:
    found = topics.declared([stream("a", Topic("x"), Topic("shared", key="k")), stream("b", Topic("shared"))])
    assert [t.name for t in found] == ["caudal-tokens-a", "shared", "x"]


def test_a_setting_the_broker_does_not_know_is_refused(broker: Settings) -> None:
    bad = Topic("bad-setting", config=(("retention.hours", "1"),))
    with pytest.raises(ConfigError, match="the broker refuses the topic"):
        topics.apply(topics.plan(broker, [stream("a", bad)]))
    topics.apply(topics.plan(broker, [stream("a", Topic("bad-setting"))]))
    with pytest.raises(ConfigError, match=r"does not know the topic setting retention\.hours"):
        topics.plan(broker, [stream("a", bad)])


def test_without_a_broker_there_is_one_clear_error(
    broker: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BrokerDown):
        topics.list_topics(replace(broker, kafka_bootstrap="127.0.0.1:1"))
    assert capfd.readouterr() == ("", "")
