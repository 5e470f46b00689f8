/**
 * The opcode rows, parsed one by one as they are needed: a program decodes a tenth of the 1,600, and parsing all of them
 * takes 5 ms of the start.
 */

import type { OpcodeRow } from "./instruction.ts";
import { isOpcodeRange, opcodeAt, parseRow, type TableSection } from "./notation.ts";
import { INTEGER } from "./tables/integer.ts";
import { SSE } from "./tables/sse.ts";
import { SYSTEM } from "./tables/system.ts";
import { VEX } from "./tables/vex.ts";
import { X87 } from "./tables/x87.ts";

/** Where the keys of an opcode map begin: a key is one of these plus the opcode byte. */
export const MapBase = {
  Legacy: 0x000,
  Legacy0F: 0x100,
  Legacy0F38: 0x200,
  Legacy0F3A: 0x300,
  /** VEX maps 1…3 are at `Vex + map * 256`. */
  Vex: 0x300,
} as const;

/** How many keys there are. */
export const KEYS = 0x700;

const MAP_BASES = {
  legacy: MapBase.Legacy,
  "0f": MapBase.Legacy0F,
  "0f38": MapBase.Legacy0F38,
  "0f3a": MapBase.Legacy0F3A,
} as const;

/** The rows of all tables, by id and by opcode. */
export class RowTable {
  /** By id: the section of a row, and where in its text the line begins. */
  readonly #sections: TableSection[] = [];
  readonly #starts: number[] = [];
  readonly #rows: OpcodeRow[] = [];
  /** By key: the ids + 1 of the rows of an opcode as linked lists; rows of eight opcodes are only under the first. */
  readonly #head = new Int16Array(KEYS);
  readonly #next: number[] = [];
  /** By key: 1 if there may be a row. */
  readonly isUsed = new Uint8Array(KEYS);

  constructor(sections: readonly TableSection[]) {
    for (const section of sections) {
      const base = MAP_BASES[section.map] + (section.encoding === "vex" ? MapBase.Vex : 0);
      const { rows } = section;
      for (let start = 0, end = 0; start < rows.length; start = end + 1) {
        end = rows.indexOf("\n", start);
        if (end < 0) end = rows.length;
        if (end > start) this.#add(section, start, base + opcodeAt(rows, start));
      }
    }
  }

  #add(section: TableSection, start: number, key: number): void {
    const id = this.#starts.length;
    this.#sections.push(section);
    this.#starts.push(start);
    this.#next.push(this.#head[key]);
    this.#head[key] = id + 1;
    this.isUsed[key] = 1;
    if (isOpcodeRange(section.rows, start)) this.isUsed.fill(1, key, key + 8);
  }

  /** How many rows there are; ids are dense from 0. */
  get count(): number {
    return this.#starts.length;
  }

  #line(id: number): string {
    const { rows } = this.#sections[id];
    const start = this.#starts[id];
    const end = rows.indexOf("\n", start);
    return rows.slice(start, end < 0 ? rows.length : end);
  }

  row(id: number): OpcodeRow {
    let row = this.#rows[id];
    if (row === undefined) {
      row = parseRow(id, this.#line(id), this.#sections[id], (mnemonic) => this.#fallback(id, mnemonic));
      this.#rows[id] = row;
    }
    return row;
  }

  /** The rows that an opcode may select. */
  rowsOf(key: number): OpcodeRow[] {
    const rows: OpcodeRow[] = [];
    for (let next = this.#head[key]; next !== 0; next = this.#next[next - 1]) rows.push(this.row(next - 1));
    // PUSH r64 is 50…57: its row is under 50.
    const base = key & ~7;
    for (let next = base === key ? 0 : this.#head[base]; next !== 0; next = this.#next[next - 1]) {
      if (isOpcodeRange(this.#sections[next - 1].rows, this.#starts[next - 1])) rows.push(this.row(next - 1));
    }
    return rows;
  }

  /** The row of that mnemonic further up under the same opcode. */
  #fallback(id: number, mnemonic: string): number {
    for (let next = this.#next[id]; next !== 0; next = this.#next[next - 1]) {
      if (this.row(next - 1).mnemonic === mnemonic) return next - 1;
    }
    throw new Error(`opcode table: no ${mnemonic} above the row that falls back to it`);
  }
}

export const ROW_TABLE = new RowTable([...INTEGER, ...SYSTEM, ...X87, ...SSE, ...VEX]);
