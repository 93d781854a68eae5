/** The server that the tests are for, and what they wait with. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { env } from "node:process";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

export type Uuid = `${string}-${string}-${string}-${string}-${string}`;
export type Json = Record<string, unknown>;

export const URL = env["INTURN_URL"]!;
export const KEY = env["INTURN_API_KEY"]!;
/** It may post one message a second. */
export const SLOW_KEY = env["SLOW_KEY"]!;
export const ECHO = env["ECHO"] as Uuid;
/** It says its text back word by word. */
export const SLOW = env["SLOW"] as Uuid;

/** How long a test may take that waits for something to come. */
export const SOON = { timeout: 10_000 };

export const anybody = (): Uuid => randomUUID();

/** One request over ElizaOS's contract, which must succeed. */
export async function ask(method: string, path: string, body?: Json): Promise<Json> {
  const headers = { "X-API-Key": KEY, "Content-Type": "application/json" };
  const request = { method, headers, body: body ? JSON.stringify(body) : null };
  const answer = await fetch(`${URL}/api/messaging/sessions${path}`, request);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Json;
}

/** Open a session, and return its id. */
export async function opened(agentId = ECHO, timeoutConfig: Json = {}): Promise<string> {
  const body = { agentId, userId: anybody(), timeoutConfig };
  return (await ask("POST", "", body))["sessionId"] as string;
}

/** A socket that keeps everything it hears. */
export class Listener {
  readonly socket: Socket;
  readonly heard: [name: string, data: Json][] = [];
  private wake = (): void => {};

  constructor(auth: Json, options: Partial<ManagerOptions & SocketOptions> = {}) {
    this.socket = io(URL, { auth, transports: ["websocket"], forceNew: true, ...options });
    this.socket.onAny((name: string, data: Json) => this.hear(name, data));
    this.socket.on("connect_error", ({ message }) => this.hear("connect_error", { message }));
  }

  private hear(name: string, data: Json): void {
    this.heard.push([name, data]);
    this.wake();
  }

  all(name: string): Json[] {
    return this.heard.filter(([each]) => each === name).map(([, data]) => data);
  }

  /** The first event of this name that has these values, as soon as it is there. */
  async until(name: string, values: Json = {}): Promise<Json> {
    const fits = (data: Json) => Object.entries(values).every(([key, value]) => data[key] === value);
    for (;;) {
      const found = this.all(name).find(fits);
      if (found) return found;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  close(): void {
    this.socket.close();
  }
}

/** Open a session that lives shortly, and wait until its room is told that it has expired. */
export async function expired(): Promise<string> {
  const sessionId = await opened(ECHO, { timeoutMinutes: 0.02 });
  const listener = new Listener({ apiKey: KEY });
  listener.socket.emit("join", { roomId: sessionId });
  await listener.until("sessionExpired", { sessionId });
  listener.close();
  return sessionId;
}

type Refused = Error & { status?: number | undefined; code: string };

/** Checks that an error is a refusal with this status and code, and a sentence. */
export function refusedWith(
  kind: abstract new (...from: never[]) => Refused,
  status: number,
  code: string,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof kind, String(error));
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.match(error.message, /\w+ \w+ \w+/);
    return true;
  };
}
