/**
 * One gdb at the other end of a connection: answers its packets ("Debugging with GDB", appendix E). All-stop mode, threads
 * without processes. What a client sends is never trusted: what is malformed gets an error, what is unknown an empty reply.
 */

import type { RegisterSpec } from "../registers.ts";
import type { StopEvent, Target } from "../target.ts";
import { runMonitor } from "./monitor.ts";
import {
  bytesOf,
  bytesOfHex,
  encodePacket,
  escapeBinary,
  hexOf,
  PACKET_SIZE,
  PacketReader,
  parseAddress,
  parseHex,
  textOf,
} from "./packet.ts";
import { valueBytes, valueFrom } from "./register-packets.ts";
import { RemoteFiles } from "./remote-files.ts";
import { parseContinue, parseThread, type ResumeRequest } from "./resume-packets.ts";
import { linuxSignal } from "./signals.ts";
import { StopPointTable } from "./stop-point-table.ts";
import { type ClientFeatures, stopReply } from "./stop-reply.ts";
import { registersOf, targetDescription } from "./target-description.ts";

const OK = "OK";
const UNKNOWN = "";
/** Errors have numbers without a meaning. */
const BAD_REQUEST = "E01";
const NO_MEMORY_THERE = "E0e";
const NO_THREAD = "E03";
const MOST_READ = PACKET_SIZE / 2;
/** qSearch:memory reads so much at once, and so much in all. */
const SEARCH_CHUNK = 65536;
const MOST_SEARCHED = 1 << 30;
const SUPPORTED = [
  `PacketSize=${PACKET_SIZE.toString(16)}`,
  "QStartNoAckMode+",
  "qXfer:features:read+",
  "qXfer:threads:read+",
  "swbreak+",
  "hwbreak+",
  "vContSupported+",
  "QPassSignals+",
  "exec-events+",
];

export class GdbSession {
  private readonly reader = new PacketReader();
  private readonly points: StopPointTable;
  private readonly files: RemoteFiles;
  private readonly specs: readonly RegisterSpec[];
  private readonly description: string;
  private acknowledges = true;
  private lastSent = "";
  /** Hg and Hc; 0 is the thread that stopped. */
  private generalThread = 0;
  private continueThread = 0;
  /** gdb waits for a stop reply. */
  private waits = false;
  private lastStop: StopEvent | undefined;
  private features: ClientFeatures = { swbreak: false, exec: false };
  private isClosed = false;

  /**
   * @param send bytes for the client
   * @param close ends the connection
   */
  constructor(
    private readonly target: Target,
    private readonly send: (bytes: Uint8Array) => void,
    private readonly close: () => void,
  ) {
    this.points = new StopPointTable(target);
    this.files = new RemoteFiles(target);
    this.specs = registersOf(target);
    this.description = targetDescription(target);
    target.onStop = (event) => this.stopped(event);
  }

  /** Bytes from the client. */
  receive(bytes: Uint8Array): void {
    for (const incoming of this.reader.read(bytes)) {
      if (this.isClosed) return;
      switch (incoming.kind) {
        case "interrupt":
          this.target.interrupt();
          break;
        case "bad packet":
          if (this.acknowledges) this.sendText("-");
          break;
        case "not acknowledged":
          if (this.acknowledges) this.sendText(this.lastSent);
          break;
        case "packet":
          if (this.acknowledges) this.sendText("+");
          this.handle(incoming.payload);
          break;
      }
    }
  }

  /** The connection is gone: nothing is left in the guest. */
  disconnected(): void {
    this.isClosed = true;
    this.points.clear();
    this.target.passSignals(ALL_SIGNALS);
    this.target.onStop = () => {};
  }

  private sendText(text: string): void {
    if (!this.isClosed) this.send(bytesOf(text));
  }

  private reply(payload: string): void {
    this.lastSent = encodePacket(payload);
    this.sendText(this.lastSent);
  }

  private stopped(event: StopEvent): void {
    this.lastStop = event;
    if ("thread" in event) this.generalThread = event.thread;
    if (!this.waits) return;
    this.waits = false;
    this.reply(stopReply(this.target, event, this.features));
  }

  private handle(packet: string): void {
    const answer = this.answer(packet);
    if (answer !== undefined) this.reply(answer);
  }

  /** @returns the reply; undefined if there is none, or not yet */
  private answer(packet: string): string | undefined {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "?":
        return this.reason();
      case "q":
        return this.query(packet);
      case "Q":
        return this.set(packet);
      case "v":
        return this.verbose(packet);
      case "H":
        return this.chooseThread(rest);
      case "T":
        return this.target.threads().some(({ id }) => id === parseThread(rest)) ? OK : NO_THREAD;
      case "g":
        return this.readRegisters();
      case "G":
        return this.writeRegisters(rest);
      case "p":
        return this.readRegister(rest);
      case "P":
        return this.writeRegister(rest);
      case "m":
        return this.readMemory(rest);
      case "M":
      case "X":
        return this.writeMemory(packet[0], rest);
      case "c":
      case "s":
      case "C":
      case "S":
        return this.goOn(packet[0], rest);
      case "Z":
      case "z":
        return this.changePoint(packet[0], rest);
      case "D":
        this.points.clear();
        this.target.detach();
        return OK;
      case "k":
        this.target.kill();
        this.isClosed = true;
        this.close();
        return undefined;
      default:
        return UNKNOWN;
    }
  }

  // ---- stops ----

  private reason(): string | undefined {
    if (this.target.isRunning) {
      this.waits = true;
      this.target.interrupt();
      return undefined;
    }
    const event: StopEvent = this.lastStop ?? { kind: "step", thread: this.target.currentThread };
    return stopReply(this.target, event, this.features);
  }

  private resume({ threads, others }: ResumeRequest): undefined {
    this.waits = true;
    const { lastStop } = this;
    if (lastStop?.kind === "exited" || lastStop?.kind === "killed") this.stopped(lastStop);
    else this.target.resume(threads, others);
  }

  /** The old packets: an address to go on at, and a signal, may stand behind. */
  private goOn(kind: string, rest: string): string | undefined {
    const [first = "", second] = kind === "C" || kind === "S" ? rest.split(";") : ["", rest];
    const signal = first === "" ? undefined : parseHex(first);
    if ((kind === "C" || kind === "S") && signal === undefined) return BAD_REQUEST;
    const thread = this.continueThread > 0 ? this.continueThread : this.target.currentThread;
    if (second !== undefined && second !== "") {
      const address = parseAddress(second);
      const file = this.target.registers(thread);
      const rip = this.specs.find(({ name }) => name === "rip");
      if (address === undefined || file === undefined) return BAD_REQUEST;
      rip?.write(file, BigInt(address));
    }
    const how = {
      ...(kind.toLowerCase() === "s" && { step: true as const }),
      ...(signal !== undefined && { signal: linuxSignal(signal) }),
    };
    return this.resume({ threads: new Map([[thread, how]]), others: {} });
  }

  private verbose(packet: string): string | undefined {
    if (packet === "vCont?") return "vCont;c;C;s;S;r";
    if (packet.startsWith("vCont;")) {
      const request = parseContinue(packet.slice("vCont;".length));
      return request === undefined ? BAD_REQUEST : this.resume(request);
    }
    if (packet === "vCtrlC") {
      this.target.interrupt();
      return OK;
    }
    if (packet.startsWith("vFile:")) return this.files.answer(packet.slice("vFile:".length));
    if (packet.startsWith("vKill;")) {
      this.reply(OK);
      this.target.kill();
      return undefined;
    }
    return UNKNOWN; // vMustReplyEmpty too
  }

  private changePoint(kind: string, rest: string): string {
    const [type = "", addressText = "", lengthText = ""] = rest.split(";")[0].split(",");
    const address = parseAddress(addressText);
    const length = parseHex(lengthText);
    if (address === undefined || length === undefined) return BAD_REQUEST;
    const done =
      kind === "Z" ? this.points.insert(type, address, length) : this.points.remove(type, address, length);
    return done === undefined ? UNKNOWN : done ? OK : BAD_REQUEST;
  }

  // ---- threads ----

  private chooseThread(rest: string): string {
    const thread = parseThread(rest.slice(1));
    if (thread === undefined) return BAD_REQUEST;
    if (thread > 0 && !this.target.threads().some(({ id }) => id === thread)) return NO_THREAD;
    if (rest[0] === "g") this.generalThread = thread;
    else if (rest[0] === "c") this.continueThread = thread;
    else return UNKNOWN;
    return OK;
  }

  private get thread(): number {
    return this.generalThread > 0 ? this.generalThread : this.target.currentThread;
  }

  private threadsDocument(): string {
    const list = this.target.threads().map(({ id, name, state }) => {
      return `<thread id="${id.toString(16)}" core="0" name="${escapeXml(name)}">${escapeXml(state)}</thread>`;
    });
    return `<?xml version="1.0"?><threads>${list.join("")}</threads>`;
  }

  // ---- registers ----

  private readRegisters(): string {
    const file = this.target.registers(this.thread);
    if (file === undefined) return NO_THREAD;
    return this.specs.map((spec) => hexOf(valueBytes(spec, file))).join("");
  }

  private writeRegisters(rest: string): string {
    const file = this.target.registers(this.thread);
    const bytes = bytesOfHex(rest);
    if (file === undefined) return NO_THREAD;
    if (bytes === undefined) return BAD_REQUEST;
    let at = 0;
    for (const spec of this.specs) {
      const length = spec.bits / 8;
      if (at + length > bytes.length) break;
      const value = valueFrom(bytes.subarray(at, at + length));
      if (spec.read(file) !== value) spec.write(file, value);
      at += length;
    }
    return OK;
  }

  private readRegister(rest: string): string {
    const spec = this.specs[parseHex(rest) ?? -1];
    const file = this.target.registers(this.thread);
    if (spec === undefined) return BAD_REQUEST;
    return file === undefined ? NO_THREAD : hexOf(valueBytes(spec, file));
  }

  private writeRegister(rest: string): string {
    const [number = "", value = ""] = rest.split("=");
    const spec = this.specs[parseHex(number) ?? -1];
    const bytes = bytesOfHex(value);
    const file = this.target.registers(this.thread);
    if (spec === undefined || bytes === undefined || bytes.length !== spec.bits / 8) return BAD_REQUEST;
    if (file === undefined) return NO_THREAD;
    return spec.write(file, valueFrom(bytes)) ? OK : BAD_REQUEST;
  }

  // ---- memory ----

  private readMemory(rest: string): string {
    const [addressText = "", lengthText = ""] = rest.split(",");
    const address = parseAddress(addressText);
    const length = parseHex(lengthText);
    if (address === undefined || length === undefined) return BAD_REQUEST;
    const bytes = this.target.readMemory(address, Math.min(length, MOST_READ));
    return bytes.length === 0 && length > 0 ? NO_MEMORY_THERE : hexOf(bytes);
  }

  private writeMemory(kind: string, rest: string): string {
    const colon = rest.indexOf(":");
    const [addressText = "", lengthText = ""] = rest.slice(0, Math.max(0, colon)).split(",");
    const address = parseAddress(addressText);
    const length = parseHex(lengthText);
    const data = rest.slice(colon + 1);
    const bytes = kind === "X" ? bytesOf(data) : bytesOfHex(data);
    if (address === undefined || bytes === undefined || bytes.length !== length) return BAD_REQUEST;
    return length === 0 || this.target.writeMemory(address, bytes) ? OK : NO_MEMORY_THERE;
  }

  /** qSearch:memory:address;length;pattern */
  private search(rest: string): string {
    const [addressText = "", lengthText = ""] = rest.split(";", 2);
    const pattern = bytesOf(rest.slice(addressText.length + lengthText.length + 2));
    const address = parseAddress(addressText);
    const length = parseHex(lengthText);
    if (address === undefined || length === undefined || length > MOST_SEARCHED || pattern.length === 0)
      return BAD_REQUEST;
    if (pattern.length > SEARCH_CHUNK / 2) return BAD_REQUEST;
    const needle = textOf(pattern);
    for (let done = 0; done + pattern.length <= length; done += SEARCH_CHUNK - pattern.length + 1) {
      const wanted = Math.min(SEARCH_CHUNK, length - done);
      const bytes = this.target.readMemory(address + done, wanted);
      const at = textOf(bytes).indexOf(needle);
      if (at >= 0) return `1,${BigInt.asUintN(64, BigInt(address + done + at)).toString(16)}`;
      if (bytes.length < wanted) return done === 0 && bytes.length === 0 ? NO_MEMORY_THERE : "0";
    }
    return "0";
  }

  // ---- queries and settings ----

  private query(packet: string): string | undefined {
    if (packet.startsWith("qSupported")) return this.supported(packet);
    if (packet.startsWith("qXfer:")) return this.transfer(packet.slice("qXfer:".length));
    if (packet.startsWith("qRcmd,")) return this.monitor(packet.slice("qRcmd,".length));
    if (packet.startsWith("qSearch:memory:")) return this.search(packet.slice("qSearch:memory:".length));
    if (packet.startsWith("qThreadExtraInfo,")) {
      const id = parseThread(packet.slice("qThreadExtraInfo,".length));
      const thread = this.target.threads().find((one) => one.id === id);
      if (thread === undefined) return NO_THREAD;
      return hexOf(new TextEncoder().encode(`${thread.name} ${thread.state}`));
    }
    switch (packet.split(":", 1)[0]) {
      case "qC":
        return `QC${this.target.currentThread.toString(16)}`;
      case "qfThreadInfo":
        return `m${this.target
          .threads()
          .map(({ id }) => id.toString(16))
          .join()}`;
      case "qsThreadInfo":
        return "l";
      case "qAttached":
        // What gdb does when it quits: a machine goes on, a program is killed.
        return this.target.kind === "machine" ? "1" : "0";
      case "qSymbol":
        return OK;
      default:
        return UNKNOWN;
    }
  }

  private supported(packet: string): string {
    this.features = { swbreak: packet.includes("swbreak+"), exec: packet.includes("exec-events+") };
    const { target } = this;
    const more = [
      ...(target.auxiliaryVector === undefined ? [] : ["qXfer:auxv:read+"]),
      ...(target.openFile === undefined ? [] : ["qXfer:exec-file:read+"]),
    ];
    return [...SUPPORTED, ...more].join(";");
  }

  /** object:read:annex:offset,length */
  private transfer(request: string): string {
    const [object, operation, annex, range = ""] = request.split(":");
    if (operation !== "read") return UNKNOWN;
    const [offset, length] = range.split(",").map(parseHex);
    if (offset === undefined || length === undefined) return BAD_REQUEST;
    const content = this.object(object, annex);
    if (content === undefined) return annex === "" || annex === "target.xml" ? UNKNOWN : "E00";
    const part = content.slice(offset, offset + Math.min(length, MOST_READ));
    return `${offset + part.length < content.length ? "m" : "l"}${escapeBinary(part)}`;
  }

  private object(object: string, annex = ""): string | undefined {
    const { target } = this;
    switch (object) {
      case "features":
        return annex === "target.xml" ? this.description : undefined;
      case "threads":
        return textOf(new TextEncoder().encode(this.threadsDocument()));
      case "auxv": {
        const vector = target.auxiliaryVector?.();
        return vector === undefined ? undefined : textOf(vector);
      }
      case "exec-file":
        return target.executable === undefined
          ? undefined
          : textOf(new TextEncoder().encode(target.executable));
      default:
        return undefined;
    }
  }

  private monitor(hex: string): string {
    const command = bytesOfHex(hex);
    if (command === undefined) return BAD_REQUEST;
    const text = textOf(new TextEncoder().encode(runMonitor(this.target, new TextDecoder().decode(command))));
    for (let at = 0; at < text.length; at += MOST_READ / 2)
      this.reply(`O${hexOf(bytesOf(text.slice(at, at + MOST_READ / 2)))}`);
    return OK;
  }

  private set(packet: string): string {
    if (packet === "QStartNoAckMode") {
      // This one is still acknowledged.
      this.acknowledges = false;
      return OK;
    }
    if (packet.startsWith("QPassSignals:")) {
      const list = packet.slice("QPassSignals:".length);
      const numbers = list === "" ? [] : list.split(";").map(parseHex);
      if (numbers.includes(undefined)) return BAD_REQUEST;
      this.target.passSignals(new Set(numbers.map((number) => linuxSignal(number ?? 0))));
      return OK;
    }
    return UNKNOWN;
  }
}

const ALL_SIGNALS: ReadonlySet<number> = new Set(Array.from({ length: 65 }, (_, signal) => signal));

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replace(/\p{Cc}/gu, "?");
}
