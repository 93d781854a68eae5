"""Every field of a batched message, wrong in every way: refused at its index and by name."""

import json

from shared.settings import Settings
from tests.api.caller import Caller, Json, document
from tests.api.estate import rows
from tests.api.test_batch import ITEM, results
from tests.api.wrongs import INVALID, Wrong, wrongs

SCHEMA = {"$ref": "#/components/schemas/BatchedMessage"}


def complaints(wrong: Wrong, index: int, result: Json) -> list[str]:
    """Compare what was answered with what is wrong."""
    if "error" not in result:
        return [f"{wrong.kind} at {wrong.loc}: accepted"]
    said = f"{result['status']} {result['error']['code']}"
    found = [f"{wrong.kind} at {wrong.loc}: {said}"] if said != wrong.expected else []
    if wrong.expected == INVALID:
        named = [error["loc"] for error in result["error"]["errors"]]
        place = ["body", index, *wrong.loc]
        shared = [loc for loc in named if loc[: len(place)] != place[: len(loc)]]
        found += [f"{wrong.kind} at {place}: {loc} was blamed" for loc in shared]
    return found


async def test_every_field_of_an_item(service: Caller, settings: Settings) -> None:
    bad = [each for each in wrongs(document(), SCHEMA) if each.loc or each.kind != "null"]
    before = await rows(settings)
    body = "\n".join(json.dumps(each.value) for each in bad)
    answered = await results(service, body.encode())
    found = [
        complaint
        for index, (each, result) in enumerate(zip(bad, answered, strict=True))
        for complaint in complaints(each, index, result)
    ]
    assert found == [], "\n".join(found)
    assert await rows(settings) == before
    assert len(bad) > 150
    assert len(await results(service, json.dumps(ITEM).encode())) == 1
