/** Functions that store the flags which an instruction has left deferred, made when they are first needed. */

import { RECORD_IMMEDIATE } from "../interp/record.ts";
import type { RegionCompiler, StoreFlags } from "./compiler.ts";
import type { RegionInstruction } from "./region.ts";
import type { InstructionTemplate } from "./template.ts";

export class FlagStores {
  private readonly byTemplate = new Map<InstructionTemplate, Map<string, StoreFlags>>();

  get(compiler: RegionCompiler, instruction: RegionInstruction): StoreFlags {
    const { template, bank, record } = instruction;
    let alike = this.byTemplate.get(template);
    if (alike === undefined) {
      alike = new Map();
      this.byTemplate.set(template, alike);
    }
    // All that it takes from the record is the immediate.
    const key = `${bank} ${record.getBigInt64(RECORD_IMMEDIATE, true)}`;
    let store = alike.get(key);
    if (store === undefined) {
      store = compiler.compileMaterializer(instruction);
      alike.set(key, store);
    }
    return store;
  }
}
