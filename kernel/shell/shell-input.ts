/** Where the shell's commands come from: a terminal with line editing, or a script. */

import type { Thread } from "../sched/thread.ts";
import type { Terminal } from "../tty/terminal.ts";
import { ControlCharacter, InputFlag, LocalFlag, type Termios } from "../tty/termios.ts";
import { decodeName } from "../vfs/names.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { History } from "./history.ts";
import { type Completion, type EditResult, LineEditor } from "./line-editor.ts";
import { writeAll } from "./output.ts";

export interface ShellInput {
  /** A line without its end, Ctrl-C, or the end of the input. */
  readLine(prompt: string): Promise<EditResult>;
}

const NEWLINE = 10;

/** A script: read byte by byte, as what follows a command may be the command's input. */
export class ScriptInput implements ShellInput {
  constructor(
    private readonly thread: Thread,
    private readonly file: OpenFile,
  ) {}

  async readLine(): Promise<EditResult> {
    const bytes: number[] = [];
    const buffer = new Uint8Array(1);
    for (;;) {
      const n = await this.file.read(this.thread, buffer);
      if (n <= 0) return bytes.length === 0 ? { kind: "end" } : line(bytes);
      if (buffer[0] === NEWLINE) return line(bytes);
      bytes.push(buffer[0]);
    }
  }
}

function line(bytes: readonly number[]): EditResult {
  return { kind: "line", text: decodeName(Uint8Array.from(bytes)) };
}

export interface TerminalInputOptions {
  readonly thread: Thread;
  readonly terminal: Terminal;
  readonly stdin: OpenFile;
  readonly stdout: OpenFile;
  readonly history: History;
  readonly complete: (line: string, cursor: number) => Completion;
}

export class TerminalInput implements ShellInput {
  private readonly editor: LineEditor;
  private readonly buffer = new Uint8Array(4096);
  private pending = "";

  constructor(private readonly options: TerminalInputOptions) {
    const { terminal, history, complete } = options;
    this.editor = new LineEditor({
      history,
      complete,
      columns: () => terminal.windowSize.columns || 80,
      write: (text) => {
        this.pending += text;
      },
    });
  }

  async readLine(prompt: string): Promise<EditResult> {
    const { terminal, thread, stdin } = this.options;
    const cooked = terminal.termios.clone();
    terminal.setAttributes(rawForEditing(cooked));
    const stopListening = terminal.resized.listen(() => {
      this.editor.resize();
      void this.flush();
    });
    try {
      let result = this.editor.start(prompt);
      for (;;) {
        await this.flush();
        if (result !== undefined) return result;
        const n = await stdin.read(thread, this.buffer);
        // The terminal is gone, or a signal wants the shell to end.
        if (n <= 0) return { kind: "end" };
        result = this.editor.feed(this.buffer.subarray(0, n));
      }
    } finally {
      stopListening();
      terminal.setAttributes(cooked);
    }
  }

  private async flush(): Promise<void> {
    const text = this.pending;
    this.pending = "";
    if (text === "") return;
    try {
      await writeAll(this.options.thread, this.options.stdout, new TextEncoder().encode(text));
    } catch {
      // A terminal that is gone: reading from it will tell.
    }
  }
}

/** Every key comes at once and unechoed; output stays as programs are used to it. */
function rawForEditing(cooked: Termios): Termios {
  const raw = cooked.clone();
  raw.inputFlags &= ~(
    InputFlag.ICRNL |
    InputFlag.INLCR |
    InputFlag.IGNCR |
    InputFlag.ISTRIP |
    InputFlag.IXON
  );
  raw.localFlags &= ~(
    LocalFlag.ICANON |
    LocalFlag.ECHO |
    LocalFlag.ECHONL |
    LocalFlag.ISIG |
    LocalFlag.IEXTEN
  );
  raw.characters[ControlCharacter.VMIN] = 1;
  raw.characters[ControlCharacter.VTIME] = 0;
  return raw;
}
