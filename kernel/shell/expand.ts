/** What words stand for: variables, `~`, and file names for patterns. */

import { expandPattern, isPattern, type ListDirectory, type PatternPiece } from "./glob.ts";
import type { Word } from "./parse.ts";

export interface Expansion {
  /** The value of a variable or special parameter; undefined when it is not set. */
  variable(name: string): string | undefined;
  listDirectory: ListDirectory;
}

/** The arguments that a word becomes: none for an unset variable, several for a pattern or a variable with blanks. */
export function expandWord(word: Word, expansion: Expansion): string[] {
  const fields: PatternPiece[][] = [];
  let field: PatternPiece[] | undefined;
  const add = (piece: PatternPiece): void => {
    field ??= [];
    field.push(piece);
  };
  const end = (): void => {
    if (field !== undefined) fields.push(field);
    field = undefined;
  };

  for (const part of word.parts) {
    if (part.kind === "text") {
      add(part);
      continue;
    }
    const value = variableValue(part, expansion);
    if (part.quoted) {
      add({ text: value, quoted: true });
      continue;
    }
    // Outside quotes a value is split at blanks; those at its ends separate it from what is next to it.
    value.split(/[ \t\n]+/).forEach((text, i) => {
      if (i > 0) end();
      if (text !== "") add({ text, quoted: false });
    });
  }
  end();
  return fields.flatMap((pieces) => {
    const home = withHome(pieces, expansion);
    const matches = isPattern(home) ? expandPattern(home, (path) => expansion.listDirectory(path)) : [];
    return matches.length > 0 ? matches : [home.map(({ text }) => text).join("")];
  });
}

/** A word where only one string makes sense (a value, a file to redirect to): neither split nor matched. */
export function expandToString(word: Word, expansion: Expansion): string {
  const pieces = word.parts.map((part) =>
    part.kind === "text" ? part : { text: variableValue(part, expansion), quoted: part.quoted },
  );
  return withHome(pieces, expansion)
    .map(({ text }) => text)
    .join("");
}

function variableValue(part: { name: string; fallback: string | undefined }, expansion: Expansion): string {
  const value = expansion.variable(part.name);
  if (part.fallback !== undefined && (value === undefined || value === "")) return part.fallback;
  return value ?? "";
}

/** `~` and `~/…` at the front are the home directory. */
function withHome(pieces: PatternPiece[], expansion: Expansion): PatternPiece[] {
  const [first] = pieces;
  if (first === undefined || first.quoted || !/^~(\/|$)/.test(first.text)) return pieces;
  const home = expansion.variable("HOME");
  if (home === undefined || (first.text === "~" && pieces.length > 1)) return pieces;
  return [{ text: home, quoted: true }, { text: first.text.slice(1), quoted: false }, ...pieces.slice(1)];
}
