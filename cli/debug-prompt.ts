/** `osv-vm debug`: the prompt on this terminal, or on a pipe. */

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { PassThrough } from "node:stream";
import { ElfCodeError } from "../debug/elf-code.ts";
import { Debugger } from "../debug/prompt/debugger.ts";
import { Style } from "../debug/prompt/style.ts";
import type { Target } from "../debug/target.ts";
import { CommandError } from "./command-error.ts";
import type { DebugInput } from "./debug-input.ts";
import type { NodeHost } from "./host/node-host.ts";

const PROMPT = "(osv-vm) ";
/** Text is written to a trace file in pieces of about this size. */
const PIECE = 1 << 16;

export interface PromptOptions {
  readonly target: Target;
  readonly host: NodeHost;
  readonly input: DebugInput;
  /** Files whose symbols are read at the start. */
  readonly symbols: readonly string[];
  /** Types into the guest's console, if it has one of its own. */
  readonly type?: (text: string) => void;
  /** The line that tells how to get back to the prompt. */
  readonly greeting: string;
}

export class DebugPrompt {
  private readonly debug: Debugger;
  private readonly lines: string[] = [];
  private hasEnded = false;
  private wake: (() => void) | undefined;
  private readonly keys: PassThrough | undefined;
  private editor: Interface | undefined;
  private pending = "";
  private isBusy = false;

  /** @throws CommandError for a file of symbols that cannot be read */
  constructor(private readonly options: PromptOptions) {
    const { target, input, host } = options;
    const { isTerminal } = input;
    const colours = isTerminal && host.stdout.isTerminal && process.env.NO_COLOR === undefined;
    this.debug = new Debugger({
      target,
      host: {
        readFile: readHostFile,
        writeFile: writeHostFile,
        ...(options.type !== undefined && { type: options.type }),
      },
      style: new Style(colours, () => (host.stdout.isTerminal ? input.size().columns : 100)),
      print: (text) => this.print(text),
      showsPane: isTerminal,
    });
    for (const path of options.symbols) {
      const bytes = readHostFile(path);
      if (bytes === undefined) throw new CommandError(`--symbols ${path}: cannot be read`);
      try {
        this.debug.files.add(bytes, 0);
      } catch (error) {
        if (!(error instanceof ElfCodeError)) throw error;
        throw new CommandError(`--symbols ${path}: ${error.message}`);
      }
    }
    if (isTerminal) this.keys = new PassThrough();
    input.onPromptData = (bytes) => this.receive(bytes);
  }

  private print(text: string): void {
    const shown = this.options.host.stdout.isTerminal ? text.replaceAll("\n", "\r\n") : text;
    void this.options.host.stdout.write(new TextEncoder().encode(shown));
  }

  private receive(bytes: Uint8Array): void {
    if (this.keys !== undefined) {
      if (this.isBusy && bytes.includes(CTRL_C)) this.interrupt();
      else if (bytes.length === 0) this.keys.end();
      else this.keys.write(bytes);
      return;
    }
    if (bytes.length === 0) {
      if (this.pending !== "") this.lines.push(this.pending);
      this.hasEnded = true;
    } else {
      const parts = (this.pending + new TextDecoder().decode(bytes)).split("\n");
      this.pending = parts.pop() ?? "";
      this.lines.push(...parts);
    }
    this.wake?.();
  }

  /** Stops what is going on. */
  interrupt(): void {
    this.debug.isInterrupted = true;
    this.options.target.interrupt();
  }

  /** Takes commands until `quit`, `detach`, or the end of input. */
  async run(): Promise<void> {
    const { input, greeting } = this.options;
    input.open();
    if (input.isTerminal) this.print(`${greeting}\n`);
    this.debug.showPlace();
    while (!this.debug.isDone) {
      const line = await this.readLine();
      if (line === undefined) {
        await this.debug.execute("quit");
        break;
      }
      this.isBusy = true;
      input.forPrompt = false;
      await this.debug.execute(line);
      input.forPrompt = true;
      this.isBusy = false;
    }
    input.forPrompt = false;
    this.editor?.close();
  }

  private async readLine(): Promise<string | undefined> {
    if (this.keys !== undefined) return this.editLine(this.keys);
    while (this.lines.length === 0) {
      if (this.hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const line = this.lines.shift() ?? "";
    this.print(`${PROMPT}${line}\n`);
    return line;
  }

  private editLine(keys: PassThrough): Promise<string | undefined> {
    this.editor ??= createInterface({
      input: keys,
      output: process.stdout,
      terminal: true,
      historySize: 1000,
      removeHistoryDuplicates: true,
      completer: (line: string) => [this.debug.complete(line), line.split(/\s+/).at(-1) ?? ""],
    });
    const { editor } = this;
    return new Promise((resolve) => {
      const finish = (line: string | undefined): void => {
        editor.off("line", finish);
        editor.off("close", onClose);
        editor.off("SIGINT", onInterrupt);
        resolve(line);
      };
      const onClose = (): void => finish(undefined);
      const onInterrupt = (): void => {
        // As shells do: the line is given up.
        this.print("^C\n");
        editor.write(null, { ctrl: true, name: "e" });
        editor.write(null, { ctrl: true, name: "u" });
        editor.prompt();
      };
      editor.on("line", finish);
      editor.on("close", onClose);
      editor.on("SIGINT", onInterrupt);
      editor.setPrompt(PROMPT);
      editor.prompt();
    });
  }
}

const CTRL_C = 0x03;

function readHostFile(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function writeHostFile(path: string) {
  const file = openSync(path, "w");
  let text = "";
  const flush = (): void => {
    writeSync(file, text);
    text = "";
  };
  return {
    write(part: string): void {
      text += part;
      if (text.length >= PIECE) flush();
    },
    close(): void {
      flush();
      closeSync(file);
    },
  };
}
