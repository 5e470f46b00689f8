/**
 * A debugger of JavaScript, as DevTools is one: the Chrome DevTools Protocol over a WebSocket (RFC 6455). Node 20 has no
 * client for either.
 */

import { createHash, randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";

/** RFC 6455, 1.3 and 5.2. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const FIN_TEXT = 0x81;
const FIN_CLOSE = 0x88;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class InspectorClient {
  private readonly events = new EventEmitter();
  private readonly answers = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  private nextId = 1;
  private received = Buffer.alloc(0);
  /** Text of a message whose end has not come yet. */
  private partial = "";

  private constructor(private readonly socket: Socket) {
    socket.on("data", (data: Buffer) => this.receive(data));
    socket.on("error", () => undefined);
  }

  /** @param url what Node prints: ws://127.0.0.1:9229/… */
  static connect(url: string): Promise<InspectorClient> {
    const key = randomBytes(16).toString("base64");
    const { promise, resolve, reject } = withResolvers<InspectorClient>();
    const upgrade = request(url.replace(/^ws:/, "http:"), {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
      },
    });
    upgrade.on("upgrade", (response, socket, head) => {
      const expected = createHash("sha1").update(`${key}${ACCEPT_GUID}`).digest("base64");
      if (response.headers["sec-websocket-accept"] !== expected) reject(new Error("not a WebSocket server"));
      const client = new InspectorClient(socket as Socket);
      client.receive(head);
      resolve(client);
    });
    upgrade.on("error", reject);
    upgrade.end();
    return promise;
  }

  /** Calls a method of the protocol. */
  call<Result>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Result> {
    const id = this.nextId++;
    const { promise, resolve, reject } = withResolvers<unknown>();
    this.answers.set(id, { resolve, reject });
    this.socket.write(frame(JSON.stringify({ id, method, params })));
    return promise as Promise<Result>;
  }

  /** Calls a method and waits for the next event of a name. */
  async until<Event>(
    event: string,
    method: string,
    params: Readonly<Record<string, unknown>> = {},
  ): Promise<Event> {
    const { promise, resolve } = withResolvers<unknown>();
    this.events.once(event, resolve);
    await this.call(method, params);
    return (await promise) as Event;
  }

  on<Event>(event: string, listener: (event: Event) => void): void {
    this.events.on(event, listener);
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const { received } = this;
      if (received.length < 2) return;
      const short = received[1] & 0x7f;
      const head = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
      if (received.length < head) return;
      const length =
        short === LENGTH_64
          ? Number(received.readBigUInt64BE(2))
          : short === LENGTH_16
            ? received.readUInt16BE(2)
            : short;
      if (received.length < head + length) return;
      const isText = received[0] !== FIN_CLOSE;
      const isLast = (received[0] & 0x80) !== 0;
      this.partial += isText ? received.toString("utf8", head, head + length) : "";
      this.received = received.subarray(head + length);
      if (!isLast) continue;
      const text = this.partial;
      this.partial = "";
      if (text !== "") this.dispatch(JSON.parse(text) as Message);
    }
  }

  private dispatch({ id, method, params, result, error }: Message): void {
    if (id === undefined) {
      this.events.emit(String(method), params);
      return;
    }
    const answer = this.answers.get(id);
    this.answers.delete(id);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(new Error(error.message));
  }
}

/** A masked text frame: clients mask (5.3). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const length =
    payload.length < LENGTH_16
      ? [MASKED | payload.length]
      : [MASKED | LENGTH_16, payload.length >> 8, payload.length & 0xff];
  if (payload.length > 0xffff) throw new Error("a request of more than 64 KiB");
  return Buffer.concat([
    Buffer.from([FIN_TEXT, ...length]),
    mask,
    payload.map((byte, index) => byte ^ mask[index & 3]),
  ]);
}

function withResolvers<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
