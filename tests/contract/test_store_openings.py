"""Sessions that open with their first message: one commit for both, or neither."""

from shared.domain.errors import InturnError, NotFound, RateLimited
from shared.domain.idempotency import Answer, Idempotency
from shared.domain.rates import Meter, Rate
from shared.domain.requests import Accepted, NewSession, Opening, Replayed
from shared.ids import MessageId, RunId, SessionId, new_id
from shared.service.intake import Post
from shared.storage import intake
from shared.storage.schema import messages, runs, sessions
from tests.platforms import House, a_message

ONCE: Idempotency[Accepted] = Idempotency(
    key="k", body_hash=b"", render=lambda taken: Answer(status=202, body=f"{taken.run.id}")
)
RARE = Rate(count=1, period_seconds=3600, burst=1)


async def opening(house: House, agent: str = "echo", user_id: str | None = None) -> Opening:
    new = NewSession(agent=agent, user_id=user_id, metadata={"n": 1})
    [made] = await house.platform.sessions.openings(house.me, [new])
    assert isinstance(made, Opening)
    return made


def first_of(
    made: Opening,
    idempotency: Idempotency[Accepted] | None = None,
    meters: tuple[Meter, ...] = (),
) -> Post:
    new = a_message(made.id)
    return Post(new=new, opening=made, idempotency=idempotency, meters=meters)


async def test_a_session_opens_with_its_first_message(house: House) -> None:
    made = [await opening(house), await opening(house, "elsewhere", "anna")]
    old = await house.session()
    posts = [first_of(each) for each in made]
    posts += [Post(new=a_message(made[0].id, "second")), Post(new=a_message(old.id))]
    taken = await house.platform.intake.accept_many(house.me, posts)
    assert all(isinstance(each, Accepted) for each in taken)
    one, other = [await house.platform.sessions.get(house.me, each.id) for each in made]
    assert (one.agent, one.user_id, one.queue_depth, one.message_count) == ("echo", None, 2, 2)
    assert (other.agent, other.user_id, other.queue_depth) == ("elsewhere", "anna", 1)
    assert one.metadata == {"n": 1}
    assert [each.content for each in await house.messages(one)] == ["hi", "second"]
    assert set(house.said) == {"default", "narrow"}
    assert await house.count(runs, runs.c.dispatch == "ready") == 3


async def test_a_refused_message_opens_nothing(house: House) -> None:
    meter = Meter(name="key", subject="key:1", rate=RARE)
    made = [await opening(house) for _ in range(3)]
    posts = [first_of(each, meters=(meter,)) for each in made]
    good, *late = await house.platform.intake.accept_many(house.me, posts)
    assert isinstance(good, Accepted)
    assert all(isinstance(each, RateLimited) for each in late)
    assert await house.count(sessions) == await house.count(messages) == 1


async def test_a_replayed_message_opens_nothing(house: House) -> None:
    posts = [first_of(await opening(house), idempotency=ONCE) for _ in range(2)]
    first, within = await house.platform.intake.accept_many(house.me, posts)
    again = first_of(await opening(house), idempotency=ONCE)
    [later] = await house.platform.intake.accept_many(house.me, [again])
    assert isinstance(first, Accepted)
    assert within == later == Replayed(answer=ONCE.render(first))
    assert await house.count(sessions) == 1


async def test_whose_the_session_is_is_known_before_it_is_there(house: House) -> None:
    meter = Meter(name="user", subject=None, rate=RARE)
    taken = [
        (await house.platform.intake.accept_many(house.me, [first_of(made, meters=(meter,))]))[0]
        for made in [await opening(house, user_id=name) for name in ("anna", "anna", "bert")]
    ]
    assert [isinstance(each, Accepted) for each in taken] == [True, False, True]


async def test_a_batch_whose_commit_got_no_reply_opens_its_sessions_once(house: House) -> None:
    items = [
        intake.Intake(
            principal=house.me,
            new=a_message(made.id),
            opening=made,
            message_id=MessageId(new_id()),
            run_id=RunId(new_id()),
            max_queued=5,
        )
        for made in [await opening(house) for _ in range(3)]
    ]
    tries: list[list[SessionId | InturnError]] = []
    for _ in range(2):
        async with house.store.transaction() as transaction:
            taken = await intake.accept(house.store, transaction, items)
        tries.append(
            [each.run.session_id if isinstance(each, Accepted) else NotFound("x") for each in taken]
        )
    assert tries[0] == tries[1] == [item.new.session_id for item in items]
    assert await house.count(sessions) == await house.count(runs) == 3
