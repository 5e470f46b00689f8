/** cd, pwd, echo, env, export, unset, true, false, test: the shell's own state. */

import { type Builtin, type BuiltinContext, CommandFailure } from "../builtin.ts";
import { errorText } from "../error-text.ts";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

async function cd({ shell, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  if (args.length > 1) throw new CommandFailure("too many arguments");
  const back = args[0] === "-";
  const target = back ? shell.environment.get("OLDPWD") : (args[0] ?? shell.environment.get("HOME"));
  if (target === undefined) throw new CommandFailure(back ? "OLDPWD not set" : "HOME not set");
  try {
    shell.changeDirectory(target);
  } catch (error) {
    throw new CommandFailure(`${target}: ${errorText(error) ?? "cannot be entered"}`);
  }
  if (back) await stdout.write(`${shell.cwd}\n`);
  return 0;
}

async function pwd({ shell, stdout }: BuiltinContext): Promise<number> {
  await stdout.write(`${shell.cwd}\n`);
  return 0;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  v: "\v",
  "\\": "\\",
};

async function echo({ stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  let newline = true;
  let escapes = false;
  let first = 0;
  for (; /^-[neE]+$/.test(args[first] ?? ""); first++) {
    if (args[first].includes("n")) newline = false;
    if (/[eE]/.test(args[first])) escapes = args[first].lastIndexOf("e") > args[first].lastIndexOf("E");
  }
  let text = args.slice(first).join(" ");
  if (escapes) {
    text = text.replace(/\\(?:0([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))/gs, (whole, octal, hex, letter) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return ESCAPES[letter] ?? whole;
    });
  }
  await stdout.write(newline ? `${text}\n` : text);
  return 0;
}

async function env({ shell, stdout }: BuiltinContext): Promise<number> {
  for (const [name, value] of shell.environment) await stdout.write(`${name}=${value}\n`);
  return 0;
}

async function exportVariables({ shell, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  if (args.length === 0) {
    for (const name of [...shell.environment.keys()].sort()) {
      await stdout.write(
        `export ${name}="${(shell.environment.get(name) ?? "").replace(/["\\$`]/g, "\\$&")}"\n`,
      );
    }
    return 0;
  }
  for (const argument of args) {
    const equals = argument.indexOf("=");
    const name = equals < 0 ? argument : argument.slice(0, equals);
    if (!NAME.test(name)) throw new CommandFailure(`${argument}: not a name of a variable`);
    shell.environment.set(name, equals < 0 ? (shell.variable(name) ?? "") : argument.slice(equals + 1));
    shell.variables.delete(name);
  }
  return 0;
}

function unset({ shell }: BuiltinContext, args: readonly string[]): number {
  for (const name of args) {
    shell.environment.delete(name);
    shell.variables.delete(name);
  }
  return 0;
}

/** One test; `!` in front inverts it. */
function test({ shell, name }: BuiltinContext, args: readonly string[]): number {
  let words = [...args];
  if (name === "[") {
    if (words.pop() !== "]") throw new CommandFailure("missing ]", 2);
  }
  const inverted = words[0] === "!";
  if (inverted) words = words.slice(1);
  return holds(shell, words) === inverted ? 1 : 0;
}

function holds(shell: BuiltinContext["shell"], words: readonly string[]): boolean {
  const [a = "", b = "", c = ""] = words;
  if (words.length === 0) return false;
  if (words.length === 1) return a !== "";
  if (words.length === 2) {
    switch (a) {
      case "-n":
        return b !== "";
      case "-z":
        return b === "";
      case "-e":
        return shell.exists(b);
      case "-f":
        return shell.isRegularFile(b);
      case "-d":
        return shell.isDirectory(b);
      case "-x":
        return shell.isProgram(b) || shell.isDirectory(b);
      default:
        throw new CommandFailure(`${a}: unknown test`, 2);
    }
  }
  if (words.length > 3) throw new CommandFailure("too many arguments", 2);
  if (b === "=" || b === "==") return a === c;
  if (b === "!=") return a !== c;
  const compare: Readonly<Record<string, (x: number, y: number) => boolean>> = {
    "-eq": (x, y) => x === y,
    "-ne": (x, y) => x !== y,
    "-lt": (x, y) => x < y,
    "-le": (x, y) => x <= y,
    "-gt": (x, y) => x > y,
    "-ge": (x, y) => x >= y,
  };
  const operator = compare[b];
  if (operator === undefined) throw new CommandFailure(`${b}: unknown test`, 2);
  return operator(integer(a), integer(c));
}

function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new CommandFailure(`${text}: not a whole number`, 2);
  return Number(text);
}

const TESTS = `\
  -n TEXT, -z TEXT            TEXT is not empty, is empty
  -e FILE, -f, -d, -x         FILE exists, is a regular file, a directory, can be run
  A = B, A != B               the same text, or not
  A -eq B, -ne -lt -le -gt -ge  whole numbers
`;

export const ENVIRONMENT_COMMANDS: readonly Builtin[] = [
  { name: "cd", usage: "[DIR | -]", summary: "change the working directory", run: cd },
  { name: "pwd", usage: "", summary: "print the working directory", run: pwd },
  {
    name: "echo",
    usage: "[-neE] [TEXT…]",
    summary: "print text",
    run: echo,
    details: "  -n  without a line end\n  -e  with escapes such as \\n and \\t",
  },
  { name: "env", usage: "", summary: "list the environment", run: env },
  {
    name: "export",
    usage: "[NAME[=VALUE]…]",
    summary: "put variables into the environment",
    run: exportVariables,
  },
  { name: "unset", usage: "NAME…", summary: "forget variables", run: unset },
  { name: "true", usage: "", summary: "succeed", run: () => 0 },
  { name: "false", usage: "", summary: "fail", run: () => 1 },
  {
    name: "test",
    usage: "EXPRESSION",
    summary: "compare texts, numbers, look at files",
    details: TESTS,
    run: test,
  },
  { name: "[", usage: "EXPRESSION ]", summary: "the same as test", details: TESTS, run: test },
];
