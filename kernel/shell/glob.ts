/** File name patterns (glob(7)): `*`, `?`, `[a-z]`, `[!a-z]`; a name that begins with a dot wants a dot. */

/** A piece of a pattern; quoted characters match themselves only. */
export interface PatternPiece {
  readonly text: string;
  readonly quoted: boolean;
}

/** The files that patterns are matched against. */
export interface Directories {
  /** Names in a directory, given by its path ("" is the working directory); none when it cannot be read. */
  listDirectory(path: string): readonly string[];
  isDirectory(path: string): boolean;
}

/** Is there anything that makes the pieces a pattern? */
export function isPattern(pieces: readonly PatternPiece[]): boolean {
  return pieces.some(({ text, quoted }) => !quoted && /[*?[]/.test(text));
}

/** The existing paths that a pattern matches, sorted; empty when there are none. */
export function expandPattern(pieces: readonly PatternPiece[], directories: Directories): string[] {
  const components = splitComponents(pieces);
  let found = [""];
  components.forEach((component, i) => {
    const last = i === components.length - 1;
    const literal = component.map(({ text }) => text).join("");
    if (!isPattern(component)) {
      found = found.map((path) => path + literal + (last ? "" : "/"));
      // A literal last component has to exist; an empty one, behind a slash, asks for a directory.
      if (last) {
        found = found.filter((path) =>
          literal === "" ? directories.isDirectory(path) : exists(path, directories),
        );
      }
      return;
    }
    const pattern = toRegExp(component);
    const hidden = literal.startsWith(".");
    found = found.flatMap((path) =>
      [...directories.listDirectory(path)]
        .filter((name) => (hidden || !name.startsWith(".")) && pattern.test(name))
        .sort()
        .map((name) => path + name + (last ? "" : "/")),
    );
  });
  return found;
}

function exists(path: string, directories: Directories): boolean {
  const slash = path.lastIndexOf("/");
  return directories.listDirectory(path.slice(0, slash + 1)).includes(path.slice(slash + 1));
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

interface PatternCharacter {
  readonly c: string;
  readonly quoted: boolean;
}

function toRegExp(pieces: readonly PatternPiece[]): RegExp {
  const characters = pieces.flatMap(({ text, quoted }) => [...text].map((c) => ({ c, quoted })));
  let source = "";
  for (let at = 0; at < characters.length; at++) {
    const { c, quoted } = characters[at];
    const bracket = c === "[" && !quoted ? readBracket(characters, at) : undefined;
    if (bracket !== undefined) {
      source += bracket.source;
      at = bracket.end;
    } else if (c === "*" && !quoted) {
      source += ".*";
    } else if (c === "?" && !quoted) {
      source += ".";
    } else {
      source += literalSource(c);
    }
  }
  return new RegExp(`^${source}$`, "su");
}

/** A set of characters from the `[` on, which may hold quoted ones; undefined when it is not closed. */
function readBracket(
  characters: readonly PatternCharacter[],
  start: number,
): { source: string; end: number } | undefined {
  let at = start + 1;
  const inverted = at < characters.length && !characters[at].quoted && /[!^]/.test(characters[at].c);
  if (inverted) at++;
  let inside = "";
  for (const first = at; at < characters.length; at++) {
    const { c, quoted } = characters[at];
    if (c === "]" && !quoted && at > first) return { source: `[${inverted ? "^" : ""}${inside}]`, end: at };
    const [dash, last] = [characters[at + 1], characters[at + 2]];
    const isRange = dash?.c === "-" && !dash.quoted && last !== undefined && (last.c !== "]" || last.quoted);
    if (!isRange) {
      inside += literalSource(c);
      continue;
    }
    // A range the wrong way around has nothing in it.
    if (c <= last.c) inside += `${literalSource(c)}-${literalSource(last.c)}`;
    at += 2;
  }
  return undefined;
}

/** A character that means nothing but itself, within and outside of sets. */
function literalSource(c: string): string {
  return /[A-Za-z0-9]/.test(c) ? c : `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`;
}
