/**
 * The code of a region as it grows: WebAssembly's instructions, and parts of the guest's state in locals. What the guest's
 * instructions become is said elsewhere (emitter.ts).
 */

import { CodeWriter } from "../../wasm/code-writer.ts";
import { LOAD_OPCODE, STATE, STORE_OPCODE } from "../wasm-lowering.ts";
import { LOCAL_PARTS, PartSet } from "./locals.ts";

const IF = 0x04;
const ELSE = 0x05;
const BRANCH = 0x0c;
const BRANCH_IF = 0x0d;
const PARAMETERS = 3;

export abstract class RegionCode extends CodeWriter {
  /** Offsets in the code of branches that are hardly ever taken. */
  readonly unlikely: number[] = [];
  /** Parts whose locals hold what the state does, if that is written through. */
  protected available = new PartSet();
  /** What is emitted is executed whenever its instruction is: it stands on no branch of it. */
  protected isCertain = true;
  private readonly partLocals = new Int16Array(64).fill(-1);

  /**
   * @param writeThrough parts of the state are written to memory at once, and read from there where they are not known to
   * be in their locals; else all of them live in locals throughout
   */
  constructor(protected readonly writeThrough: boolean) {
    super(PARAMETERS);
  }

  // ---- emission ----

  /** An i64 from a JS number that is exact. */
  protected i64(value: number): this {
    this.code.byte(0x42).s64halves(value | 0, Math.floor(value / 0x100000000));
    return this;
  }
  protected numeric(code: readonly number[]): this {
    this.code.bytes(code);
    return this;
  }
  /** An if that is hardly ever taken. */
  protected openUnlikely(): this {
    this.unlikely.push(this.code.length);
    return this.open(IF);
  }
  protected otherwise(): this {
    this.code.byte(ELSE);
    return this;
  }
  /** Branches to a block that was opened at a depth. */
  protected branchTo(depth: number): this {
    this.code.byte(BRANCH).u32(this.depth - depth);
    return this;
  }

  protected branchIfTo(depth: number): this {
    this.code.byte(BRANCH_IF).u32(this.depth - depth);
    return this;
  }

  // ---- parts of the state ----

  /** Pushes a part of the state. */
  protected pushPart(bit: number): this {
    const local = this.part(bit);
    if (!this.writeThrough || this.available.has(bit)) return this.get(local);
    const part = LOCAL_PARTS[bit];
    if (part === undefined) throw new Error(`no part ${bit} of the state`);
    this.get(STATE).memory(LOAD_OPCODE[part.type], part.offset);
    if (this.isCertain) {
      this.tee(local);
      this.available.add(bit);
    }
    return this;
  }

  /** Pops a part of the state. */
  protected popPart(bit: number): void {
    const local = this.part(bit);
    this.set(local);
    if (!this.writeThrough) return;
    const part = LOCAL_PARTS[bit];
    if (part === undefined) throw new Error(`no part ${bit} of the state`);
    this.get(STATE).get(local).memory(STORE_OPCODE[part.type], part.offset);
    if (this.isCertain) this.available.add(bit);
  }

  /** The local of a part of the state. */
  protected part(bit: number): number {
    const known = this.partLocals[bit];
    if (known >= 0) return known;
    const part = LOCAL_PARTS[bit];
    if (part === undefined) throw new Error(`no part ${bit} of the state`);
    const local = this.local(part.type);
    this.partLocals[bit] = local;
    return local;
  }
}
