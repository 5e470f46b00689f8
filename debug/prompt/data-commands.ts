/** Commands about what there is: registers, memory, code, the stack. */

import { hexDump } from "../hex-dump.ts";
import { hexAddress } from "../numbers.ts";
import {
  ALL_REGISTERS,
  describeFlags,
  type RegisterGroup,
  type RegisterSpec,
  registerNamed,
  SYSTEM_REGISTERS,
} from "../registers.ts";
import { type Command, misused, splitLength } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";
import { examine, type Format, formatValue, parseFormat } from "./memory-format.ts";
import { showStack } from "./stack-view.ts";

const GROUPS: readonly RegisterGroup[] = ["general", "segment", "x87", "sse", "avx", "system"];
const USUAL_FORMAT: Format = { count: 1, size: 8, letter: "x" };
const MOST_SEARCHED = 1 << 30;
const SEARCH_CHUNK = 65536;
const MOST_FOUND = 100;

function showGroup(debug: Debugger, group: RegisterGroup): void {
  if (group === "system" && debug.target.kind === "program")
    throw new CommandFailure("programs have no such registers");
  const list = group === "system" ? SYSTEM_REGISTERS : ALL_REGISTERS.filter((spec) => spec.group === group);
  showRegisters(debug, list);
}

function showRegisters(debug: Debugger, list: readonly RegisterSpec[]): void {
  const file = debug.target.registers(debug.control.thread);
  if (file === undefined) return;
  for (const spec of list) {
    const value = spec.read(file);
    const digits = value.toString(16).padStart(spec.bits / 4, "0");
    const more =
      spec.name === "eflags"
        ? describeFlags(Number(value))
        : spec.group === "general"
          ? (debug.files.describe(Number(BigInt.asIntN(64, value))) ?? String(BigInt.asIntN(64, value)))
          : "";
    debug.print(
      `${debug.style.paint(spec.name.padEnd(9), "cyan")} ${digits}  ${more}`.trimEnd().concat("\n"),
    );
  }
}

/** @param text an address, or nothing to go on */
function showMemory(debug: Debugger, text: string, format: Format): number {
  const address = text === "" ? debug.nextMemory : debug.address(text);
  if (address === undefined) throw new CommandFailure("which address?");
  if (format.letter !== "i") return examine(debug, address, format);
  debug.print(debug.code.from(address, format.count, debug.control.rip));
  const behind = debug.code.instructionsAt(address, format.count + 1)[format.count];
  return behind === undefined ? address : Number(BigInt.asIntN(64, behind.address));
}

/** `"text"`, or numbers of a byte each. */
function bytesToFind(debug: Debugger, text: string): Uint8Array {
  const quoted = /^"(.*)"$/s.exec(text);
  if (quoted !== null) return new TextEncoder().encode(quoted[1]);
  const words = text.split(/\s+/).filter((word) => word !== "");
  return Uint8Array.from(words, (word) => {
    const value = debug.evaluate(word);
    if (value > 0xffn) throw new CommandFailure(`${word}: is more than a byte`);
    return Number(value);
  });
}

function search(debug: Debugger, start: number, length: number, needle: Uint8Array): number[] {
  const found: number[] = [];
  const text = new TextDecoder("latin1").decode(needle);
  for (let done = 0; done < length && found.length < MOST_FOUND; done += SEARCH_CHUNK) {
    const wanted = Math.min(SEARCH_CHUNK + needle.length - 1, length - done);
    const bytes = debug.target.readMemory(start + done, wanted);
    const chunk = new TextDecoder("latin1").decode(bytes);
    for (let at = chunk.indexOf(text); at >= 0 && found.length < MOST_FOUND; at = chunk.indexOf(text, at + 1))
      if (at < SEARCH_CHUNK) found.push(start + done + at);
    if (bytes.length < wanted) break;
  }
  return found;
}

export const DATA_COMMANDS: readonly Command[] = [
  {
    name: "registers",
    aliases: ["info registers", "info r", "r", "regs"],
    usage: "registers [GROUP|NAME…]",
    description: `what registers hold: some, or a group: ${GROUPS.join(", ")}, all`,
    needsGuest: true,
    run(debug, words) {
      const [name] = words;
      if (name === undefined) {
        const file = debug.target.registers(debug.control.thread);
        if (file !== undefined) debug.print(debug.pane.render(file));
        return;
      }
      const single = words.flatMap((word) => registerNamed(word.replace(/^\$/, "")) ?? []);
      if (single.length > 0 && single.length === words.length) {
        showRegisters(debug, single);
        return;
      }
      const groups =
        name === "all"
          ? GROUPS.filter((group) => group !== "system" || debug.target.kind === "machine")
          : GROUPS.filter((group) => group === name);
      if (groups.length === 0)
        throw new CommandFailure(`${name}: no register; the groups are: ${GROUPS.join(", ")}, all`);
      for (const group of groups) showGroup(debug, group);
    },
  },
  {
    name: "disassemble",
    aliases: ["d"],
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
    usage: "memory[/FORMAT] ADDRESS [LENGTH]",
    description: "memory as bytes (64), or as x/8gx, x/4i, x/s …; again: what follows",
    repeats: "bare",
    needsGuest: true,
    run(debug, words, rest) {
      if (words[0]?.startsWith("/")) {
        debug.memoryFormat = parseFormat(words[0].slice(1), debug.memoryFormat ?? USUAL_FORMAT);
        debug.nextMemory = showMemory(debug, rest.slice(words[0].length).trim(), debug.memoryFormat);
        return;
      }
      if (words.length === 0 && debug.memoryFormat !== undefined) {
        debug.nextMemory = showMemory(debug, "", {
          ...debug.memoryFormat,
          count: Math.max(1, debug.memoryFormat.count),
        });
        return;
      }
      debug.memoryFormat = undefined;
      const [text, length] = splitLength(debug, words, 64);
      const address = text === "" ? debug.nextMemory : debug.address(text);
      if (address === undefined) misused(this);
      const bytes = debug.target.readMemory(address, length);
      debug.print(hexDump(bytes, address));
      if (bytes.length < length)
        throw new CommandFailure(`no memory at 0x${hexAddress(address + bytes.length)}`);
      debug.nextMemory = address + length;
    },
  },
  {
    name: "print",
    aliases: ["p", "info symbol", "info address"],
    usage: "print[/FORMAT] EXPRESSION",
    description: "a value: in hexadecimal, decimal, and the symbol that it is; or as p/t, p/d, p/c, p/s …",
    needsGuest: false,
    run(debug, words, rest) {
      if (words[0]?.startsWith("/")) {
        const format = parseFormat(words[0].slice(1), USUAL_FORMAT);
        const value = debug.evaluate(rest.slice(words[0].length));
        debug.print(`${formatValue(debug, value, format)}\n`);
        return;
      }
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
      if (match === null) misused(this);
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
    name: "stack",
    aliases: ["telescope"],
    usage: "stack [COUNT]",
    description: "words on the stack (12), and what they point to; again: the next ones",
    repeats: "bare",
    needsGuest: true,
    run(debug, [count]) {
      const words = count === undefined ? 12 : debug.count(count, 4096);
      const start =
        count === undefined ? (debug.nextStack ?? debug.control.stack.rsp) : debug.control.stack.rsp;
      debug.nextStack = showStack(debug, start, words);
      if (debug.nextStack === start) throw new CommandFailure(`no memory at 0x${hexAddress(start)}`);
    },
  },
  {
    name: "find",
    aliases: ["search"],
    usage: 'find ADDRESS LENGTH "TEXT"|BYTE…',
    description: "where memory holds this",
    needsGuest: true,
    run(debug, [from, size], rest) {
      if (from === undefined || size === undefined) misused(this);
      const needle = bytesToFind(debug, rest.slice(rest.indexOf(size, from.length) + size.length).trim());
      if (needle.length === 0) misused(this);
      const address = debug.address(from);
      const length = debug.count(size, MOST_SEARCHED);
      const found = search(debug, address, length, needle);
      for (const at of found) debug.print(`${debug.code.place(at)}\n`);
      debug.print(found.length === MOST_FOUND ? "…\n" : found.length === 0 ? "nowhere\n" : "");
    },
  },
];
