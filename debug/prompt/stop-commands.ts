/** Commands about where to stop. */

import { hexAddress } from "../numbers.ts";
import type { WatchAccess } from "../target.ts";
import { breakAddress, type Command, misused, splitLength } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";
import type { Breakpoint } from "./run-control.ts";

/** What is watched if nothing is said about its size, and it is no variable whose size is known. */
const USUAL_WATCH = 8;
const MOST_VARIABLE = 64;

/** "ADDRESS if CONDITION", as gdb has it. */
function splitCondition(text: string): { place: string; condition: string | undefined } {
  const match = /^(.*?)(?:^|\s)if\s+(.+)$/.exec(text);
  return match === null
    ? { place: text, condition: undefined }
    : { place: match[1].trim(), condition: match[2] };
}

function addBreakpoint(debug: Debugger, rest: string, isOnce: boolean): void {
  const { place, condition } = splitCondition(rest);
  const address = place === "" ? debug.control.rip : breakAddress(debug, place);
  if (condition !== undefined) debug.check(condition);
  const point = debug.control.add("breakpoint", address, { text: place, condition, isOnce });
  debug.print(`breakpoint ${point.number}: ${debug.code.place(address)}\n`);
}

function watchCommand(name: string, access: WatchAccess, what: string): Command {
  return {
    name,
    aliases: [],
    usage: `${name} ADDRESS [LENGTH] [if CONDITION]`,
    description: `stop behind instructions that ${what} memory (a variable, or 8 bytes)`,
    needsGuest: true,
    run(debug, _words, rest) {
      const { place, condition } = splitCondition(rest);
      const size = debug.files.symbols.named(place)?.size ?? 0;
      const usual = size > 0 && size <= MOST_VARIABLE ? size : USUAL_WATCH;
      const words = place.split(/\s+/).filter((word) => word !== "");
      const [text, length] = splitLength(debug, words, usual);
      if (text === "") misused(this);
      if (condition !== undefined) debug.check(condition);
      const point = debug.control.add(access, debug.address(text), { length, text, condition });
      debug.print(`${name} ${point.number}: ${point.length} bytes at 0x${hexAddress(point.address)}\n`);
    },
  };
}

/** The breakpoints that somebody means; all without a number. */
function pointsNamed(debug: Debugger, words: readonly string[]): Breakpoint[] {
  const { breakpoints } = debug.control;
  if (words.length === 0) return [...breakpoints.values()];
  return words.map((word) => {
    const point = breakpoints.get(Number(word));
    if (point === undefined) throw new CommandFailure(`there is no breakpoint ${word}`);
    return point;
  });
}

function describePoint(debug: Debugger, point: Breakpoint): string {
  const { number, kind, address, length, hits, isEnabled, isOnce, condition } = point;
  const what = kind === "breakpoint" ? (isOnce ? "tbreak" : "break") : kind === "write" ? "watch" : kind;
  const details = [
    ...(kind === "breakpoint" ? [] : [`${length} bytes`]),
    ...(condition === undefined ? [] : [`if ${condition}`]),
    hits === 1 ? "1 hit" : `${hits} hits`,
    ...(isEnabled ? [] : ["disabled"]),
  ];
  const line = `${String(number).padStart(3)}  ${what.padEnd(6)} ${debug.code.place(address)}, ${details.join(", ")}`;
  return `${isEnabled ? line : debug.style.paint(line, "dim")}\n`;
}

function switchCommand(name: "enable" | "disable", description: string): Command {
  return {
    name,
    aliases: [],
    usage: `${name} [NUMBER…]`,
    description,
    needsGuest: false,
    run(debug, words) {
      for (const point of pointsNamed(debug, words)) debug.control.enable(point, name === "enable");
    },
  };
}

export const STOP_COMMANDS: readonly Command[] = [
  {
    name: "break",
    aliases: ["b", "hbreak"],
    usage: "break [ADDRESS] [if CONDITION]",
    description: "stop before an instruction; here without an address",
    needsGuest: true,
    run: (debug, _words, rest) => addBreakpoint(debug, rest, false),
  },
  {
    name: "tbreak",
    aliases: ["tb"],
    usage: "tbreak [ADDRESS] [if CONDITION]",
    description: "the same, for one stop",
    needsGuest: true,
    run: (debug, _words, rest) => addBreakpoint(debug, rest, true),
  },
  watchCommand("watch", "write", "change"),
  watchCommand("rwatch", "read", "read"),
  watchCommand("awatch", "access", "read or write"),
  {
    name: "breakpoints",
    aliases: ["info breakpoints", "info watchpoints", "info break", "info b", "bl"],
    usage: "breakpoints",
    description: "the breakpoints and watchpoints, and how often each was met",
    needsGuest: false,
    run(debug) {
      const { breakpoints } = debug.control;
      if (breakpoints.size === 0) debug.print("none\n");
      for (const point of breakpoints.values()) debug.print(describePoint(debug, point));
    },
  },
  {
    name: "condition",
    aliases: [],
    usage: "condition NUMBER [EXPRESSION]",
    description: "stop there only if it is not 0; always without an expression",
    needsGuest: false,
    run(debug, [number], rest) {
      if (number === undefined) misused(this);
      const [point] = pointsNamed(debug, [number]);
      const condition = rest.slice(number.length).trim();
      if (condition !== "") debug.check(condition);
      point.condition = condition === "" ? undefined : condition;
    },
  },
  switchCommand("enable", "have breakpoints in force again, those named or all"),
  switchCommand("disable", "have them out of force, and keep them"),
  {
    name: "delete",
    aliases: [],
    usage: "delete [NUMBER…]",
    description: "take out breakpoints and watchpoints, those named or all",
    needsGuest: false,
    run(debug, words) {
      for (const { number } of pointsNamed(debug, words)) debug.control.delete(number);
    },
  },
];
