/**
 * Expressions of the prompt: numbers, `$rax`, symbols, `file.c:12`, `*address` (eight bytes from memory; of a variable as many
 * as it has; `b:*`, `w:*`, `d:*`, `q:*`: 1, 2, 4, 8), the operators of C, and parentheses. All in 64 bits; comparisons are
 * signed.
 */

import { parseNumber } from "../numbers.ts";

export class ExpressionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ExpressionError";
  }
}

/** What names and addresses stand for. */
export interface Names {
  register(name: string): bigint | undefined;
  symbol(name: string): bigint | undefined;
  /** Bytes of a variable; undefined if it is none, or its size is not known. */
  size(name: string): number | undefined;
  /** The address of a source line. */
  line(file: string, line: number): bigint | undefined;
  /** So many bytes; undefined where there is no memory. */
  load(address: bigint, bytes: number): bigint | undefined;
}

const TOKEN =
  /\s*(0x[0-9a-f_']+|0b[01_']+|\d+(?![\w.])|\$\w+|[bwdq]:(?=\s*\*)|[\w./@-]*\.\w+:\d+|[A-Za-z_.][\w.@]*|<<|>>|[=!<>]=|&&|\|\||[-+*/%&|^~()<>!])/iy;
const PRECEDENCE: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "^": 4,
  "&": 5,
  "==": 6,
  "!=": 6,
  "<": 7,
  ">": 7,
  "<=": 7,
  ">=": 7,
  "<<": 8,
  ">>": 8,
  "+": 9,
  "-": 9,
  "*": 10,
  "/": 10,
  "%": 10,
};
const LOADS: Readonly<Record<string, number>> = { "b:": 1, "w:": 2, "d:": 4, "q:": 8 };
const SIZES: ReadonlySet<number> = new Set(Object.values(LOADS));
const MOST_NESTING = 100;

/** @throws ExpressionError */
export function evaluate(text: string, names: Names): bigint {
  const parser = new Parser(tokensOf(text), names);
  return BigInt.asUintN(64, parser.whole());
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new ExpressionError(`cannot read ${JSON.stringify(text.slice(at).trim())}`);
    tokens.push(match[1]);
  }
  return tokens;
}

class Parser {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly tokens: readonly string[],
    private readonly names: Names,
  ) {}

  whole(): bigint {
    const value = this.binary(0);
    if (this.at < this.tokens.length) throw new ExpressionError(`what is ${this.tokens[this.at]} for?`);
    return value;
  }

  private binary(least: number): bigint {
    let left = this.unary();
    for (;;) {
      const operator = this.tokens[this.at];
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence <= least) return left;
      this.at++;
      left = apply(operator, left, this.binary(precedence));
    }
  }

  private unary(): bigint {
    if (++this.depth > MOST_NESTING) throw new ExpressionError("too deep");
    try {
      return this.operand();
    } finally {
      this.depth--;
    }
  }

  private operand(): bigint {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new ExpressionError("an operand is missing");
    if (token === "-") return -this.unary();
    if (token === "+") return this.unary();
    if (token === "~") return ~this.unary();
    if (token === "&") return this.unary(); // the address of a symbol is what it stands for
    if (token === "!") return this.unary() === 0n ? 1n : 0n;
    if (token in LOADS && this.tokens[this.at] === "*") {
      this.at++;
      return this.loaded(this.unary(), LOADS[token]);
    }
    if (token === "*") {
      const size = this.names.size(this.tokens[this.at] ?? "");
      return this.loaded(this.unary(), size !== undefined && SIZES.has(size) ? size : 8);
    }
    if (token === "(") {
      const value = this.binary(0);
      if (this.tokens[this.at++] !== ")") throw new ExpressionError("a ) is missing");
      return value;
    }
    if (token.startsWith("$")) {
      const value = this.names.register(token.slice(1));
      if (value === undefined) throw new ExpressionError(`there is no register ${token}`);
      return value;
    }
    const number = parseNumber(token);
    if (number !== undefined) return number;
    const line = /^(.*):(\d+)$/.exec(token);
    if (line !== null) {
      const address = this.names.line(line[1], Number(line[2]));
      if (address === undefined) throw new ExpressionError(`no code for ${token}`);
      return address;
    }
    const value = this.names.symbol(token) ?? this.names.register(token);
    if (value === undefined) throw new ExpressionError(`there is no symbol ${token}`);
    return value;
  }

  private loaded(address: bigint, bytes: number): bigint {
    const value = this.names.load(address, bytes);
    if (value === undefined)
      throw new ExpressionError(`no memory at 0x${BigInt.asUintN(64, address).toString(16)}`);
    return value;
  }
}

function apply(operator: string, left: bigint, right: bigint): bigint {
  const x = BigInt.asIntN(64, left);
  const y = BigInt.asIntN(64, right);
  const truth = (is: boolean): bigint => (is ? 1n : 0n);
  switch (operator) {
    case "||":
      return truth(x !== 0n || y !== 0n);
    case "&&":
      return truth(x !== 0n && y !== 0n);
    case "==":
      return truth(x === y);
    case "!=":
      return truth(x !== y);
    case "<":
      return truth(x < y);
    case ">":
      return truth(x > y);
    case "<=":
      return truth(x <= y);
    case ">=":
      return truth(x >= y);
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return BigInt.asUintN(64, left * right);
    case "/":
    case "%":
      if (right === 0n) throw new ExpressionError("division by zero");
      return operator === "/" ? left / right : left % right;
    case "&":
      return left & right;
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    default: {
      const count = BigInt.asUintN(6, right);
      return operator === "<<" ? BigInt.asUintN(64, left << count) : BigInt.asUintN(64, left) >> count;
    }
  }
}
