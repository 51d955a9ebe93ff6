"""docs/simulator.md names the test that sees each documented thing: all of them exist, and the sources too."""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]


def rows():
    text = (ROOT / "docs/simulator.md").read_text()
    table = text.split("## Where each documented thing is")[1]
    found = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    return [row for row in found if not row[0].startswith(" ---")]


def test_every_test_of_the_table_exists():
    assert len(rows()) > 30
    for documented, _, seen_by in rows():
        names = re.findall(r"`([\w.]+)::(\w+)`", seen_by)
        assert names, documented
        for file, name in names:
            assert re.search(rf"\b{name}\b", (HERE / file).read_text()), f"{file}::{name}"


def test_every_source_of_the_table_exists():
    for documented, produced_in, _ in rows():
        for file in re.findall(r"`([\w./]+)`", produced_in):
            assert (ROOT / "tools/twilio-sim" / file).exists(), f"{documented}: {file}"
