"""Which proxy variables the services get: none at which a task's HTTP client raises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.services import stack
from include.services.airflow.proxies import LOCAL, is_one, proxies, refused
from tests.include.services.test_airflow import make

HERE = ",".join(LOCAL)
NAMES = ("ALL_PROXY", "all_proxy", "All_Proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")


def taken(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the client of httpx in this environment, as a task does."""
    for name in list(os.environ):
        if is_one(name):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    httpx.Client(verify=False).close()  # noqa: S501 - nothing is asked


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    [
        "socks://h:1080",
        "socks4://h:1080",
        "socks5://h:1080",
        "socks5h://u:p@h:1080",
        "ftp://h:1",
        "http://h:port",
        "http://u:p#a@h:1",
        "http:h",
        "http://[::1",
        " http://h:1",
        "http://h:1\n",
        "http://",
        "http://:3128",
        "h:99999",
        "http://\udce1:1",
    ],
)
def test_a_proxy_that_httpx_cannot_use_is_left_out_and_named_in_every_spelling(name: str, value: str) -> None:
    environ = {name: value, "PATH": "/bin"}
    assert proxies(environ) == {"NO_PROXY": HERE, "no_proxy": HERE}
    assert refused(environ) == [name]


@pytest.mark.parametrize(
    "value",
    [
        "http://h:3128",
        "HTTP://h:3128",
        "h:3128",
        "proxy.intranet",
        "https://u:p@h:443",
        "http://[::1]:3128",
        "",
    ],
)
def test_a_proxy_that_works_is_kept_as_it_is(value: str) -> None:
    environ = {"https_proxy": value, "ftp_proxy": "socks://other"}
    assert proxies(environ) == {"https_proxy": value, "NO_PROXY": HERE, "no_proxy": HERE}
    assert refused(environ) == []


def test_both_spellings_of_no_proxy_are_one_with_everybodys_entries_and_this_machine() -> None:
    found = proxies(
        {
            "NO_PROXY": "intranet, 10.0.0.0/8,localhost",
            "no_proxy": ".corp:8080 intranet",
            "No_Proxy": "http://only",
        }
    )
    assert found["NO_PROXY"] == found["no_proxy"]
    assert found["no_proxy"].split(",") == [
        "intranet",
        "10.0.0.0/8",
        "localhost",
        "http://only",
        ".corp:8080",
        "127.0.0.1",
        "::1",
    ]
    assert proxies({"no_proxy": "*"})["NO_PROXY"] == f"*,{HERE}"


@pytest.mark.parametrize("entry", ["fe80::/10", "localhost:*", "h:abc", "ñ.es"])
def test_an_entry_of_no_proxy_at_which_httpx_raises_is_left_out_and_named(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(httpx.InvalidURL):
        taken({"NO_PROXY": entry}, monkeypatch)
    environ = {"NO_PROXY": f"intranet,{entry}"}
    assert proxies(environ)["NO_PROXY"] == f"intranet,{HERE}"
    assert refused(environ) == ["NO_PROXY"]


def test_an_ipv6_address_in_brackets_is_kept_in_the_form_that_httpx_takes() -> None:
    assert proxies({"no_proxy": "[::1],[fd00::7]"})["no_proxy"] == "::1,fd00::7,127.0.0.1,localhost"
    assert refused({"no_proxy": "[::1],[fd00::7]"}) == []


texts = st.text(st.characters(exclude_characters="\0", max_codepoint=0x2FF), max_size=20)
urls = st.builds(
    "{}{}".format, st.sampled_from(["", "http://", "https://", "socks5://", "socks://", "http://u:p@"]), texts
)


@given(values=st.dictionaries(st.sampled_from((*NAMES, "NO_PROXY", "no_proxy")), urls))
def test_whatever_stands_in_the_shell_httpx_takes_what_is_left_of_it(values: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        taken(proxies(values), patch)
    assert all(name in values for name in refused(values))


def test_the_services_get_these_and_no_others_and_a_real_client_is_made_with_them(tmp_path: Path) -> None:
    settings = make(
        tmp_path, ALL_PROXY="socks://h:1", https_proxy="http://u:secret@h:3128", no_proxy="intranet,[::1]"
    )
    environ = stack._environ(settings)
    ask = (
        "import httpx, json; from urllib.request import getproxies; httpx.Client(); "
        "print(json.dumps(getproxies()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], env=environ, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "https": "http://u:secret@h:3128",
        "no": "intranet,::1,127.0.0.1,localhost",
    }
