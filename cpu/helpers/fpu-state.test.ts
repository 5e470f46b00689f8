import { beforeAll, describe, expect, it } from "vitest";
import { DATA, Machine, PAGE_SIZE } from "../definitions/testing/machine.ts";
import {
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  MXCSR,
  Register,
  Vector,
  X87_CONTROL,
  X87_STATUS,
  X87_TAGS,
  X87_TOP,
} from "../state.ts";

// What is expected here was read from silicon (Xeon, model 167); which bytes are written, the fuzzer cannot tell for XSAVE,
// because the host has more state components than we have. With [rsi]:
const XSAVE = [0x0f, 0xae, 0x26];
const XRSTOR = [0x0f, 0xae, 0x2e];
const FXSAVE = [0x0f, 0xae, 0x06];
const FXRSTOR = [0x0f, 0xae, 0x0e];
const FLDPI = [0xd9, 0xeb];
const FNSAVE = [0xdd, 0x36];

const AREA_BYTES = 832;
const FILL = 0xa5;

let machine: Machine;
beforeAll(() => {
  machine = new Machine();
}, 120_000);

function prepare(address: number, features: number): Uint8Array {
  const { cpu } = machine;
  cpu.setGpr(Register.RSI, address);
  cpu.setGpr(Register.RAX, features);
  cpu.setGpr(Register.RDX, 0);
  cpu.setI32(X87_CONTROL, 0x37f);
  cpu.setI32(X87_STATUS, 0);
  cpu.setI32(X87_TOP, 0);
  cpu.setI32(X87_TAGS, 0);
  cpu.setI32(MXCSR, 0x1fa0);
  machine.xmm(0).fill(0xff);
  for (let index = 0; index < 16; index++) machine.ymm(index).fill(index + 1, 16);
  machine.run(FLDPI);
  const area = cpu.ram.subarray(address, address + AREA_BYTES);
  return area;
}

/** Ranges of bytes that are not the fill pattern any more. */
function changed(area: Uint8Array): string {
  const ranges: string[] = [];
  for (let at = 0; at < area.length; at++) {
    if (area[at] === FILL) continue;
    const start = at;
    while (at < area.length && area[at] !== FILL) at++;
    ranges.push(`${start}…${at - 1}`);
  }
  return ranges.join(" ");
}

describe("XSAVE", () => {
  it("writes the components asked for, and marks them in the header", () => {
    const written = (features: number) => {
      const area = prepare(DATA, features).fill(FILL);
      area.fill(0, 512, 576);
      expect(machine.run(XSAVE)).toBeUndefined();
      expect(area[512]).toBe(features);
      return changed(
        Uint8Array.from([...area.subarray(0, 512), ...new Array(64).fill(FILL), ...area.subarray(576)]),
      );
    };
    expect(written(0)).toBe("");
    expect(written(1)).toBe("0…23 32…159");
    expect(written(2)).toBe("24…31 160…415");
    expect(written(3)).toBe("0…415");
    expect(written(4)).toBe("24…31 576…831");
    expect(written(7)).toBe("0…415 576…831");
  });

  it("leaves the rest of the header alone", () => {
    const area = prepare(DATA, 1);
    area.fill(0xff, 512);
    expect(machine.run(XSAVE)).toBeUndefined();
    expect(area.subarray(512).every((byte) => byte === 0xff)).toBe(true);
  });

  it("wants an area aligned to 64 bytes", () => {
    prepare(DATA + 32, 3);
    expect(machine.run(XSAVE)).toBe(Vector.GP);
  });
});

/** An image with FCW 27F, MXCSR 9FC0 and XMM0 = 1234. */
function image(features: number, header: number): Uint8Array {
  const area = prepare(DATA, features).fill(0);
  const view = new DataView(area.buffer, area.byteOffset);
  view.setUint16(0, 0x27f, true);
  view.setUint32(24, 0x9fc0, true);
  view.setUint32(160, 0x1234, true);
  area[512] = header;
  return area;
}

describe("XRSTOR", () => {
  it("loads what is asked for and present, and initializes what is asked for and not present", () => {
    const loaded = (features: number, header: number) => {
      image(features, header);
      expect(machine.run(XRSTOR)).toBeUndefined();
      const { cpu } = machine;
      const view = new DataView(machine.xmm(0).buffer, machine.xmm(0).byteOffset);
      return [
        cpu.getI32(X87_CONTROL).toString(16),
        cpu.getI32(X87_TOP),
        cpu.getI32(MXCSR).toString(16),
        view.getUint32(0, true).toString(16),
      ].join(" ");
    };
    for (const header of [0, 1, 2, 3]) expect(loaded(0, header)).toBe("37f 7 1fa0 ffffffff");
    for (const header of [0, 2]) expect(loaded(1, header)).toBe("37f 0 1fa0 ffffffff");
    for (const header of [1, 3]) expect(loaded(1, header)).toBe("27f 0 1fa0 ffffffff");
    // MXCSR comes from the image whether SSE state is present or not.
    for (const header of [0, 1]) expect(loaded(2, header)).toBe("37f 7 9fc0 0");
    for (const header of [2, 3]) expect(loaded(2, header)).toBe("37f 7 9fc0 1234");
    expect(loaded(3, 0)).toBe("37f 0 9fc0 0");
    expect(loaded(3, 1)).toBe("27f 0 9fc0 0");
    expect(loaded(3, 2)).toBe("37f 0 9fc0 1234");
    expect(loaded(3, 3)).toBe("27f 0 9fc0 1234");
  });

  it("loads the upper halves of YMM registers, or clears them, only where they are asked for", () => {
    const loaded = (features: number, header: number) => {
      image(features, header).fill(0x55, 576);
      expect(machine.run(XRSTOR)).toBeUndefined();
      const upper = [0, 15].map((index) => machine.ymm(index)[31]);
      return `${machine.cpu.getI32(MXCSR).toString(16)} ${upper}`;
    };
    expect(loaded(3, 7)).toBe("9fc0 1,16");
    expect(loaded(4, 7)).toBe("9fc0 85,85");
    expect(loaded(4, 3)).toBe("9fc0 0,0");
    expect(loaded(7, 7)).toBe("9fc0 85,85");
    expect(loaded(1, 7)).toBe("1fa0 1,16");
  });

  it("refuses headers that name what does not exist, and the compacted form", () => {
    for (const [at, value, vector] of [
      [512, 0x0f, Vector.GP],
      [518, 0x01, Vector.GP],
      [519, 0x80, Vector.GP],
      [520, 0x01, Vector.GP],
      [527, 0x80, Vector.GP],
      [535, 0x01, Vector.GP],
      [536, 0x01, undefined],
      [575, 0x01, undefined],
    ] as const) {
      image(3, 3)[at] = value;
      expect(machine.run(XRSTOR), `byte ${at}`).toBe(vector);
    }
  });

  it("refuses reserved bits of MXCSR only if it loads it", () => {
    for (const [features, vector] of [
      [1, undefined],
      [2, Vector.GP],
      [3, Vector.GP],
    ] as const) {
      image(features, 3)[27] = 1;
      expect(machine.run(XRSTOR), `features ${features}`).toBe(vector);
    }
  });
});

describe("areas across the end of memory", () => {
  const end = DATA + PAGE_SIZE;
  /** Code, distance of the area from the end, and the byte that is touched first. */
  for (const [name, code, before, first, error] of [
    ["FXSAVE", FXSAVE, 496, 511, 6],
    ["FXRSTOR", FXRSTOR, 496, 511, 4],
    ["XSAVE", XSAVE, 512, 575, 6],
    ["XRSTOR", XRSTOR, 512, 520, 4],
    ["FNSAVE", FNSAVE, 107, 107, 6],
  ] as const) {
    it(`${name} faults and leaves everything as it was`, () => {
      const { cpu } = machine;
      prepare(end - before, 3);
      cpu.ram.fill(FILL, end - before, end);
      expect(machine.run(code)).toBe(Vector.PF);
      expect(cpu.getNumber(EXCEPTION_ADDRESS)).toBe(end - before + first);
      expect(cpu.getI32(EXCEPTION_ERROR)).toBe(error);
      expect(changed(cpu.ram.subarray(end - before, end))).toBe("");
      expect(cpu.getI32(X87_TAGS)).toBe(0x80);
    });
  }
});
