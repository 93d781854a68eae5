/** Our own client over both contracts, and over a network that loses answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, Inturn, Sessions, type StreamEvent } from "../../clients/typescript/inturn.ts";
import { anybody, ECHO, expired, KEY, refusedWith, SLOW, SLOW_KEY, SOON, URL } from "./server.ts";

type Fetch = typeof fetch;

/** A network that delivers everything, and then does what was planned with the answer. */
class Network {
  readonly sent: Headers[] = [];
  readonly statuses: number[] = [];
  plans: ((answer: Response) => Response)[] = [];

  readonly fetch: Fetch = async (where, init) => {
    this.sent.push(new Headers(init?.headers));
    const answer = await fetch(where, init);
    this.statuses.push(answer.status);
    return (this.plans.shift() ?? ((it) => it))(answer);
  };

  get keys(): Set<string | null> {
    return new Set(this.sent.map((headers) => headers.get("Idempotency-Key")));
  }
}

const lost = (): Response => {
  throw new TypeError("fetch failed");
};
const busy = (): Response =>
  new Response("{}", { status: 503, headers: { "Retry-After": "0", "Content-Type": "application/json" } });

/** The answer's first bytes, and then nothing more. */
function cut(answer: Response, bytes: number): Response {
  let left = bytes;
  const scissors = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, to) {
      to.enqueue(chunk.slice(0, left));
      left -= chunk.length;
      if (left <= 0) to.error(new TypeError("terminated"));
    },
  });
  return new Response(answer.body!.pipeThrough(scissors), answer);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const names = (events: StreamEvent[]) => events.map(({ name }) => name);

test("native: a conversation from beginning to end", SOON, async () => {
  const inturn = new Inturn(URL, KEY);
  const session = await inturn.create("echo", { user_id: "ada" });
  assert.deepEqual([session.agent, session.user_id], ["echo", "ada"]);
  for (const text of ["one", "two", "three"]) {
    const run = await inturn.wait((await inturn.send(session.id, text)).id);
    assert.deepEqual([run.status, run.output?.content], ["succeeded", text]);
  }
  assert.equal((await inturn.send(session.id, "four", { wait: 10 })).status, "succeeded");
  const read = (await all(inturn.messages(session.id, 3))).map(({ content }) => content);
  assert.deepEqual(read, ["one", "one", "two", "two", "three", "three", "four", "four"]);
  await inturn.delete(session.id);
  await assert.rejects(inturn.send(session.id, "Hello?"), refusedWith(ApiError, 404, "not_found"));
});

test("native: a stream that breaks goes on where it was", SOON, async () => {
  const network = new Network();
  const inturn = new Inturn(URL, KEY, { fetch: network.fetch });
  const text = "line \u2028 and paragraph \u2029";
  const run = await inturn.send((await inturn.create("echo")).id, text, { wait: 10 });
  network.plans = [(answer) => cut(answer, 450)]; // in the middle of an event
  const events = await all(inturn.stream(run.id));
  const ids = events.map(({ id }) => id);
  assert.ok(ids.slice(0, -1).includes(network.sent[3]!.get("Last-Event-ID")!));
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([names(events).at(0), names(events).at(-1)], ["run.started", "run.settled"]);
  const whole = events.find(({ name }) => name === "message.completed")!.data["message"];
  assert.equal((whole as { content: string }).content, text);
});

for (const [name, plan] of Object.entries({ lost, busy })) {
  test(`native: what is ${name} is sent again, and happens once`, SOON, async () => {
    const network = new Network();
    const inturn = new Inturn(URL, KEY, { fetch: network.fetch });
    const session = await inturn.create("echo");
    network.sent.length = 0;
    network.plans = [plan];
    await inturn.send(session.id, "Only once", { wait: 10 });
    assert.deepEqual([network.sent.length, network.keys.size], [2, 1]);
    assert.equal((await all(inturn.messages(session.id))).length, 2);
  });
}

test("native: it comes again when the server said, within its patience", SOON, async () => {
  const network = new Network();
  const inturn = new Inturn(URL, SLOW_KEY, { fetch: network.fetch });
  const { id } = await inturn.create("echo");
  await inturn.send(id, "one");
  const began = Date.now();
  await inturn.send(id, "two");
  assert.deepEqual(network.statuses, [201, 202, 429, 202]);
  assert.ok(Date.now() - began > 900);
  const hasty = new Inturn(URL, SLOW_KEY, { patience: 0 });
  await assert.rejects(hasty.send(id, "three"), refusedWith(ApiError, 429, "rate_limited"));
});

test("ElizaOS: a conversation from beginning to end", SOON, async () => {
  const sessions = new Sessions(URL, KEY);
  const me = anybody();
  const fields = { metadata: { channel: "web" }, timeoutConfig: { timeoutMinutes: 20 } };
  const once = anybody();
  const made = await sessions.create(ECHO, me, fields, once);
  assert.equal((await sessions.create(ECHO, me, fields, once)).sessionId, made.sessionId);
  assert.deepEqual([made.userId, made.timeoutConfig.timeoutMinutes], [me, 20]);
  for (const text of ["one", "two"]) {
    const sent = await sessions.send(made.sessionId, text, { transport: "http" });
    assert.equal(sent.agentResponse?.text, text);
  }
  const read = await all(sessions.messages(made.sessionId, { limit: 1 }));
  assert.deepEqual(read.map(({ content }) => content), ["two", "two", "one", "one"]);
  const after = Date.parse(read[3]!.createdAt);
  const missed = await all(sessions.messages(made.sessionId, { limit: 1, after }));
  assert.deepEqual(missed.map(({ content }) => content), ["one", "two", "two"]);
  await sessions.delete(made.sessionId);
  const notFound = refusedWith(ApiError, 404, "SESSION_NOT_FOUND");
  await assert.rejects(sessions.get(made.sessionId), notFound);
});

test("ElizaOS: renew, heartbeat, timeout", SOON, async () => {
  const sessions = new Sessions(URL, KEY);
  const { sessionId } = await sessions.create(ECHO, anybody());
  assert.equal((await sessions.renew(sessionId)).renewalCount, 1);
  assert.equal((await sessions.heartbeat(sessionId)).renewalCount, 2);
  const changed = await sessions.setTimeout(sessionId, { timeoutMinutes: 60, autoRenew: false });
  assert.equal(changed.timeoutConfig.timeoutMinutes, 60);
  assert.ok(changed.timeRemaining > 59 * 60_000);
  assert.equal((await sessions.get(sessionId)).timeoutConfig.autoRenew, false);
  const gone = await expired();
  await assert.rejects(sessions.renew(gone), refusedWith(ApiError, 410, "SESSION_EXPIRED"));
});

test("ElizaOS: an answer piece by piece", SOON, async () => {
  const sessions = new Sessions(URL, KEY);
  const { sessionId } = await sessions.create(SLOW, anybody());
  const events = await all(sessions.stream(sessionId, "One two three"));
  const chunks = events.slice(1, -1);
  assert.deepEqual([...new Set(names(events))], ["user_message", "chunk", "done"]);
  assert.equal(chunks.map(({ data }) => data["chunk"]).join(""), "One two three");
  assert.equal(events.at(-1)!.data["text"], "One two three");
});

test("ElizaOS: a room, also after a break", SOON, async () => {
  const me = anybody();
  const sessions = new Sessions(URL, KEY);
  const { sessionId } = await sessions.create(ECHO, me);
  const room = sessions.room(sessionId, me);
  await room.next("room_joined");
  const again = room.next("room_joined");
  room.socket.io.engine.close();
  await again;
  room.say("Hello");
  const answer = await room.next("messageBroadcast", ({ source }) => source === "agent_response");
  assert.equal(answer["text"], "Hello");
  room.close();
});
