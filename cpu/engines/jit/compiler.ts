/**
 * The region compiler: collects hot addresses, compiles them in batches to WebAssembly modules, and says where the code
 * went. It knows the interpreter engine only through {@link CompilerHost}.
 */

import "../../definitions/index.ts";
import { definitionOf } from "../../definitions/registry.ts";
import type { Block, Instructions } from "../../ir/value.ts";
import { ModuleBuilder, type Signature } from "../../wasm/module-builder.ts";
import { buildForm } from "../interp/forms.ts";
import type { DecodedForm } from "../interp/trace.ts";
import { lowerRegion, type RegionRuntime } from "./lower.ts";
import { type Explored, findRegion, type Region } from "./region.ts";

const HANDLER: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };
const SLOW_ACCESS: Signature = { parameters: ["i32", "i32", "i32", "i64", "i32"], results: ["i32"] };

export interface CompilerHost {
  /** Decodes one instruction; undefined if it cannot be fetched or has no definition. */
  decode(rip: number): DecodedForm | undefined;
  /** Linear address of a record that leads to an address. */
  exitRecord(rip: number): number;
  /** What modules import: memory, and the interpreter's functions. */
  readonly imports: WebAssembly.ModuleImports;
  readonly helpers: WebAssembly.ModuleImports;
}

export interface CompiledRegion {
  readonly region: Region;
  readonly code: CallableFunction;
}

export interface CompilerStatistics {
  regions: number;
  modules: number;
  bytes: number;
  instructions: number;
}

export class RegionCompiler {
  readonly statistics: CompilerStatistics = { regions: 0, modules: 0, bytes: 0, instructions: 0 };
  private readonly forms = new Map<number, Instructions | undefined>();

  constructor(private readonly host: CompilerHost) {}

  /** Compiles the regions that begin at these addresses; those that cannot be are left out. */
  compile(addresses: readonly number[]): CompiledRegion[] {
    const regions: Region[] = [];
    for (const rip of addresses) {
      const region = findRegion(
        rip,
        (at) => this.explore(at),
        (at) => this.host.exitRecord(at),
      );
      if (region !== undefined) regions.push(region);
    }
    if (regions.length === 0) return [];
    const module = new ModuleBuilder();
    const runtime = this.importRuntime(module, regions);
    module.importMemory(1);
    const compiled = regions.map((region, index) => {
      const { locals, code } = lowerRegion(region, runtime);
      const name = `region_${region.rip.toString(16)}`;
      module.exportFunction(`r${index}`, module.addFunction(name, HANDLER, locals, code));
      this.statistics.instructions += region.instructionCount;
      return region;
    });
    const bytes = module.toBytes();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: this.host.imports,
      helper: this.host.helpers,
    });
    this.statistics.modules++;
    this.statistics.regions += regions.length;
    this.statistics.bytes += bytes.length;
    return compiled.map((region, index) => ({
      region,
      code: instance.exports[`r${index}`] as CallableFunction,
    }));
  }

  private importRuntime(module: ModuleBuilder, regions: readonly Region[]): RegionRuntime {
    const enter = module.importFunction("env", "enter", HANDLER);
    const jump = module.importFunction("env", "jump", HANDLER);
    const load = module.importFunction("env", "regionLoad", SLOW_ACCESS);
    const modify = module.importFunction("env", "regionModify", SLOW_ACCESS);
    const store = module.importFunction("env", "regionStore", SLOW_ACCESS);
    const probe = module.importFunction("env", "regionProbe", SLOW_ACCESS);
    const commit = module.importFunction("env", "commit", HANDLER);
    const helpers = new Map<string, number>();
    for (const name of helperNames(regions))
      helpers.set(name, module.importFunction("helper", name, HANDLER));
    return {
      enter,
      jump,
      load,
      modify,
      store,
      probe,
      commit,
      helper(name) {
        const index = helpers.get(name);
        if (index === undefined) throw new Error(`helper ${name} was not imported`);
        return index;
      },
    };
  }

  private explore(rip: number): Explored | undefined {
    const decoded = this.host.decode(rip);
    if (decoded === undefined) return undefined;
    const instructions = this.instructionsOf(decoded);
    if (instructions === undefined) return undefined;
    return {
      instruction: { rip, length: decoded.length, instructions, record: decoded.record },
      target: decoded.target,
      conditional: decoded.condition >= 0 || (instructions.transfers && instructions.fallsThrough),
    };
  }

  /** The IR of a form, or undefined if regions leave it to the interpreter. */
  private instructionsOf({ form, key }: DecodedForm): Instructions | undefined {
    if (this.forms.has(key)) return this.forms.get(key);
    const definition = definitionOf(form.row.mnemonic);
    let instructions = definition === undefined ? undefined : buildForm(form, definition);
    if (instructions !== undefined && !isCompilable(instructions.body)) instructions = undefined;
    this.forms.set(key, instructions);
    return instructions;
  }
}

/** Instructions that stop the engine or repeat themselves are the interpreter's. */
function isCompilable(block: Block): boolean {
  return block.every((statement) => {
    switch (statement.do) {
      case "exit":
      case "again":
        return false;
      case "if":
        return isCompilable(statement.yes) && isCompilable(statement.no);
      case "loop":
        return isCompilable(statement.body);
      default:
        return true;
    }
  });
}

function helperNames(regions: readonly Region[]): Set<string> {
  const names = new Set<string>();
  const visit = (block: Block): void => {
    for (const statement of block) {
      if (statement.do === "helper") names.add(statement.name);
      else if (statement.do === "if") {
        visit(statement.yes);
        visit(statement.no);
      } else if (statement.do === "loop") visit(statement.body);
    }
  };
  for (const region of regions) {
    for (const block of region.blocks)
      for (const { instructions } of block.instructions) visit(instructions.body);
  }
  return names;
}
