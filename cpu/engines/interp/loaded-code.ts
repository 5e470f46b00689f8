/** The generated interpreter of one kind of code (forms.ts, CodeKind) as it is loaded: one part after the other. */

import { HANDLER_SECTION, HandlerTable, PAIR_SECTION } from "./handler-table.ts";
import { type InterpreterCode, Part } from "./parts.ts";

/** (state, record, budget) → how execution ended: record.ts, Leave */
export type Run = (state: number, record: number, budget: number) => number;

/** Which handlers there are, and which of them can be executed. */
export interface Handlers {
  readonly table: HandlerTable;
  /** Sees to it that a handler can be executed. */
  require(handler: number): void;
}

/** Handlers that are only looked up: nothing is executed by them. */
export class UnloadedCode implements Handlers {
  readonly table: HandlerTable;

  constructor(code: InterpreterCode) {
    this.table = handlerTableOf(code);
  }

  require(): void {}
}

export class LoadedCode implements Handlers {
  readonly table: HandlerTable;
  readonly imports: WebAssembly.Imports;
  readonly exports: WebAssembly.Exports;
  readonly run: Run;
  /** Functions by handler; places behind them are for compiled regions. */
  readonly functions: WebAssembly.Table;
  private readonly isLoaded: boolean[] = [];
  /** First handler of the first part that is not loaded. */
  private firstMissing = 0;

  /** @param createImports what the modules import; all parts import the same */
  constructor(
    private readonly code: InterpreterCode,
    createImports: (module: WebAssembly.Module) => WebAssembly.Imports,
  ) {
    const module = code.module(Part.Frequent);
    this.table = handlerTableOf(code);
    this.imports = createImports(module);
    this.exports = new WebAssembly.Instance(module, this.imports).exports;
    this.run = this.exports.run as Run;
    this.functions = this.exports.table as WebAssembly.Table;
    this.isLoaded[Part.Frequent] = true;
    this.findMissing();
  }

  require(handler: number): void {
    if (handler < this.firstMissing) return;
    this.load(this.table.starts.findLastIndex((start) => start <= handler));
    this.findMissing();
  }

  private findMissing(): void {
    this.firstMissing =
      this.table.starts.find((_, part) => this.isLoaded[part] !== true) ?? Number.POSITIVE_INFINITY;
  }

  private load(part: number): void {
    if (this.isLoaded[part]) return;
    const { env, helper } = this.imports;
    const { table, functions } = this;
    this.growTable(table.starts[part + 1] ?? table.size);
    // It puts its handlers into the table.
    new WebAssembly.Instance(this.code.module(part), { env: { ...env, table: functions }, helper });
    this.isLoaded[part] = true;
  }

  /** Loads the part that has the handlers of pairs, and has {@link table} know them. */
  loadPairs(part: number): void {
    this.load(part);
    this.findMissing();
    this.table.addPairs(sectionOf(this.code.module(part), PAIR_SECTION));
  }

  /** Sees to it that the table of functions has at least so many places. */
  growTable(size: number): void {
    const missing = size - this.functions.length;
    if (missing > 0) this.functions.grow(missing);
  }
}

function handlerTableOf(code: InterpreterCode): HandlerTable {
  return new HandlerTable(sectionOf(code.module(Part.Frequent), HANDLER_SECTION));
}

function sectionOf(module: WebAssembly.Module, name: string): ArrayBuffer {
  const sections = WebAssembly.Module.customSections(module, name);
  if (sections.length !== 1) throw new Error(`not an interpreter module: no section ${name}`);
  return sections[0];
}
