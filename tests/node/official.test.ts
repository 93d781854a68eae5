/** Every method of the official client's sessions, against a real server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, ElizaClient, type GetMessagesParams } from "@elizaos/api-client";
import { anybody, ECHO, expired, KEY, refusedWith, SOON, URL } from "./server.ts";

const { sessions } = ElizaClient.create({ baseUrl: URL, apiKey: KEY });

const opened = () => sessions.createSession({ agentId: ECHO, userId: anybody() });

/** A session in which this was said and answered. */
async function spoken(...texts: string[]): Promise<string> {
  const { sessionId } = await opened();
  for (const content of texts) await sessions.sendMessageSync(sessionId, { content });
  return sessionId;
}

async function contents(sessionId: string, params?: GetMessagesParams): Promise<string[]> {
  return (await sessions.getMessages(sessionId, params)).messages.map(({ content }) => content);
}

test("checkHealth", async () => {
  const health = await sessions.checkHealth();
  assert.equal(health.status, "healthy");
  assert.equal(typeof health.activeSessions, "number");
  assert.ok(Date.parse(health.timestamp) > 0);
});

test("createSession, getSession", async () => {
  const userId = anybody();
  const metadata = { platform: "web" };
  const made = await sessions.createSession({ agentId: ECHO, userId, metadata });
  assert.deepEqual([made.agentId, made.userId, made.metadata], [ECHO, userId, metadata]);
  const read = await sessions.getSession(made.sessionId);
  assert.equal(read.sessionId, made.sessionId);
  assert.ok(new Date(read.lastActivity) >= new Date(made.createdAt));
});

test("sendMessage", async () => {
  const { sessionId, userId } = await opened();
  const attachments = [{ type: "image" as const, url: "https://example.com/cat.png", name: "cat" }];
  const params = { content: "Hello", metadata: { source: "test" }, attachments };
  const sent = await sessions.sendMessage(sessionId, params);
  assert.equal(sent.success, true);
  assert.deepEqual([sent.userMessage.content, sent.userMessage.authorId], ["Hello", userId]);
  assert.equal(sent.userMessage.metadata?.source, "test");
  assert.equal(sent.sessionStatus?.wasRenewed, true);
  assert.ok(!("agentResponse" in sent));
});

test("sendMessageSync", SOON, async () => {
  const { sessionId } = await opened();
  const sent = await sessions.sendMessageSync(sessionId, { content: "Hello" });
  assert.equal(sent.agentResponse?.text, "Hello");
  assert.equal(sent.userMessage.content, "Hello");
});

test("getMessages: the newest first, page by page", SOON, async () => {
  const sessionId = await spoken("one", "two");
  const { messages, hasMore } = await sessions.getMessages(sessionId);
  assert.deepEqual(messages.map(({ content }) => content), ["two", "two", "one", "one"]);
  assert.deepEqual(messages.map(({ isAgent }) => isAgent), [true, false, true, false]);
  assert.equal(hasMore, false);
  const first = await sessions.getMessages(sessionId, { limit: 1 });
  assert.deepEqual([first.messages.length, first.hasMore], [1, true]);
});

test("getMessages: before and after as Date, ISO string and number", SOON, async () => {
  const sessionId = await spoken("one", "two");
  const { messages } = await sessions.getMessages(sessionId);
  const at = new Date(messages[1]!.createdAt); // of the second question
  for (const instant of [at, at.toISOString(), at.getTime()]) {
    assert.deepEqual(await contents(sessionId, { before: instant }), ["one", "one"]);
    assert.deepEqual(await contents(sessionId, { after: instant }), ["two"]);
  }
  assert.deepEqual(await contents(sessionId, { before: at, after: at }), []);
});

test("deleteSession", async () => {
  const { sessionId } = await opened();
  assert.deepEqual(await sessions.deleteSession(sessionId), { success: true });
  await assert.rejects(sessions.getSession(sessionId), refusedWith(ApiError, 404, "SESSION_NOT_FOUND"));
});

test("listSessions", async () => {
  const { sessionId } = await opened();
  const listed = await sessions.listSessions();
  assert.ok(listed.sessions.some((each) => each.sessionId === sessionId));
  assert.ok(listed.total >= 1);
});

test("without a key, as anybody", async () => {
  const anonymous = ElizaClient.create({ baseUrl: URL }).sessions;
  const { sessionId } = await anonymous.createSession({ agentId: ECHO, userId: anybody() });
  assert.equal((await anonymous.getSession(sessionId)).sessionId, sessionId);
});

test("ApiError: 400", async () => {
  const wrong = { agentId: "nobody", userId: anybody() };
  await assert.rejects(sessions.createSession(wrong), refusedWith(ApiError, 400, "VALIDATION_ERROR"));
  const { sessionId } = await opened();
  const long = { content: "x".repeat(4001) };
  await assert.rejects(sessions.sendMessage(sessionId, long), refusedWith(ApiError, 400, "VALIDATION_ERROR"));
});

test("ApiError: 401", async () => {
  const stranger = ElizaClient.create({ baseUrl: URL, apiKey: "inturn_of_nobody_at_all" }).sessions;
  await assert.rejects(stranger.listSessions(), refusedWith(ApiError, 401, "UNAUTHORIZED"));
});

test("ApiError: 404", async () => {
  const notFound = refusedWith(ApiError, 404, "SESSION_NOT_FOUND");
  const nowhere = anybody();
  await assert.rejects(sessions.getSession(nowhere), notFound);
  await assert.rejects(sessions.getMessages(nowhere), notFound);
  await assert.rejects(sessions.sendMessage(nowhere, { content: "Hello" }), notFound);
  await assert.rejects(sessions.deleteSession(nowhere), notFound);
  const unknown = sessions.createSession({ agentId: anybody(), userId: anybody() });
  await assert.rejects(unknown, refusedWith(ApiError, 404, "AGENT_NOT_FOUND"));
});

test("ApiError: 410, and deleteSession then", SOON, async () => {
  const sessionId = await expired();
  const gone = refusedWith(ApiError, 410, "SESSION_EXPIRED");
  await assert.rejects(sessions.getSession(sessionId), gone);
  await assert.rejects(sessions.getMessages(sessionId), gone);
  await assert.rejects(sessions.sendMessage(sessionId, { content: "Hello" }), gone);
  assert.deepEqual(await sessions.deleteSession(sessionId), { success: true });
});
