/** Assembles a WebAssembly module (core spec, 5.5) from function bodies: just the sections our engines need. */

import { ByteWriter } from "./byte-writer.ts";

export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Binary encodings of value types (core spec, 5.3.1, 5.3.2). */
export const WASM_TYPE_CODE: Readonly<Record<WasmType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

export interface Signature {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
}

/** Strategy (bits 0 and 1) 2: eager; first (2, 3) and last tier (4, 5) 2: optimized. */
const EAGERLY_OPTIMIZED = 0b10_10_10;

interface FunctionBody {
  readonly unlikely: readonly number[];
  readonly type: number;
  readonly name: string;
  readonly locals: readonly WasmType[];
  readonly code: Uint8Array;
}

export class ModuleBuilder {
  private readonly types: Signature[] = [];
  private readonly typeKeys = new Map<string, number>();
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: FunctionBody[] = [];
  private readonly exports: { name: string; kind: number; index: number }[] = [];
  private readonly customSections: { name: string; bytes: Uint8Array }[] = [];
  private tableSize: number | undefined;
  private tableMaximum = 0;
  private importedTableMinimum: number | undefined;
  private elements: { first: number; functions: readonly number[] } | undefined;
  private memoryPages = 1;
  private optimized = false;

  /** Index of a function type, added on first use. */
  type(signature: Signature): number {
    const key = `${signature.parameters.join()}>${signature.results.join()}`;
    let index = this.typeKeys.get(key);
    if (index === undefined) {
      index = this.types.length;
      this.types.push(signature);
      this.typeKeys.set(key, index);
    }
    return index;
  }

  /** Imports come before all functions: their indices are the lowest. */
  importFunction(module: string, name: string, signature: Signature): number {
    if (this.functions.length > 0) throw new Error("imports must be declared before functions");
    this.imports.push({ module, name, type: this.type(signature) });
    return this.imports.length - 1;
  }

  /** The module imports memory 0 as `env.memory` with at least this many 64 KiB pages. */
  importMemory(pages: number): void {
    this.memoryPages = pages;
  }

  /**
   * Adds a function; `code` is its body without local declarations and with the final `end`.
   * @param unlikely offsets in `code` of `if` instructions that are hardly ever taken
   */
  addFunction(
    name: string,
    signature: Signature,
    locals: readonly WasmType[],
    code: Uint8Array,
    unlikely: readonly number[] = [],
  ): number {
    this.functions.push({ type: this.type(signature), name, locals, code, unlikely });
    return this.imports.length + this.functions.length - 1;
  }

  exportFunction(name: string, index: number): void {
    this.exports.push({ name, kind: 0, index });
  }

  /** The module's own table 0, exported as `table`. */
  defineTable(size: number, maximum = size): void {
    this.tableSize = size;
    this.tableMaximum = maximum;
  }

  /** Table 0 is imported as `env.table`. */
  importTable(minimum: number): void {
    this.importedTableMinimum = minimum;
  }

  /** Puts functions into table 0, from this index on, when the module is instantiated. */
  fillTable(first: number, functions: readonly number[]): void {
    this.elements = { first, functions: [...functions] };
  }

  /** Asks for the best code at once, where the engine takes advice (V8's --experimental-wasm-compilation-hints). */
  optimize(): void {
    this.optimized = true;
  }

  addCustomSection(name: string, bytes: Uint8Array): void {
    this.customSections.push({ name, bytes });
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter().bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: number, content: ByteWriter) => out.byte(id).sized(content);

    const types = new ByteWriter().u32(this.types.length);
    for (const { parameters, results } of this.types) {
      types.byte(0x60).u32(parameters.length);
      for (const type of parameters) types.byte(WASM_TYPE_CODE[type]);
      types.u32(results.length);
      for (const type of results) types.byte(WASM_TYPE_CODE[type]);
    }
    section(1, types);

    const importedTable = this.importedTableMinimum === undefined ? 0 : 1;
    const imports = new ByteWriter().u32(this.imports.length + 1 + importedTable);
    for (const entry of this.imports) imports.name(entry.module).name(entry.name).byte(0x00).u32(entry.type);
    imports.name("env").name("memory").byte(0x02).byte(0x00).u32(this.memoryPages);
    if (this.importedTableMinimum !== undefined) {
      imports.name("env").name("table").byte(0x01).byte(0x70).byte(0x00).u32(this.importedTableMinimum);
    }
    section(2, imports);

    const functions = new ByteWriter().u32(this.functions.length);
    for (const body of this.functions) functions.u32(body.type);
    section(3, functions);

    if (this.tableSize !== undefined) {
      section(4, new ByteWriter().u32(1).byte(0x70).byte(0x01).u32(this.tableSize).u32(this.tableMaximum));
      this.exports.push({ name: "table", kind: 1, index: 0 });
    }

    const exports = new ByteWriter().u32(this.exports.length);
    for (const entry of this.exports) exports.name(entry.name).byte(entry.kind).u32(entry.index);
    section(7, exports);

    if (this.elements !== undefined) {
      const { first, functions } = this.elements;
      const elements = new ByteWriter().u32(1).u32(0).byte(0x41).s32(first).byte(0x0b);
      elements.u32(functions.length);
      for (const index of functions) elements.u32(index);
      section(9, elements);
    }

    if (this.optimized) section(0, this.compilationHints());
    const bodies = this.functions.map(encodeBody);
    const hints = this.branchHints(bodies);
    if (hints !== undefined) section(0, hints);
    const code = new ByteWriter().u32(this.functions.length);
    for (const { bytes } of bodies) code.sized(bytes);
    section(10, code);

    for (const { name, bytes } of this.customSections) section(0, new ByteWriter().name(name).bytes(bytes));
    return out.toBytes().slice();
  }

  /** V8's "compilationHints", a byte for each function: compile it eagerly, with the optimizing compiler from the start. */
  private compilationHints(): ByteWriter {
    const out = new ByteWriter().name("compilationHints").u32(this.functions.length);
    for (let count = this.functions.length; count > 0; count--) out.byte(EAGERLY_OPTIMIZED);
    return out;
  }

  /** Compilers that know the branch hinting proposal lay unlikely code out of the way; others ignore the section. */
  private branchHints(bodies: readonly EncodedBody[]): ByteWriter | undefined {
    const hinted = this.functions.flatMap(({ unlikely }, index) => (unlikely.length > 0 ? [index] : []));
    if (hinted.length === 0) return undefined;
    const out = new ByteWriter().name("metadata.code.branch_hint").u32(hinted.length);
    for (const index of hinted) {
      const { unlikely } = this.functions[index];
      out.u32(this.imports.length + index).u32(unlikely.length);
      for (const offset of unlikely)
        out
          .u32(bodies[index].codeStart + offset)
          .byte(1)
          .byte(0);
    }
    return out;
  }

  /** The `name` custom section (function names), for debuggers and profilers. */
  nameSection(): Uint8Array {
    const names = new ByteWriter().u32(this.functions.length);
    this.functions.forEach((body, index) => {
      names.u32(this.imports.length + index).name(body.name);
    });
    return new ByteWriter().byte(0x01).sized(names).toBytes().slice();
  }
}

interface EncodedBody {
  readonly bytes: ByteWriter;
  /** Where the code begins, behind the local declarations. */
  readonly codeStart: number;
}

function encodeBody(body: FunctionBody): EncodedBody {
  const runs: { type: WasmType; count: number }[] = [];
  for (const type of body.locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  const out = new ByteWriter().u32(runs.length);
  for (const { type, count } of runs) out.u32(count).byte(WASM_TYPE_CODE[type]);
  const codeStart = out.length;
  return { bytes: out.bytes(body.code), codeStart };
}
