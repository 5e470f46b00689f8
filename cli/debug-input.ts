/**
 * Standard input, shared by the guest and the debugger's prompt: while the guest runs, keys are its own, but for the one
 * that interrupts it. Input that is no terminal is all for the prompt.
 */

import type { HostStream } from "../kernel/host.ts";

const CTRL_C = 0x03;

export class DebugInput implements HostStream {
  readonly isTerminal: boolean;
  /** Who gets what is typed. */
  forPrompt = true;
  /** Ctrl-C while the guest runs; undefined if it is the guest's. */
  onInterrupt: (() => void) | undefined;
  /** What comes for the prompt; an empty array is the end. */
  onPromptData: (bytes: Uint8Array) => void = () => {};
  private guest: ((bytes: Uint8Array) => void) | undefined;
  private isOpen = false;

  constructor(private readonly stream: HostStream) {
    this.isTerminal = stream.isTerminal;
  }

  /** Starts to read. */
  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    if (this.isTerminal) this.stream.setRaw?.(true);
    this.stream.onData?.((bytes) => this.take(bytes));
  }

  private take(bytes: Uint8Array): void {
    if (this.forPrompt || !this.isTerminal || bytes.length === 0) this.onPromptData(bytes);
    else if (this.onInterrupt !== undefined && bytes.includes(CTRL_C)) this.onInterrupt();
    else this.guest?.(bytes);
  }

  // ---- what the guest sees ----

  onData(listener: (bytes: Uint8Array) => void): void {
    this.guest = listener;
    if (!this.isTerminal) listener(new Uint8Array(0));
    this.open();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.stream.write?.(bytes);
  }

  size(): { rows: number; columns: number } {
    return this.stream.size?.() ?? { rows: 24, columns: 80 };
  }

  onResize(listener: () => void): void {
    this.stream.onResize?.(listener);
  }

  stat() {
    if (this.stream.stat === undefined) throw new Error("standard input has no state");
    return this.stream.stat();
  }
}
