import { describe, expect, it } from "vitest";
import { type SavedState, StateError, StateReader } from "./saved-state.ts";
import { decodeState, encodeState } from "./saved-state-codec.ts";

const STATE: SavedState = {
  version: 2,
  count: 7,
  big: 0xfedc_ba98_7654_3210n,
  on: true,
  off: false,
  none: undefined,
  name: "größe",
  data: new Uint8Array([1, 2, 3]),
  list: [1, "two", [3n], { version: 1, four: 4 }],
};

describe("saved state", () => {
  it("comes back from bytes as it was", () => {
    expect(decodeState(encodeState(STATE).bytes)).toEqual(STATE);
  });

  it("keeps long byte arrays beside the bytes, each once for every place it stands in", () => {
    const ram = new Uint8Array(100_000).fill(7);
    const { bytes, areas } = encodeState({ version: 1, ram, inner: { version: 1, again: ram } });
    expect(bytes.length).toBeLessThan(200);
    expect(areas).toEqual([ram, ram]);
    const other = new Uint8Array(5);
    expect(decodeState(bytes, [ram, other])).toEqual({
      version: 1,
      ram,
      inner: { version: 1, again: other },
    });
    expect(() => decodeState(bytes, [ram])).toThrow("it has no area 1");
  });

  it("is refused when any byte is missing", () => {
    const { bytes } = encodeState(STATE);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeState(bytes.subarray(0, length))).toThrow(StateError);
    }
    expect(() => decodeState(new Uint8Array([...bytes, 0]))).toThrow(StateError);
  });

  it("decodes or refuses, but nothing else, when bytes are changed", () => {
    const { bytes } = encodeState(STATE);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          decodeState(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(StateError);
        }
      }
    }
  });

  it("is read by name, type and range", () => {
    const reader = new StateReader("thing", STATE, 2);
    expect(reader.u8("count")).toBe(7);
    expect(reader.u64("big")).toBe(0xfedc_ba98_7654_3210n);
    expect(reader.deadline("none")).toBeUndefined();
    expect(() => reader.integer("count", 6)).toThrow("thing: the saved count is not a whole number up to 6");
    expect(() => reader.u8("name")).toThrow(StateError);
    expect(() => reader.bytes("data", 4)).toThrow("thing: the saved data is not 4 bytes");
    expect(() => reader.boolean("absent")).toThrow(StateError);
  });

  it("of a newer layout is refused by name", () => {
    expect(() => new StateReader("thing", STATE, 1)).toThrow(
      "thing: saved in layout 2, this version of osv-vm knows layouts up to 1",
    );
  });
});
