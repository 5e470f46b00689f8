/** What only TypeScript needs to know of each decoded record, by record index. */
export interface RecordFacts {
  /** Virtual address of the (first) instruction. */
  readonly rip: Float64Array;
  /** Bytes of it, or of all that the record holds. */
  readonly length: Uint8Array;
  /** Bytes of the first instruction of a pair; 0 if it is none. */
  readonly firstLength: Uint8Array;
  /** How many instructions the record holds. */
  readonly instructions: Uint8Array;
  /** Instructions of the trace before it since the last record that retired. */
  readonly since: Uint8Array;
  /** Virtual address of the branch target. */
  readonly target: Float64Array;
}

/**
 * The facts of `records` records, 20 bytes each (as cpu.ts reserves them), from `base` (a multiple of 8) on in the linear
 * memory: memory that is only touched where it is used.
 */
export function createRecordFacts(buffer: ArrayBufferLike, base: number, records: number): RecordFacts {
  return {
    rip: new Float64Array(buffer, base, records),
    target: new Float64Array(buffer, base + 8 * records, records),
    length: new Uint8Array(buffer, base + 16 * records, records),
    firstLength: new Uint8Array(buffer, base + 17 * records, records),
    instructions: new Uint8Array(buffer, base + 18 * records, records),
    since: new Uint8Array(buffer, base + 19 * records, records),
  };
}

/** Copies what is known of one record to another. */
export function copyRecordFacts(facts: RecordFacts, from: number, to: number): void {
  facts.rip[to] = facts.rip[from];
  facts.length[to] = facts.length[from];
  facts.firstLength[to] = facts.firstLength[from];
  facts.instructions[to] = facts.instructions[from];
  facts.since[to] = facts.since[from];
  facts.target[to] = facts.target[from];
}
