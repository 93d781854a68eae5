/** A conversation over each contract: INTURN_URL and INTURN_API_KEY say with whom. */
import { Inturn, Sessions } from "./inturn.ts";

const url = process.env["INTURN_URL"] ?? "http://127.0.0.1:8000";
const key = process.env["INTURN_API_KEY"];

/** Ask, stream, read it all again; return the agent's id, which is a UUID. */
async function native(): Promise<string> {
  const inturn = new Inturn(url, key);
  const session = await inturn.create("echo", { user_id: "ada" });
  const run = await inturn.send(session.id, "Hello");
  for await (const event of inturn.stream(run.id)) console.log(event.id, event.name);
  for await (const { role, content } of inturn.messages(session.id)) console.log(role, content);
  await inturn.delete(session.id);
  return session.agent_id.replace("agent_", "");
}

/** Keep a session alive, and hear the answer in its room. */
async function timed(agentId: string): Promise<void> {
  const me = crypto.randomUUID();
  const sessions = new Sessions(url, key);
  const { sessionId } = await sessions.create(agentId, me, { timeoutConfig: { timeoutMinutes: 20 } });
  const room = sessions.room(sessionId, me);
  room.on("messageBroadcast", ({ source, text }) => console.log(source, text));
  await room.next("room_joined");
  room.say("Hello");
  await room.next("messageBroadcast", ({ source }) => source === "agent_response");
  room.close();
  await sessions.heartbeat(sessionId);
  await sessions.delete(sessionId);
}

const dashed = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;
await timed((await native()).replace(dashed, "$1-$2-$3-$4-$5"));
