/**
 * The debugger's prompt without its terminal: takes command lines, gives text. cli/ and the tests put a terminal or a pipe
 * around it.
 */

import { ElfCodeError } from "../elf-code.ts";
import { findMonitorCommand } from "../gdb/monitor.ts";
import { parseNumber } from "../numbers.ts";
import { registerNamed } from "../registers.ts";
import { LoadedFiles } from "../symbols/loaded-files.ts";
import type { StopEvent, Target } from "../target.ts";
import { CodeView } from "./code-view.ts";
import type { Command } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import { COMMANDS } from "./commands.ts";
import { Displays } from "./displays.ts";
import { ExpressionError, evaluate, type Names } from "./expression.ts";
import type { Format } from "./memory-format.ts";
import { RegisterPane } from "./register-pane.ts";
import { RunControl } from "./run-control.ts";
import { showStack } from "./stack-view.ts";
import { describeStop } from "./stop-text.ts";
import type { Style } from "./style.ts";

/** What the prompt asks of the world. */
export interface PromptHost {
  /** A file of the host; undefined if there is none. */
  readFile(path: string): Uint8Array | undefined;
  /** Opens a file of the host for writing. @throws Error with a sentence */
  writeFile(path: string): { write(text: string): void; close(): void };
  /** Types into the guest's console; absent where it has none. */
  type?(text: string): void;
}

export interface DebuggerOptions {
  readonly target: Target;
  readonly host: PromptHost;
  readonly style: Style;
  readonly print: (text: string) => void;
  /** Shows registers and code at every stop, not only the place. */
  readonly showsPane: boolean;
}

const COMPLETIONS = 200;

export class Debugger {
  readonly target: Target;
  readonly host: PromptHost;
  readonly style: Style;
  readonly files: LoadedFiles;
  readonly control: RunControl;
  readonly code: CodeView;
  readonly pane: RegisterPane;
  readonly print: (text: string) => void;
  /** What every stop shows: the place; registers and code; the stack and the callers, too. */
  shownPane: "off" | "on" | "full";
  readonly displays = new Displays(this);
  /** Set by `quit`. */
  isDone = false;
  /** Where the next `disassemble` and `memory` without an address go on. */
  nextCode: number | undefined;
  nextMemory: number | undefined;
  memoryFormat: Format | undefined;
  nextStack: number | undefined;
  nextSource: { readonly file: string; readonly line: number } | undefined;
  /** The frame that `frame`, `up` and `down` have chosen. */
  frame = 0;
  /** Ctrl-C while a command does many things. */
  isInterrupted = false;
  private readonly sources = new Map<string, readonly string[] | undefined>();
  private lastLine = "";

  constructor(options: DebuggerOptions) {
    const { target, host, style, print } = options;
    this.target = target;
    this.host = host;
    this.style = style;
    this.print = print;
    this.shownPane = options.showsPane ? "on" : "off";
    this.files = new LoadedFiles(target);
    this.files.refresh();
    this.control = new RunControl(target, this.files, (condition) => this.isMet(condition));
    this.pane = new RegisterPane(style);
    this.code = new CodeView({
      target,
      files: this.files,
      style,
      sourceLine: (file, line) => this.sourceLine(file, line),
      hasBreakpoint: (address) => this.control.hasBreakpoint(address),
    });
  }

  /** The guest has ended: there is nothing left but to quit. */
  get isOver(): boolean {
    return this.control.isOver;
  }

  /** Executes one line. An empty line repeats the last command, if that makes sense. */
  async execute(line: string): Promise<void> {
    this.isInterrupted = false;
    const text = line.trim() === "" ? this.lastLine : line.trim();
    this.lastLine = "";
    if (text === "" || text.startsWith("#")) return;
    const { name, words, rest } = parseLine(text);
    const command = findCommand(name);
    try {
      if (command === undefined) {
        if (!this.runMonitor([...name.split(" "), ...words]))
          throw new CommandFailure(`there is no command ${name}; try: help`);
        return;
      }
      if (typeof command === "string") throw new CommandFailure(command);
      if (this.isOver && command.needsGuest) throw new CommandFailure("the guest has ended");
      if (command.repeats) this.lastLine = command.repeats === "bare" ? name : text;
      await command.run(this, words, rest);
    } catch (error) {
      const isExpected =
        error instanceof CommandFailure || error instanceof ExpressionError || error instanceof ElfCodeError;
      if (!isExpected) throw error;
      this.print(`${this.style.paint(error.message, "red")}\n`);
    }
  }

  /** The target's own commands. */
  runMonitor(words: readonly string[]): boolean {
    const found = findMonitorCommand(this.target, words);
    if (found === undefined) return false;
    // Addresses may be expressions here.
    const parameters = found.parameters.map((word) =>
      parseNumber(word) === undefined ? `0x${this.evaluate(word).toString(16)}` : word,
    );
    this.print(found.command.run(parameters));
    return true;
  }

  /** Words that may stand at the end of a line. */
  complete(line: string): string[] {
    const words = line.split(/\s+/);
    const last = words.at(-1) ?? "";
    if (words.length === 1) return commandNames(this.target).filter((name) => name.startsWith(last));
    if (words[0] === "help" && words.length === 2)
      return COMMANDS.map(({ name }) => name).filter((name) => name.startsWith(last));
    const stem = /[A-Za-z_$][\w.$]*$/.exec(last)?.[0] ?? "";
    if (stem === "") return [];
    const before = last.slice(0, last.length - stem.length);
    if (stem.startsWith("$")) {
      const names = REGISTERS.filter((name) => name.startsWith(stem.slice(1)));
      return names.map((name) => `${before}$${name}`);
    }
    return this.files.symbols.completions(stem, COMPLETIONS).map((name) => before + name);
  }

  // ---- values ----

  private readonly names: Names = {
    register: (name) => this.control.register(name),
    symbol: (name) => {
      const symbol = this.files.symbols.named(name);
      return symbol === undefined ? undefined : BigInt(symbol.address);
    },
    line: (file, line) => {
      const address = this.files.addressOfLine(file, line);
      return address === undefined ? undefined : BigInt(address);
    },
    size: (name) => {
      const symbol = this.files.symbols.named(name);
      return symbol === undefined || symbol.isCode || symbol.size === 0 ? undefined : symbol.size;
    },
    load: (address, size) => {
      const bytes = this.target.readMemory(Number(BigInt.asIntN(64, address)), size);
      if (bytes.length < size) return undefined;
      return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    },
  };

  /** @throws ExpressionError */
  evaluate(text: string): bigint {
    return evaluate(text, this.names);
  }

  /** Can it be evaluated, if all memory is there? @throws ExpressionError */
  check(text: string): void {
    evaluate(text, { ...this.names, load: () => 0n });
  }

  /** An address, as engines have it. */
  address(text: string): number {
    return Number(BigInt.asIntN(64, this.evaluate(text)));
  }

  /** A count or a length. */
  count(text: string, most: number): number {
    const value = Number(this.evaluate(text));
    if (value < 1 || value > most) throw new CommandFailure(`${text}: from 1 to ${most}, please`);
    return value;
  }

  /** Sets a register of the chosen thread. */
  setRegister(name: string, value: bigint): void {
    const file = this.target.registers(this.control.thread);
    const spec = registerNamed(name);
    if (file === undefined || spec === undefined) throw new CommandFailure(`there is no register ${name}`);
    if (!spec.write(file, value)) throw new CommandFailure(`${name} cannot be set`);
  }

  // ---- what is shown ----

  sourceLine(file: string, line: number): string | undefined {
    if (!this.sources.has(file)) {
      const bytes = this.host.readFile(file);
      this.sources.set(file, bytes === undefined ? undefined : new TextDecoder().decode(bytes).split("\n"));
    }
    return this.sources.get(file)?.[line - 1]?.replaceAll("\t", "    ");
  }

  /** Shows a stop. */
  showStop(event: StopEvent | undefined): void {
    this.files.refresh();
    if (event === undefined) return;
    this.print(describeStop(this, event));
    this.control.noteHits(event);
    this.nextCode = undefined;
    this.nextStack = undefined;
    this.nextSource = undefined;
    this.frame = 0;
    if (!this.isOver) this.showPlace();
  }

  /** Registers and code, or the instruction alone. */
  showPlace(): void {
    const { control } = this;
    const file = this.target.registers(control.thread);
    if (file === undefined) return;
    if (this.shownPane === "off") this.print(this.code.from(control.rip, 1, control.rip));
    else {
      this.print(this.pane.render(file));
      this.print(this.code.around(control.rip, 2, 4));
    }
    if (this.shownPane === "full") {
      showStack(this, control.stack.rsp, PANE_WORDS);
      let number = 0;
      for (const { address, kind } of control.frames()) {
        if (number === PANE_FRAMES) break;
        this.print(`#${number++}${kind === "guess" ? "?" : " "} ${this.code.place(address)}\n`);
      }
    }
    this.displays.show();
  }

  /** Breakpoints ask whether their conditions are met. What cannot be evaluated stops, and says why. */
  private isMet(condition: string): boolean {
    try {
      return this.evaluate(condition) !== 0n;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.print(`${this.style.paint(`if ${condition}: ${error.message}`, "red")}\n`);
      return true;
    }
  }
}

const PANE_WORDS = 6;
const PANE_FRAMES = 4;
const REGISTERS = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags".split(" ");

function commandNames(target: Target): string[] {
  return [...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]), ...target.monitor.keys()].filter(
    (name) => name.length > 2,
  );
}

/** A command's name may have two words ("info registers"), and a format behind it ("x/8gx"). */
function parseLine(text: string): { name: string; words: string[]; rest: string } {
  const double = /^(\S+)\s+(\S+)/.exec(text);
  const pair = double === null ? "" : `${double[1]} ${double[2]}`;
  const isPair = COMMANDS.some(({ aliases }) => aliases.includes(pair));
  const first = isPair ? pair : (/^[^\s/]+/.exec(text)?.[0] ?? text);
  const rest = text.slice(isPair ? (double?.[0].length ?? 0) : first.length).trim();
  return { name: first, words: rest.split(/\s+/).filter((word) => word !== ""), rest };
}

/** By name, alias, or an unmistakable beginning. @returns a sentence if it could be several */
function findCommand(name: string): Command | string | undefined {
  for (const command of COMMANDS) if (command.name === name || command.aliases.includes(name)) return command;
  const found = COMMANDS.filter((command) => command.name.startsWith(name));
  if (found.length > 1) return `${name} could be ${found.map((command) => command.name).join(", ")}`;
  return found[0];
}
