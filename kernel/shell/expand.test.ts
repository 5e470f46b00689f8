import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expandWord } from "./expand.ts";
import { parse } from "./parse.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  A: "one two",
  B: "",
  C: "*",
  D: " x  y ",
  F: "a/b*",
  HOME: "/root",
  G: "[ab]*",
};
/** What shells set themselves. */
const PARAMETERS: Readonly<Record<string, string>> = { "?": "0", "#": "0" };
const FILES = [
  "apple",
  "bat",
  "banana",
  ".hidden",
  "b-c",
  "x y",
  "a[1]",
  "Zoo",
  "dir/one",
  "dir/two",
  "dir2/one",
  "dir/.dot",
];

/** ${…}, which would look like a mistake in a string. */
const braced = (text: string): string => `\${${text}}`;

const PIECES = [
  "a",
  "b",
  "*",
  "?",
  "[ab]",
  "[!a]",
  "[a-c]*",
  "$A",
  "$B",
  "$C",
  "$D",
  "$E",
  "$F",
  "$G",
  braced("A"),
  braced("E:-d e"),
  braced("B:-*"),
  '"$A"',
  '"$C"',
  `"${braced("E:-d e")}"`,
  "'$A'",
  "'*'",
  '"*"',
  "\\*",
  "\\ ",
  "\\$A",
  "$",
  "$%",
  "dir",
  "/",
  "dir*/",
  "one",
  ".",
  "x",
  '""',
  "''",
  "-",
  "=",
  ":",
  "#",
  "]",
  "[",
  '"a b"',
  "%",
  "@",
  ",",
  "+",
  "~",
  "\\\\",
  '"\\$A"',
  '"\\a"',
  '"$A$B"',
];

/** mulberry32 */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const folder = mkdtempSync(join(tmpdir(), "osv-vm-expand-"));
for (const name of FILES) {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "");
}
afterAll(() => rmSync(folder, { recursive: true }));

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path.startsWith("/") ? path : join(folder, path));
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(join(folder, path)).isDirectory();
  } catch {
    return false;
  }
}

function ours(words: string): string {
  const parsed = parse(`f ${words}`);
  if (parsed.kind !== "commands") return parsed.kind;
  const [list] = parsed.lists;
  const expanded = list.first.commands[0].words.flatMap((word) =>
    expandWord(word, { variable: (name) => VARIABLES[name] ?? PARAMETERS[name], listDirectory, isDirectory }),
  );
  return expanded
    .slice(1)
    .map((argument) => `<${argument}>`)
    .join("");
}

/** What dash makes of the same words. */
function inDash(cases: readonly string[]): string[] {
  const assignments = Object.entries(VARIABLES).map(([name, value]) => `${name}='${value}'`);
  const calls = cases.map((words) => `f ${words}\necho`);
  const script = [...assignments, "unset E", 'f() { [ $# = 0 ] || printf "<%s>" "$@"; }', ...calls].join(
    "\n",
  );
  const run = spawnSync("dash", [], {
    cwd: folder,
    input: script,
    encoding: "utf8",
    env: { LC_ALL: "C", PATH: "/usr/bin:/bin" },
  });
  if (run.status !== 0) throw new Error(`dash: ${run.stderr}`);
  return run.stdout.split("\n").slice(0, -1);
}

const missing = spawnSync("dash", ["-c", "exit 0"]).status !== 0;
if (missing) console.warn("expand.test.ts: no dash, not compared with it");

describe.skipIf(missing && process.env.CI !== "true")("words, compared with dash,", () => {
  const compare = (cases: readonly string[]): void => {
    const expected = inDash(cases);
    expect(cases.map((words) => [words, ours(words)])).toEqual(cases.map((words, i) => [words, expected[i]]));
  };

  it("keep their quoting", () => {
    compare([
      "a'b c'\"d e\"f",
      "'a\"b' \"a'b\"",
      '"a\\"b" \'a\\b\'',
      "\"\" ''",
      "a\\ b",
      "\\'",
      '"\\x"',
      "a#b '#'",
    ]);
  });

  it("split at blanks of variables outside quotes", () => {
    compare([
      "$A",
      '"$A"',
      "x$A",
      `x${braced("A")}y`,
      "$D",
      `x${braced("D")}y`,
      '"$D"',
      "$B",
      '"$B"',
      "x$B",
      "$E$B",
      "$A$D$A",
    ]);
  });

  it("match files", () => {
    compare([
      "*",
      ".h*",
      "b*",
      "*a*",
      "[ab]*",
      "[!ab]*",
      "dir/*",
      "d*/o*",
      "*/*",
      "dir/.d*",
      "no*",
      "x*",
      "a\\[*",
      "'*'",
      "$C",
      "$G",
      "x?y",
      "[Z-a]*",
      "*/",
    ]);
  });

  it("know the home directory", () => {
    compare(["~", "~/x", "'~'", "a~", '~"/x"', "\\~"]);
  });

  it("agree on 2,000 random words", () => {
    const pick = random(7);
    const word = (): string =>
      Array.from({ length: 1 + pick(5) }, () => PIECES[pick(PIECES.length)]).join("");
    // dash matches . and .., which nobody wants. A # at the front would begin a comment; other shells have more to ~, and $$ $* $@ $- $'' to say.
    const cases = Array.from({ length: 2000 }, () => `${word()} ${word()}`).filter(
      (words) =>
        !/(^| |\/)(\$[EB])*\.['"]*[*?[$]/.test(words) &&
        !/(^| )#/.test(words) &&
        !/(^| |:|=)~/.test(words) &&
        !/\$[-$'"*@]/.test(words),
    );
    compare(cases);
  });
});
