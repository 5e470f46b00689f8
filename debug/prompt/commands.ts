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

/** In the order of `help`. */
export const COMMANDS: readonly Command[] = [
  SESSION_COMMANDS[0],
  ...RUN_COMMANDS,
  ...STOP_COMMANDS,
  ...DATA_COMMANDS,
  ...PLACE_COMMANDS,
  ...SESSION_COMMANDS.slice(1),
];
