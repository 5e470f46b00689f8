/** Commands about where the guest is: frames, threads, source lines, symbols. */

import { hexAddress } from "../numbers.ts";
import { type Command, misused } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";
import type { Frame } from "./unwind.ts";

const MOST_FRAMES = 200;
const LINES_LISTED = 10;

/** The address of the instruction that a frame is at: the call, if it is inside one. */
function instructionOf({ address, kind }: Frame): number {
  return kind === "inside" || kind === "guess" ? address - 1 : address;
}

function frameAddress(debug: Debugger): number {
  const frame = [...debug.control.frames()].at(debug.frame);
  return frame === undefined ? debug.control.rip : instructionOf(frame);
}

/** "0x401234 <main+12> at file.c:5" */
function framePlace(debug: Debugger, frame: Frame): string {
  const address = `0x${hexAddress(frame.address)}`;
  if (frame.kind === "signal") return `${address} <signal handler called>`;
  return debug.code.place(instructionOf(frame)).replace(/^0x\w+/, address);
}

function showFrame(debug: Debugger, number: number): void {
  const frames = [...debug.control.frames()];
  if (number < 0) throw new CommandFailure("this is the innermost frame");
  if (number >= frames.length)
    throw new CommandFailure(
      `there is no frame ${number}: ${frames.length === 1 ? "one is" : `${frames.length} are`} known`,
    );
  debug.frame = number;
  debug.nextSource = undefined;
  const { address } = frames[number];
  const inside = instructionOf(frames[number]);
  debug.print(`${debug.style.paint(`#${number}`, "bold")} ${framePlace(debug, frames[number])}\n`);
  const line = debug.files.sourceAt(inside);
  const text = line === undefined ? undefined : debug.sourceLine(line.file, line.line);
  if (line !== undefined && text !== undefined) debug.print(`${String(line.line).padStart(6)}  ${text}\n`);
  else debug.print(debug.code.around(address, 3, 2));
}

/** @returns what comes next */
function listSource(
  debug: Debugger,
  file: string,
  first: number,
  current: number,
): { file: string; line: number } {
  let line = first;
  for (; line < first + LINES_LISTED; line++) {
    const text = debug.sourceLine(file, line);
    if (text === undefined) break;
    const mark = line === current ? "→" : " ";
    const shown = debug.style.cut(`${mark}${String(line).padStart(5)}  ${text}`);
    debug.print(`${line === current ? debug.style.paint(shown, "bold") : shown}\n`);
  }
  if (line > first) return { file, line };
  throw new CommandFailure(first > 1 && current === 0 ? "the file ends here" : `${file}: cannot be read`);
}

export const PLACE_COMMANDS: readonly Command[] = [
  {
    name: "backtrace",
    aliases: ["bt", "where", "info stack"],
    usage: "backtrace [COUNT]",
    description: "who called whom; marked ? if only found on the stack",
    needsGuest: true,
    run(debug, [most]) {
      const count = most === undefined ? MOST_FRAMES : debug.count(most, MOST_FRAMES);
      let number = 0;
      for (const frame of debug.control.frames()) {
        const mark = number === debug.frame && debug.frame > 0 ? "→" : frame.kind === "guess" ? "?" : " ";
        debug.print(`#${number}${mark} ${framePlace(debug, frame)}\n`);
        if (++number === count) break;
      }
    },
  },
  {
    name: "frame",
    aliases: ["f"],
    usage: "frame [NUMBER]",
    description: "the code and the source of a caller; up and down go from one to the next",
    needsGuest: true,
    run(debug, [number]) {
      showFrame(debug, number === undefined ? debug.frame : Number(debug.evaluate(number)));
    },
  },
  {
    name: "up",
    aliases: [],
    usage: "up",
    description: "the caller of this frame",
    repeats: "same",
    needsGuest: true,
    run: (debug) => showFrame(debug, debug.frame + 1),
  },
  {
    name: "down",
    aliases: [],
    usage: "down",
    description: "the frame that this one has called",
    repeats: "same",
    needsGuest: true,
    run: (debug) => showFrame(debug, debug.frame - 1),
  },
  {
    name: "list",
    aliases: ["l", "info line", "info source"],
    usage: "list [ADDRESS]",
    description: "source lines around here, or an address, or file.c:12; again: the next ones",
    repeats: "bare",
    needsGuest: true,
    run(debug, _words, rest) {
      if (rest === "" && debug.nextSource !== undefined) {
        debug.nextSource = listSource(debug, debug.nextSource.file, debug.nextSource.line, 0);
        return;
      }
      const address = rest === "" ? frameAddress(debug) : debug.address(rest);
      const line = debug.files.sourceAt(address);
      if (line === undefined)
        throw new CommandFailure(`no source line is known for ${debug.code.place(address)}`);
      debug.nextSource = listSource(debug, line.file, Math.max(1, line.line - 5), line.line);
    },
  },
  {
    name: "display",
    aliases: ["info display"],
    usage: "display[/FORMAT] [EXPRESSION]",
    description: "show it at every stop; memory with a size or i, s: display/4gx $rsp",
    needsGuest: true,
    run(debug, words, rest) {
      if (rest !== "") {
        const [format = ""] = words[0]?.startsWith("/") ? words : [""];
        const text = rest.slice(format.length).trim();
        if (text === "") misused(this);
        debug.displays.check(format.slice(1), text);
        debug.displays.add(format.slice(1), text);
      }
      debug.displays.show();
    },
  },
  {
    name: "undisplay",
    aliases: [],
    usage: "undisplay [NUMBER]",
    description: "do not show it any more, or nothing",
    needsGuest: false,
    run(debug, [number]) {
      if (!debug.displays.remove(number)) throw new CommandFailure(`there is no display ${number}`);
    },
  },
  {
    name: "threads",
    aliases: ["info threads"],
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
    name: "symbols",
    aliases: ["file"],
    usage: "symbols FILE [OFFSET]",
    description: "read the symbols of an ELF file or a System.map of this host",
    needsGuest: false,
    run(debug, [path, ...offset]) {
      if (path === undefined) misused(this);
      const bytes = debug.host.readFile(path);
      if (bytes === undefined) throw new CommandFailure(`${path}: cannot be read`);
      const count = debug.files.add(bytes, offset.length === 0 ? 0 : debug.address(offset.join(" ")));
      debug.print(`${count.toLocaleString("en")} symbols\n`);
    },
  },
  {
    name: "lookup",
    aliases: ["info functions", "info variables", "sym"],
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
];
