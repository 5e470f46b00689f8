/** Text of WebAssembly functions (core spec, 6), as far as our engines generate them: one instruction a line, indented. */

import { numericOpcodes } from "../cpu/wasm/opcodes.ts";

export interface WasmFunction {
  readonly name: string;
  /** Bytes of its body in the module. */
  readonly size: number;
  readonly text: string;
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  127: "i32",
  126: "i64",
  125: "f32",
  124: "f64",
  123: "v128",
};

/** Sections (5.5.2) and subsections of "name". */
const Section = { Custom: 0, Type: 1, Import: 2, Function: 3, Element: 9, Code: 10 } as const;
const FUNCTION_NAMES = 1;

/** Memory instructions without the prefix (5.4.6), from 0x28 on. */
const MEMORY =
  "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32".split(
    " ",
  );
/** Behind FD (5.4.9), from 0 on. */
const VECTOR_MEMORY =
  "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store".split(
    " ",
  );

/** Numeric instructions by prefix × 65536 + code. */
const NUMERIC: ReadonlyMap<number, { name: string; lanes: boolean }> = new Map(
  [...numericOpcodes()].map(([name, { code, lanes }]) => {
    const [first, low, high] = code;
    const key =
      low === undefined ? first : first * 0x10000 + (high === undefined ? low : (low & 0x7f) | (high << 7));
    return [key, { name, lanes: lanes !== undefined }];
  }),
);

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  byte(): number {
    return this.bytes[this.at++];
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  signed(bits: number): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(bits, byte & 0x40 ? value - (1n << (shift + 7n)) : value);
    }
  }

  name(): string {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** What instructions refer to by number. */
interface Module {
  readonly types: string[];
  readonly functionTypes: number[];
  readonly importNames: string[];
  readonly names: Map<number, string>;
  readonly bodies: { start: number; end: number }[];
  /** Functions of table 0, by index in it. */
  readonly elements: number[];
}

function read(bytes: Uint8Array): Module {
  const module: Module = {
    types: [],
    functionTypes: [],
    importNames: [],
    names: new Map(),
    bodies: [],
    elements: [],
  };
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.u32();
    const section = new Reader(bytes, reader.at, reader.at + size);
    reader.at += size;
    readSection(id, section, module);
  }
  return module;
}

function readSection(id: number, reader: Reader, module: Module): void {
  switch (id) {
    case Section.Type:
      for (let left = reader.u32(); left > 0; left--) module.types.push(functionType(reader));
      break;
    case Section.Import:
      for (let left = reader.u32(); left > 0; left--) readImport(reader, module);
      break;
    case Section.Function:
      for (let left = reader.u32(); left > 0; left--) module.functionTypes.push(reader.u32());
      break;
    case Section.Element:
      readElements(reader, module);
      break;
    case Section.Code:
      for (let left = reader.u32(); left > 0; left--) {
        const size = reader.u32();
        module.bodies.push({ start: reader.at, end: reader.at + size });
        reader.at += size;
      }
      break;
    case Section.Custom:
      if (reader.name() === "name") readNames(reader, module);
  }
}

function functionType(reader: Reader): string {
  reader.byte(); // 60: a function type
  const list = (word: string) => {
    const types = [...Array(reader.u32())].map(() => TYPE_NAMES[reader.byte()]);
    return types.length > 0 ? ` (${word} ${types.join(" ")})` : "";
  };
  return list("param") + list("result");
}

function readImport(reader: Reader, module: Module): void {
  const name = `${reader.name()}.${reader.name()}`;
  const kind = reader.byte();
  if (kind === 0) {
    reader.u32();
    module.importNames.push(name);
    return;
  }
  if (kind === 1) reader.byte(); // a table's type
  const hasMaximum = (reader.byte() & 1) === 1;
  reader.u32();
  if (hasMaximum) reader.u32();
}

/** The one form that we write: table 0 from a constant index on, a list of functions. */
function readElements(reader: Reader, module: Module): void {
  if (reader.u32() !== 1 || reader.u32() !== 0) return;
  reader.byte();
  let at = Number(reader.signed(32));
  reader.byte();
  for (let left = reader.u32(); left > 0; left--) module.elements[at++] = reader.u32();
}

function readNames(reader: Reader, module: Module): void {
  while (reader.at < reader.end) {
    const kind = reader.byte();
    const size = reader.u32();
    const next = reader.at + size;
    if (kind === FUNCTION_NAMES) {
      for (let left = reader.u32(); left > 0; left--) {
        const index = reader.u32();
        module.names.set(index, reader.name());
      }
    }
    reader.at = next;
  }
}

/** Prints every function that a module defines. @throws Error for instructions that our engines do not use */
export function printFunctions(bytes: Uint8Array): WasmFunction[] {
  const module = read(bytes);
  return module.bodies.map(({ start, end }, index) => {
    const name = functionName(module, module.importNames.length + index);
    const head = `(func $${name}${module.types[module.functionTypes[index]]}`;
    const lines = new FunctionPrinter(module, new Reader(bytes, start, end)).lines();
    return { name, size: end - start, text: [head, ...lines, ")"].join("\n") };
  });
}

/** Names of the functions that modules put into the table that they share, by index. */
export function tableNames(modules: readonly Uint8Array[]): string[] {
  const names: string[] = [];
  for (const bytes of modules) {
    const module = read(bytes);
    module.elements.forEach((index, place) => {
      names[place] = functionName(module, index);
    });
  }
  return names;
}

function functionName(module: Module, index: number): string {
  return module.names.get(index) ?? module.importNames[index] ?? `function${index}`;
}

class FunctionPrinter {
  private readonly out: string[] = [];
  private depth = 1;

  constructor(
    private readonly module: Module,
    private readonly reader: Reader,
  ) {}

  lines(): string[] {
    const { reader } = this;
    for (let left = reader.u32(); left > 0; left--) {
      const count = reader.u32();
      this.line(`(local ${`${TYPE_NAMES[reader.byte()]} `.repeat(count).trim()})`);
    }
    // The last `end` is the function's.
    while (reader.at < reader.end - 1) this.instruction(reader.byte());
    return this.out;
  }

  private line(text: string): void {
    this.out.push(" ".repeat(2 * this.depth) + text);
  }

  private instruction(opcode: number): void {
    const { reader } = this;
    switch (opcode) {
      case 0x02:
      case 0x03:
      case 0x04: {
        const type = reader.byte();
        const word = opcode === 0x02 ? "block" : opcode === 0x03 ? "loop" : "if";
        this.line(TYPE_NAMES[type] === undefined ? word : `${word} (result ${TYPE_NAMES[type]})`);
        this.depth++;
        return;
      }
      case 0x05:
        this.depth--;
        this.line("else");
        this.depth++;
        return;
      case 0x0b:
        this.depth--;
        this.line("end");
        return;
      default:
        this.line(this.text(opcode));
    }
  }

  private text(opcode: number): string {
    const { reader } = this;
    const simple: Readonly<Record<number, string>> = {
      0: "unreachable",
      1: "nop",
      15: "return",
      26: "drop",
      27: "select",
    };
    if (simple[opcode] !== undefined) return simple[opcode];
    switch (opcode) {
      case 0x0c:
        return `br ${reader.u32()}`;
      case 0x0d:
        return `br_if ${reader.u32()}`;
      case 0x0e: {
        const targets = [...Array(reader.u32() + 1)].map(() => reader.u32());
        return `br_table ${targets.join(" ")}`;
      }
      case 0x10:
        return `call $${functionName(this.module, reader.u32())}`;
      case 0x12:
        return `return_call $${functionName(this.module, reader.u32())}`;
      case 0x11:
      case 0x13: {
        const type = this.module.types[reader.u32()];
        reader.u32(); // table 0
        return `${opcode === 0x11 ? "call_indirect" : "return_call_indirect"}${type}`;
      }
      case 0x1c: {
        const types = [...Array(reader.u32())].map(() => TYPE_NAMES[reader.byte()]);
        return `select (result ${types.join(" ")})`;
      }
      case 0x20:
        return `local.get ${reader.u32()}`;
      case 0x21:
        return `local.set ${reader.u32()}`;
      case 0x22:
        return `local.tee ${reader.u32()}`;
      case 0x41:
        return `i32.const ${reader.signed(32)}`;
      case 0x42:
        return `i64.const ${hex(reader.signed(64))}`;
      case 0x43:
        return `f32.const ${new DataView(reader.take(4).slice().buffer).getFloat32(0, true)}`;
      case 0x44:
        return `f64.const ${new DataView(reader.take(8).slice().buffer).getFloat64(0, true)}`;
    }
    if (opcode >= 0x28 && opcode < 0x28 + MEMORY.length)
      return `${MEMORY[opcode - 0x28]}${this.memoryArgument()}`;
    if (opcode === 0xfd) return this.vector(reader.u32());
    return this.numeric(opcode === 0xfc ? 0xfc0000 + reader.u32() : opcode);
  }

  private vector(code: number): string {
    if (code < VECTOR_MEMORY.length) return `${VECTOR_MEMORY[code]}${this.memoryArgument()}`;
    if (code === 0x0c) {
      const bytes = [...this.reader.take(16)].reverse().map((byte) => byte.toString(16).padStart(2, "0"));
      return `v128.const i128 0x${bytes.join("")}`;
    }
    if (code === 0x0d) return `i8x16.shuffle ${[...this.reader.take(16)].join(" ")}`;
    return this.numeric(0xfd0000 + code);
  }

  private numeric(key: number): string {
    const known = NUMERIC.get(key);
    if (known === undefined) throw new Error(`wat: no name for instruction ${key.toString(16)}`);
    return known.lanes ? `${known.name} ${this.reader.byte()}` : known.name;
  }

  private memoryArgument(): string {
    this.reader.u32(); // the alignment says nothing: guests align as they like
    const offset = this.reader.u32();
    return offset === 0 ? "" : ` offset=${hex(BigInt(offset))}`;
  }
}

function hex(value: bigint): string {
  if (value > -10n && value < 10n) return value.toString();
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
