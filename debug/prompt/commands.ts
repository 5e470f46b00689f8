/** The commands of the prompt. */

import { type Command, MOST_COUNT, misused } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import { DATA_COMMANDS } from "./data-commands.ts";
import { PLACE_COMMANDS } from "./place-commands.ts";
import { RUN_COMMANDS } from "./run-commands.ts";
import { STOP_COMMANDS } from "./stop-commands.ts";
import { traceToFile } from "./trace-file.ts";

const SESSION_COMMANDS: readonly Command[] = [
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
      const row = ({ usage, description }: { usage: string; description: string }) => {
        const name = style.paint(usage.padEnd(USAGE_WIDTH), "cyan");
        const gap = usage.length > USAGE_WIDTH ? `\n${" ".repeat(USAGE_WIDTH + 1)}` : " ";
        debug.print(`${name}${gap}${description}\n`);
      };
      for (const [title, commands] of SECTIONS) {
        debug.print(`${style.paint(title, "bold")}\n`);
        for (const command of commands) row(command);
      }
      if (target.monitor.size > 0) debug.print(`${style.paint("About this guest", "bold")}\n`);
      for (const command of target.monitor.values()) row(command);
      debug.print(
        "\nADDRESS and CONDITION are expressions: 0x401000, main+8, file.c:12, $rsp, *($rsp+8), *counter == 3,\nd:*$rdi > 0. A beginning of a command is enough where it can be no other; an empty line repeats\nthe last step.\n",
      );
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
    usage: "pane on|off|full",
    description: "show registers and code at every stop; full: the stack and the callers, too",
    needsGuest: true,
    run(debug, [word]) {
      if (word !== "on" && word !== "off" && word !== "full") misused(this);
      debug.shownPane = word;
      debug.showPlace();
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

const SECTIONS: readonly (readonly [title: string, commands: readonly Command[]])[] = [
  ["Going on", RUN_COMMANDS],
  ["Where to stop", STOP_COMMANDS],
  ["What there is", DATA_COMMANDS],
  ["Where it is", PLACE_COMMANDS],
  ["This prompt", SESSION_COMMANDS],
];
const USAGE_WIDTH = 27;

/** In the order of `help`. */
export const COMMANDS: readonly Command[] = SECTIONS.flatMap(([, commands]) => commands);
