/**
 * What generated code calls TypeScript for: accesses that miss the TLB, helpers, and by way of the engine what it does not
 * know how to go on with. Exceptions of the guest's end here as numbers in the state.
 */

import { AlignmentFault, PageFault } from "../../../mmu/mmu.ts";
import { Access } from "../../../mmu/translator.ts";
import { type Cpu, RetryAlone } from "../../cpu.ts";
import { GuestException, helperNamed } from "../../helpers.ts";
import "../../helpers/index.ts";
import { ACCESS_ADDRESS, EXIT_BUDGET, EXIT_RECORD } from "../../state.ts";
import { withBulkStrings } from "../bulk-strings.ts";
import { noteException } from "../exception-state.ts";
import { nonCanonicalVector } from "../stack-segment.ts";

/** Addresses from ±2^47 on are not canonical. */
export const CANONICAL_LIMIT = 0x800000000000;

/** The engine, as its slow paths see it. */
export interface SlowPathHost {
  /** Is 64-bit code being executed? */
  is64Bit(): boolean;
  /** Execution is at a record, with so much budget, as long as TypeScript is at work. */
  enterTypeScript(record: number, budget: number): void;
  /** The instruction that a record stands for. */
  instructionOf(record: number): Parameters<typeof nonCanonicalVector>[0];
  /** The instruction is to be executed again, alone. */
  retryAlone(): void;
  /** Finds the record that a branch leads to; 0 after an exception. */
  link(record: number, budget: number): number;
  /** The same for a jump to the RIP in the state. */
  lookup(record: number, budget: number): number;
  /** A counting record has come to zero. */
  hot(record: number): void;
}

export class SlowPaths {
  constructor(
    private readonly cpu: Cpu,
    private readonly host: SlowPathHost,
  ) {}

  /** What a module of handlers, or of regions, imports. */
  imports(module: WebAssembly.Module): WebAssembly.Imports {
    const { cpu, host } = this;
    const { mmu } = cpu;
    const env: Record<string, WebAssembly.ImportValue> = {
      memory: cpu.memory,
      load: this.access("read", -1, (address, bytes) => mmu.load(address, bytes)),
      modify: this.access("read", -1, (address, bytes) => mmu.modify(address, bytes)),
      store: this.access("write", 1, (address, bytes) => mmu.store(address, bytes)),
      probe: this.access("write", 1, (address, bytes) => mmu.probe(address, bytes)),
      commit: () => {
        mmu.commit();
        return 0;
      },
      link: (_state: number, record: number, budget: number) => host.link(record, budget),
      lookup: (_state: number, record: number, budget: number) => host.lookup(record, budget),
      hot: (_state: number, record: number) => {
        host.hot(record);
        return 0;
      },
      // Compiled regions leave what would fault, or would change code, to the interpreter.
      regionLoad: (bytes: number) => this.regionAccess(bytes, Access.Read, -1),
      regionModify: (bytes: number) => this.regionAccess(bytes, Access.Execute, -1),
      regionStore: (bytes: number) => this.regionAccess(bytes, Access.Write, 1),
      regionProbe: (bytes: number) => this.regionAccess(bytes, 0, 1),
    };
    const helpers: Record<string, WebAssembly.ImportValue> = {};
    for (const { module: namespace, name } of WebAssembly.Module.imports(module)) {
      if (namespace !== "helper") continue;
      const helper = helperNamed(name);
      if (helper === undefined) throw new Error(`the interpreter module wants a helper ${name}: rebuild it`);
      helpers[name] = (_state: number, record: number, budget: number) => {
        cpu.setI32(EXIT_BUDGET, budget);
        host.enterTypeScript(record, budget);
        try {
          helper(cpu);
          return 0;
        } catch (error) {
          this.raise(error);
          cpu.setI32(EXIT_RECORD, record);
          return 1;
        }
      };
    }
    return { env, helper: withBulkStrings(cpu.memory, helpers) };
  }

  /**
   * A slow path of the interpreter's.
   * @param failed what it returns after an exception; else what `perform` returns, or 0
   */
  private access(
    kind: "read" | "write",
    failed: number,
    perform: (address: number, bytes: number) => number | void,
  ): (state: number, record: number, budget: number, bytes: number) => number {
    return (_state, record, budget, bytes) => {
      this.host.enterTypeScript(record, budget);
      try {
        return perform(this.accessAddress(record, bytes, kind), bytes) ?? 0;
      } catch (error) {
        return this.failAccess(error, record, budget, failed);
      }
    };
  }

  /** The slow paths of compiled regions; Execute stands for reading with the right to write. */
  private regionAccess(bytes: number, access: Access | 0, failed: number): number {
    const { mmu } = this.cpu;
    const address = this.cpu.getNumber(ACCESS_ADDRESS);
    if (address + bytes > CANONICAL_LIMIT || address < -CANONICAL_LIMIT) return failed;
    try {
      if (access === Access.Read) return mmu.load(address, bytes);
      if (mmu.wouldChangeCode(address, bytes)) return failed;
      if (access === Access.Execute) return mmu.modify(address, bytes);
      if (access === Access.Write) mmu.store(address, bytes);
      else mmu.probe(address, bytes);
      return 0;
    } catch (error) {
      const isForInterpreter =
        error instanceof PageFault ||
        error instanceof AlignmentFault ||
        error instanceof GuestException ||
        error instanceof RetryAlone;
      if (isForInterpreter) return failed;
      throw error;
    }
  }

  /** The address that a slow path was called for. @throws GuestException if not all of the bytes are canonical */
  private accessAddress(record: number, bytes: number, access: "read" | "write"): number {
    const { cpu, host } = this;
    const address = cpu.getNumber(ACCESS_ADDRESS);
    if (!host.is64Bit()) return address;
    if (address > CANONICAL_LIMIT - bytes || address < -CANONICAL_LIMIT)
      throw new GuestException(nonCanonicalVector(host.instructionOf(record), access), 0);
    return address;
  }

  private failAccess(error: unknown, record: number, budget: number, failed: number): number {
    this.raise(error);
    this.cpu.setI32(EXIT_RECORD, record);
    this.cpu.setI32(EXIT_BUDGET, budget);
    return failed;
  }

  /** Notes an architectural exception in the state; anything else is a bug and goes on up. */
  raise(error: unknown): void {
    if (error instanceof RetryAlone) {
      this.host.retryAlone();
      return;
    }
    noteException(this.cpu, error);
  }
}
