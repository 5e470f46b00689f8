/**
 * A {@link SavedState} as bytes, in which every value carries its type:
 *
 *   one byte of type, then
 *     number f64 · bigint u64 · true/false/undefined nothing · text and bytes u32 length and the bytes
 *     list u32 count and the values · record u32 count and pairs of name (as text) and value
 *     area u32 index: bytes that are too many to stand here, kept beside the record (a machine's RAM)
 *
 * All little-endian. Decoding trusts nothing: lengths are checked against what is there, depth is bounded.
 */

import { type SavedState, type SavedValue, StateError } from "./saved-state.ts";

/** Bytes of this length and longer are areas. */
const AREA_BYTES = 65536;
const DEEPEST = 32;

const Type = {
  Undefined: 0,
  False: 1,
  True: 2,
  Number: 3,
  BigInt: 4,
  Text: 5,
  Bytes: 6,
  List: 7,
  Record: 8,
  Area: 9,
} as const;

class Encoder {
  private buffer = new Uint8Array(4096);
  private length = 0;
  private readonly text = new TextEncoder();
  readonly areas: Uint8Array[] = [];

  private room(bytes: number): DataView {
    const needed = this.length + bytes;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    const view = new DataView(this.buffer.buffer, this.length, bytes);
    this.length = needed;
    return view;
  }

  u8(value: number): void {
    this.room(1).setUint8(0, value);
  }

  u32(value: number): void {
    this.room(4).setUint32(0, value, true);
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.buffer.set(bytes, this.length - bytes.length);
  }

  sized(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  value(value: SavedValue): void {
    if (value === undefined) this.u8(Type.Undefined);
    else if (typeof value === "boolean") this.u8(value ? Type.True : Type.False);
    else if (typeof value === "number") {
      this.u8(Type.Number);
      this.room(8).setFloat64(0, value, true);
    } else if (typeof value === "bigint") {
      this.u8(Type.BigInt);
      this.room(8).setBigUint64(0, value, true);
    } else if (typeof value === "string") {
      this.u8(Type.Text);
      this.sized(this.text.encode(value));
    } else if (value instanceof Uint8Array) {
      if (value.length < AREA_BYTES) {
        this.u8(Type.Bytes);
        this.sized(value);
      } else {
        this.u8(Type.Area);
        this.u32(this.areas.length);
        this.areas.push(value);
      }
    } else if (Array.isArray(value)) {
      this.u8(Type.List);
      this.u32(value.length);
      for (const item of value) this.value(item);
    } else {
      const entries = Object.entries(value);
      this.u8(Type.Record);
      this.u32(entries.length);
      for (const [name, item] of entries) {
        this.sized(this.text.encode(name));
        this.value(item);
      }
    }
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

class Decoder {
  private at = 0;
  private readonly view: DataView;
  private readonly text = new TextDecoder("utf-8", { fatal: true });

  constructor(
    private readonly bytes: Uint8Array,
    private readonly areas: readonly Uint8Array[],
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private take(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) throw new StateError("the saved state is cut off");
    this.at = start + length;
    return start;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  raw(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.slice(start, start + length);
  }

  /** How many values follow: each has at least one byte. */
  private count(): number {
    const count = this.u32();
    if (count > this.bytes.length - this.at) throw new StateError("the saved state is cut off");
    return count;
  }

  private area(): Uint8Array {
    const index = this.u32();
    if (index >= this.areas.length)
      throw new StateError(`the saved state is damaged: it has no area ${index}`);
    return this.areas[index];
  }

  private string(): string {
    try {
      return this.text.decode(this.raw(this.u32()));
    } catch (error) {
      if (error instanceof StateError) throw error;
      throw new StateError("the saved state is damaged: a text is not UTF-8");
    }
  }

  value(depth: number): SavedValue {
    if (depth > DEEPEST) throw new StateError("the saved state is damaged: it is nested too deeply");
    const type = this.u8();
    switch (type) {
      case Type.Undefined:
        return undefined;
      case Type.False:
      case Type.True:
        return type === Type.True;
      case Type.Number:
        return this.view.getFloat64(this.take(8), true);
      case Type.BigInt:
        return this.view.getBigUint64(this.take(8), true);
      case Type.Text:
        return this.string();
      case Type.Bytes:
        return this.raw(this.u32());
      case Type.List: {
        const items: SavedValue[] = [];
        for (let count = this.count(); count > 0; count--) items.push(this.value(depth + 1));
        return items;
      }
      case Type.Record: {
        const entries: [string, SavedValue][] = [];
        for (let count = this.count(); count > 0; count--)
          entries.push([this.string(), this.value(depth + 1)]);
        return Object.fromEntries(entries);
      }
      case Type.Area:
        return this.area();
      default:
        throw new StateError(`the saved state is damaged: there is no type ${type}`);
    }
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }
}

export interface EncodedState {
  readonly bytes: Uint8Array;
  /** The long byte arrays of the state, live, in the order in which {@link bytes} names them. */
  readonly areas: readonly Uint8Array[];
}

export function encodeState(state: SavedState): EncodedState {
  const encoder = new Encoder();
  encoder.value(state);
  return { bytes: encoder.finish(), areas: encoder.areas };
}

/**
 * @param areas what the areas of the state hold now
 * @throws StateError for anything that {@link encodeState} has not written
 */
export function decodeState(bytes: Uint8Array, areas: readonly Uint8Array[] = []): SavedState {
  const decoder = new Decoder(bytes, areas);
  const value = decoder.value(0);
  if (typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array || !decoder.isAtEnd) {
    throw new StateError("the saved state is damaged: it does not end where it should");
  }
  return value;
}
