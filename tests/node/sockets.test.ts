/** socket.io's own client in the rooms of sessions. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { anybody, ask, type Json, KEY, Listener, opened, SLOW, SOON } from "./server.ts";

const NO_SERVER = "00000000-0000-0000-0000-000000000000";
const me = anybody();
const listeners: Listener[] = [];

/** Somebody who is connected, for the time of the test. */
function listening(...given: ConstructorParameters<typeof Listener>): Listener {
  const listener = new Listener(...given);
  listeners.push(listener);
  return listener;
}

afterEach(() => {
  for (const each of listeners.splice(0)) each.close();
});

/** Somebody who has joined the room of this session. */
async function joined(channelId: string, options = {}): Promise<Listener> {
  const listener = listening({ entityId: me, apiKey: KEY }, options);
  const payload = { channelId, messageServerId: NO_SERVER, entityId: me };
  listener.socket.emit("message", { type: 1, payload });
  await listener.until("room_joined", { channelId });
  return listener;
}

function say(listener: Listener, channelId: string, message: string, more: Json = {}): void {
  const payload = { channelId, senderId: me, senderName: "Ada", message, ...more };
  listener.socket.emit("message", { type: 2, payload: { messageServerId: NO_SERVER, ...payload } });
}

test("who connects is greeted", SOON, async () => {
  const listener = listening({ entityId: me, apiKey: KEY });
  assert.equal((await listener.until("authenticated"))["entityId"], me);
  assert.equal((await listener.until("connection_established"))["socketId"], listener.socket.id);
});

test("a wrong key and a wrong entity are refused", SOON, async () => {
  const stranger = listening({ entityId: me, apiKey: "inturn_of_nobody_at_all" });
  assert.equal((await stranger.until("connect_error"))["message"], "Invalid or missing API Key");
  const nobody = listening({ entityId: "nobody", apiKey: KEY });
  assert.equal((await nobody.until("connect_error"))["message"], "Valid entityId required");
});

for (const transport of ["websocket", "polling"]) {
  test(`what is said is heard, and answered, over ${transport}`, SOON, async () => {
    const room = await opened(SLOW);
    const speaker = await joined(room, { transports: [transport] });
    const hearer = await joined(room);
    assert.equal((await speaker.until("channel_joined"))["channelId"], room);
    say(speaker, room, "One two three", { messageId: "mine" });
    const said = await hearer.until("messageBroadcast", { senderId: me });
    assert.deepEqual([said["text"], said["channelId"], said["roomId"]], ["One two three", room, room]);
    const mine = await speaker.until("messageBroadcast", { clientMessageId: "mine" });
    const ack = await speaker.until("messageAck", { clientMessageId: "mine" });
    assert.deepEqual([ack["messageId"], mine["id"]], [said["id"], said["id"]]);
    for (const each of [speaker, hearer]) {
      const answer = await each.until("messageBroadcast", { source: "agent_response" });
      assert.deepEqual([answer["text"], answer["senderId"]], ["One two three", SLOW]);
      const chunks = each.all("messageStreamChunk");
      assert.equal(chunks.map(({ chunk }) => chunk).join(""), "One two three");
      assert.deepEqual(chunks.map(({ index }) => index), [...chunks.keys()]);
      assert.equal(each.all("messageBroadcast").length, 2);
    }
  });
}

test("what is posted over HTTP is heard, too, once", SOON, async () => {
  const room = await opened();
  const listener = await joined(room);
  await ask("POST", `/${room}/messages`, { content: "Hello", transport: "http" });
  await listener.until("messageBroadcast", { source: "agent_response" });
  assert.deepEqual(listener.all("messageBroadcast").map(({ text }) => text), ["Hello", "Hello"]);
});

test("without an entity one may join by the session's id, and listen", SOON, async () => {
  const roomId = await opened();
  const listener = listening({ apiKey: KEY });
  listener.socket.emit("join", { roomId, type: "session" });
  await listener.until("connection_established");
  await ask("POST", `/${roomId}/renew`);
  const renewed = await listener.until("sessionRenewed");
  assert.deepEqual([renewed["sessionId"], renewed["renewalCount"]], [roomId, 1]);
  say(listener, roomId, "May I?");
  assert.match(String((await listener.until("messageError"))["error"]), /\w/);
});

test("a room that is not there is an error", SOON, async () => {
  const listener = listening({ entityId: me, apiKey: KEY });
  listener.socket.emit("join", { roomId: anybody() });
  assert.equal((await listener.until("messageError"))["error"], "Session not found");
});

test("who has left hears no more", SOON, async () => {
  const room = await opened();
  const [gone, stays] = [await joined(room), await joined(room)];
  gone.socket.emit("leave", { roomId: room });
  gone.socket.emit("join", { roomId: anybody() });
  await gone.until("messageError"); // so the server has read the `leave`
  await ask("POST", `/${room}/messages`, { content: "Hello", transport: "http" });
  await stays.until("messageBroadcast", { source: "agent_response" });
  assert.deepEqual(gone.all("messageBroadcast"), []);
});

test("a session that ends soon warns, and says when it has", SOON, async () => {
  const sessionId = await opened();
  const listener = await joined(sessionId); // before the time runs
  await ask("POST", `/${sessionId}/heartbeat`);
  await ask("PATCH", `/${sessionId}/timeout`, { timeoutMinutes: 0.03 });
  const end = await listener.until("sessionExpired", { sessionId });
  assert.ok(Date.parse(String(end["expiredAt"])) > 0);
  const told = listener.heard.map(([name]) => name);
  const since = told.slice(told.indexOf("sessionRenewed"));
  assert.deepEqual(since, ["sessionRenewed", "sessionExpirationWarning", "sessionExpired"]);
  const [warning] = listener.all("sessionExpirationWarning");
  assert.deepEqual(warning, { sessionId, minutesRemaining: 1 });
});
