/**
 * The terminal osv-vm was started on. Raw mode is left again however the process ends: Node restores the settings it
 * found at exit and on the signals that end it.
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as tty from "node:tty";
import type { HostStream } from "../../kernel/host.ts";
import { NodeInput, NodeOutput } from "./node-stdio.ts";

/** How often a process in the background looks whether it has come to the front. */
const FOREGROUND_CHECK_MS = 200;

/** A descriptor for output that is a terminal. */
export class NodeTerminalOutput extends NodeOutput {
  override readonly isTerminal = true;
  private stream: tty.WriteStream | undefined;

  private get writeStream(): tty.WriteStream {
    // Only asked for its size; bytes go to the descriptor.
    this.stream ??=
      this.fd === 1 && process.stdout instanceof tty.WriteStream
        ? process.stdout
        : new tty.WriteStream(this.fd);
    return this.stream;
  }

  size(): { rows: number; columns: number } {
    const { rows, columns } = this.writeStream;
    return { rows: rows || 24, columns: columns || 80 };
  }

  onResize(listener: () => void): void {
    this.writeStream.on("resize", listener);
  }
}

/** The keyboard. Bytes written here go to its screen. */
export class NodeTerminalInput implements HostStream {
  readonly isTerminal = true;
  private opened = false;
  private raw = false;
  private stopWaiting = (): void => {};

  constructor(private readonly screen: NodeTerminalOutput) {}

  stat() {
    return this.screen.stat();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.screen.write(bytes);
  }

  size(): { rows: number; columns: number } {
    return this.screen.size();
  }

  onResize(listener: () => void): void {
    this.screen.onResize(listener);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    if (isForeground()) {
      this.open(listener);
      return;
    }
    // Reading now would stop us (SIGTTIN). The timer also keeps the process alive for a program that waits for input.
    const check = (): void => {
      if (!isForeground()) return;
      this.stopWaiting();
      if (this.raw) this.applyRaw();
      this.open(listener);
    };
    const timer = setInterval(check, FOREGROUND_CHECK_MS);
    process.on("SIGCONT", check);
    this.stopWaiting = () => {
      clearInterval(timer);
      process.off("SIGCONT", check);
    };
  }

  private open(listener: (bytes: Uint8Array) => void): void {
    this.opened = true;
    process.stdin.on("data", listener);
    process.stdin.on("end", () => listener(new Uint8Array(0)));
    process.stdin.on("error", () => listener(new Uint8Array(0)));
  }

  pause(): void {
    if (this.opened) process.stdin.pause();
  }

  resume(): void {
    if (this.opened) process.stdin.resume();
  }

  setRaw(raw: boolean): void {
    this.raw = raw;
    if (isForeground()) this.applyRaw();
  }

  private applyRaw(): void {
    const { stdin } = process;
    if (!(stdin instanceof tty.ReadStream)) return;
    stdin.setRawMode(this.raw);
    // Node's raw mode leaves the host translating "\n" to "\r\n", which is our line discipline's decision.
    if (this.raw) spawnSync("stty", ["-opost"], { stdio: [0, "ignore", "ignore"] });
  }

  dispose(): void {
    this.stopWaiting();
    if (this.raw) this.setRaw(false);
    if (!this.opened) return;
    process.stdin.removeAllListeners("data");
    process.stdin.pause();
    process.stdin.unref?.();
  }
}

/**
 * Is our process group the foreground group of our controlling terminal (proc(5), stat: fields pgrp and tpgid)? Without
 * a controlling terminal (-1) there is no background, either.
 */
function isForeground(): boolean {
  try {
    const stat = fs.readFileSync("/proc/self/stat", "latin1");
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foreground || foreground === "-1";
  } catch {
    return true;
  }
}

/** The standard streams of this process, some of which are terminals. */
export function openTerminals() {
  const stdout = tty.isatty(1) ? new NodeTerminalOutput(1) : new NodeOutput(1);
  const stderr = tty.isatty(2) ? new NodeTerminalOutput(2) : new NodeOutput(2);
  /** Where the terminal of standard input shows things. */
  const screen = (): NodeTerminalOutput => {
    if (stdout instanceof NodeTerminalOutput) return stdout;
    if (stderr instanceof NodeTerminalOutput) return stderr;
    return new NodeTerminalOutput(0);
  };
  const input = tty.isatty(0) ? new NodeTerminalInput(screen()) : new NodeInput(0);
  return { stdout, stderr, input };
}
