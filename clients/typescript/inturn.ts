/**
 * Inturn from TypeScript, one file to copy: `Inturn` speaks `/v1`, `Sessions` ElizaOS's contract.
 *
 * It needs fetch and, for `Sessions.room`, socket.io-client. What got no answer, a 429 or a 503 is
 * sent again under the same Idempotency-Key: what is accepted is accepted once.
 */
import { io, type Socket } from "socket.io-client";

export type Json = Record<string, unknown>;

export interface Session {
  id: string;
  agent: string;
  agent_id: string;
  user_id: string | null;
  status: "idle" | "queued" | "running" | "waiting" | "error" | "ended";
  metadata: Json;
}

export interface Message {
  id: string;
  run_id: string;
  role: "user" | "assistant" | "tool" | "system";
  content: string | Json[];
}

export interface Run {
  id: string;
  status: "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";
  output: Message | null;
  error: { code: string; message: string; retryable: boolean } | null;
}

export interface TimeoutConfig {
  timeoutMinutes?: number;
  autoRenew?: boolean;
  maxDurationMinutes?: number;
  warningThresholdMinutes?: number;
}

export interface NewTimedSession {
  sessionId: string;
  agentId: string;
  userId: string;
  metadata: Json;
  createdAt: string;
  expiresAt: string;
  timeoutConfig: Required<TimeoutConfig>;
}

export interface TimedSession extends NewTimedSession {
  timeRemaining: number; // milliseconds
  renewalCount: number;
  isNearExpiration: boolean;
}

export interface Note {
  id: string;
  content: string;
  authorId: string;
  isAgent: boolean;
  createdAt: string;
}

export interface Sent {
  id: string;
  content: string;
  createdAt: string;
  agentResponse?: { text: string }; // only if it was waited for
  sessionStatus: { expiresAt: string; renewalCount: number; wasRenewed: boolean };
}

/** One event of a stream; `id` is where to resume. */
export interface StreamEvent {
  name: string;
  data: Json;
  id?: string;
}

export interface Options {
  tries?: number;
  /** The longest Retry-After, in seconds, that is waited for. */
  patience?: number;
  fetch?: typeof fetch;
}

interface Request {
  body?: unknown;
  headers?: Record<string, string>;
  key?: string | undefined;
}

const EVENTS = "text/event-stream";
const ROOT = "/api/messaging/sessions";
const AGAIN = new Set([429, 502, 503, 504]);
const HOLD = 60; // seconds the server holds an answer at most
const NO_SERVER = "00000000-0000-0000-0000-000000000000"; // ElizaOS's message server

/** The server refused: `code` is stable, `body` says more. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly body: Json;

  constructor(status: number, body: Json) {
    const error = (body["error"] ?? body) as Json; // ElizaOS nests it, problem+json does not
    super(`${status} ${error["code"]}: ${error["message"] ?? error["detail"]}`);
    this.status = status;
    this.code = String(error["code"]);
    this.body = body;
  }
}

/** Requests that outlive lost answers, limits and restarts of the server. */
class Http {
  readonly url: string;
  readonly key: string | undefined;
  private readonly options: Required<Options>;

  constructor(url: string, key?: string, options: Options = {}) {
    this.url = url;
    this.key = key;
    this.options = { tries: 6, patience: 60, fetch, ...options };
  }

  protected async call<T>(method: string, path: string, request: Request = {}): Promise<T> {
    const read = async (answer: Response) => (answer.status === 204 ? undefined : answer.json());
    return (await this.request(method, path, request, read)) as T;
  }

  protected open(method: string, path: string, request: Request): Promise<Response> {
    return this.request(method, path, request, async (answer) => answer);
  }

  /** Send it until it is answered and the answer is read. */
  private async request<T>(
    method: string,
    path: string,
    { body, headers, key }: Request,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    const { tries, patience } = this.options;
    const init: RequestInit = {
      method,
      headers: {
        ...(this.key ? { "X-API-Key": this.key } : {}),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        "Idempotency-Key": key ?? crypto.randomUUID(),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    };
    for (let tried = 1; ; tried++) {
      let pause = (0.2 + 0.2 * Math.random()) * 2 ** tried;
      try {
        const answer = await this.options.fetch(this.url + path, init);
        if (answer.ok) return await read(answer);
        const told = Number(answer.headers.get("Retry-After") ?? NaN);
        pause = told >= 0 ? told : pause;
        if (!AGAIN.has(answer.status) || tried >= tries || pause > patience)
          throw new ApiError(answer.status, await explained(answer));
      } catch (error) {
        if (!isLost(error) || tried >= tries) throw error;
      }
      await seconds(pause);
    }
  }
}

/** The native contract. */
export class Inturn extends Http {
  create(agent: string, fields: Json = {}, key?: string): Promise<Session> {
    return this.call("POST", "/v1/sessions", { body: { agent, ...fields }, key });
  }

  /** Post a message; with `wait`, hold on so many seconds (60 at most) for its answer. */
  async send(
    sessionId: string,
    content: string,
    { wait = 0, key, ...fields }: { wait?: number; key?: string; [field: string]: unknown } = {},
  ): Promise<Run> {
    const headers: Record<string, string> = wait ? { Prefer: `wait=${wait}` } : {};
    const request = { body: { content, ...fields }, headers, key };
    return (await this.call<{ run: Run }>("POST", `/v1/sessions/${sessionId}/messages`, request))
      .run;
  }

  /** Wait until the run has ended, or waits for an approval, however long that takes. */
  async wait(runId: string): Promise<Run> {
    let run = await this.call<Run>("GET", `/v1/runs/${runId}`);
    while (run.status === "queued" || run.status === "running")
      run = await this.call<Run>("GET", `/v1/runs/${runId}?wait=${HOLD}`);
    return run;
  }

  /** Follow a run to its end over lines that break; `after` is the last event seen. */
  async *stream(runId: string, after?: string): AsyncGenerator<StreamEvent> {
    for (;;) {
      const begin = after;
      const headers = { Accept: EVENTS, ...(after ? { "Last-Event-ID": after } : {}) };
      const answer = await this.open("GET", `/v1/runs/${runId}/events`, { headers });
      if (answer.status === 204) return; // all was seen
      try {
        for await (const event of events(answer)) {
          after = event.id;
          yield event;
        }
      } catch (error) {
        if (!isLost(error)) throw error;
      }
      if (after === begin) await seconds(1);
    }
  }

  /** Every message, the oldest first, `limit` a request. */
  async *messages(sessionId: string, limit = 50): AsyncGenerator<Message> {
    const query = new URLSearchParams({ limit: `${limit}` });
    for (let cursor: string | null = ""; cursor !== null; query.set("cursor", cursor ?? "")) {
      const path = `/v1/sessions/${sessionId}/messages?${query}`;
      const page: { data: Message[]; next_cursor: string | null } = await this.call("GET", path);
      yield* page.data;
      cursor = page.next_cursor;
    }
  }

  delete(sessionId: string): Promise<void> {
    return this.call("DELETE", `/v1/sessions/${sessionId}`);
  }
}

/** ElizaOS's contract: sessions with a lifetime. */
export class Sessions extends Http {
  create(
    agentId: string,
    userId: string,
    fields: { metadata?: Json; timeoutConfig?: TimeoutConfig } = {},
    key?: string,
  ): Promise<NewTimedSession> {
    return this.call("POST", ROOT, { body: { agentId, userId, ...fields }, key });
  }

  get(sessionId: string): Promise<TimedSession> {
    return this.call("GET", `${ROOT}/${sessionId}`);
  }

  /** Post a message; `transport: "http"` waits for `agentResponse`. */
  send(
    sessionId: string,
    content: string,
    { key, ...fields }: { key?: string; transport?: "http" | "websocket"; metadata?: Json } = {},
  ): Promise<Sent> {
    return this.call("POST", `${ROOT}/${sessionId}/messages`, { body: { content, ...fields }, key });
  }

  /**
   * Post a message, and follow its answer: `user_message`, `chunk`s, `done` or `error`.
   * Where the line breaks, the answer goes on: it will be in `messages`.
   */
  async *stream(sessionId: string, content: string): AsyncGenerator<StreamEvent> {
    const body = { content, transport: "sse" };
    yield* events(await this.open("POST", `${ROOT}/${sessionId}/messages`, { body }));
  }

  /** Every message, the newest first; those after an instant (in ms), the oldest first. */
  async *messages(sessionId: string, { limit = 50, after }: { limit?: number; after?: number } = {}) {
    const way = after === undefined ? "before" : "after";
    const query = new URLSearchParams({ limit: `${limit}` });
    if (after !== undefined) query.set(way, `${after}`);
    for (;;) {
      const page: {
        messages: Note[];
        hasMore: boolean;
        cursors?: { before: number; after: number };
      } = await this.call("GET", `${ROOT}/${sessionId}/messages?${query}`);
      yield* after === undefined ? page.messages : page.messages.reverse();
      if (!page.hasMore || !page.cursors) return;
      query.set(way, `${page.cursors[way]}`);
    }
  }

  renew(sessionId: string): Promise<TimedSession> {
    return this.call("POST", `${ROOT}/${sessionId}/renew`);
  }

  heartbeat(sessionId: string): Promise<TimedSession> {
    return this.call("POST", `${ROOT}/${sessionId}/heartbeat`);
  }

  setTimeout(sessionId: string, config: TimeoutConfig): Promise<TimedSession> {
    return this.call("PATCH", `${ROOT}/${sessionId}/timeout`, { body: config });
  }

  delete(sessionId: string): Promise<void> {
    return this.call("DELETE", `${ROOT}/${sessionId}`);
  }

  room(sessionId: string, userId: string): Room {
    return new Room(this.url, this.key, sessionId, userId);
  }
}

/**
 * What happens in a session, told as it happens; joined again whenever the line broke.
 * `room_joined` comes first, and again after each break: then `messages({after})` has what was missed.
 */
export class Room {
  readonly socket: Socket;
  private readonly at: Json;

  constructor(url: string, key: string | undefined, sessionId: string, userId: string) {
    this.at = { channelId: sessionId, messageServerId: NO_SERVER, senderId: userId };
    const auth = { entityId: userId, ...(key ? { apiKey: key } : {}) };
    this.socket = io(url, { auth, transports: ["websocket"], forceNew: true });
    this.socket.on("connect", () => this.socket.emit("message", { type: 1, payload: this.at }));
  }

  on(name: string, listener: (data: Json) => void): void {
    this.socket.on(name, listener);
  }

  /** The next event of this name that is the one wanted. */
  next(name: string, wanted: (data: Json) => boolean = () => true): Promise<Json> {
    return new Promise((resolve) => {
      const hear = (data: Json) => {
        if (!wanted(data)) return;
        this.socket.off(name, hear);
        resolve(data);
      };
      this.socket.on(name, hear);
    });
  }

  /** Post a message; `messageBroadcast`s bring it back, and the answer. */
  say(text: string): void {
    this.socket.emit("message", { type: 2, payload: { ...this.at, message: text } });
  }

  close(): void {
    this.socket.close();
  }
}

/** Take a stream apart; a line ends by a line feed alone: JSON may hold what else could. */
async function* events(answer: Response): AsyncGenerator<StreamEvent> {
  if (answer.body === null) return;
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let rest = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const blocks = (rest + decoder.decode(part.value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const fields = new Map(block.split("\n").map(field));
        const [id, data] = [fields.get("id"), fields.get("data")];
        if (data === undefined) continue;
        const name = fields.get("event") ?? "message";
        yield { name, data: JSON.parse(data), ...(id ? { id } : {}) };
      }
    }
  } finally {
    await reader.cancel();
  }
}

function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
}

async function explained(answer: Response): Promise<Json> {
  const text = await answer.text();
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  return isJson ? JSON.parse(text) : { detail: text };
}

/** Whether no answer came, or not the whole: fetch says so by a TypeError. */
function isLost(error: unknown): boolean {
  return error instanceof TypeError;
}

function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000));
}
