from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agent import agent_id_of
from shared.ids import new_id, parse, spell

SOME = UUID("0190b8a2-7c1d-7e3f-8a4b-5c6d7e8f9a0b")


@given(st.uuids())
def test_both_spellings_are_read_in_any_case(value: UUID) -> None:
    for text in (spell("run", value), str(value), value.hex):
        assert parse("run", text) == parse("run", text.upper()) == value


def test_the_typed_spelling() -> None:
    assert spell("sess", SOME) == "sess_0190b8a27c1d7e3f8a4b5c6d7e8f9a0b"


@pytest.mark.parametrize(
    "text",
    [
        "", "run_", f"msg_{SOME.hex}", f"run_run_{SOME.hex}", f" {SOME}", f"{SOME}\n",
        SOME.hex[:-1], f"{SOME.hex}0", f"{{{SOME}}}", f"urn:uuid:{SOME}", "g" * 32, "-" * 36,
        f"{SOME.hex[:8]}-{SOME.hex[8:]}", "\u0660" * 32,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="run_ and 32 hex digits"):
        parse("run", text)


def test_new_ids_are_version_7_and_never_the_same() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {each.version for each in ids} == {7}


def test_an_agents_id_is_the_same_on_every_machine() -> None:
    assert agent_id_of("echo") == UUID("f9b9a27a-25c1-5104-8c30-8e99f4cbd0be")
    assert agent_id_of("echo") != agent_id_of("Echo")
