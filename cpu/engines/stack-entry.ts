/**
 * The TLB's entry for the stack (mmu/tlb.ts): most of what code pushes, pops and spills goes to the page that the stack
 * was in a moment ago. Regions look there first, without hashing.
 */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_STACK, TLB_WRITE } from "../../mmu/tlb.ts";
import { PAGE_SHIFT } from "../../mmu/translator.ts";
import { TLB } from "../state.ts";
import { ByteWriter } from "../wasm/byte-writer.ts";
import type { WasmType } from "../wasm/module-builder.ts";
import { numericOpcode } from "../wasm/opcodes.ts";
import { LOAD_OPCODE, STORE_OPCODE } from "./wasm-lowering.ts";

/**
 * A function (state, address, bytes) → 0, with the entry filled from the table; or 1 if the table does not have the page
 * for writing, or the bytes cross into the next one.
 */
export function lowerStackRefill(): { locals: WasmType[]; code: Uint8Array } {
  const [STATE, ADDRESS, BYTES, ENTRY, PAGE] = [0, 1, 2, 3, 4];
  const out = new ByteWriter();
  const get = (local: number) => out.byte(0x20).u32(local);
  const numeric = (name: string) => out.bytes(numericOpcode(name).code);
  const memory = (opcode: readonly number[], offset: number) => out.bytes(opcode).byte(0).u32(offset);
  // entry = state + the hashed offset
  get(ADDRESS);
  numeric("i32.wrap_i64");
  out.byte(0x41).s32(PAGE_SHIFT - TLB_ENTRY_SHIFT);
  numeric("i32.shr_u");
  out.byte(0x41).s32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT);
  numeric("i32.and");
  get(STATE);
  numeric("i32.add");
  out.byte(0x22).u32(ENTRY);
  memory(LOAD_OPCODE.i64, TLB + TLB_WRITE);
  // page = that of the last byte
  get(ADDRESS);
  get(BYTES);
  numeric("i64.extend_i32_u");
  numeric("i64.add");
  out.byte(0x42).s32(1);
  numeric("i64.sub");
  out.byte(0x42).s32(-4096);
  numeric("i64.and");
  out.byte(0x22).u32(PAGE);
  numeric("i64.ne");
  out.byte(0x04).byte(0x40).byte(0x41).s32(1).byte(0x0f).byte(0x0b);
  get(STATE);
  get(PAGE);
  memory(STORE_OPCODE.i64, TLB + TLB_STACK + TLB_WRITE);
  get(STATE);
  get(ENTRY);
  memory(LOAD_OPCODE.i32, TLB + TLB_ADDEND);
  memory(STORE_OPCODE.i32, TLB + TLB_STACK + TLB_ADDEND);
  out.byte(0x41).s32(0).byte(0x0b);
  return { locals: ["i32", "i64"], code: out.toBytes().slice() };
}
