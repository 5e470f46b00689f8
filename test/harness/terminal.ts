/** A real terminal: tmux runs a command in one, and a test types and reads the screen. */

import { execFileSync } from "node:child_process";

let count = 0;

interface TerminalOptions {
  columns?: number;
  rows?: number;
  /** A shell command that runs when the first has ended. */
  afterwards?: string;
}

export class Terminal {
  readonly #socket = `osv-vm-test-${process.pid}-${count++}`;

  /**
   * Starts a command in a terminal of its own; the pane stays when it ends, and shows its status. (Ctrl-C reaches the
   * shell that does that as well, which must not die of it.)
   */
  constructor(command: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, rows = 24, afterwards = ":" } = options;
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    this.#tmux(
      ["-f", "/dev/null", "new-session", "-d", "-x", String(columns), "-y", String(rows)],
      [`trap : INT QUIT; ${quoted}; printf '\\n[status %d]\\n' $?; ${afterwards}; exec sleep 3600`],
    );
    this.#tmux(["set-option", "-g", "status", "off"]);
    this.#tmux(["set-option", "-s", "escape-time", "0"]);
    this.resize(columns, rows);
  }

  /** Types a text as it is. */
  type(text: string): void {
    this.#tmux(["send-keys", "-l", "--", text]);
  }

  /** Presses keys by tmux' names: Enter, Escape, C-c, Up, BSpace, PageDown … */
  press(...keys: string[]): void {
    this.#tmux(["send-keys", ...keys]);
  }

  resize(columns: number, rows: number): void {
    this.#tmux(["resize-window", "-x", String(columns), "-y", String(rows)]);
  }

  /** The lines on the screen, without spaces at their ends. */
  screen(): string[] {
    const lines = this.#tmux(["capture-pane", "-p"]).split("\n");
    return lines.map((line) => line.trimEnd());
  }

  /** The screen's lines with colours as escape sequences. */
  colouredScreen(): string {
    return this.#tmux(["capture-pane", "-p", "-e"]);
  }

  /** Column and row of the cursor, from 0. */
  cursor(): string {
    return this.#tmux(["display-message", "-p", "#{cursor_x},#{cursor_y}"]).trim();
  }

  /**
   * Waits until the screen matches.
   * @throws with the screen as it is then
   */
  async waitFor(pattern: RegExp | string, milliseconds = 20_000): Promise<string[]> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const lines = this.screen();
      const text = lines.join("\n");
      if (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text)) return lines;
      if (performance.now() > deadline) {
        throw new Error(`${pattern} did not appear in ${milliseconds} ms; the screen is:\n${text.trimEnd()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until nothing has changed for a while; returns the screen. */
  async settle(milliseconds = 400): Promise<string[]> {
    let before = "";
    let quietSince = performance.now();
    const deadline = quietSince + 20_000;
    for (;;) {
      const lines = this.screen();
      const now = `${lines.join("\n")}${this.cursor()}`;
      if (now !== before) {
        before = now;
        quietSince = performance.now();
      }
      if (performance.now() - quietSince >= milliseconds || performance.now() > deadline) return lines;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    this.#tmux(["kill-server"]);
  }

  #tmux(parameters: string[], command: string[] = []): string {
    return execFileSync("tmux", ["-L", this.#socket, ...parameters, ...command], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C.UTF-8", SHELL: "/bin/sh", TMUX: "" },
    });
  }
}
