/**
 * How devices save and restore what they hold: a record of named values with the version of its layout. The binary form
 * of a whole machine is in saved-state-codec.ts.
 *
 * What is restored comes from a file and is not trusted: {@link StateReader} checks every value's type and range.
 */

export type SavedValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | undefined
  | SavedValue[]
  | SavedState;

/** One device's values, by name. `version` counts the layouts that the device has had. */
export interface SavedState {
  readonly [name: string]: SavedValue;
}

export interface Saveable {
  save(): SavedState;
  /** @throws StateError if the values are not what a device of this kind can hold */
  restore(saved: SavedState): void;
}

/** What was saved cannot be restored. */
export class StateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StateError";
  }
}

function isState(value: SavedValue): value is SavedState {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

export class StateReader {
  private readonly saved: SavedState;

  /**
   * @param device as error messages name it
   * @param version the newest layout that is understood
   * @throws StateError
   */
  constructor(
    private readonly device: string,
    saved: SavedValue,
    version: number,
  ) {
    if (!isState(saved)) throw new StateError(`${device}: nothing was saved for it`);
    this.saved = saved;
    if (this.version < 1 || this.version > version) {
      throw new StateError(
        `${device}: saved in layout ${this.version}, this version of osv-vm knows layouts up to ${version}`,
      );
    }
  }

  /** Layout that the values were saved in. */
  get version(): number {
    return this.integer("version", 0xffff);
  }

  private fail(name: string, what: string): never {
    throw new StateError(`${this.device}: the saved ${name} is not ${what}`);
  }

  /** A whole number from 0 to `most`. */
  integer(name: string, most: number): number {
    const value = this.saved[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
      this.fail(name, `a whole number up to ${most}`);
    }
    return value;
  }

  u8(name: string): number {
    return this.integer(name, 0xff);
  }

  u16(name: string): number {
    return this.integer(name, 0xffff);
  }

  u32(name: string): number {
    return this.integer(name, 0xffffffff);
  }

  u64(name: string): bigint {
    const value = this.saved[name];
    if (typeof value !== "bigint" || value !== BigInt.asUintN(64, value)) this.fail(name, "64 bits");
    return value;
  }

  boolean(name: string): boolean {
    const value = this.saved[name];
    if (typeof value !== "boolean") this.fail(name, "true or false");
    return value;
  }

  text(name: string): string {
    const value = this.saved[name];
    if (typeof value !== "string") this.fail(name, "text");
    return value;
  }

  /** A point in time or a distance, in nanoseconds; may be negative. */
  time(name: string): number {
    const value = this.saved[name];
    if (typeof value !== "number" || !Number.isFinite(value)) this.fail(name, "a time");
    return value;
  }

  /** A timer's deadline. */
  deadline(name: string): number | undefined {
    return this.saved[name] === undefined ? undefined : this.time(name);
  }

  /** @param length exactly this many bytes; any number if left out */
  bytes(name: string, length?: number): Uint8Array {
    const value = this.saved[name];
    if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
      this.fail(name, length === undefined ? "bytes" : `${length} bytes`);
    }
    return value;
  }

  /** Exactly `length` whole numbers from 0 to `most`. */
  integers(name: string, length: number, most: number): number[] {
    const value = this.saved[name];
    if (!Array.isArray(value) || value.length !== length) this.fail(name, `a list of ${length} numbers`);
    return value.map((item) => {
      if (typeof item !== "number" || !Number.isInteger(item) || item < 0 || item > most) {
        this.fail(name, `a list of whole numbers up to ${most}`);
      }
      return item;
    });
  }

  list(name: string, length?: number): readonly SavedValue[] {
    const value = this.saved[name];
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) this.fail(name, "a list");
    return value;
  }

  /** Anything, or nothing. */
  optional(name: string): SavedValue {
    return this.saved[name];
  }

  state(name: string): SavedState {
    const value = this.saved[name];
    if (!isState(value)) this.fail(name, "a record");
    return value;
  }
}
