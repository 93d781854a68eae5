"""The sliding window of a confirm channel."""

import asyncio

from shared.dispatch.rabbitmq.window import Fate, Window


async def test_an_answer_settles_one_or_all_up_to_it() -> None:
    window = Window()
    fates = [window.add(1)[1] for _ in range(4)]
    window.answer(4, multiple=False, fate=Fate.LOST)
    window.answer(2, multiple=True, fate=Fate.CONFIRMED)
    assert [fate.done() for fate in fates] == [True, True, False, True]
    assert fates[1].result() is Fate.CONFIRMED
    assert fates[3].result() is Fate.LOST


async def test_tags_count_from_one() -> None:
    window = Window()
    assert [window.add(1)[0] for _ in range(3)] == [1, 2, 3]


async def test_a_returned_delivery_is_not_confirmed_by_its_confirm() -> None:
    window = Window()
    fates = [window.add(1)[1] for _ in range(2)]
    window.returned(1)
    window.answer(2, multiple=True, fate=Fate.CONFIRMED)
    assert [fate.result() for fate in fates] == [Fate.RETURNED, Fate.CONFIRMED]


async def test_forgotten_deliveries_are_lost_and_late_answers_mean_nothing() -> None:
    window = Window()
    tag, fate = window.add(1)
    window.forget()
    window.answer(tag, multiple=True, fate=Fate.CONFIRMED)
    assert fate.result() is Fate.LOST


async def test_it_is_bounded_in_items() -> None:
    await slides(Window(items=2), octets=1)


async def test_it_is_bounded_in_octets() -> None:
    await slides(Window(octets=200), octets=100)


async def slides(window: Window, octets: int) -> None:
    window.add(octets)
    await window.room()
    window.add(octets)
    waiter = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    assert not waiter.done()
    window.answer(1, multiple=False, fate=Fate.CONFIRMED)
    await waiter
