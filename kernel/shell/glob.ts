/** File name patterns (glob(7)): `*`, `?`, `[a-z]`, `[!a-z]`; a name that begins with a dot wants a dot. */

/** A piece of a pattern; quoted characters match themselves only. */
export interface PatternPiece {
  readonly text: string;
  readonly quoted: boolean;
}

/** Names in a directory, given by its path ("" is the working directory); empty when it is not a readable directory. */
export type ListDirectory = (path: string) => readonly string[];

/** Is there anything that makes the pieces a pattern? */
export function isPattern(pieces: readonly PatternPiece[]): boolean {
  return pieces.some(({ text, quoted }) => !quoted && /[*?[]/.test(text));
}

/** The existing paths that a pattern matches, sorted; empty when there are none. */
export function expandPattern(pieces: readonly PatternPiece[], list: ListDirectory): string[] {
  const components = splitComponents(pieces);
  let found = [""];
  components.forEach((component, i) => {
    const last = i === components.length - 1;
    const literal = component.map(({ text }) => text).join("");
    if (!isPattern(component)) {
      found = found.map((path) => path + literal + (last ? "" : "/"));
      // A literal last component has to exist.
      if (last && literal !== "") found = found.filter((path) => exists(path, list));
      return;
    }
    const pattern = toRegExp(component);
    const hidden = literal.startsWith(".");
    found = found.flatMap((path) =>
      [...list(path)]
        .filter((name) => (hidden || !name.startsWith(".")) && pattern.test(name))
        .sort()
        .map((name) => path + name + (last ? "" : "/")),
    );
  });
  return found;
}

function exists(path: string, list: ListDirectory): boolean {
  const slash = path.lastIndexOf("/");
  return list(path.slice(0, slash + 1)).includes(path.slice(slash + 1));
}

function splitComponents(pieces: readonly PatternPiece[]): PatternPiece[][] {
  const components: PatternPiece[][] = [[]];
  for (const { text, quoted } of pieces) {
    text.split("/").forEach((part, i) => {
      if (i > 0) components.push([]);
      if (part !== "") components[components.length - 1].push({ text: part, quoted });
    });
  }
  return components;
}

function toRegExp(pieces: readonly PatternPiece[]): RegExp {
  let source = "";
  for (const { text, quoted } of pieces) {
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      const bracket = !quoted && c === "[" ? /^\[([!^]?)(\]?[^\]]*)\]/.exec(text.slice(i)) : null;
      if (bracket !== null) {
        source += `[${bracket[1] === "" ? "" : "^"}${bracket[2].replace(/[\\\]^]/g, "\\$&")}]`;
        i += bracket[0].length - 1;
      } else if (!quoted && c === "*") {
        source += ".*";
      } else if (!quoted && c === "?") {
        source += ".";
      } else {
        source += c.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      }
    }
  }
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return /(?!)/; // a range the wrong way around matches nothing
  }
}
