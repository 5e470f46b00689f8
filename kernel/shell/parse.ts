/**
 * From a line of text to commands: words with their quoting, pipes, redirections, and what joins commands (`;` `&` `&!`
 * `&&` `||`). What a word stands for is decided later, in expand.ts.
 */

/** A piece of a word. Quoted pieces are neither split nor matched against files. */
export type WordPart =
  | { readonly kind: "text"; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly fallback: string | undefined;
      readonly quoted: boolean;
    };

export interface Word {
  readonly parts: readonly WordPart[];
}

export interface Redirection {
  readonly fd: number;
  /** "&": a duplicate of the descriptor that `target` names. */
  readonly operator: "<" | ">" | ">>" | "&";
  readonly target: Word;
}

export interface Command {
  readonly assignments: readonly { readonly name: string; readonly value: Word }[];
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
}

export interface Pipeline {
  /** `!` inverts its status. */
  readonly inverted: boolean;
  /** `time` tells how long it took. */
  readonly timed: boolean;
  readonly commands: readonly Command[];
  /** As it was typed, for messages about jobs. */
  readonly text: string;
}

/** Pipelines joined by && and ||, and whether the shell waits for them. */
export interface AndOrList {
  readonly first: Pipeline;
  readonly rest: readonly { readonly operator: "&&" | "||"; readonly pipeline: Pipeline }[];
  /** `&`: in the background, reported; `&!`: in the background, forgotten. */
  readonly mode: "wait" | "background" | "detached";
}

export type ParseResult =
  | { readonly kind: "commands"; readonly lists: readonly AndOrList[] }
  /** A quote is open, or the line ends in an operator that wants more. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "error"; readonly message: string };

type Token =
  | { readonly kind: "word"; readonly word: Word; readonly start: number; readonly end: number }
  | { readonly kind: "operator"; readonly text: string; readonly start: number; readonly end: number };

class Incomplete extends Error {}
class SyntaxFailure extends Error {}

/** Longest first, as the first that matches is taken. */
const OPERATORS = ["&&", "||", "&!", ">>", ">&", "<&", "&>", ";", "&", "|", "<", ">", "(", ")", "\n"];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
/** Parameters of one character that are not names. */
const SPECIAL_PARAMETERS = "?$!#0123456789";

export function parse(text: string): ParseResult {
  try {
    return { kind: "commands", lists: new Parser(text, tokenize(text)).parseLists() };
  } catch (error) {
    if (error instanceof Incomplete) return { kind: "incomplete" };
    if (error instanceof SyntaxFailure) return { kind: "error", message: error.message };
    throw error;
  }
}

// ---- words ----------------------------------------------------------------------------------------------------------

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const c = text[at];
    if (c === " " || c === "\t" || c === "\r") {
      at++;
    } else if (text.startsWith("\\\n", at)) {
      at += 2;
      if (at === text.length) throw new Incomplete();
    } else if (c === "#") {
      while (at < text.length && text[at] !== "\n") at++;
    } else {
      const operator = operatorAt(text, at);
      if (operator !== undefined) {
        tokens.push({ kind: "operator", text: operator, start: at, end: at + operator.length });
        at += operator.length;
      } else {
        const { word, end } = readWord(text, at);
        tokens.push({ kind: "word", word, start: at, end });
        at = end;
      }
    }
  }
  return tokens;
}

function operatorAt(text: string, at: number): string | undefined {
  // A digit right before < or > is the descriptor it is about.
  const numbered = /^[0-9](?:>>|>&|<&|<|>)/.exec(text.slice(at, at + 3));
  if (numbered !== null && (at === 0 || " \t\n;&|<>()".includes(text[at - 1]))) return numbered[0];
  return OPERATORS.find((operator) => text.startsWith(operator, at));
}

function readWord(text: string, start: number): { word: Word; end: number } {
  const parts: WordPart[] = [];
  let plain = "";
  let at = start;
  const flush = (): void => {
    if (plain !== "") parts.push({ kind: "text", text: plain, quoted: false });
    plain = "";
  };
  while (at < text.length && !" \t\r\n;&|<>()".includes(text[at])) {
    const c = text[at];
    if (c === "\\") {
      // A line that ends in a backslash goes on in the next.
      if (at + 1 >= text.length || (text[at + 1] === "\n" && at + 2 === text.length)) throw new Incomplete();
      flush();
      if (text[at + 1] !== "\n") parts.push({ kind: "text", text: text[at + 1], quoted: true });
      at += 2;
    } else if (c === "'") {
      const close = text.indexOf("'", at + 1);
      if (close < 0) throw new Incomplete();
      flush();
      parts.push({ kind: "text", text: text.slice(at + 1, close), quoted: true });
      at = close + 1;
    } else if (c === '"') {
      flush();
      at = readDoubleQuoted(text, at + 1, parts);
    } else if (c === "$") {
      const variable = readVariable(text, at, false);
      if (variable === undefined) {
        plain += c;
        at++;
      } else {
        flush();
        parts.push(variable.part);
        at = variable.end;
      }
    } else {
      plain += c;
      at++;
    }
  }
  flush();
  return { word: { parts }, end: at };
}

/** Between double quotes only $ and some backslashes mean something. Returns where the quoting ends. */
function readDoubleQuoted(text: string, start: number, parts: WordPart[]): number {
  let plain = "";
  let at = start;
  const count = parts.length;
  const flush = (): void => {
    if (plain !== "") parts.push({ kind: "text", text: plain, quoted: true });
    plain = "";
  };
  for (;;) {
    if (at >= text.length) throw new Incomplete();
    const c = text[at];
    if (c === '"') break;
    if (c === "\\" && '$"\\`\n'.includes(text[at + 1] ?? " ")) {
      if (text[at + 1] !== "\n") plain += text[at + 1];
      at += 2;
      continue;
    }
    const variable = c === "$" ? readVariable(text, at, true) : undefined;
    if (variable === undefined) {
      plain += c;
      at++;
    } else {
      flush();
      parts.push(variable.part);
      at = variable.end;
    }
  }
  flush();
  // "" is a word, although an empty one.
  if (parts.length === count) parts.push({ kind: "text", text: "", quoted: true });
  return at + 1;
}

/** $NAME, ${NAME}, ${NAME:-fallback}, $? and the like; undefined when the $ stands for itself. */
function readVariable(
  text: string,
  at: number,
  quoted: boolean,
): { part: WordPart; end: number } | undefined {
  if (text[at + 1] === "{") {
    const close = text.indexOf("}", at);
    if (close < 0) throw new Incomplete();
    const inside = text.slice(at + 2, close);
    const match = /^([A-Za-z_][A-Za-z0-9_]*|[?$!#0-9])(?::-(.*))?$/s.exec(inside);
    if (match === null) throw new SyntaxFailure(`\${${inside}}: bad substitution`);
    return { part: { kind: "variable", name: match[1], fallback: match[2], quoted }, end: close + 1 };
  }
  const rest = text.slice(at + 1);
  const name =
    NAME.exec(rest)?.[0] ?? (rest !== "" && SPECIAL_PARAMETERS.includes(rest[0]) ? rest[0] : undefined);
  if (name === undefined) return undefined;
  return { part: { kind: "variable", name, fallback: undefined, quoted }, end: at + 1 + name.length };
}

// ---- commands -------------------------------------------------------------------------------------------------------

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly tokens: readonly Token[],
  ) {}

  private get token(): Token | undefined {
    return this.tokens[this.at];
  }

  private operator(...texts: string[]): string | undefined {
    const { token } = this;
    return token?.kind === "operator" && texts.includes(token.text) ? token.text : undefined;
  }

  private skipNewlines(): void {
    while (this.operator("\n") !== undefined) this.at++;
  }

  parseLists(): AndOrList[] {
    const lists: AndOrList[] = [];
    this.skipNewlines();
    while (this.token !== undefined) {
      const list = this.parseAndOr();
      const separator = this.operator(";", "&", "&!", "\n");
      if (separator === undefined && this.token !== undefined) this.fail();
      if (separator !== undefined) this.at++;
      const mode = separator === "&" ? "background" : separator === "&!" ? "detached" : "wait";
      lists.push({ ...list, mode });
      this.skipNewlines();
    }
    return lists;
  }

  private parseAndOr(): Omit<AndOrList, "mode"> {
    const first = this.parsePipeline();
    const rest: { operator: "&&" | "||"; pipeline: Pipeline }[] = [];
    for (;;) {
      const operator = this.operator("&&", "||");
      if (operator !== "&&" && operator !== "||") return { first, rest };
      this.at++;
      this.skipNewlines();
      rest.push({ operator, pipeline: this.parsePipeline() });
    }
  }

  private parsePipeline(): Pipeline {
    const start = this.token?.start ?? this.text.length;
    const timed = this.skipKeyword("time");
    const inverted = this.skipKeyword("!");
    const commands = [this.parseCommand()];
    while (this.operator("|") !== undefined) {
      this.at++;
      this.skipNewlines();
      commands.push(this.parseCommand());
    }
    const end = this.tokens[this.at - 1].end;
    return { inverted, timed, commands, text: this.text.slice(start, end) };
  }

  private skipKeyword(keyword: string): boolean {
    const { token } = this;
    if (token?.kind !== "word" || token.word.parts.length !== 1) return false;
    const [part] = token.word.parts;
    if (part.kind !== "text" || part.quoted || part.text !== keyword) return false;
    this.at++;
    return true;
  }

  private parseCommand(): Command {
    const assignments: { name: string; value: Word }[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      const { token } = this;
      if (token?.kind === "word") {
        this.at++;
        const assignment = words.length === 0 ? asAssignment(token.word) : undefined;
        if (assignment !== undefined) assignments.push(assignment);
        else words.push(token.word);
      } else if (token?.kind === "operator" && /[<>]$|[<>]&$/.test(token.text)) {
        this.at++;
        redirections.push(...this.parseRedirection(token.text));
      } else {
        break;
      }
    }
    if (assignments.length + words.length + redirections.length === 0) this.fail();
    return { assignments, words, redirections };
  }

  private parseRedirection(operator: string): Redirection[] {
    const target = this.token;
    if (target === undefined) throw new Incomplete();
    if (target.kind !== "word") return this.fail();
    this.at++;
    if (operator === "&>") {
      return [
        { fd: 1, operator: ">", target: target.word },
        { fd: 2, operator: "&", target: { parts: [{ kind: "text", text: "1", quoted: false }] } },
      ];
    }
    const numbered = /^[0-9]/.exec(operator);
    const plain = numbered === null ? operator : operator.slice(1);
    const fd = numbered === null ? (plain.startsWith("<") ? 0 : 1) : Number(numbered[0]);
    if (plain === "<" || plain === ">" || plain === ">>")
      return [{ fd, operator: plain, target: target.word }];
    return [{ fd, operator: "&", target: target.word }];
  }

  private fail(): never {
    const { token } = this;
    if (token === undefined) throw new Incomplete();
    const text =
      token.kind === "operator" && token.text === "\n" ? "newline" : this.text.slice(token.start, token.end);
    throw new SyntaxFailure(`syntax error near unexpected token \`${text}'`);
  }
}

/** NAME=value in front of a command. */
function asAssignment(word: Word): { name: string; value: Word } | undefined {
  const [first, ...others] = word.parts;
  if (first === undefined || first.kind !== "text" || first.quoted) return undefined;
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(first.text);
  if (match === null) return undefined;
  const value: WordPart[] = match[2] === "" ? [] : [{ kind: "text", text: match[2], quoted: false }];
  return { name: match[1], value: { parts: [...value, ...others] } };
}
