/**
 * The region compiler: compiles regions in batches to WebAssembly modules. It knows the interpreter engine only through
 * {@link CompilerHost}.
 */

import "../../definitions/index.ts";
import { definitionOf } from "../../definitions/registry.ts";
import { ModuleBuilder, type Signature } from "../../wasm/module-builder.ts";
import { buildForm } from "../interp/form-code.ts";
import { RECORD_IMMEDIATE } from "../interp/record.ts";
import type { DecodedForm } from "../interp/trace.ts";
import { REGION_ACCESS } from "../wasm-lowering.ts";
import type { RegionRuntime } from "./emitter.ts";
import { PartSet } from "./locals.ts";
import { lowerMaterializer, lowerRegion, type RegionHost } from "./lower.ts";
import { type Explored, type Flow, findRegion, type Region, type RegionInstruction } from "./region.ts";
import { createTemplate, HoleKind, type InstructionTemplate } from "./template.ts";

const HANDLER: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

/** How a host's WebAssembly is told what code is worth. */
export interface ModuleCompiler {
  /** Compiles at once, quickly: control is to go on in the code. */
  compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module;
  /** Compiles to the best code there is while the guest goes on. */
  optimize(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module>;
}

/** Leaves it to WebAssembly. */
const PLAIN_COMPILER: ModuleCompiler = {
  compile: (bytes) => new WebAssembly.Module(bytes),
  optimize: (bytes) => WebAssembly.compile(bytes),
};

export interface CompilerHost extends RegionHost {
  /** Decodes one instruction; undefined if it cannot be fetched or has no definition. */
  decode(rip: number): DecodedForm | undefined;
  /** Has control come to this address, as far as one knows? */
  isKnown(rip: number): boolean;
  isEntry(rip: number): boolean;
  knownNear(rip: number): readonly number[];
  /** A handler number for a region, or -1 if there are no more. */
  allocateSlot(): number;
  /** Told of each module; its functions are named `region_` and the address of the region. */
  onModule(bytes: Uint8Array, regions: readonly Region[]): void;
  /** What modules import: memory, and the interpreter's functions. */
  readonly imports: WebAssembly.ModuleImports;
  readonly helpers: WebAssembly.ModuleImports;
  /** Instructions of a region, if fewer than usual. */
  readonly mostInstructions: number | undefined;
}

/** A region, its handler number, and what code it gets: see LoweringOptions. */
export interface PlacedRegion {
  readonly region: Region;
  readonly slot: number;
  readonly writeThrough: boolean;
}

export interface CompiledRegion {
  readonly region: Region;
  readonly slot: number;
  readonly code: CallableFunction;
}

/** Stores deferred flags, from their captured operands in the state at this address. */
export type StoreFlags = (state: number, record: number, budget: number) => number;

export interface CompilerStatistics {
  regions: number;
  modules: number;
  /** Of WebAssembly. */
  bytes: number;
  /** Of the guest. */
  instructions: number;
}

/** Instructions whose immediate decides what they do: code is generated for each value. */
const BY_IMMEDIATE: ReadonlySet<string> = new Set("shl shr sar rol ror rcl rcr shld shrd".split(" "));
/** Room for 256 values in the key of a form. */
const IMMEDIATE_FACTOR = 2 ** 24;

export class RegionCompiler {
  readonly statistics: CompilerStatistics = { regions: 0, modules: 0, bytes: 0, instructions: 0 };
  private readonly templates = new Map<number, InstructionTemplate | undefined>();

  constructor(
    private readonly host: CompilerHost,
    private readonly modules: ModuleCompiler = PLAIN_COMPILER,
  ) {}

  /** Compiles the regions that begin at these addresses; those that cannot be are left out. */
  compile(addresses: readonly number[], writeThrough: boolean): CompiledRegion[] {
    const { host } = this;
    const claimed = new Set<number>();
    const regions: PlacedRegion[] = [];
    for (const rip of addresses) {
      if (claimed.has(rip)) continue;
      const isEntry = (at: number) => claimed.has(at) || host.isEntry(at);
      const region = this.find(rip, host.mostInstructions, isEntry);
      if (region === undefined) continue;
      const slot = host.allocateSlot();
      if (slot < 0) break;
      for (const entry of region.entries) claimed.add(entry.rip);
      regions.push({ region, slot, writeThrough });
    }
    return regions.length === 0
      ? []
      : this.instantiate(this.modules.compile(this.assemble(regions, false)), regions);
  }

  /**
   * Looks for the region that begins at an address once more.
   * @param isEntry of regions that it must not contain
   */
  find(
    rip: number,
    mostInstructions: number | undefined,
    isEntry: (rip: number) => boolean,
  ): Region | undefined {
    const { host } = this;
    return findRegion(rip, {
      explore: (at) => this.explore(at),
      isKnown: (at) => host.isKnown(at),
      isEntry,
      knownNear: (at) => host.knownNear(at),
      mostInstructions,
    });
  }

  /** Compiles known regions once more, better, while the guest goes on. */
  async optimize(regions: readonly PlacedRegion[]): Promise<CompiledRegion[]> {
    return this.instantiate(await this.modules.optimize(this.assemble(regions, true)), regions);
  }

  /** Makes one module of regions. */
  private assemble(regions: readonly PlacedRegion[], optimized: boolean): Uint8Array<ArrayBuffer> {
    const { host, statistics } = this;
    const module = new ModuleBuilder();
    const runtime = importRuntime(
      module,
      regions.map(({ region }) => region),
    );
    module.importMemory(1);
    if (optimized) module.optimize();
    regions.forEach(({ region, slot, writeThrough }, index) => {
      const { locals, code, unlikely } = lowerRegion(region, { slot, writeThrough }, runtime, host);
      const name = `region_${region.rip.toString(16)}`;
      module.exportFunction(`r${index}`, module.addFunction(name, HANDLER, locals, code, unlikely));
      statistics.instructions += region.instructionCount;
    });
    module.addCustomSection("name", module.nameSection());
    const bytes = module.toBytes();
    host.onModule(
      bytes,
      regions.map(({ region }) => region),
    );
    statistics.modules++;
    statistics.regions += regions.length;
    statistics.bytes += bytes.length;
    return bytes;
  }

  private instantiate(module: WebAssembly.Module, regions: readonly PlacedRegion[]): CompiledRegion[] {
    const { exports } = new WebAssembly.Instance(module, {
      env: this.host.imports,
      helper: this.host.helpers,
    });
    return regions.map(({ region, slot }, index) => ({
      region,
      slot,
      code: exports[`r${index}`] as CallableFunction,
    }));
  }

  /** Makes a function (state, 0, 0) that stores the flags which an instruction has left deferred. */
  compileMaterializer(instruction: RegionInstruction): StoreFlags {
    const module = new ModuleBuilder();
    module.importMemory(1);
    const { locals, code } = lowerMaterializer(instruction);
    module.exportFunction("store", module.addFunction("store-flags", HANDLER, locals, code));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), {
      env: this.host.imports,
    });
    return instance.exports.store as StoreFlags;
  }

  private explore(rip: number): Explored | undefined {
    const decoded = this.host.decode(rip);
    if (decoded === undefined) return undefined;
    const template = this.templateOf(decoded);
    if (template === undefined) return undefined;
    return {
      instruction: {
        rip,
        length: decoded.length,
        template,
        record: decoded.record,
        bank: -1,
        writes: new PartSet(),
      },
      flow: flowOf(decoded, template),
      target: decoded.target ?? -1,
    };
  }

  /** undefined if regions leave the form to the interpreter. */
  private templateOf({ form, key, record }: DecodedForm): InstructionTemplate | undefined {
    const { mnemonic, operands } = form.row;
    const specialize =
      BY_IMMEDIATE.has(mnemonic) &&
      operands.some(({ source, class: kind }) => source === "imm" || kind === "immediate");
    const immediate = specialize ? BigInt(record.getUint8(RECORD_IMMEDIATE)) : undefined;
    const fullKey = immediate === undefined ? key : key + (Number(immediate) + 1) * IMMEDIATE_FACTOR;
    if (this.templates.has(fullKey)) return this.templates.get(fullKey);
    const definition = definitionOf(mnemonic);
    const template =
      definition === undefined
        ? undefined
        : createTemplate((flags) =>
            buildForm(form, definition, immediate === undefined ? { flags } : { flags, immediate }),
          );
    this.templates.set(fullKey, template);
    return template;
  }
}

function flowOf({ form, target }: DecodedForm, template: InstructionTemplate): Flow {
  if (!template.transfers) return "next";
  if (template.conditional) return "conditional";
  switch (form.row.mnemonic) {
    case "call":
      return target === undefined ? "computed call" : "call";
    case "jmp":
      if (target !== undefined) return "jump";
      // Through a fixed place in memory it leads to another module: the PLT's jumps.
      return form.rm === "absolute" ? "away" : "computed jump";
    case "ret":
      return "return";
    default:
      return "away";
  }
}

function importRuntime(module: ModuleBuilder, regions: readonly Region[]): RegionRuntime {
  const enter = module.importFunction("env", "enter", HANDLER);
  const jump = module.importFunction("env", "jump", HANDLER);
  const load = module.importFunction("env", "regionLoad", REGION_ACCESS);
  const modify = module.importFunction("env", "regionModify", REGION_ACCESS);
  const store = module.importFunction("env", "regionStore", REGION_ACCESS);
  const probe = module.importFunction("env", "regionProbe", REGION_ACCESS);
  const commit = module.importFunction("env", "commit", HANDLER);
  const stack = module.importFunction("env", "regionStack", REGION_ACCESS);
  const helpers = new Map<string, number>();
  for (const name of helperNames(regions)) helpers.set(name, module.importFunction("helper", name, HANDLER));
  return {
    enter,
    jump,
    load,
    modify,
    store,
    probe,
    commit,
    stack,
    helper(name) {
      const index = helpers.get(name);
      if (index === undefined) throw new Error(`helper ${name} was not imported`);
      return index;
    },
  };
}

function helperNames(regions: readonly Region[]): Set<string> {
  const names = new Set<string>();
  for (const { blocks } of regions) {
    for (const { instructions } of blocks) {
      for (const { template } of instructions) {
        if (!template.helps) continue;
        for (const { kind, name } of template.holes) if (kind === HoleKind.Helper) names.add(name);
      }
    }
  }
  return names;
}
