/** help, history, clear, exit: the shell about itself. */

import { type Builtin, type BuiltinContext, CommandFailure, parseCount } from "../builtin.ts";

const SYNTAX = `\
Commands are joined by ; && || and |, go to the background with & (reported) or &! (forgotten), and read and write
files with < > >> 2> &>. Words may have $NAME, \${NAME}, \${NAME:-default}, $?, quotes, * ? [a-z] and ~; # begins a
comment. What is not in this list is a program, looked for in PATH. \`time\` in front of a command tells how long it
takes, \`!\` inverts its status. Keys: arrows, Ctrl-A E B F K U W Y T L R, Alt-B F D, Tab.
`;
const CLEAR_SCREEN = "\x1b[H\x1b[2J\x1b[3J";

async function help({ stdout, shell }: BuiltinContext, args: readonly string[]): Promise<number> {
  const { builtins } = shell;
  if (args.length === 0) {
    const width = Math.max(...[...builtins.keys()].map((name) => name.length)) + 2;
    const names = [...builtins.keys()].sort();
    const lines = names.map((name) => `  ${name.padEnd(width)}${builtins.get(name)?.summary}\n`);
    await stdout.write(`${SYNTAX}\n${lines.join("")}\nhelp NAME tells more about one of them.\n`);
    return 0;
  }
  for (const name of args) {
    const builtin = builtins.get(name);
    if (builtin === undefined)
      throw new CommandFailure(`${name}: no such command (programs tell with --help)`);
    const details = builtin.details === undefined ? "" : `\n${builtin.details.trimEnd()}\n`;
    await stdout.write(`${`${name} ${builtin.usage}`.trimEnd()}\n${builtin.summary}\n${details}`);
  }
  return 0;
}

async function history({ stdout, shell }: BuiltinContext, args: readonly string[]): Promise<number> {
  if (args[0] === "-c") {
    shell.history.clear();
    return 0;
  }
  const lines = shell.history.entries();
  const count = args[0] === undefined ? lines.length : parseCount(args[0], "number of lines");
  const first = Math.max(0, lines.length - count);
  await stdout.write(
    lines
      .slice(first)
      .map((line, i) => `${String(first + i + 1).padStart(5)}  ${line}\n`)
      .join(""),
  );
  return 0;
}

async function clear({ stdout }: BuiltinContext): Promise<number> {
  await stdout.write(CLEAR_SCREEN);
  return 0;
}

function exit({ shell }: BuiltinContext, args: readonly string[]): number {
  const status = args[0] === undefined ? shell.status : parseCount(args[0], "exit status");
  shell.exit(status);
  return status;
}

export const HELP_COMMANDS: readonly Builtin[] = [
  { name: "help", usage: "[NAME…]", summary: "tell about the shell or a command", run: help },
  {
    name: "history",
    usage: "[-c] [COUNT]",
    summary: "show the lines that were typed",
    run: history,
    details: "  -c  forget them",
  },
  { name: "clear", usage: "", summary: "clear the screen", run: clear },
  { name: "exit", usage: "[STATUS]", summary: "leave the shell and switch the machine off", run: exit },
];
