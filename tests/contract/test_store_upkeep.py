"""One chore that fails is one chore that fails."""

import pytest

from tests.platforms import House


async def test_a_chore_that_fails_does_not_stop_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = []

    async def fail() -> None:
        failed.append(True)
        message = "a bug"
        raise RuntimeError(message)

    upkeep = house.platform.upkeep
    worker = await house.worker()
    session = await house.session()
    run = (await house.post(session)).run
    await house.claim(worker, run.id)
    await house.platform.execution.retire(worker)
    monkeypatch.setattr(upkeep, "_bury_the_dead", fail)
    await upkeep.sweep()
    assert failed
    assert (await house.run(run.id)).status == "queued"
