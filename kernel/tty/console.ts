/**
 * The console: a terminal on the host's terminal.
 *
 * Keys are read from the moment the console is started, as a real terminal takes keys that nobody waits for yet: Ctrl-C
 * must reach a program that never reads.
 */

import type { Host, HostStream } from "../host.ts";
import type { Kernel } from "../kernel.ts";
import { Terminal, type TerminalDriver } from "./terminal.ts";
import { InputFlag } from "./termios.ts";

/** Keys that may wait for a program to read before the host is asked to hold more back. */
const INPUT_HIGH_WATER = 65536;
const UNLIMITED_ROOM = 65536;

export const CONSOLE_RDEV = (5 << 8) | 1;

/** @returns undefined when the host has given us no terminal at all */
export function openConsole(kernel: Kernel): Terminal | undefined {
  const { host } = kernel;
  const screen = [host.stdout, host.stderr, host.stdin].find(
    (stream) => stream.isTerminal && stream.write !== undefined,
  );
  if (screen === undefined) return undefined;
  return startConsole(kernel, screen, host);
}

function startConsole(kernel: Kernel, screen: HostStream, host: Host): Terminal {
  const driver = new ConsoleDriver(screen, host.stdin.isTerminal ? host.stdin : undefined);
  const terminal = new Terminal(kernel, "console", CONSOLE_RDEV, driver);
  terminal.termios.inputFlags |= InputFlag.IUTF8;
  driver.start(terminal);
  return terminal;
}

class ConsoleDriver implements TerminalDriver {
  private terminal: Terminal | undefined;
  /** The host wants us to slow down. */
  private busy = false;
  private paused = false;

  constructor(
    private readonly screen: HostStream,
    private readonly keyboard: HostStream | undefined,
  ) {}

  start(terminal: Terminal): void {
    this.terminal = terminal;
    const resize = (): void => {
      const size = this.screen.size?.();
      if (size !== undefined) terminal.resize({ ...size, xPixels: 0, yPixels: 0 });
    };
    resize();
    this.screen.onResize?.(resize);
    this.keyboard?.setRaw?.(true);
    this.keyboard?.onData?.((bytes) => {
      terminal.receive(bytes);
      if (terminal.held > INPUT_HIGH_WATER && !this.paused && this.keyboard?.pause !== undefined) {
        this.paused = true;
        this.keyboard.pause();
      }
    });
  }

  room(): number {
    return this.busy ? 0 : UNLIMITED_ROOM;
  }

  write(bytes: Uint8Array): void {
    try {
      const slow = this.screen.write?.(bytes);
      if (slow === undefined) return;
      this.busy = true;
      const ready = (): void => {
        this.busy = false;
        this.terminal?.outputReady();
      };
      slow.then(ready, ready);
    } catch {
      // The host's terminal is gone; so is what we wanted to show on it.
    }
  }

  inputDrained(): void {
    if (!this.paused || (this.terminal?.held ?? 0) > INPUT_HIGH_WATER / 2) return;
    this.paused = false;
    this.keyboard?.resume?.();
  }
}
