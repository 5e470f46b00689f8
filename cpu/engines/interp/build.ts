/**
 * Generates the interpreter: WebAssembly modules (parts.ts) with one handler per distinct form of every defined
 * instruction, and a custom section that tells which handler belongs to which form.
 */

import { isLeftOut } from "../../decoder/lookup.ts";
import { ROWS } from "../../decoder/rows.ts";
import { definitionOf } from "../../definitions/registry.ts";
import { IMPLEMENTED_FEATURES } from "../../model.ts";
import "../../definitions/index.ts";
import { Builder } from "../../ir/builder.ts";
import { CONDITION_SUFFIXES } from "../../ir/flags.ts";
import type { Instructions } from "../../ir/value.ts";
import { ACCESS_ADDRESS, EXIT_BUDGET, EXIT_RECORD, Vector } from "../../state.ts";
import { SYSTEM_FEATURES } from "../../system/system-model.ts";
import { ByteWriter } from "../../wasm/byte-writer.ts";
import { ModuleBuilder, type Signature, type WasmType } from "../../wasm/module-builder.ts";
import { writeStackRefill } from "../stack-entry.ts";
import { REGION_ACCESS } from "../wasm-lowering.ts";
import { buildForm, buildInto } from "./form-code.ts";
import {
  type CodeKind,
  FLAGS_DEAD,
  type Form,
  formsOf,
  handlerAddressForm,
  keyOfForm,
  legacyFormsOf,
} from "./forms.ts";
import { FREQUENT_PAIRS } from "./frequent-pairs.ts";
import {
  encodeHandlerTable,
  encodePairTable,
  FUSABLE_CONDITIONS,
  FUSABLE_FIRST,
  HANDLER_SECTION,
  type HandlerFacts,
  PAIR_SECTION,
} from "./handler-table.ts";
import { lowerEnter, lowerHandler, lowerJump, type Runtime } from "./lower.ts";
import { type Candidate, findPairs, legacyPairNames } from "./pairs.ts";
import { legacyPartOf, partOf } from "./part-rules.ts";
import { InterpreterCode, LEGACY_PART_COUNT, LegacyPart, PART_COUNT, Part } from "./parts.ts";
import {
  FIRST_INSTRUCTION_HANDLER,
  Leave,
  RECORD_COUNTER,
  RECORD_HANDLER,
  RECORD_SIZE,
  REGION_SLOTS,
} from "./record.ts";

const HANDLER: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };
const ACCESS: Signature = { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] };
const REGION_SLOW: Signature = { parameters: ["i32"], results: ["i32"] };
const SLOW_ACCESS: Signature = { parameters: ["i32", "i32", "i32", "i64", "i32"], results: ["i32"] };

/** Generates the interpreter, to be used at once. */
export function generateInterpreter(kind: CodeKind = "long"): InterpreterCode {
  const parts = buildInterpreter(kind);
  return new InterpreterCode((part) => parts[part]);
}

/** A handler of an instruction; its place in the function table is known when all of them are there. */
interface BuiltHandler {
  readonly name: string;
  readonly locals: readonly WasmType[];
  readonly code: Uint8Array;
  readonly facts: HandlerFacts;
  /** The first of the parts whose instructions use it. */
  part: number;
}

/** Declares what every part imports, in the same order: code can then be generated before it is known where it goes. */
function declareImports(module: ModuleBuilder, helperNames: readonly string[]) {
  const imports = {
    load: module.importFunction("env", "load", ACCESS),
    modify: module.importFunction("env", "modify", ACCESS),
    store: module.importFunction("env", "store", ACCESS),
    probe: module.importFunction("env", "probe", ACCESS),
    commit: module.importFunction("env", "commit", HANDLER),
    link: module.importFunction("env", "link", HANDLER),
    lookup: module.importFunction("env", "lookup", HANDLER),
    hot: module.importFunction("env", "hot", HANDLER),
    // What compiled regions call: faults and writes to code are left to the interpreter.
    regionLoad: module.importFunction("env", "regionLoad", REGION_SLOW),
    regionModify: module.importFunction("env", "regionModify", REGION_SLOW),
    regionStore: module.importFunction("env", "regionStore", REGION_SLOW),
    regionProbe: module.importFunction("env", "regionProbe", REGION_SLOW),
  };
  const helperIndex = new Map<string, number>();
  for (const name of helperNames) helperIndex.set(name, module.importFunction("helper", name, HANDLER));
  module.importMemory(1);
  const handlerType = module.type(HANDLER);
  const runtime: Runtime = {
    handlerType,
    load: addSlowAccess(module, "load", imports.load),
    modify: addSlowAccess(module, "modify", imports.modify),
    store: addSlowAccess(module, "store", imports.store),
    probe: addSlowAccess(module, "probe", imports.probe),
    commit: imports.commit,
    link: imports.link,
    lookup: imports.lookup,
    helper: (name) => {
      const index = helperIndex.get(name);
      if (index === undefined) throw new Error(`helper ${name} is not imported`);
      return index;
    },
  };
  return { imports, runtime };
}

function isImplemented(feature: string): boolean {
  return IMPLEMENTED_FEATURES.has(feature) || SYSTEM_FEATURES.has(feature);
}

function addSlowAccess(module: ModuleBuilder, name: string, target: number): number {
  const code = new ByteWriter();
  code.byte(0x20).u32(0).byte(0x20).u32(3).byte(0x37).byte(0).u32(ACCESS_ADDRESS);
  for (const parameter of [0, 1, 2, 4]) code.byte(0x20).u32(parameter);
  code.byte(0x10).u32(target).byte(0x0b);
  return module.addFunction(name, SLOW_ACCESS, [], code.toBytes());
}

/**
 * The parts of the interpreter as they are stored beside the program, for 64-bit code or for the other kinds.
 * Throws if a definition does not fit its rows.
 */
export function buildInterpreter(kind: CodeKind = "long"): Uint8Array<ArrayBuffer>[] {
  const isLegacy = kind === "legacy";
  // Helpers are imports, and imports come first: find out which ones there are before anything is lowered.
  const helperNames = new Set<string>();
  const built: { form: Form; instructions: Instructions }[] = [];
  for (const row of ROWS) {
    const definition = definitionOf(row.mnemonic);
    if (definition === undefined || isLeftOut(row, !isLegacy)) continue;
    if (row.feature !== undefined && !isImplemented(row.feature)) continue;
    for (const form of isLegacy ? legacyFormsOf(row) : formsOf(row)) {
      try {
        built.push({ form, instructions: buildForm(form, definition) });
      } catch (error) {
        throw new Error(
          `${row.mnemonic} (${form.operandSize}, ${form.rm}, ${form.prefix}, L${form.vexL}): ${String(error)}`,
        );
      }
    }
  }
  for (const { instructions } of built) collectHelpers(instructions, helperNames);
  const helpers = [...helperNames].sort();
  const modules = Array.from({ length: isLegacy ? LEGACY_PART_COUNT : PART_COUNT }, () => {
    const module = new ModuleBuilder();
    return { module, ...declareImports(module, helpers) };
  });
  const { module, imports, runtime } = modules[Part.Frequent];
  const { handlerType } = runtime;

  const handlers: BuiltHandler[] = [];
  const handlerOfCode = new Map<string, number>();
  const addHandler = (part: number, name: string, instructions: Instructions): number => {
    const lowered = lowerHandler(instructions, runtime);
    const identity = `${lowered.locals.join()}:${bytesKey(lowered.code)}:${instructions.flagsRead}:${instructions.flagsWritten}`;
    let index = handlerOfCode.get(identity);
    if (index === undefined) {
      index = handlers.length;
      handlers.push({ name, locals: lowered.locals, code: lowered.code, facts: instructions, part });
      handlerOfCode.set(identity, index);
    }
    const handler = handlers[index];
    handler.part = Math.min(handler.part, part);
    return index;
  };

  const keys: [number, number][] = [];
  const fused: [number, number, number][] = [];
  const fusedDone = new Set<number>();
  const candidates: Candidate[] = [];
  for (const { form, instructions } of built) {
    const key = keyOfForm(form);
    const definition = definitionOf(form.row.mnemonic);
    if (definition === undefined) continue;
    const prefix = form.prefix === "none" ? "" : `.${form.prefix}`;
    const length = form.vexL === 0 ? "" : ".ymm";
    const name = `${form.row.mnemonic}.${form.operandSize}.${form.rm}${prefix}${length}`;
    const place = (handlerName: string) => (isLegacy ? legacyPartOf(form) : partOf(form, handlerName));
    const handler = addHandler(place(name), name, instructions);
    keys.push([key, handler]);
    candidates.push({ name, handler, form, definition, instructions });
    if (instructions.flagsWritten !== 0 && !instructions.transfers) {
      const deadForm = { ...form, flagsDead: true };
      const dead = buildForm(deadForm, definition);
      const deadHandler = addHandler(place(`${name}.noflags`), `${name}.noflags`, dead);
      keys.push([key + FLAGS_DEAD, deadHandler]);
      candidates.push({
        name: `${name}.noflags`,
        handler: deadHandler,
        form: deadForm,
        definition,
        instructions: dead,
      });
    }
    if (isFusable(form) && !fusedDone.has(handler)) {
      fusedDone.add(handler);
      for (const code of FUSABLE_CONDITIONS) {
        const b = new Builder();
        buildInto(b, form, definition);
        b.branch(b.flags.condition(code));
        const instructions = b.finish();
        const fusedName = `${name}+j${CONDITION_SUFFIXES[code]}`;
        const fusedHandler = addHandler(place(fusedName), fusedName, instructions);
        fused.push([handler, code, fusedHandler]);
        candidates.push({
          name: fusedName,
          handler: fusedHandler,
          form,
          definition,
          instructions,
          condition: code,
        });
      }
    }
  }

  const pairPart = isLegacy ? LegacyPart.Pairs : Part.Pairs;
  const found = findPairs(candidates, isLegacy ? legacyPairNames() : FREQUENT_PAIRS);
  const pairs = found.map(({ first, second, instructions, bits }) => {
    const handler = addHandler(pairPart, `${first.name} & ${second.name}`, instructions);
    return { first: first.handler, second: second.handler, handler, bits };
  });

  // Places in the function table: what is no instruction's, then one part behind the other.
  const special = addSpecialHandlers(module, imports, runtime);
  const order = handlers
    .map((_, index) => index)
    .sort((a, b) => handlers[a].part - handlers[b].part || a - b);
  const places = new Uint32Array(handlers.length);
  order.forEach((index, place) => {
    places[index] = FIRST_INSTRUCTION_HANDLER + place;
  });
  const functions: number[][] = modules.map(() => []);
  functions[Part.Frequent].push(...special);
  for (const index of order) {
    const { name, locals, code, part } = handlers[index];
    functions[part].push(modules[part].module.addFunction(name, HANDLER, locals, code));
  }

  const starts: number[] = [];
  let size = 0;
  for (const part of functions) {
    starts.push(size);
    size += part.length;
  }
  modules.forEach(({ module: part }, index) => {
    const end = starts[index] + functions[index].length;
    // It grows when more parts are loaded and when regions are compiled: a large table costs time at the start.
    if (index === Part.Frequent) part.defineTable(end, size + REGION_SLOTS);
    else part.importTable(end);
    part.fillTable(starts[index], functions[index]);
  });

  // What regions leave through (jit/lower.ts).
  for (const [name, { locals, code }] of [
    ["enter", lowerEnter(runtime)],
    ["jump", lowerJump(runtime)],
  ] as const) {
    module.exportFunction(name, module.addFunction(name, HANDLER, locals, code));
  }
  for (const name of ["Load", "Modify", "Store", "Probe"] as const) {
    const code = new ByteWriter();
    code.byte(0x20).u32(0).byte(0x20).u32(1).byte(0x37).byte(0).u32(ACCESS_ADDRESS);
    code.byte(0x20).u32(2).byte(0x10).u32(imports[`region${name}`]).byte(0x0b);
    const access = module.addFunction(`region-${name.toLowerCase()}`, REGION_ACCESS, [], code.toBytes());
    module.exportFunction(`region${name}`, access);
  }
  const stack = writeStackRefill();
  module.exportFunction(
    "regionStack",
    module.addFunction("region-stack", REGION_ACCESS, stack.locals, stack.toBytes()),
  );
  // run(state, record, budget): enters the first handler.
  const run = new ByteWriter();
  for (const parameter of [0, 1, 2, 1]) run.byte(0x20).u32(parameter);
  run.byte(0x28).byte(2).u32(0).byte(0x11).u32(handlerType).u32(0).byte(0x0b);
  module.exportFunction("run", module.addFunction("run", HANDLER, [], run.toBytes()));

  const none: HandlerFacts = {
    transfers: true,
    fallsThrough: false,
    flagsRead: 15,
    flagsWritten: 0,
    observable: true,
  };
  const table = encodeHandlerTable({
    starts,
    facts: [...special.map(() => none), ...order.map((index) => handlers[index].facts)],
    keys: keys.map(([key, handler]) => [key, places[handler]]),
    fused: fused.map(([first, condition, handler]) => [places[first], condition, places[handler]]),
  });
  module.addCustomSection(HANDLER_SECTION, table);
  const placedPairs = pairs.map(({ first, second, handler, bits }) => ({
    first: places[first],
    second: places[second],
    handler: places[handler],
    bits,
  }));
  modules[pairPart].module.addCustomSection(PAIR_SECTION, encodePairTable(placedPairs, size));
  return modules.map(({ module: part }) => {
    part.addCustomSection("name", part.nameSection());
    return part.toBytes();
  });
}

/** Handlers that are no instruction's; see Handler in record.ts for the order. @returns their functions */
function addSpecialHandlers(
  module: ModuleBuilder,
  imports: { readonly hot: number },
  runtime: Runtime,
): number[] {
  const functions: number[] = [];
  const addCode = (name: string, locals: readonly WasmType[], code: Uint8Array) => {
    functions.push(module.addFunction(name, HANDLER, locals, code));
  };
  const addInstructions = (name: string, build: (b: Builder) => void) => {
    const b = new Builder();
    build(b);
    const lowered = lowerHandler(b.finish(), runtime);
    addCode(name, lowered.locals, lowered.code);
  };
  addCode("stale", [], leaveCode(Leave.Stale));
  addInstructions("continue", (b) => b.branch());
  addCode("budget-end", [], budgetEndCode());
  addInstructions("undefined", (b) => b.exception(Vector.UD));
  addInstructions("protection", (b) => b.exception(Vector.GP));
  addCode("count", ["i32"], countCode(imports.hot, runtime.handlerType));
  addInstructions("skip", () => undefined);
  addInstructions("not-available", (b) => b.exception(Vector.NM));
  while (functions.length < FIRST_INSTRUCTION_HANDLER) functions.push(functions[0]);
  return functions;
}

function isFusable(form: Form): boolean {
  if (!FUSABLE_FIRST.has(form.row.mnemonic) || form.prefix !== "none") return false;
  // The link of the branch stands where an absolute address would.
  return (
    handlerAddressForm(form.row, form.rm) === form.rm &&
    form.rm !== "absolute" &&
    form.rm !== "segmentedAbsolute"
  );
}

function leaveCode(code: number): Uint8Array {
  // state.exitRecord = record; state.exitBudget = budget; return code
  return saveExit().byte(0x41).s32(code).byte(0x0b).toBytes();
}

function saveExit(): ByteWriter {
  const out = new ByteWriter();
  out.byte(0x20).u32(0).byte(0x20).u32(1).byte(0x36).byte(2).u32(EXIT_RECORD);
  return out.byte(0x20).u32(0).byte(0x20).u32(2).byte(0x36).byte(2).u32(EXIT_BUDGET);
}

function budgetEndCode(): Uint8Array {
  const out = new ByteWriter();
  // budget -= record.retire
  out.byte(0x20).u32(2).byte(0x20).u32(1).byte(0x2d).byte(0).u32(6).byte(0x6b).byte(0x21).u32(2);
  return out.bytes(leaveCode(Leave.Budget)).toBytes();
}

/** Counts the executions of a trace down, and goes on to the record behind; at zero it asks for compilation. */
function countCode(hot: number, handlerType: number): Uint8Array {
  const out = new ByteWriter();
  // record.counter = local 3 = record.counter - 1
  out.byte(0x20).u32(1).byte(0x20).u32(1).byte(0x28).byte(2).u32(RECORD_COUNTER);
  out.byte(0x41).s32(1).byte(0x6b).byte(0x22).u32(3).byte(0x36).byte(2).u32(RECORD_COUNTER);
  out.byte(0x20).u32(3).byte(0x45).byte(0x04).byte(0x40);
  for (const parameter of [0, 1, 2]) out.byte(0x20).u32(parameter);
  out.byte(0x10).u32(hot).byte(0x1a);
  // There may be another handler in the record now: once more from the top.
  for (const parameter of [0, 1, 2, 1]) out.byte(0x20).u32(parameter);
  out.byte(0x28).byte(2).u32(RECORD_HANDLER).byte(0x13).u32(handlerType).u32(0).byte(0x0b);
  out.byte(0x20).u32(0).byte(0x20).u32(1).byte(0x41).s32(RECORD_SIZE).byte(0x6a).byte(0x20).u32(2);
  out
    .byte(0x20)
    .u32(1)
    .byte(0x28)
    .byte(2)
    .u32(RECORD_SIZE + RECORD_HANDLER);
  return out.byte(0x13).u32(handlerType).u32(0).byte(0x0b).toBytes();
}

function bytesKey(bytes: Uint8Array): string {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}

function collectHelpers(instructions: Instructions, into: Set<string>): void {
  const visit = (block: Instructions["body"]): void => {
    for (const statement of block) {
      if (statement.do === "helper") into.add(statement.name);
      else if (statement.do === "if") {
        visit(statement.yes);
        visit(statement.no);
      } else if (statement.do === "loop") visit(statement.body);
    }
  };
  visit(instructions.body);
}
