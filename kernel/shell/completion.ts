/** What Tab makes of a word: commands where a command stands, variables after `$`, file names elsewhere. */

import { BUILTINS } from "./builtins/index.ts";
import type { Completion } from "./line-editor.ts";

/** What completion asks of the shell. */
export interface CompletionSource {
  listDirectory(path: string): readonly string[];
  isDirectory(path: string): boolean;
  isProgram(path: string): boolean;
  variable(name: string): string | undefined;
  variableNames(): Iterable<string>;
}

/** Characters that mean something to the shell and need a backslash in a name. */
const SPECIAL = /[\s\\'"`$&|;<>()*?[\]!#~{}]/g;

interface WordAtCursor {
  /** Where it begins in the line. */
  readonly start: number;
  /** What it says, without its quoting. */
  readonly value: string;
  /** The quote that is open at the cursor. */
  readonly quote: "" | "'" | '"';
  readonly isCommand: boolean;
}

export function complete(source: CompletionSource, line: string, cursor: number): Completion {
  const word = wordAt(line.slice(0, cursor));
  const variable = word.quote === "'" ? null : /\$([A-Za-z_]\w*)?$/.exec(line.slice(word.start, cursor));
  if (variable !== null) {
    const start = cursor - variable[0].length;
    return { start, candidates: completeVariable(source, variable[1] ?? "") };
  }
  const candidates =
    word.isCommand && !word.value.includes("/")
      ? completeCommand(source, word)
      : completeFile(source, word, word.isCommand);
  return { start: word.start, candidates };
}

function wordAt(text: string): WordAtCursor {
  let start = 0;
  let value = "";
  let quote: "" | "'" | '"' = "";
  let isCommand = true;
  let inWord = false;
  const endWord = (at: number, nextIsCommand: boolean): void => {
    // Assignments in front of a command leave the place of the command open.
    const assignment = /^[A-Za-z_]\w*=/.test(value);
    if (inWord && !assignment && value !== "!") isCommand = false;
    if (nextIsCommand) isCommand = true;
    inWord = false;
    value = "";
    start = at + 1;
  };
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (quote !== "") {
      if (c === quote) quote = "";
      else if (quote === '"' && c === "\\" && '"\\$`'.includes(text[at + 1] ?? " ")) value += text[++at];
      else value += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      inWord = true;
    } else if (c === "\\" && at + 1 < text.length) {
      value += text[++at];
      inWord = true;
    } else if (/\s/.test(c)) {
      endWord(at, false);
    } else if (";&|(".includes(c)) {
      endWord(at, true);
    } else if ("<>".includes(c)) {
      endWord(at, false);
      isCommand = false;
    } else {
      value += c;
      inWord = true;
    }
  }
  return { start, value, quote, isCommand };
}

function completeVariable(source: CompletionSource, prefix: string): Completion["candidates"] {
  return [...source.variableNames()]
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => ({ text: `$${name}`, label: name }));
}

function completeCommand(source: CompletionSource, word: WordAtCursor): Completion["candidates"] {
  const names = new Set<string>();
  for (const name of BUILTINS.keys()) if (name.startsWith(word.value)) names.add(name);
  for (const directory of (source.variable("PATH") ?? "").split(":")) {
    const prefix = directory === "" ? "./" : `${directory}/`;
    for (const name of source.listDirectory(prefix)) {
      if (name.startsWith(word.value) && !names.has(name) && source.isProgram(prefix + name)) names.add(name);
    }
  }
  return [...names].sort().map((name) => ({ text: typed(name, word.quote, " "), label: name }));
}

function completeFile(
  source: CompletionSource,
  word: WordAtCursor,
  programsOnly: boolean,
): Completion["candidates"] {
  const slash = word.value.lastIndexOf("/") + 1;
  const directory = word.value.slice(0, slash);
  const prefix = word.value.slice(slash);
  const home = word.quote === "" && /^~\//.test(directory) ? source.variable("HOME") : undefined;
  const place = home === undefined ? directory : home + directory.slice(1);
  return [...source.listDirectory(place)]
    .filter((name) => name.startsWith(prefix) && (prefix.startsWith(".") || !name.startsWith(".")))
    .sort()
    .flatMap((name) => {
      const isDirectory = source.isDirectory(place + name);
      if (programsOnly && !isDirectory && !source.isProgram(place + name)) return [];
      const tilde = home === undefined ? "" : "~";
      const text = tilde + typed(directory.slice(tilde.length) + name, word.quote, isDirectory ? "/" : " ");
      return [{ text, label: isDirectory ? `${name}/` : name }];
    });
}

/** A whole word as it has to be typed; a quote that is open is kept, and closed when the word is complete. */
function typed(value: string, quote: WordAtCursor["quote"], end: "/" | " "): string {
  const close = end === " " ? `${quote} ` : "/";
  if (quote === "'") return `'${value}${close}`;
  if (quote === '"') return `"${value.replace(/["\\$`]/g, "\\$&")}${close}`;
  return value.replace(SPECIAL, "\\$&") + close;
}
