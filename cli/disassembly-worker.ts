/**
 * Disassembly in a thread of its own, for a process that is being debugged: the disassembler is WebAssembly, and a
 * debugger that steps into the next piece of guest code would stop in it on the way.
 */

import { dirname, join } from "node:path";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { builtFile } from "./built-file.ts";
import { createInstructionText } from "./crash-disassembly.ts";
import { DISASSEMBLY_THREAD } from "./disassembly-thread.ts";

/** What the two threads share: who is to act, lengths, the address, and bytes or text. */
const Word = { Turn: 0, Length: 1 } as const;
const ADDRESS = 8;
const CONTENT = 16;
const SIZE = 1024;
const Turn = { Asking: 0, Answering: 1 } as const;

class Exchange {
  readonly words: Int32Array;
  readonly address: Float64Array;
  readonly content: Uint8Array;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.address = new Float64Array(buffer, ADDRESS, 1);
    this.content = new Uint8Array(buffer, CONTENT);
  }

  put(bytes: Uint8Array): void {
    const length = Math.min(bytes.length, this.content.length);
    this.content.set(bytes.subarray(0, length));
    this.words[Word.Length] = length;
  }

  take(): Uint8Array {
    return this.content.slice(0, this.words[Word.Length]);
  }

  /** The other thread's turn, until it is this one's again. */
  pass(to: number): void {
    Atomics.store(this.words, Word.Turn, to);
    Atomics.notify(this.words, Word.Turn);
    while (Atomics.load(this.words, Word.Turn) === to) Atomics.wait(this.words, Word.Turn, to);
  }
}

/** @returns the text of the instruction that bytes begin with */
export async function createInstructionTextThread(): Promise<(code: Uint8Array, rip: number) => string> {
  const exchange = new Exchange(new SharedArrayBuffer(SIZE));
  const command = join(dirname(builtFile("cli.cjs")), "../osv-vm.js");
  const worker = new Worker(command, {
    env: { ...process.env, [DISASSEMBLY_THREAD]: "1" },
    execArgv: [],
    workerData: { disassembly: exchange.buffer },
  });
  await new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  worker.unref();
  return (code, rip) => {
    exchange.put(code);
    exchange.address[0] = rip;
    exchange.pass(Turn.Answering);
    // No TextDecoder, for the same reason: it is JavaScript of Node's. Disassembly is ASCII.
    return String.fromCharCode(...exchange.take());
  };
}

/** What the thread does: it does not return. */
export async function serveDisassembly(): Promise<void> {
  const exchange = new Exchange(workerData.disassembly);
  const textOf = await createInstructionText();
  const encoder = new TextEncoder();
  parentPort?.postMessage("ready");
  Atomics.wait(exchange.words, Word.Turn, Turn.Asking);
  for (;;) {
    exchange.put(encoder.encode(textOf(exchange.take(), exchange.address[0])));
    exchange.pass(Turn.Asking);
  }
}
