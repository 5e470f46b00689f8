/**
 * REP MOVS and REP STOS where the TLB has the pages, in WebAssembly: compilers copy and clear small structures with them, so
 * that a call into TypeScript (150 ns) would be most of their time. Everything else, the first access to a page among
 * it, is left to the helpers in cpu/helpers/strings.ts, which say what these instructions do.
 */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_READ, TLB_WRITE } from "../../mmu/tlb.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../mmu/translator.ts";
import { HELPER_ARGUMENTS, TLB } from "../state.ts";
import { FunctionWriter } from "../wasm/function-writer.ts";
import { ModuleBuilder, type Signature } from "../wasm/module-builder.ts";
import { BUDGET, LOAD_OPCODE, RECORD, STATE, STORE_OPCODE } from "./wasm-lowering.ts";

const HANDLER: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };
/** Slots of the helpers' arguments; the number of elements that have been done replaces the first. */
const [TO, FROM, COUNT, BYTES] = [0, 1, 2, 3].map((slot) => HELPER_ARGUMENTS + 16 * slot);
const VALUE = FROM;
/** From this length on the host's own copy is faster than a loop. */
const LONG_COPY = 256;

let module: WebAssembly.Module | undefined;

/**
 * Puts these functions in front of the helpers of the same names.
 * @param helpers functions (state, record, budget) → 1 after an exception
 */
export function withBulkStrings(
  memory: WebAssembly.Memory,
  helpers: WebAssembly.ModuleImports,
): WebAssembly.ModuleImports {
  module ??= new WebAssembly.Module(assemble());
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, helper: helpers });
  return { ...helpers, ...(exports as WebAssembly.ModuleImports) };
}

function assemble(): Uint8Array<ArrayBuffer> {
  const builder = new ModuleBuilder();
  builder.importMemory(1);
  const names = ["copyString", "fillString"] as const;
  const [copy, fill] = names.map((name) => builder.importFunction("helper", name, HANDLER));
  for (const [name, writer] of [
    ["copyString", writeCopy(copy)],
    ["fillString", writeFill(fill)],
  ] as const)
    builder.exportFunction(name, builder.addFunction(name, HANDLER, writer.locals, writer.toBytes()));
  return builder.toBytes();
}

interface Pointer {
  /** i64: the guest's address. */
  readonly address: number;
  /** i32: the TLB's entry for it. */
  readonly entry: number;
  /** i32: where in the linear memory that is. */
  readonly linear: number;
}

/** What both have in common: page after page is found and measured, as far as the TLB has them. */
class BulkWriter extends FunctionWriter {
  private readonly shift = this.local("i32");
  /** i64: elements left to do, and done. */
  private readonly count = this.local("i64");
  private readonly done = this.local("i64");
  /** Of the piece in one page. */
  private readonly elements = this.local("i32");
  readonly length = this.local("i32");

  constructor(private readonly helper: number) {
    super(HANDLER);
    this.get(STATE).memory(LOAD_OPCODE.i32, BYTES).numeric("i32.ctz").set(this.shift);
    this.get(STATE).memory(LOAD_OPCODE.i64, COUNT).set(this.count);
  }

  pointer(slot: number): Pointer {
    const pointer = { address: this.local("i64"), entry: this.local("i32"), linear: this.local("i32") };
    this.get(STATE).memory(LOAD_OPCODE.i64, slot).set(pointer.address);
    return pointer;
  }

  /** If the i32 on the stack is not zero: what has been done is the answer, and if that is nothing, the helper's. */
  stopIf(): this {
    return this.if(() => {
      this.get(this.done).numeric("i64.eqz");
      this.if(() => this.get(STATE).get(RECORD).get(BUDGET).tailCall(this.helper));
      this.answer();
      this.i32(0).return();
    });
  }

  private answer(): void {
    this.get(STATE).get(this.done).memory(STORE_OPCODE.i64, TO);
  }

  /** Finds an address in the TLB, and stops if it is not there. */
  find({ address, entry, linear }: Pointer, tag: number): void {
    this.get(address).numeric("i32.wrap_i64").tee(linear);
    this.i32(PAGE_SHIFT - TLB_ENTRY_SHIFT).numeric("i32.shr_u");
    this.i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT).numeric("i32.and");
    this.get(STATE).numeric("i32.add").tee(entry);
    this.memory(LOAD_OPCODE.i64, TLB + tag);
    this.get(address).i64(BigInt(-PAGE_SIZE)).numeric("i64.and", "i64.ne").stopIf();
    this.get(entry).memory(LOAD_OPCODE.i32, TLB + TLB_ADDEND);
    this.get(linear).numeric("i32.add").set(linear);
  }

  offset({ address }: Pointer): this {
    return this.get(address)
      .numeric("i32.wrap_i64")
      .i32(PAGE_SIZE - 1)
      .numeric("i32.and");
  }

  /** How many elements fit behind the offset in a page, which is popped; stops if not even one does. */
  measure(): void {
    const { shift, count, elements, length } = this;
    this.set(length).i32(PAGE_SIZE).get(length).numeric("i32.sub").get(shift).numeric("i32.shr_u");
    this.set(elements);
    this.get(count).get(elements).numeric("i64.extend_i32_u", "i64.lt_u");
    this.if(() => this.get(count).numeric("i32.wrap_i64").set(elements));
    this.get(elements).numeric("i32.eqz").stopIf();
    this.get(elements).get(shift).numeric("i32.shl").set(length);
  }

  /**
   * The piece that was measured is done: pushes whether there is more. An address that goes over a border of 4 GiB may have
   * 32 bits and wrap around.
   */
  next(pointers: readonly Pointer[]): void {
    const { shift, count, done, elements } = this;
    this.get(count).get(elements).numeric("i64.extend_i32_u", "i64.sub").tee(count);
    this.i64(0n).numeric("i64.ne");
    this.get(done).get(elements).numeric("i64.extend_i32_u", "i64.add").set(done);
    for (const { address } of pointers) {
      this.get(address).get(elements).get(shift).numeric("i32.shl", "i64.extend_i32_u", "i64.add");
      this.tee(address).numeric("i32.wrap_i64").i32(0).numeric("i32.ne", "i32.and");
    }
  }

  /** The answer, if all has been done. */
  finish(): this {
    this.answer();
    return this.i32(0);
  }

  /** Does pieces of 16 bytes, then one each of 8, 4, 2 and 1 as the length demands. */
  pieces(step: (bytes: 1 | 2 | 4 | 8 | 16) => void): void {
    const { length } = this;
    this.while(
      () => this.get(length).i32(16).numeric("i32.ge_u"),
      () => {
        step(16);
        this.get(length).i32(16).numeric("i32.sub").set(length);
      },
    );
    for (const bytes of [8, 4, 2, 1] as const)
      this.get(length)
        .i32(bytes)
        .numeric("i32.and")
        .if(() => step(bytes));
  }

  /** An i64 that holds the value as often as it fits. */
  repeatedElement(): number {
    const pattern = this.local("i64");
    this.get(STATE).memory(LOAD_OPCODE.i64, VALUE).set(pattern);
    [0xffn, 0xffffn, 0xffffffffn].forEach((mask, shift) => {
      this.get(this.shift).i32(shift).numeric("i32.le_u");
      this.if(() => {
        this.get(pattern)
          .i64(mask)
          .numeric("i64.and")
          .i64(mask + 2n)
          .numeric("i64.mul")
          .set(pattern);
      });
    });
    return pattern;
  }

  advance(pointer: number, bytes: number): void {
    this.get(pointer).i32(bytes).numeric("i32.add").set(pointer);
  }
}

const PIECE_LOAD = {
  1: LOAD_OPCODE.i64_8u,
  2: LOAD_OPCODE.i64_16u,
  4: LOAD_OPCODE.i64_32u,
  8: LOAD_OPCODE.i64,
  16: LOAD_OPCODE.v128,
} as const;
const PIECE_STORE = {
  1: STORE_OPCODE.i64_8,
  2: STORE_OPCODE.i64_16,
  4: STORE_OPCODE.i64_32,
  8: STORE_OPCODE.i64,
  16: STORE_OPCODE.v128,
} as const;

function writeCopy(helper: number): FunctionWriter {
  const out = new BulkWriter(helper);
  const { length } = out;
  const destination = out.pointer(TO);
  const source = out.pointer(FROM);
  const [a, b] = [out.local("i32"), out.local("i32")];
  const [to, from] = [destination.linear, source.linear];
  out.repeat(() => {
    out.find(destination, TLB_WRITE);
    out.find(source, TLB_READ);
    // The page that ends first decides.
    out.offset(destination).tee(a).offset(source).tee(b);
    out.get(a).get(b).numeric("i32.gt_u").select().measure();
    // A destination inside the source repeats what was copied before.
    out.get(to).get(from).numeric("i32.sub").get(length).numeric("i32.lt_u").stopIf();
    out.get(length).i32(LONG_COPY).numeric("i32.ge_u");
    out.if(() => out.get(to).get(from).get(length).memoryCopy().i32(0).set(length));
    // From low to high: of a source that is above, nothing is overwritten before it has been read.
    out.pieces((bytes) => {
      out.get(to).get(from).memory(PIECE_LOAD[bytes]).memory(PIECE_STORE[bytes]);
      out.advance(to, bytes);
      out.advance(from, bytes);
    });
    out.next([destination, source]);
  });
  return out.finish();
}

function writeFill(helper: number): FunctionWriter {
  const out = new BulkWriter(helper);
  const destination = out.pointer(TO);
  const pattern = out.repeatedElement();
  out.repeat(() => {
    out.find(destination, TLB_WRITE);
    out.offset(destination).measure();
    out.pieces((bytes) => {
      out.get(destination.linear).get(pattern);
      if (bytes === 16) out.numeric("i64x2.splat");
      out.memory(PIECE_STORE[bytes]);
      out.advance(destination.linear, bytes);
    });
    out.next([destination]);
  });
  return out.finish();
}
