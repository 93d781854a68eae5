import asyncio

from shared import telemetry
from tests.unit.workshop import within
from workers.slots import Slots


async def test_a_slot_is_taken_given_and_exported() -> None:
    slots = Slots(1)
    assert slots.take()
    assert not slots.take()
    assert telemetry.SLOTS_FREE._value.get() == 0  # noqa: SLF001  # prometheus has no other way
    slots.give()
    assert slots.free == 1


async def test_who_waits_longest_is_served_first() -> None:
    slots = Slots(1)
    slots.take()
    one, two = (asyncio.create_task(slots.wait(5)) for _ in range(2))
    await asyncio.sleep(0)
    slots.give()
    assert not slots.take()
    await within(one)
    assert one.result()
    assert not two.done()
    slots.give()
    await within(two)
    assert slots.free == 0


async def test_waiting_in_vain_leaves_nothing_behind() -> None:
    slots = Slots(1)
    slots.take()
    assert not await slots.wait(0)
    slots.give()
    assert slots.free == 1


async def test_a_waiter_cancelled_after_its_turn_came_passes_the_slot_on() -> None:
    slots = Slots(1)
    slots.take()
    waiting = asyncio.create_task(slots.wait(5))
    await asyncio.sleep(0)
    slots.give()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert slots.free == 1


async def test_a_waiter_cancelled_before_its_turn_steps_out_of_the_queue() -> None:
    slots = Slots(1)
    slots.take()
    waiting = asyncio.create_task(slots.wait(5))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    slots.give()
    assert slots.free == 1
