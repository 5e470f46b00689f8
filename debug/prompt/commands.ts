/** The commands of the prompt. */

import { hexDump } from "../hex-dump.ts";
import { hexAddress } from "../numbers.ts";
import { ALL_REGISTERS, describeFlags, type RegisterGroup, SYSTEM_REGISTERS } from "../registers.ts";
import type { StopEvent, WatchAccess } from "../target.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";
import { traceToFile } from "./trace-file.ts";

export interface Command {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly description: string;
  /** An empty line does it again: with the same words, or going on without. */
  readonly repeats?: "same" | "bare";
  /** Makes no sense when the guest has ended. */
  readonly needsGuest: boolean;
  run(debug: Debugger, words: readonly string[], rest: string): void | Promise<void>;
}

const MOST_COUNT = 10_000_000;
const MOST_BYTES = 1 << 20;
const GROUPS: readonly RegisterGroup[] = ["general", "segment", "x87", "sse", "avx", "system"];

function isStep(event: StopEvent | undefined): boolean {
  return event?.kind === "step";
}

/** Does something several times, as long as nothing comes in between; shows where that leads. */
async function times(
  debug: Debugger,
  text: string | undefined,
  step: () => Promise<StopEvent>,
): Promise<void> {
  let count = text === undefined ? 1 : debug.count(text, MOST_COUNT);
  let event: StopEvent | undefined;
  while (count-- > 0 && !debug.isInterrupted) {
    event = await step();
    if (!isStep(event)) break;
  }
  debug.showStop(event);
}

function watchCommand(name: string, access: WatchAccess, what: string): Command {
  return {
    name,
    aliases: [],
    usage: `${name} ADDRESS [LENGTH]`,
    description: `stop behind instructions that ${what} memory (8 bytes)`,
    needsGuest: true,
    run(debug, words) {
      const [text, length] = splitLength(debug, words);
      if (text === "") throw new CommandFailure(`usage: ${this.usage}`);
      const point = debug.control.add(access, debug.address(text), { length, text });
      debug.print(`${name} ${point.number}: ${point.length} bytes at 0x${hexAddress(point.address)}\n`);
    },
  };
}

/** An address expression, and behind it perhaps a length. */
function splitLength(debug: Debugger, words: readonly string[], usual = 8): [text: string, length: number] {
  const last = words.at(-1) ?? "";
  if (words.length < 2 || !/^(0x[0-9a-f]+|\d+)$/i.test(last)) return [words.join(" "), usual];
  // `a + 8` is one expression.
  if (/[-+*/%&|^~(<>]$/.test(words.at(-2) ?? "")) return [words.join(" "), usual];
  return [words.slice(0, -1).join(" "), debug.count(last, MOST_BYTES)];
}

/** Where a breakpoint on this goes: behind the prologue of functions with line numbers. */
function breakAddress(debug: Debugger, text: string): number {
  const symbol = debug.files.symbols.named(text);
  return symbol === undefined ? debug.address(text) : debug.files.bodyOf(symbol);
}

function showRegisters(debug: Debugger, group: RegisterGroup): void {
  const { target, control } = debug;
  const file = target.registers(control.thread);
  if (file === undefined) return;
  if (group === "system" && file.system === undefined)
    throw new CommandFailure("programs have no such registers");
  const list = group === "system" ? SYSTEM_REGISTERS : ALL_REGISTERS.filter((spec) => spec.group === group);
  for (const spec of list) {
    const value = spec.read(file);
    const digits = value.toString(16).padStart(spec.bits / 4, "0");
    const more =
      spec.name === "eflags"
        ? describeFlags(Number(value))
        : group === "general"
          ? (debug.files.describe(Number(BigInt.asIntN(64, value))) ?? String(BigInt.asIntN(64, value)))
          : "";
    debug.print(
      `${debug.style.paint(spec.name.padEnd(9), "cyan")} ${digits}  ${more}`.trimEnd().concat("\n"),
    );
  }
}

export const COMMANDS: readonly Command[] = [
  {
    name: "help",
    aliases: ["h", "?"],
    usage: "help [COMMAND]",
    description: "this list, or what one command does",
    needsGuest: false,
    run(debug, [name]) {
      const { style, target } = debug;
      if (name !== undefined) {
        const command = COMMANDS.find((one) => one.name === name || one.aliases.includes(name));
        if (command === undefined) throw new CommandFailure(`there is no command ${name}`);
        const others = command.aliases.length === 0 ? "" : ` (also: ${command.aliases.join(", ")})`;
        debug.print(`${style.paint(command.usage, "bold")}${others}\n    ${command.description}\n`);
        return;
      }
      const row = (usage: string, description: string) =>
        debug.print(`${style.paint(usage.padEnd(27), "cyan")} ${description}\n`);
      for (const { usage, description } of COMMANDS) row(usage, description);
      for (const { usage, description } of target.monitor.values()) row(usage, description);
      debug.print(
        "\nADDRESS is an expression: 0x401000, main+8, file.c:12, $rsp, *($rsp+8). A beginning of a command\nis enough where it can be no other; an empty line repeats the last step.\n",
      );
    },
  },
  {
    name: "continue",
    aliases: ["c"],
    usage: "continue",
    description: "go on; Ctrl-C stops again",
    repeats: "same",
    needsGuest: true,
    async run(debug) {
      debug.showStop(await debug.control.continue(lastSignal(debug)));
    },
  },
  {
    name: "step",
    aliases: ["s"],
    usage: "step [COUNT]",
    description: "to another source line, into calls; without lines an instruction",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.line(true)),
  },
  {
    name: "next",
    aliases: ["n"],
    usage: "next [COUNT]",
    description: "as step, over calls",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.line(false)),
  },
  {
    name: "stepi",
    aliases: ["si"],
    usage: "stepi [COUNT]",
    description: "one instruction",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.stepInstruction()),
  },
  {
    name: "nexti",
    aliases: ["ni"],
    usage: "nexti [COUNT]",
    description: "one instruction; a call with all that it calls",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.nextInstruction()),
  },
  {
    name: "finish",
    aliases: ["fin"],
    usage: "finish",
    description: "until this function has returned",
    needsGuest: true,
    async run(debug) {
      const event = await debug.control.finish();
      if (event === undefined) throw new CommandFailure("nobody knows where this function returns to");
      debug.showStop(event);
      if (isStep(event)) debug.print(`returned 0x${hexAddress(debug.control.register("rax") ?? 0n)}\n`);
    },
  },
  {
    name: "until",
    aliases: ["u"],
    usage: "until ADDRESS",
    description: "run on to an address",
    needsGuest: true,
    async run(debug, _words, rest) {
      if (rest === "") throw new CommandFailure(`usage: ${this.usage}`);
      debug.showStop(await debug.control.runTo(breakAddress(debug, rest)));
    },
  },
  {
    name: "break",
    aliases: ["b"],
    usage: "break [ADDRESS]",
    description: "stop before an instruction; here without an address",
    needsGuest: true,
    run(debug, _words, rest) {
      const address = rest === "" ? debug.control.rip : breakAddress(debug, rest);
      const point = debug.control.add("breakpoint", address, { text: rest });
      debug.print(`breakpoint ${point.number}: ${debug.code.place(address)}\n`);
    },
  },
  watchCommand("watch", "write", "change"),
  watchCommand("rwatch", "read", "read"),
  watchCommand("awatch", "access", "read or write"),
  {
    name: "breakpoints",
    aliases: ["info breakpoints", "bl"],
    usage: "breakpoints",
    description: "the breakpoints and watchpoints, and how often each was met",
    needsGuest: false,
    run(debug) {
      const { breakpoints } = debug.control;
      if (breakpoints.size === 0) debug.print("none\n");
      for (const { number, kind, address, length, hits } of breakpoints.values()) {
        const what = kind === "breakpoint" ? "break" : kind === "write" ? "watch" : kind;
        const bytes = kind === "breakpoint" ? "" : `, ${length} bytes`;
        debug.print(
          `${String(number).padStart(3)}  ${what.padEnd(6)} ${debug.code.place(address)}${bytes}, ${hits} hits\n`,
        );
      }
    },
  },
  {
    name: "delete",
    aliases: [],
    usage: "delete [NUMBER]",
    description: "take out a breakpoint or watchpoint, or all",
    needsGuest: false,
    run(debug, words) {
      const { control } = debug;
      if (words.length === 0) for (const number of [...control.breakpoints.keys()]) control.delete(number);
      for (const word of words)
        if (!control.delete(Number(word))) throw new CommandFailure(`there is no breakpoint ${word}`);
    },
  },
  {
    name: "registers",
    aliases: ["r", "regs"],
    usage: "registers [GROUP]",
    description: `what registers hold: ${GROUPS.join(", ")}, or all`,
    needsGuest: true,
    run(debug, [name]) {
      if (name === undefined) {
        const file = debug.target.registers(debug.control.thread);
        if (file !== undefined) debug.print(debug.pane.render(file));
        return;
      }
      const groups =
        name === "all"
          ? GROUPS.filter((group) => group !== "system" || debug.target.kind === "machine")
          : GROUPS.filter((group) => group === name);
      if (groups.length === 0) throw new CommandFailure(`the groups are: ${GROUPS.join(", ")}, all`);
      for (const group of groups) showRegisters(debug, group);
    },
  },
  {
    name: "disassemble",
    aliases: ["d", "u/i"],
    usage: "disassemble [ADDRESS [COUNT]]",
    description: "instructions from an address on, or around here; again: the next ones",
    repeats: "bare",
    needsGuest: true,
    run(debug, words) {
      const { control, code } = debug;
      if (words.length === 0 && debug.nextCode === undefined) {
        debug.print(code.around(control.rip, 5, 10));
        debug.nextCode =
          code.instructionsAt(control.rip, 11)[10] &&
          Number(BigInt.asIntN(64, code.instructionsAt(control.rip, 11)[10].address));
        return;
      }
      const [text, count] = splitLength(debug, words, 10);
      const address = text === "" ? (debug.nextCode ?? control.rip) : debug.address(text);
      debug.print(code.from(address, count, control.rip));
      const behind = code.instructionsAt(address, count + 1)[count];
      debug.nextCode = behind === undefined ? undefined : Number(BigInt.asIntN(64, behind.address));
    },
  },
  {
    name: "memory",
    aliases: ["x", "m"],
    usage: "memory ADDRESS [LENGTH]",
    description: "memory as bytes (64); again: what follows",
    repeats: "bare",
    needsGuest: true,
    run(debug, words) {
      const [text, length] = splitLength(debug, words, 64);
      const address = text === "" ? debug.nextMemory : debug.address(text);
      if (address === undefined) throw new CommandFailure(`usage: ${this.usage}`);
      const bytes = debug.target.readMemory(address, length);
      debug.print(hexDump(bytes, address));
      if (bytes.length < length)
        throw new CommandFailure(`no memory at 0x${hexAddress(address + bytes.length)}`);
      debug.nextMemory = address + length;
    },
  },
  {
    name: "print",
    aliases: ["p"],
    usage: "print EXPRESSION",
    description: "a value: in hexadecimal, decimal, and the symbol that it is",
    needsGuest: false,
    run(debug, _words, rest) {
      const value = debug.evaluate(rest);
      const signed = BigInt.asIntN(64, value);
      const name = debug.files.describe(Number(signed));
      const text = name === undefined ? "" : ` <${name}>`;
      debug.print(`0x${value.toString(16)} = ${signed}${signed === value ? "" : ` = ${value}`}${text}\n`);
    },
  },
  {
    name: "set",
    aliases: [],
    usage: "set $REGISTER|*ADDRESS = VALUE",
    description: "change a register, or eight bytes of memory (b:, w:, d: before * for 1, 2, 4)",
    needsGuest: true,
    run(debug, _words, rest) {
      const match = /^(?:\$(\w+)|([bwdq]:)?\*(.+?))\s*=(.+)$/.exec(rest);
      if (match === null) throw new CommandFailure(`usage: ${this.usage}`);
      const [, register, size = "q:", place = "", expression = ""] = match;
      const value = debug.evaluate(expression);
      if (register !== undefined) {
        debug.setRegister(register, value);
        return;
      }
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      const address = debug.address(place);
      const length = { "b:": 1, "w:": 2, "d:": 4 }[size] ?? 8;
      if (!debug.target.writeMemory(address, bytes.subarray(0, length)))
        throw new CommandFailure(`there is no memory to write to at 0x${hexAddress(address)}`);
    },
  },
  {
    name: "backtrace",
    aliases: ["bt", "where"],
    usage: "backtrace",
    description: "who called whom, by frame pointers; marked ? if only found on the stack",
    needsGuest: true,
    run(debug) {
      let number = 0;
      for (const { address, isGuess } of debug.control.frames()) {
        // A return address belongs to the call before it.
        const place =
          number === 0
            ? debug.code.place(address)
            : debug.code.place(address - 1).replace(/^0x\w+/, `0x${hexAddress(address)}`);
        debug.print(`#${number}${isGuess ? "?" : " "} ${place}\n`);
        number++;
      }
    },
  },
  {
    name: "threads",
    aliases: [],
    usage: "threads",
    description: "all threads, the chosen one marked",
    needsGuest: true,
    run(debug) {
      for (const { id, name, state } of debug.target.threads()) {
        const mark = id === debug.control.thread ? "→" : " ";
        debug.print(
          `${mark} ${String(id).padStart(4)}  ${name.padEnd(16)} ${state.padEnd(20)} ${debug.code.place(debug.target.linearRip(id))}\n`,
        );
      }
    },
  },
  {
    name: "thread",
    aliases: [],
    usage: "thread NUMBER",
    description: "choose the thread that commands are about",
    needsGuest: true,
    run(debug, [text = ""]) {
      const id = Number(text);
      if (!debug.target.threads().some((thread) => thread.id === id))
        throw new CommandFailure(`there is no thread ${text}`);
      debug.control.thread = id;
      debug.showPlace();
    },
  },
  {
    name: "signal",
    aliases: [],
    usage: "signal NUMBER",
    description: "go on with another signal than the one that stopped; 0: with none",
    needsGuest: true,
    async run(debug, [text = ""]) {
      if (!/^\d+$/.test(text) || Number(text) > 64) throw new CommandFailure(`usage: ${this.usage}`);
      debug.showStop(await debug.control.continue(Number(text)));
    },
  },
  {
    name: "symbols",
    aliases: ["file"],
    usage: "symbols FILE [OFFSET]",
    description: "read the symbols of an ELF file or a System.map of this host",
    needsGuest: false,
    run(debug, [path, ...offset]) {
      if (path === undefined) throw new CommandFailure(`usage: ${this.usage}`);
      const bytes = debug.host.readFile(path);
      if (bytes === undefined) throw new CommandFailure(`${path}: cannot be read`);
      const count = debug.files.add(bytes, offset.length === 0 ? 0 : debug.address(offset.join(" ")));
      debug.print(`${count.toLocaleString("en")} symbols\n`);
    },
  },
  {
    name: "lookup",
    aliases: ["sym"],
    usage: "lookup PATTERN",
    description: "symbols whose names match a regular expression",
    needsGuest: false,
    run(debug, [text = ""]) {
      let pattern: RegExp;
      try {
        pattern = new RegExp(text);
      } catch {
        throw new CommandFailure(`${text}: is no regular expression`);
      }
      let shown = 0;
      for (const { name, address } of debug.files.symbols.matching(pattern)) {
        if (shown++ === 100) {
          debug.print("…\n");
          break;
        }
        debug.print(`${hexAddress(address)}  ${name}\n`);
      }
      if (shown === 0) debug.print("none\n");
    },
  },
  {
    name: "trace",
    aliases: [],
    usage: "trace FILE [COUNT]",
    description: "step, and write each instruction with the registers that it changes to a file",
    needsGuest: true,
    run: (debug, [path, count]) =>
      traceToFile(debug, path, count === undefined ? MOST_COUNT : debug.count(count, MOST_COUNT)),
  },
  {
    name: "type",
    aliases: [],
    usage: "type TEXT",
    description: "type a line into the guest's console",
    needsGuest: true,
    run(debug, _words, rest) {
      if (debug.host.type === undefined) throw new CommandFailure("this guest has no console");
      debug.host.type(`${rest}\n`);
    },
  },
  {
    name: "pane",
    aliases: [],
    usage: "pane on|off",
    description: "show registers and code at every stop",
    needsGuest: false,
    run(debug, [word]) {
      if (word !== "on" && word !== "off") throw new CommandFailure(`usage: ${this.usage}`);
      debug.showsPane = word === "on";
    },
  },
  {
    name: "detach",
    aliases: [],
    usage: "detach",
    description: "take out all breakpoints, and let the guest run to its end",
    needsGuest: true,
    async run(debug) {
      for (const number of [...debug.control.breakpoints.keys()]) debug.control.delete(number);
      debug.target.detach();
      debug.isDone = true;
    },
  },
  {
    name: "quit",
    aliases: ["q", "exit", "kill"],
    usage: "quit",
    description: "end the guest and leave",
    needsGuest: false,
    run(debug) {
      debug.isDone = true;
      if (!debug.isOver) debug.target.kill();
    },
  },
];

/** The signal that the guest has stopped for goes on with it. */
function lastSignal(debug: Debugger): number {
  const { last } = debug.control;
  return last?.kind === "signal" ? last.signal : 0;
}
