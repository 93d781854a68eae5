"""A conversation over each contract: INTURN_URL and INTURN_API_KEY say with whom."""

import asyncio
import os
import uuid

from inturn_client import Inturn, Sessions

URL = os.environ.get("INTURN_URL", "http://127.0.0.1:8000")
KEY = os.environ["INTURN_API_KEY"]


async def native() -> str:
    """Ask, stream, read it all again; return the agent's id, which is a UUID."""
    async with Inturn(URL, KEY) as inturn:
        session = await inturn.create("echo", user_id="ada")
        run = await inturn.send(session["id"], "Hello")
        async for event in inturn.stream(run["id"]):
            print(event.id, event.name)
        async for message in inturn.messages(session["id"]):
            print(message["role"], message["content"])
        await inturn.delete(session["id"])
        return str(uuid.UUID(session["agent_id"].removeprefix("agent_")))


async def timed(agent_id: str) -> None:
    """Keep a session alive, and hear the answer in its room."""
    me = str(uuid.uuid4())
    async with Sessions(URL, KEY) as sessions:
        session = await sessions.create(agent_id, me, timeoutConfig={"timeoutMinutes": 20})
        async with sessions.room(session["sessionId"], me) as room:
            async for event in room:
                if event.name == "room_joined":
                    await room.say("Hello")
                if event.name == "messageBroadcast":
                    print(event.data["source"], event.data["text"])
                    if event.data["source"] == "agent_response":
                        break
        await sessions.heartbeat(session["sessionId"])
        await sessions.delete(session["sessionId"])


async def main() -> None:
    await timed(await native())


asyncio.run(main())
