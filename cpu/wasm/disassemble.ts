/**
 * WebAssembly binary → text, as a person reads it: the text format (core spec, 6) with one statement a line, blocks
 * indented, and names where there are any.
 */

import { ByteReader } from "./byte-reader.ts";
import { instructionOf, type WasmInstruction } from "./instruction-table.ts";
import { type Signature, WASM_TYPE_CODE, type WasmType } from "./module-builder.ts";

/** What things are called. Without a name there is the number. */
export interface WasmNames {
  function?(index: number): string | undefined;
  local?(index: number): string | undefined;
  /** What lies at a constant offset from an address: a comment behind the access. */
  offset?(offset: number): string | undefined;
  /** Comment behind `i64.const` and `i32.const`. */
  constant?(value: bigint): string | undefined;
}

export interface DisassembleOptions {
  readonly names?: WasmNames;
  /** Signatures of functions and types by index: what calls take and leave. */
  readonly functions?: readonly Signature[];
  readonly types?: readonly Signature[];
  /** Show how accesses are aligned, as an assembler must know. (Ours all say 1.) */
  readonly alignment?: boolean;
  /** In front of every line. */
  readonly indent?: string;
}

const TYPE_NAME = new Map<number, WasmType | "funcref">([
  ...Object.entries(WASM_TYPE_CODE).map(([name, code]) => [code, name as WasmType] as const),
  [0x70, "funcref"],
]);
/** Block type without a result (core spec, 5.4.1). */
const VOID = 0x40;

function typeName(code: number): string {
  const name = TYPE_NAME.get(code);
  if (name === undefined) throw new Error(`no value type ${code.toString(16)}`);
  return name;
}

interface OpenBlock {
  readonly label: number;
  /** Values on the stack below it. */
  readonly height: number;
  readonly results: number;
}

/** Instructions that control never comes back from. */
const LEAVES = /^(br|br_table|return|return_call|return_call_indirect|unreachable)$/;

class BodyPrinter {
  private readonly lines: string[] = [];
  private words: string[] = [];
  private height = 0;
  private readonly open: OpenBlock[] = [];
  private labels = 0;
  private indent: number;

  constructor(
    private readonly reader: ByteReader,
    private readonly options: DisassembleOptions,
  ) {
    this.indent = 0;
  }

  print(): string[] {
    const { reader } = this;
    while (!reader.atEnd) {
      const first = reader.byte();
      const prefixed = first >= 0xfc;
      const opcode = prefixed ? reader.u32() : first;
      const instruction = instructionOf(prefixed ? first : 0, opcode);
      if (instruction === undefined) throw new Error(`no instruction ${first.toString(16)} ${opcode}`);
      // The end of the function is the caller's.
      if (instruction.name === "end" && this.open.length === 0) break;
      this.instruction(instruction);
    }
    this.flush();
    return this.lines;
  }

  private flush(): void {
    if (this.words.length > 0)
      this.lines.push(`${this.options.indent ?? ""}${"  ".repeat(this.indent)}${this.words.join(" ")}`);
    this.words = [];
  }

  private instruction(instruction: WasmInstruction): void {
    const { name } = instruction;
    if (name === "else" || name === "end") {
      this.close(name);
      return;
    }
    this.height = Math.max(0, this.height - instruction.pops);
    this.words.push(name);
    this.immediates(instruction);
    this.height += instruction.pushes;
    if (instruction.immediates === "block") {
      this.flush();
      this.indent++;
      return;
    }
    const below = this.open.at(-1)?.height ?? 0;
    if (LEAVES.test(name)) this.height = below;
    if (this.height <= below) this.flush();
  }

  private close(name: "else" | "end"): void {
    this.flush();
    const block = this.open.at(-1);
    if (block === undefined) throw new Error(`${name} without a block`);
    this.indent--;
    this.words.push(name);
    if (name === "else") {
      this.height = block.height;
      this.flush();
      this.indent++;
      return;
    }
    this.open.pop();
    this.height = block.height + block.results;
    if (this.height <= (this.open.at(-1)?.height ?? 0)) this.flush();
  }

  private immediates({ name, immediates, bytes = 1 }: WasmInstruction): void {
    const { reader, words } = this;
    const { names } = this.options;
    switch (immediates) {
      case "none":
        break;
      case "block":
        this.block();
        break;
      case "label":
        words.push(this.label(reader.u32()));
        break;
      case "labels":
        for (let count = reader.u32(); count >= 0; count--) words.push(this.label(reader.u32()));
        break;
      case "function": {
        const index = reader.u32();
        words.push(named(names?.function?.(index), index));
        this.call(this.options.functions?.[index], name);
        break;
      }
      case "indirect": {
        const type = reader.u32();
        const table = reader.u32();
        words.push(...(table === 0 ? [] : [`${table}`]), `(type ${type})`);
        this.call(this.options.types?.[type], name);
        break;
      }
      case "local": {
        const index = reader.u32();
        words.push(named(names?.local?.(index), index));
        break;
      }
      case "global":
      case "table":
        words.push(`${reader.u32()}`);
        break;
      case "types":
        for (let count = reader.u32(); count > 0; count--) words.push(`(result ${typeName(reader.byte())})`);
        break;
      case "memory":
      case "memory lane":
        this.access(bytes);
        if (immediates === "memory lane") words.push(`${reader.byte()}`);
        break;
      case "zero":
        reader.byte();
        break;
      case "two zeros":
        reader.bytes(2);
        break;
      case "i32":
      case "i64": {
        const value = reader.s64();
        words.push(`${value}`);
        this.comment(names?.constant?.(value));
        break;
      }
      case "f32":
        words.push(floatText(reader.bits(4), 32));
        break;
      case "f64":
        words.push(floatText(reader.bits(8), 64));
        break;
      case "v128":
        words.push("i32x4");
        for (let part = 0; part < 4; part++) words.push(`0x${reader.bits(4).toString(16).padStart(8, "0")}`);
        break;
      case "lanes":
        words.push(...Array.from(reader.bytes(16), String));
        break;
      case "lane":
        words.push(`${reader.byte()}`);
        break;
    }
  }

  private comment(text: string | undefined): void {
    if (text !== undefined) this.words.push(`(;${text};)`);
  }

  private block(): void {
    const { reader, words } = this;
    const label = ++this.labels;
    words.push(`$${label}`);
    const type = reader.byte();
    let results = 0;
    if (type !== VOID) {
      const name = TYPE_NAME.get(type);
      if (name === undefined) throw new Error("blocks with parameters are not printed");
      words.push(`(result ${name})`);
      results = 1;
    }
    this.open.push({ label, height: this.height, results });
  }

  private label(depth: number): string {
    const block = this.open.at(-1 - depth);
    // The function's own label has no name.
    return block === undefined ? `${depth}` : `$${block.label}`;
  }

  private call(signature: Signature | undefined, name: string): void {
    if (signature === undefined) {
      this.height = this.open.at(-1)?.height ?? 0;
      return;
    }
    this.height = Math.max(0, this.height - signature.parameters.length);
    if (!name.startsWith("return")) this.height += signature.results.length;
  }

  private access(bytes: number): void {
    const { reader, words } = this;
    const align = reader.u32();
    const offset = reader.u32();
    if (offset !== 0) words.push(`offset=${offset}`);
    if (this.options.alignment === true && 2 ** align !== bytes) words.push(`align=${2 ** align}`);
    if (offset !== 0) this.comment(this.options.names?.offset?.(offset));
  }
}

function named(name: string | undefined, index: number): string {
  return name === undefined ? `${index}` : `$${name}`;
}

/** A float in the text format: NaNs with their payload, everything else so that it reads back the same. */
function floatText(bits: bigint, size: 32 | 64): string {
  const fraction = size === 32 ? 23n : 52n;
  const payload = bits & ((1n << fraction) - 1n);
  const exponentBits = size === 32 ? 0xffn : 0x7ffn;
  const isSpecial = ((bits >> fraction) & exponentBits) === exponentBits;
  const sign = bits >> BigInt(size - 1) === 1n ? "-" : "";
  if (isSpecial) return payload === 0n ? `${sign}inf` : `${sign}nan:0x${payload.toString(16)}`;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = size === 32 ? view.getFloat32(4) : view.getFloat64(0);
  return Object.is(value, -0) ? "-0" : `${value}`;
}

/** The instructions of a function's body (without the declarations of its locals), as lines. */
export function disassembleBody(code: Uint8Array, options: DisassembleOptions = {}): string[] {
  return new BodyPrinter(new ByteReader(code), options).print();
}

/** What a module consists of, as far as our engines use it. */
interface ModuleParts {
  readonly types: Signature[];
  /** Imported functions first, as they are numbered. */
  readonly functionTypes: number[];
  readonly imports: string[];
  importCount: number;
  readonly other: string[];
  readonly bodies: { readonly locals: string[]; readonly code: Uint8Array }[];
  readonly functionNames: Map<number, string>;
  readonly localNames: Map<number, Map<number, string>>;
}

/** A whole module in the text format. @throws Error for what our engines do not generate */
export function disassembleModule(bytes: Uint8Array, options: DisassembleOptions = {}): string {
  const parts = readModule(bytes);
  const functions = parts.functionTypes.map((type) => parts.types[type]);
  const functionNames = uniqueNames(parts.functionNames);
  const functionName = (index: number) => options.names?.function?.(index) ?? functionNames.get(index);
  const lines = ["(module"];
  parts.types.forEach((type, index) => {
    lines.push(`  (type (;${index};) (func${signatureText(type)}))`);
  });
  lines.push(...parts.imports.map((text) => `  ${text}`), ...parts.other.map((text) => `  ${text}`));
  parts.bodies.forEach(({ locals, code }, position) => {
    const index = parts.importCount + position;
    const localNames = uniqueNames(parts.localNames.get(index) ?? new Map());
    lines.push(`  (func ${named(functionName(index), index)} (type ${parts.functionTypes[index]})`);
    const parameters = functions[index].parameters.length;
    locals.forEach((type, local) => {
      const name = localNames.get(parameters + local);
      lines.push(`    (local ${name === undefined ? "" : `$${name} `}${type})`);
    });
    lines.push(
      ...disassembleBody(code, {
        ...options,
        functions,
        types: parts.types,
        indent: "    ",
        names: {
          local: (local) => (local < parameters ? undefined : localNames.get(local)),
          ...options.names,
          function: functionName,
        },
      }),
      "  )",
    );
  });
  return `${[...lines, ")"].join("\n")}\n`;
}

/** The functions of a module by name: their text, and how many bytes their instructions have. */
export function functionsOf(
  bytes: Uint8Array,
  options: DisassembleOptions = {},
): Map<string, { lines: string[]; bytes: number }> {
  const { types, functionTypes, functionNames, importCount, bodies } = readModule(bytes);
  const functions = functionTypes.map((type) => types[type]);
  const names = { function: (index: number) => functionNames.get(index), ...options.names };
  return new Map(
    bodies.map(({ code }, position) => {
      const name = functionNames.get(importCount + position) ?? `${importCount + position}`;
      return [
        name,
        { lines: disassembleBody(code, { ...options, functions, types, names }), bytes: code.length },
      ];
    }),
  );
}

function signatureText({ parameters, results }: Signature): string {
  const list = (word: string, types: readonly string[]) =>
    types.length === 0 ? "" : ` (${word} ${types.join(" ")})`;
  return `${list("param", parameters)}${list("result", results)}`;
}

/** A name as an identifier of the text format (core spec, 6.3.5). */
function identifierOf(name: string): string {
  return `$${name.replace(/[^\w!#$%&'*+\-./:<=>?@\\^`|~]/g, "_")}`;
}

/** Identifiers, no two alike. */
function uniqueNames(names: ReadonlyMap<number, string>): Map<number, string> {
  const seen = new Set<string>();
  const unique = new Map<number, string>();
  for (const [index, name] of names) {
    const plain = identifierOf(name).slice(1);
    const identifier = seen.has(plain) ? `${plain}.${index}` : plain;
    seen.add(identifier);
    unique.set(index, identifier);
  }
  return unique;
}

function readModule(bytes: Uint8Array): ModuleParts {
  const reader = new ByteReader(bytes);
  const header = reader.bytes(8);
  if (header[0] !== 0 || header[1] !== 0x61 || header[4] !== 1) throw new Error("not a WebAssembly module");
  const parts: ModuleParts = {
    types: [],
    functionTypes: [],
    imports: [],
    importCount: 0,
    other: [],
    bodies: [],
    functionNames: new Map(),
    localNames: new Map(),
  };
  while (!reader.atEnd) {
    const id = reader.byte();
    readSection(id, reader.sized(), parts);
  }
  return parts;
}

function each(reader: ByteReader, read: (index: number) => void): void {
  const count = reader.u32();
  for (let index = 0; index < count; index++) read(index);
}

function limitsText(reader: ByteReader): string {
  const flags = reader.byte();
  const least = reader.u32();
  const most = (flags & 1) === 0 ? "" : ` ${reader.u32()}`;
  return `${least}${most}${(flags & 2) === 0 ? "" : " shared"}`;
}

/** Section numbers: core spec, 5.5.2. */
function readSection(id: number, section: ByteReader, parts: ModuleParts): void {
  const valueTypes = () => {
    const types: WasmType[] = [];
    each(section, () => types.push(typeName(section.byte()) as WasmType));
    return types;
  };
  switch (id) {
    case 0:
      if (section.name() === "name") readNames(section, parts);
      break;
    case 1:
      each(section, () => {
        section.byte();
        const parameters = valueTypes();
        parts.types.push({ parameters, results: valueTypes() });
      });
      break;
    case 2:
      each(section, () => readImport(section, parts));
      break;
    case 3:
      each(section, () => parts.functionTypes.push(section.u32()));
      break;
    case 4:
      each(section, () => {
        const type = typeName(section.byte());
        parts.other.push(`(table ${limitsText(section)} ${type})`);
      });
      break;
    case 7:
      each(section, () => {
        const name = section.name();
        const kind = ["func", "table", "memory", "global"][section.byte()];
        parts.other.push(`(export ${JSON.stringify(name)} (${kind} ${section.u32()}))`);
      });
      break;
    case 9:
      each(section, () => {
        if (section.u32() !== 0 || section.byte() !== 0x41)
          throw new Error("an element segment of another kind");
        const start = section.s32();
        section.byte();
        const list: number[] = [];
        each(section, () => list.push(section.u32()));
        parts.other.push(`(elem (i32.const ${start}) func ${list.join(" ")})`);
      });
      break;
    case 10:
      each(section, () => {
        const body = section.sized();
        const locals: string[] = [];
        each(body, () => {
          const count = body.u32();
          const type = typeName(body.byte());
          for (let index = 0; index < count; index++) locals.push(type);
        });
        const rest: number[] = [];
        while (!body.atEnd) rest.push(body.byte());
        parts.bodies.push({ locals, code: Uint8Array.from(rest) });
      });
      break;
    default:
      throw new Error(`section ${id} is not one that our engines write`);
  }
}

function readImport(section: ByteReader, parts: ModuleParts): void {
  const module = section.name();
  const name = section.name();
  const add = (text: string) =>
    parts.imports.push(`(import ${JSON.stringify(module)} ${JSON.stringify(name)} (${text}))`);
  const kind = section.byte();
  if (kind === 0) {
    const type = section.u32();
    const index = parts.functionTypes.length;
    parts.functionNames.set(index, `${module}.${name}`);
    add(`func ${identifierOf(`${module}.${name}`)} (type ${type})`);
    parts.functionTypes.push(type);
    parts.importCount++;
  } else if (kind === 1) {
    const type = typeName(section.byte());
    add(`table ${limitsText(section)} ${type}`);
  } else if (kind === 2) add(`memory ${limitsText(section)}`);
  else throw new Error("an import of another kind");
}

/** The name section (core spec, appendix 7.4.1): functions, and locals by function. */
function readNames(section: ByteReader, parts: ModuleParts): void {
  while (!section.atEnd) {
    const id = section.byte();
    const names = section.sized();
    if (id === 1) each(names, () => parts.functionNames.set(names.u32(), names.name()));
    else if (id === 2) {
      each(names, () => {
        const locals = new Map<number, string>();
        parts.localNames.set(names.u32(), locals);
        each(names, () => locals.set(names.u32(), names.name()));
      });
    }
  }
}
