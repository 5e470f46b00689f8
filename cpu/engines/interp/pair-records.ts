/** Joins the records of a finished trace into pairs, where there is a handler for both (pairs.ts, record.ts). */

import { type HandlerTable, PairBit } from "./handler-table.ts";
import {
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_PAIR_MEMORY_IMMEDIATE,
  RECORD_PAIR_MEMORY_SLOT,
  RECORD_PAIR_PLAIN_IMMEDIATE,
  RECORD_PAIR_PLAIN_SLOT,
  RECORD_RETIRE,
  RECORD_SHIFT,
  RECORD_SIZE,
  RECORD_SLOT0,
  RECORD_SLOT1,
} from "./record.ts";
import { copyRecordFacts, type RecordFacts } from "./record-facts.ts";

const HANDLER_SHIFT = 6;

/**
 * Joins what can be joined, from the first record on, and moves the others up.
 * @param memory the linear memory
 * @param recordBase where record 0 is
 * @returns how many records are left
 */
export function joinPairs(
  memory: DataView,
  recordBase: number,
  table: HandlerTable,
  facts: RecordFacts,
  first: number,
  count: number,
): number {
  const address = (index: number) => recordBase + (index << RECORD_SHIFT);
  let last = first - 1; // the last record in its final place
  let open = false; // it holds one instruction and may take another
  for (let index = first; index < first + count; index++) {
    const from = address(index);
    const second = memory.getUint32(from + RECORD_HANDLER, true);
    if (open) {
      const pair = table.pair(memory.getUint32(address(last) + RECORD_HANDLER, true), second);
      if (pair !== 0 && join(memory, address(last), from, pair)) {
        facts.firstLength[last] = facts.length[last];
        facts.length[last] += facts.length[index];
        facts.instructions[last] += facts.instructions[index];
        facts.target[last] = facts.target[index];
        open = false;
        continue;
      }
    }
    last++;
    if (last !== index) {
      for (let byte = 0; byte < RECORD_SIZE; byte += 8) {
        memory.setFloat64(address(last) + byte, memory.getFloat64(from + byte, true), true);
      }
      copyRecordFacts(facts, index, last);
    }
    open = true;
  }
  return last - first + 1;
}

/** Puts the second record's instruction into the first record, unless there is no room. */
function join(memory: DataView, first: number, second: number, pair: number): boolean {
  // A prefetch of a known address has the handler of a NOP, but not its free fields.
  if (memory.getInt32(first + RECORD_ABSOLUTE, true) !== 0) return false;
  const inMemoryLayout = (pair & PairBit.Memory) !== 0;
  if ((pair & PairBit.Immediate) !== 0) {
    const low = memory.getInt32(second + RECORD_IMMEDIATE, true);
    if (memory.getInt32(second + RECORD_IMMEDIATE + 4, true) !== low >> 31) return false;
    memory.setInt32(
      first + (inMemoryLayout ? RECORD_PAIR_MEMORY_IMMEDIATE : RECORD_PAIR_PLAIN_IMMEDIATE),
      low,
      true,
    );
  }
  if ((pair & PairBit.NextRip) !== 0) copy(memory, second, first, RECORD_IMMEDIATE, 8);
  if ((pair & PairBit.SecondMemory) !== 0) copy(memory, second, first, RECORD_BASE, 8);
  if ((pair & PairBit.Transfers) !== 0) copy(memory, second, first, RECORD_RETIRE, 1);
  if ((pair & PairBit.Registers) !== 0) {
    const slot = first + (inMemoryLayout ? RECORD_PAIR_MEMORY_SLOT : RECORD_PAIR_PLAIN_SLOT);
    memory.setUint8(slot, memory.getUint8(second + RECORD_SLOT0));
    memory.setUint8(slot + 1, memory.getUint8(second + RECORD_SLOT1));
  }
  memory.setUint32(first + RECORD_HANDLER, pair >>> HANDLER_SHIFT, true);
  return true;
}

function copy(memory: DataView, from: number, to: number, offset: number, bytes: number): void {
  for (let byte = offset; byte < offset + bytes; byte++)
    memory.setUint8(to + byte, memory.getUint8(from + byte));
}
