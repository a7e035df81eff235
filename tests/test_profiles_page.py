"""docs/PROFILES.md keeps its word: its examples load, name every field, and its messages are those one gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnlite.cli import run
from nnlite.errors import UsageError
from nnlite.profile import FirmwareLimits, Profile, profile_names

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "PROFILES.md").read_text(encoding="utf-8")
SHORT, COMPLETE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def written(folder: Path, text: str) -> Path:
    path = folder / "wristband.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [SHORT, COMPLETE], ids=["short", "complete"])
def test_the_examples_load_and_can_be_planned_for(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, text)
    assert Profile.load(path).name == "wristband"
    assert run(["plan", "--sizes", "4,4,2", "--board", str(path)]) == 8
    assert "wristband (datasheet only)" in capsys.readouterr().out


def test_the_complete_example_has_every_field_and_no_source_too_many(tmp_path: Path) -> None:
    profile = Profile.load(written(tmp_path, COMPLETE))
    assert profile.firmware_limits is not None
    fields = {*Profile.__struct_encode_fields__, *FirmwareLimits.__struct_fields__} - {"sources", "firmware"}
    assert {line.split(" = ")[0] for line in COMPLETE.split("[sources]")[0].splitlines() if " = " in line} == fields


def test_the_complete_example_is_the_bundled_micro_bit(tmp_path: Path) -> None:
    """Its numbers were copied, with their sources; they must not drift apart."""
    example, bundled = Profile.load(written(tmp_path, COMPLETE)), Profile.load("microbit")
    assert example.firmware_limits == bundled.firmware_limits
    assert (example.flash_bytes, example.ram_bytes, example.clock_hz) == (262_144, 16_384, 16_000_000)


def test_the_table_lists_the_bundled_profiles() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| ([\w ]+) \|$", PAGE)
    assert sorted(rows) == [(p.name, p.title, p.status) for p in map(Profile.load, profile_names())]


def spoilt(fault: str) -> str:
    """The complete example with what the first column of the table of messages says."""
    if match := re.fullmatch(r"no `(\w+)`", fault):
        return re.sub(rf"(?m)^{match[1]} = .*\n", "", COMPLETE, count=1)
    if match := re.fullmatch(r"no source for `(\w+)`", fault):
        return re.sub(rf'(?m)^{match[1]} = ".*\n', "", COMPLETE, count=1)
    match = re.match(r"`(\w+) = (.+?)`", fault)
    assert match, fault
    name, value = match.groups()
    text, changed = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", COMPLETE, count=1)
    return text if changed else f"{name} = {value}\n{COMPLETE}"


ROWS = re.findall(r"(?m)^\| (.+?) \| `` (.+) `` \|$", PAGE)


@pytest.mark.parametrize(("fault", "message"), ROWS)
def test_the_messages_are_those_one_gets(tmp_path: Path, fault: str, message: str) -> None:
    path = written(tmp_path, spoilt(fault))
    with pytest.raises(UsageError) as caught:
        Profile.load(path)
    assert str(caught.value).endswith(message)
    assert str(path) in str(caught.value)


def test_the_table_of_messages_is_read() -> None:
    assert len(ROWS) == 9


@pytest.mark.parametrize("name", ["PROFILES", "HARDWARE", "TUTORIAL", "TEACHING", "TESTING"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / "docs" / f"{name}.md"
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
