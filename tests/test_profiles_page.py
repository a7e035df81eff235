"""docs/PROFILES.md keeps its word: its examples load, name every field, and its messages are those one gets."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from nnlite.cli import run
from nnlite.errors import UsageError
from nnlite.profile import FirmwareLimits, Profile, profile_names

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "PROFILES.md").read_text(encoding="utf-8")
SHORT, COMPLETE, CHANGED = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def written(folder: Path, text: str) -> Path:
    path = folder / "wristband.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [SHORT, COMPLETE, CHANGED], ids=["short", "complete", "changed"])
def test_the_examples_load_and_can_be_planned_for(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, text)
    assert Profile.load(path).name == "wristband"
    assert run(["plan", "--sizes", "4,4,2", "--board", str(path)]) == 8
    assert "wristband (datasheet only)" in capsys.readouterr().out


def test_the_examples_have_every_field_and_no_source_too_many(tmp_path: Path) -> None:
    """No source says how long the nRF51's flash lets a fetch wait; the short example has it."""
    profile = Profile.load(written(tmp_path, COMPLETE))
    assert profile.firmware_limits is not None
    fields = {*Profile.__struct_encode_fields__, *FirmwareLimits.__struct_fields__} - {"sources", "firmware"}
    assert fields_of(COMPLETE) == fields - {"flash_wait_states"}
    assert "flash_wait_states" in fields_of(SHORT)


def fields_of(text: str) -> set[str]:
    return {line.split(" = ")[0] for line in text.split("[sources]", maxsplit=1)[0].splitlines() if " = " in line}


def test_what_is_changed_is_the_micro_bit_but_for_what_it_sets(tmp_path: Path) -> None:
    own, base = Profile.load(written(tmp_path, CHANGED)), Profile.load("microbit")
    assert (own.ram_bytes, own.uart_tx_pin, own.uart_rx_pin) == (32_768, 9, base.uart_rx_pin)


# ---- the table of fields, against the types that a file is held against

SCHEMA = {field.encode_name: field for struct in (Profile, FirmwareLimits) for field in msgspec.structs.fields(struct)}
FIELDS = {name: kind for name, kind in re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| .+ \|.*\|$", PAGE) if name in SCHEMA}


def test_the_table_has_every_field() -> None:
    assert FIELDS.keys() == SCHEMA.keys()


@pytest.mark.parametrize("name", SCHEMA)
def test_the_table_says_what_a_field_may_be(name: str) -> None:
    field, kind = SCHEMA[name], FIELDS[name]
    allowed = msgspec.json.schema(field.type)
    allowed = next((choice for choice in allowed.get("anyOf", []) if choice.get("type") != "null"), allowed)
    assert ("may be left out" in kind) == (not field.required)
    assert ("with source" in kind) == needs_a_source(name)
    if "enum" in allowed:
        assert sorted(re.findall(r"`(.+?)`", kind)) == allowed["enum"]
    elif allowed.get("type") == "array":
        assert sorted(re.findall(r"`(.+?)`", kind)) == allowed["items"]["enum"]
    elif allowed.get("type") == "integer":
        most = allowed.get("maximum", allowed.get("exclusiveMaximum", 0) - 1)
        assert kind.startswith(f"{allowed['minimum']:,} to {most:,}")
    elif allowed.get("type") == "boolean":
        assert kind.startswith("yes or no")
    elif allowed.get("type") == "string":
        assert kind.startswith("text")
    else:
        assert kind.startswith("a table")


def needs_a_source(name: str) -> bool:
    """As a file that sets it without one is told."""
    for board in ("microbit", "microbit2"):
        text = (resources.files("nnlite") / "profiles" / f"{board}.toml").read_text(encoding="utf-8")
        head, mark, sources = text.partition("[sources]")
        without = re.sub(rf"(?m)^{name} = .*\n", "", sources)
        if without == sources:
            continue
        with TemporaryDirectory() as folder:
            path = Path(folder) / "own.toml"
            path.write_text(head + mark + without, encoding="utf-8")
            try:
                Profile.load(path)
            except UsageError as error:
                return f"names no source for {name};" in str(error)
    return False


def test_the_complete_example_is_the_bundled_micro_bit(tmp_path: Path) -> None:
    """Its numbers were copied, with their sources; they must not drift apart."""
    example, bundled = Profile.load(written(tmp_path, COMPLETE)), Profile.load("microbit")
    assert example.firmware_limits == bundled.firmware_limits
    assert (example.flash_bytes, example.ram_bytes, example.clock_hz) == (262_144, 16_384, 16_000_000)


def test_the_table_lists_the_bundled_profiles() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (proven|datasheet only) \|$", PAGE)
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
    assert str(caught.value).endswith(message.replace("FILE", str(path)))
    assert str(path) in str(caught.value)


def test_the_table_of_messages_is_read() -> None:
    assert len(ROWS) == 12


@pytest.mark.parametrize("name", ["PROFILES", "PLAN", "HARDWARE", "TUTORIAL", "TEACHING", "TESTING"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / "docs" / f"{name}.md"
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
