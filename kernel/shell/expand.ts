/** What words stand for: variables, `~`, and file names for patterns. */

import { type Directories, expandPattern, isPattern, type PatternPiece } from "./glob.ts";
import type { Word, WordPart } from "./parse.ts";

export interface Expansion extends Directories {
  /** The value of a variable or special parameter; undefined when it is not set. */
  variable(name: string): string | undefined;
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

  for (const part of withHome(word.parts, expansion)) {
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
    const matches = isPattern(pieces) ? expandPattern(pieces, expansion) : [];
    return matches.length > 0 ? matches : [pieces.map(({ text }) => text).join("")];
  });
}

/** A word where only one string makes sense (a value, a file to redirect to): neither split nor matched. */
export function expandToString(word: Word, expansion: Expansion): string {
  return withHome(word.parts, expansion)
    .map((part) => (part.kind === "text" ? part.text : variableValue(part, expansion)))
    .join("");
}

function variableValue(part: { name: string; fallback: string | undefined }, expansion: Expansion): string {
  const value = expansion.variable(part.name);
  if (part.fallback !== undefined && (value === undefined || value === "")) return part.fallback;
  return value ?? "";
}

/** `~` and `~/…` at the front of a word are the home directory. */
function withHome(parts: readonly WordPart[], expansion: Expansion): readonly WordPart[] {
  const [first, ...rest] = parts;
  if (first?.kind !== "text" || first.quoted || !/^~(\/|$)/.test(first.text)) return parts;
  const home = expansion.variable("HOME");
  if (home === undefined || (first.text === "~" && rest.length > 0)) return parts;
  return [{ kind: "text", text: home, quoted: true }, { ...first, text: first.text.slice(1) }, ...rest];
}
