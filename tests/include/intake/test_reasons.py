import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = re.compile(r'"([a-z]+(?:-[a-z]+)*): [^"]')


def test_the_page_lists_the_reasons_of_the_code_and_no_other() -> None:
    """Every reason begins with its code."""
    intake = ROOT / "include" / "intake"
    said = {
        code
        for name in ("admit", "content", "counting", "names")
        for code in CODE.findall((intake / f"{name}.py").read_text("utf-8"))
    }
    page = (ROOT / "docs" / "files.md").read_text("utf-8").split("## Refused")[1].split("## Stays")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == said
    assert len(said) == 17
