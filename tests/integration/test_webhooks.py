"""Webhooks between real processes and a real receiver: signed, tried again, never lost."""

from pathlib import Path

from tests.integration.fleet import Fleet, script
from tests.integration.receiver import Receiver, call, delivered, subscribe


async def test_a_subscriber_of_an_embedded_server(tmp_path: Path) -> None:
    failures = [500]
    receiver = Receiver(lambda _: failures.pop() if failures else 204)
    async with receiver, Fleet(tmp_path, ALLOW_PRIVATE_URLS="true") as fleet:
        await fleet.up("serve")
        hook = await subscribe(fleet, receiver)
        path = f"/webhooks/{hook['id']}"
        [session] = await fleet.sessions(1)
        receipt = await fleet.post(session, script(reply="done"))
        await receiver.until(lambda: len(receiver.posts) == 1)
        [first] = receiver.posts
        said = first.verified(hook["secret"])
        assert said["type"] == "run.succeeded"
        assert said["data"]["run"]["id"] == f"run_{receipt.run}"
        assert said["data"]["run"]["output"]["content"] == "done"

        renewed = await call(fleet, "POST", f"{path}/rotate", {"overlap_seconds": 600})
        await receiver.until(lambda: len(receiver.posts) == 2)
        [entry] = await delivered(fleet, path, 1)
        assert [each["status_code"] for each in entry["attempts"]] == [500, 204]
        assert {(post.id, post.body) for post in receiver.posts} == {(entry["id"], first.body)}
        for secret in (hook["secret"], renewed["secret"]):
            assert receiver.posts[1].verified(secret) == said

        await call(fleet, "POST", f"{path}/deliveries/{entry['id']}/redeliver")
        await receiver.until(lambda: len(receiver.posts) == 3)
        assert (receiver.posts[2].id, receiver.posts[2].body) == (first.id, first.body)

        shown = await call(fleet, "POST", "/webhooks/callbacks/rotate")
        message = {"content": script(), "callback_url": receiver.url("/called")}
        await call(fleet, "POST", f"/sessions/{session}/messages", message)
        await receiver.until(lambda: any(post.path == "/called" for post in receiver.posts))
        called = next(post for post in receiver.posts if post.path == "/called")
        assert called.verified(shown["secret"])["type"] == "run.succeeded"
