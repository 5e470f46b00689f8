/** COM1 of a machine on this process's standard input and output. */

import { type Saveable, type SavedState, StateReader } from "../devices/saved-state.ts";
import type { SerialBackend } from "../devices/uart16550.ts";
import type { HostStream } from "../kernel/host.ts";

/** What may wait to be read by the guest before the terminal is not read any more. */
const INPUT_LIMIT = 65536;
const OUTPUT_CHUNK = 4096;

/** Where typed bytes go: the serial port, or the keyboard. */
export interface TypedBytes {
  /** @returns how many have been taken */
  receive(bytes: Uint8Array): number;
}

export class SerialConsole implements SerialBackend, Saveable {
  private readonly output = new Uint8Array(OUTPUT_CHUNK);
  private length = 0;
  private input = new Uint8Array(0);
  private target: TypedBytes | undefined;
  private isPaused = false;
  /** The host's output is full. */
  private waiting: Promise<void> | undefined;
  /** Bytes that the guest has sent. */
  sent = 0;
  /** Sees every byte that the guest sends. */
  onByte: ((byte: number) => void) | undefined;

  constructor(
    private readonly stdin: HostStream,
    private readonly stdout: HostStream,
    private readonly onOutputClosed: () => void,
  ) {}

  connect(target: TypedBytes): void {
    this.target = target;
  }

  transmit(byte: number): void {
    this.output[this.length++] = byte;
    this.sent++;
    this.onByte?.(byte);
    if (this.length === OUTPUT_CHUNK) void this.flush();
  }

  /** Hands what was sent to the host. A promise comes back when the host wants us to wait. */
  flush(): Promise<void> | undefined {
    if (this.input.length > 0) this.receiverReady(); // the guest may have turned from the keyboard to the port
    if (this.length === 0) return this.waiting;
    const bytes = this.output.slice(0, this.length);
    this.length = 0;
    try {
      const written = this.stdout.write?.(bytes);
      if (written === undefined) return this.waiting;
      const waiting = written
        .catch(() => this.onOutputClosed())
        .finally(() => {
          if (this.waiting === waiting) this.waiting = undefined;
        });
      this.waiting = waiting;
    } catch {
      this.onOutputClosed();
    }
    return this.waiting;
  }

  /** Typed bytes for the guest. */
  type(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.input.length + bytes.length);
    joined.set(this.input);
    joined.set(bytes, this.input.length);
    this.input = joined;
    this.receiverReady();
    if (this.input.length > INPUT_LIMIT && !this.isPaused) {
      this.isPaused = true;
      this.stdin.pause?.();
    }
  }

  receiverReady(): void {
    if (this.input.length === 0) return;
    const taken = this.target?.receive(this.input) ?? 0;
    this.input = this.input.subarray(taken);
    if (this.isPaused && this.input.length < INPUT_LIMIT / 2) {
      this.isPaused = false;
      this.stdin.resume?.();
    }
  }

  /** What was typed and is not yet read. (What was sent is flushed before a machine is saved.) */
  save(): SavedState {
    return { version: 1, input: this.input.slice() };
  }

  restore(saved: SavedState): void {
    // The UART asks for it, or is asked to take it when more is typed.
    this.input = new StateReader("the console", saved, 1).bytes("input").slice();
  }
}
