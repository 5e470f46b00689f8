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

/** A section, and the id of its first row; `keys` is where its map's keys begin. */
interface Place {
  readonly section: TableSection;
  readonly firstId: number;
  readonly keys: number;
}

/** The rows of all tables, by id and by opcode. The lines of an opcode map are looked at when the map is first needed. */
export class RowTable {
  readonly #places: Place[] = [];
  /** How many rows there are; ids are dense from 0. */
  readonly count: number;
  /** By id: where in its section's text the row's line begins. */
  readonly #starts: Int32Array;
  readonly #rows: OpcodeRow[] = [];
  /** By key: the ids + 1 of the rows of an opcode as linked lists; rows of eight opcodes are only under the first. */
  readonly #head = new Int16Array(KEYS);
  readonly #next: Int16Array;
  /** By map: whether its lines are in these. */
  readonly #isIndexed: boolean[] = [];

  constructor(sections: readonly TableSection[]) {
    let count = 0;
    for (const section of sections) {
      const keys = MAP_BASES[section.map] + (section.encoding === "vex" ? MapBase.Vex : 0);
      this.#places.push({ section, firstId: count, keys });
      count += lineCount(section.rows);
    }
    this.count = count;
    this.#starts = new Int32Array(count);
    this.#next = new Int16Array(count);
  }

  /** @param map number of the map: a key without its low eight bits */
  #index(map: number): void {
    if (this.#isIndexed[map]) return;
    this.#isIndexed[map] = true;
    for (const { section, firstId, keys } of this.#places) {
      if (keys >> 8 !== map) continue;
      const { rows } = section;
      let id = firstId;
      for (let start = 0, end = 0; start < rows.length; start = end + 1) {
        end = endOfLine(rows, start);
        if (end === start) continue;
        const key = keys + opcodeAt(rows, start);
        this.#starts[id] = start;
        this.#next[id] = this.#head[key];
        this.#head[key] = ++id;
      }
    }
  }

  /** The section of a row. */
  #placeOf(id: number): Place {
    const place = this.#places.findLast(({ firstId }) => firstId <= id);
    if (place === undefined) throw new RangeError(`opcode table: no row ${id}`);
    this.#index(place.keys >> 8);
    return place;
  }

  row(id: number): OpcodeRow {
    let row = this.#rows[id];
    if (row === undefined) {
      const { section } = this.#placeOf(id);
      const start = this.#starts[id];
      const line = section.rows.slice(start, endOfLine(section.rows, start));
      row = parseRow(id, line, section, (mnemonic) => this.#fallback(id, mnemonic));
      this.#rows[id] = row;
    }
    return row;
  }

  /** The rows that an opcode may select. */
  rowsOf(key: number): OpcodeRow[] {
    this.#index(key >> 8);
    const rows: OpcodeRow[] = [];
    for (let next = this.#head[key]; next !== 0; next = this.#next[next - 1]) rows.push(this.row(next - 1));
    // PUSH r64 is 50…57: its row is under 50.
    const base = key & ~7;
    for (let next = base === key ? 0 : this.#head[base]; next !== 0; next = this.#next[next - 1]) {
      if (isOpcodeRange(this.#placeOf(next - 1).section.rows, this.#starts[next - 1]))
        rows.push(this.row(next - 1));
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

function endOfLine(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

/** How many lines have something on them. */
function lineCount(text: string): number {
  let count = 0;
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = endOfLine(text, start);
    if (end > start) count++;
  }
  return count;
}

export const ROW_TABLE = new RowTable([...INTEGER, ...SYSTEM, ...X87, ...SSE, ...VEX]);
