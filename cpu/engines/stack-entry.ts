/**
 * The TLB's entry for the stack (mmu/tlb.ts): most of what code pushes, pops and spills goes to the page that the stack
 * was in a moment ago. Regions look there first, without hashing.
 */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_STACK, TLB_WRITE } from "../../mmu/tlb.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../mmu/translator.ts";
import { TLB } from "../state.ts";
import { FunctionWriter } from "../wasm/function-writer.ts";
import { LOAD_OPCODE, REGION_ACCESS, STORE_OPCODE } from "./wasm-lowering.ts";

/**
 * A function (state, address, bytes) → 0, with the entry filled from the table; or 1 if the table does not have the page
 * for writing, or the bytes cross into the next one.
 */
export function writeStackRefill(): FunctionWriter {
  const [STATE, ADDRESS, BYTES] = [0, 1, 2];
  const out = new FunctionWriter(REGION_ACCESS);
  const entry = out.local("i32");
  const page = out.local("i64");
  out.get(ADDRESS).numeric("i32.wrap_i64");
  out.i32(PAGE_SHIFT - TLB_ENTRY_SHIFT).numeric("i32.shr_u");
  out.i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT).numeric("i32.and");
  out
    .get(STATE)
    .numeric("i32.add")
    .tee(entry)
    .memory(LOAD_OPCODE.i64, TLB + TLB_WRITE);
  // The page of the last byte.
  out.get(ADDRESS).get(BYTES).numeric("i64.extend_i32_u", "i64.add").i64(1n).numeric("i64.sub");
  out.i64(BigInt(-PAGE_SIZE)).numeric("i64.and").tee(page).numeric("i64.ne");
  out.if(() => out.i32(1).return());
  out
    .get(STATE)
    .get(page)
    .memory(STORE_OPCODE.i64, TLB + TLB_STACK + TLB_WRITE);
  out.get(STATE);
  out.get(entry).memory(LOAD_OPCODE.i32, TLB + TLB_ADDEND);
  out.memory(STORE_OPCODE.i32, TLB + TLB_STACK + TLB_ADDEND);
  return out.i32(0);
}
